"""Bodies of lists of sessions: made up, seeded, of the published fields."""

import json
import random
from datetime import UTC, datetime, timedelta

STEPS = ["ID_VERIFICATION", "FACE_LIVENESS", "PEP_SANCTIONS", "ADVERSE_MEDIA", "CUSTOM_FORM"]
TEXT_FIELDS = ["FIRST_NAME", "LAST_NAME", "DATE_OF_BIRTH", "DOCUMENT_NUMBER", "ADDRESS", "COUNTRY"]
START = datetime(2026, 1, 1, tzinfo=UTC)

_pins = []


def settle_heap():
    """Let the process own and hold as much memory as a service that has run for a while.

    Otherwise every sample of a big page returns its memory to the system and faults it in anew,
    which adds the same to all and blurs what is measured.
    """
    for size in (40, 56, 72, 104, 208, 240, 368, 1100, 2400):
        blocks = [bytes(size) for _ in range(12_000_000 // size)]
        _pins.extend(blocks[::500])


class _Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def uuid(self):
        text = f"{self.random.getrandbits(128):032x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def time(self):
        moment = START + timedelta(milliseconds=self.random.randrange(3 * 10**10))
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def score(self):
        return round(self.random.uniform(0, 100), 5)

    def light(self):
        """Ten fields, 410 bytes."""
        pick = self.random.choice
        return {
            "id": self.uuid(),
            "organization_id": self.uuid(),
            "user_id": self.uuid(),
            "sender_user_id": self.uuid(),
            "status": pick(["PENDING", "SUBMITTED", "VERIFIED", "REJECTED", "VOIDED"]),
            "type": "session",
            "session_progress": pick(["PENDING", "STARTED", "COMPLETED"]),
            "workflow_id": self.uuid(),
            "created_at": self.time(),
            "updated_at": self.time(),
        }

    def mixed(self):
        """A light one, with some more fields now and then."""
        more = {
            "external_id": f"customer-{self.random.randrange(10**9)}",
            "submitted_at": self.time(),
            "location": {"country": "CA"},
        }
        return self.light() | {key: more[key] for key in more if self.random.random() < 0.5}

    def heavy(self):
        """All fields and one that has no name here; 4 kB, most of it the analysis."""
        return self.light() | {
            "external_id": f"customer-{self.random.randrange(10**9)}",
            "submitted_at": self.time(),
            "location": {"country": "CA"},
            "workflow_steps": STEPS,
            "bank_statement_request_id": self.uuid(),
            "meta_data": {
                "applicant_submission_ip": f"203.0.113.{self.random.randrange(255)}",
                "applicant_submission_device": "iPhone",
                "applicant_view_time": self.time(),
                "applicant_submission_browser": "Mobile Safari 18.2",
            },
            "uploads": {"id_front": True, "id_back": True, "selfie": True, "document": False},
            "analysis_data": self.analysis(),
        }

    def analysis(self):
        number = self.random.randrange
        return {
            "created_at": self.time(),
            "id_matches_selfie": True,
            "faceliveness_score": self.score(),
            "id_analysis_data": {
                "detect_face_data": [{"confidence": self.score(), "age_low": 24, "age_high": 32}],
                "id_extracted_text": [
                    {"type": name, "value": f"value {number(10**8)}", "confidence": self.score()}
                    for name in TEXT_FIELDS + TEXT_FIELDS
                ],
                "expiry_date_pass": True,
                "valid_state_pass": True,
            },
            "compare_faces_data": {"face_match_confidence": self.score(), "matched": True},
            "pep_sanctions_data": {
                "hits": [
                    {"name": f"Person {number(10**6)}", "score": self.score(), "source": "OFAC"}
                    for _ in range(5)
                ],
            },
            "adverse_media_data": {
                "articles": [
                    {
                        "title": f"A headline of the usual length, number {number(10**6)}",
                        "url": f"https://news.example/articles/{number(10**9)}",
                        "published_at": self.time(),
                    }
                    for _ in range(4)
                ],
            },
            "document_risk_data": {
                "signals": [
                    {"name": name, "score": self.score(), "details": "no sign of tampering found"}
                    for name in ("FONT", "EDGE", "METADATA", "MOIRE", "COPY")
                ],
            },
            "custom_form_data": [
                {"id": self.uuid(), "question": f"Question {n}?", "answer": f"text {number(10**6)}"}
                for n in range(7)
            ],
        }


def camel(record):
    """The same record, its own keys in camelCase."""
    return {
        first + "".join(part.capitalize() for part in rest): value
        for key, value in record.items()
        for first, *rest in [key.split("_")]
    }


def page(kind, count=500):
    """The body of one page."""
    maker = _Maker(seed=11)
    records = {
        "light": lambda: [maker.light() for _ in range(count)],
        "light, camelCase": lambda: [camel(maker.light()) for _ in range(count)],
        "light, one field unknown": lambda: [maker.light() | {"risk": 1} for _ in range(count)],
        "light, fields come and go": lambda: [maker.mixed() for _ in range(count)],
        "heavy": lambda: [maker.heavy() for _ in range(count)],
    }[kind]()
    body = {"sessions": records, "next_token": "a token"}
    return json.dumps(body, separators=(",", ":")).encode()


KINDS = (
    "light",
    "light, camelCase",
    "light, one field unknown",
    "light, fields come and go",
    "heavy",
)


def legacy(size):
    """A legacy list, which knows no paging, of about `size` bytes."""
    maker = _Maker(seed=13)
    count = size // len(json.dumps(camel(maker.light()), separators=(",", ":")))
    records = [camel(maker.light()) for _ in range(count)]
    return json.dumps({"sessions": records}, separators=(",", ":")).encode(), count
