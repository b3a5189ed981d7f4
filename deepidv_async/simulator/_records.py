"""Records as the current API documents them, made up from a seed.

Each record is drawn from a random source of its own, named after its place in the data, so the
n-th session of a workflow is the same whatever was asked for before. Times count back from a
fixed instant: nothing depends on the day the program runs.
"""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from deepidv_async.simulator._people import Person, draw_person

__all__ = ["camel_case", "draw", "draw_session", "draw_uuid", "draw_workflow", "iso"]

Record = dict[str, Any]

NEWEST: Final = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
_SESSION_GAP: Final = 11 * 60_000
_WORKFLOW_GAP: Final = 9 * 24 * 3_600_000

_STATUSES: Final = {
    "VERIFIED": 50, "REJECTED": 9, "SUBMITTED": 12, "PENDING": 17, "EXPIRED": 7, "VOIDED": 3,
    "FAILED": 2,
}  # fmt: skip
_FACE_MATCH: Final = 80
_HANDED_IN: Final = frozenset({"VERIFIED", "REJECTED", "SUBMITTED", "FAILED"})
_STEPS: Final = (
    "ID_VERIFICATION", "FACE_LIVENESS", "AGE_ESTIMATION", "PEP_SANCTIONS", "ADVERSE_MEDIA",
    "ADDRESS_VERIFICATION", "CONSENT", "DOCUMENT_UPLOAD", "BANK_STATEMENT_UPLOAD",
)  # fmt: skip
_TOPICS: Final = (
    "Tenant onboarding", "Age check", "Lending, full", "Driver sign-up", "Guest check-in",
    "Broker accreditation", "Wallet top-up", "Seller review",
)  # fmt: skip


def draw(*place: object) -> Random:
    """Give the random source that belongs to a place in the data."""
    return Random("/".join(map(str, place)))  # noqa: S311 - made-up data has to be repeatable


def draw_uuid(random: Random) -> str:
    """Draw an id in the form of a version 4 UUID."""
    return str(UUID(int=random.getrandbits(128), version=4))


