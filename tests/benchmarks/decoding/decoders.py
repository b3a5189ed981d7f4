"""Ways from the bytes of a page to records: floors, ours, and others with the same fields."""

import json
from datetime import datetime
from typing import Any

import attrs
import cattrs
import msgspec
import orjson
import pydantic

from deepidv_async import _json
from deepidv_async._models import SessionProgress, SessionStatus, SessionType, WorkflowSession
from deepidv_async._structure import PageShape, decode_page

SHAPE = PageShape(WorkflowSession, ("sessions",), paged=True)
LEGACY = PageShape(WorkflowSession, ("sessions",))

FIELDS = {
    "name": str,
    **dict.fromkeys(("created_at", "updated_at", "submitted_at", "expires_at"), datetime),
    "status": SessionStatus | str,
    "type": SessionType | str,
    "session_progress": SessionProgress | str,
    **dict.fromkeys(("workflow_id", "external_id", "organization_id"), str),
    **dict.fromkeys(("user_id", "sender_user_id"), str),
    "workflow_steps": list[str],
    "location": str | dict[str, Any],
    "meta_data": dict[str, Any],
    "uploads": dict[str, bool],
    "analysis_data": dict[str, Any],
}


def ours(body, shape=SHAPE):
    """Bytes, envelope, records, unknown fields kept, drift counted."""
    return decode_page(body, shape)


def ours_alone(body, shape=SHAPE):
    """The same without the extra `speed`."""
    found, _json.find_fast_parser = _json.find_fast_parser, lambda: None
    try:
        return decode_page(body, shape)
    finally:
        _json.find_fast_parser = found


def _camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def pydantic_page(*, camel):
    """Pydantic v2, unknown fields kept."""
    session = pydantic.create_model(
        "Session",
        __config__=pydantic.ConfigDict(
            extra="allow", alias_generator=_camel if camel else None, frozen=True
        ),
        id=(str, ...),
        **{name: (type_ | None, None) for name, type_ in FIELDS.items()},
    )
    page = pydantic.create_model("Page", sessions=(list[session], ...), next_token=(str, ...))
    return page.model_validate_json


# Unions of this kind are more than the next two know: they get closed enums and an object.
SIMPLER = FIELDS | {
    "status": SessionStatus,
    "type": SessionType,
    "session_progress": SessionProgress,
    "location": dict[str, Any],
}


def cattrs_page(*, camel):
    """Stock cattrs over orjson; unknown fields dropped, types coerced."""
    fields = {name: attrs.field(type=type_ | None, default=None) for name, type_ in SIMPLER.items()}
    session = attrs.make_class("Session", {"id": attrs.field(type=str), **fields}, frozen=True)
    converter = cattrs.Converter()
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    if camel:
        names = {name: cattrs.override(rename=_camel(name)) for name in SIMPLER}
        hook = cattrs.gen.make_dict_structure_fn(session, converter, **names)
        converter.register_structure_hook(session, hook)
    return lambda body: converter.structure(orjson.loads(body)["sessions"], list[session])


def struct_page(*, camel):
    """A msgspec Struct; unknown fields dropped."""
    session = msgspec.defstruct(
        "Session",
        [("id", str), *((name, type_ | None, None) for name, type_ in SIMPLER.items())],
        rename="camel" if camel else None,
        frozen=True,
    )
    page = msgspec.defstruct("Page", [("sessions", list[session]), ("next_token", str)])
    return msgspec.json.Decoder(page).decode


FLOOR = "orjson.loads, dictionaries"
PLAIN_FLOOR = "json.loads, dictionaries"
OURS = "deepidv_async, extra `speed`"
ALONE = "deepidv_async, base install"
PYDANTIC = "pydantic v2, extras kept"


def decoders(*, camel):
    """All ways, by name."""
    return {
        FLOOR: orjson.loads,
        PLAIN_FLOOR: json.loads,
        "msgspec, dictionaries": msgspec.json.Decoder().decode,
        OURS: ours,
        ALONE: ours_alone,
        PYDANTIC: pydantic_page(camel=camel),
        "stock cattrs over orjson, extras dropped": cattrs_page(camel=camel),
        "msgspec Struct, extras dropped": struct_page(camel=camel),
    }