def iso(instant: datetime) -> str:
    """Write a time as the API does: milliseconds and `Z`."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chance(random: Random, percent: int) -> bool:
    return random.randrange(100) < percent


def _step_back(random: Random, ordinal: int, gap: int) -> datetime:
    # The drawn part is smaller than the gap, so times fall strictly with the ordinal.
    return NEWEST - timedelta(milliseconds=ordinal * gap + random.randrange(gap))


def draw_workflow(organization: str, seed: int, ordinal: int) -> Record:
    """Make up the workflow that has `ordinal` newer ones before it."""
    random = draw(seed, organization, "workflow", ordinal)
    return {
        "id": draw_uuid(random),
        "name": f"{_TOPICS[ordinal % len(_TOPICS)]} {ordinal + 1}",
        "status": "inactive" if _chance(random, 10) else "active",
        "steps": random.sample(_STEPS, random.randint(2, 5)),
        "created_at": iso(_step_back(random, ordinal, _WORKFLOW_GAP)),
    }


def draw_session(
    owner: Record, workflow: Record, seed: int, ordinal: int, *, status: str | None = None
) -> Record:
    """Make up the session of `workflow` that has `ordinal` newer ones before it.

    Args:
        owner: `organization_id` and `users`, the ids of those who may have sent it.
        workflow: the workflow's own record.
        seed: of the whole data set.
        ordinal: 0 for the newest.
        status: the one to have, and the fields that go with it; `None` draws one.
    """
    random = draw(seed, workflow["id"], ordinal)
    created = _step_back(random, ordinal, _SESSION_GAP)
    drawn = random.choices(tuple(_STATUSES), tuple(_STATUSES.values()))[0]
    status = drawn if status is None else status
    handed_in = status in _HANDED_IN
    progress = "COMPLETED" if handed_in else random.choice(("PENDING", "STARTED"))
    record: Record = {
        "id": draw_uuid(random),
        "organization_id": owner["organization_id"],
        "user_id": draw_uuid(random),
        "sender_user_id": random.choice(owner["users"]),
        "status": status,
        "type": "deep-doc" if _chance(random, 3) else "session",
        "session_progress": progress,
        "workflow_id": workflow["id"],
        "created_at": iso(created),
        "updated_at": iso(created + timedelta(seconds=random.randrange(60, 5000))),
        "workflow_steps": workflow["steps"],
    }
    record |= _sometimes(random, created, ordinal)
    if handed_in:
        record |= _handed_in(random, created, workflow["steps"], draw_person(random))
    return record


def _sometimes(random: Random, created: datetime, ordinal: int) -> Record:
    """Draw the fields that the documentation calls optional and that any session may have."""
    chances: dict[str, tuple[int, Any]] = {
        "external_id": (60, f"lease-{ordinal:05}"),
        "expires_at": (40, iso(created + timedelta(days=random.choice((1, 7, 30))))),
        "redirect_url": (20, "https://app.example.org/done"),
        "permalink_id": (5, f"pl_{random.getrandbits(48):x}"),
        "deep_sign_id": (3, f"ds_{random.getrandbits(48):x}"),
        "bank_statement_request_id": (3, draw_uuid(random)),
    }
    return {name: value for name, (percent, value) in chances.items() if _chance(random, percent)}


def _handed_in(random: Random, created: datetime, steps: list[str], person: Person) -> Record:
    """Draw what only a session has that its applicant has completed."""
    submitted = created + timedelta(seconds=random.randrange(30, 3000))
    record: Record = {
        "submitted_at": iso(submitted),
        "location": _location(random, person),
        "meta_data": _meta_data(random, submitted, person),
        "uploads": {"id_front": True, "id_back": _chance(random, 50)},
        "analysis_data": _analysis(random, submitted, person),
    }
    if "FACE_LIVENESS" in steps:
        record["face_liveness_session_id"] = draw_uuid(random)
    return record


def _location(random: Random, person: Person) -> Any:
    """Draw one of the three published forms: object, text, null."""
    country = person.place[0]
    return random.choices(({"country": country}, country, None), (6, 3, 1))[0]


def _meta_data(random: Random, submitted: datetime, person: Person) -> Record:
    country, code, city, subdivision, zone, latitude, longitude = person.place
    meta: Record = {
        "applicantSubmissionIp": f"203.0.113.{random.randint(1, 254)}",
        "applicantViewTime": iso(submitted - timedelta(seconds=25)),
        "applicantSubmissionLocation": f"{city}, {subdivision}, {country}",
        "applicantSubmissionLocationDetails": {
            "accuracyRadius": 20,
            "city": city,
            "country": country,
            "countryIsoCode": code,
            "latitude": latitude,
            "longitude": longitude,
            "subdivision": subdivision,
            "timeZone": zone,
        },
    }
    # Both casings are published for these keys.
    return {_snake(key): value for key, value in meta.items()} if _chance(random, 20) else meta


def _analysis(random: Random, submitted: datetime, person: Person) -> Record:
    likeness = round(random.uniform(70, 99.9), 2)
    same_face = likeness > _FACE_MATCH
    return {
        "created_at": iso(submitted),
        "id_analysis_data": {
            "id_extracted_text": person.texts(),
            "expiry_date_pass": True,
            "valid_state_pass": True,
            "age_restriction_pass": _chance(random, 95),
        },
        "id_matches_selfie": same_face,
        "faceliveness_score": round(random.uniform(60, 99.9), 2),
        "compare_faces_data": {
            "face_match_confidence": likeness,
            "face_match_result": same_face,
        },
        "selected_document_types": ["passport"],
    }


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def camel_case(record: Record) -> Record:
    """Rename a record's own fields as the legacy generation spells them; values stay."""
    return {_camel(name): value for name, value in record.items()}
