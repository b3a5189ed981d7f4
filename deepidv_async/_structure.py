"""From the body of a page to its models: the only module that imports cattrs.

One converter, built once, structures every record. It knows a strict hook for each type that the
models use (nothing is ever coerced: `5` does not become `"5"`, nor `true` become `1`) and, per
model, one hook made from the model's own attrs fields. A field is found under its name, its
camelCase form and its documented aliases; what cannot be read, and what has no field, stays in
`extra` under the key it came with. What differs from the documentation is counted afterwards from
the records themselves, so that hooks stay plain functions of a value.

A record without an id has nothing to be found by later, so it is an error of the page; the
readable ones travel with it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial, reduce
from operator import eq
from types import NoneType
from typing import Any, Final, Generic, TypeVar, get_args

import attrs
import cattrs

from deepidv_async._body import (
    Envelope,
    Fault,
    PageShape,
    Scrub,
    count_drift,
    field_name,
    outline_body,
    read_envelope,
)
from deepidv_async._errors import ResponseDecodeError
from deepidv_async._history import PartialPage
from deepidv_async._models import Workflow, WorkflowSession
from deepidv_async._values import READERS, is_object, kind, open_enum, open_enum_reader

__all__ = ["DecodedPage", "PageShape", "decode_page"]

T = TypeVar("T")

_ALIASES: Final[Mapping[type, Mapping[str, tuple[str, ...]]]] = {
    Workflow: {"id": ("workflow_id",), "name": ("workflow_name",)},
    # A session's `workflow_id` is the workflow it was sent under, never its own id.
    WorkflowSession: {"id": ("idv_id",)},
}


@attrs.frozen
class DecodedPage(Generic[T]):
    """A page as it was read.

    Attributes:
        items: the records, in the server's order.
        next_token: the cursor of the next page, `None` at the end.
        drift: what is not as documented and how often, empty when all is:
            `unknown_field:`, `wrong_type:` (also a time that is unreadable or has no zone) and
            `conflict:` (a second spelling with another value) with the key as it came,
            `unknown_value:` with the field, `unknown_envelope_field:`,
            `missing_envelope_field:` and `empty_envelope_field:` with the envelope's name.
    """

    items: tuple[T, ...]
    next_token: str | None
    drift: Mapping[str, int]


def decode_page(
    body: bytes, shape: PageShape[T], *, content_type: str = "", scrub: Scrub = str
) -> DecodedPage[T]:
    """Read the body of a list.

    Args:
        body: the whole body, inflated.
        shape: what is documented for this call.
        content_type: the header's value; only told in messages.
        scrub: takes the API key out of the names of fields before they are cut and told.

    Raises:
        ResponseDecodeError: the body is not JSON, its envelope is wrong, or a record is no
            object or has no id. `partial` holds the readable records, in order, once the list
            was found. A token that is unreadable wins over a bad record as the error's `path`:
            it means that nobody can go on, not even without the record.
    """
    envelope = read_envelope(body, shape, content_type=content_type, scrub=scrub)
    structure = _CONVERTER.get_structure_hook(shape.model)
    items: list[T] = []
    faults: list[Fault] = []
    for index, record in enumerate(envelope.records):
        try:
            items.append(structure(record, shape.model))
        except _UnreadableRecordError as error:
            faults.append(Fault(f"{envelope.path}[{index}]{error.path}", error.reason))
    if faults or envelope.fault:
        raise _refusal(envelope, tuple(items), faults, scrub)
    drift = dict(envelope.drift)
    _add_drift(drift, items, _READERS[shape.model], scrub)
    return DecodedPage(tuple(items), envelope.next_token, drift)


def _refusal(
    envelope: Envelope, items: tuple[Any, ...], faults: list[Fault], scrub: Scrub
) -> ResponseDecodeError:
    messages = [envelope.fault.message] if envelope.fault else []
    if faults:
        messages.append(
            f"{len(faults)} of {len(envelope.records)} records cannot be read: "
            f"the first {faults[0].message}."
        )
    return ResponseDecodeError(
        f"{' '.join(messages)} The readable records are in `partial`.",
        path=(envelope.fault or faults[0]).path,
        body=outline_body(envelope.body, scrub),
        partial=PartialPage(items, envelope.next_token, tuple(fault.path for fault in faults)),
    )


class _UnreadableRecordError(Exception):
    """A record that has no id to be known by, or is no record at all."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


@attrs.frozen
class _Spelling:
    """One key under which a field may come.

    Attributes:
        field: name of the model's field.
        read: the hook for its type.
        type: its type, without `None`.
        preferred: the spellings that win over this one.
    """

    field: str
    read: Callable[[Any, Any], Any]
    type: Any
    preferred: tuple[str, ...]


@attrs.frozen
class _RecordReader:
    """The structure hook of one model.

    Attributes:
        model: the model.
        spellings: every key that is known, with its field.
        enums: names of the fields that hold an open enum.
    """

    model: type
    spellings: Mapping[str, _Spelling]
    enums: tuple[str, ...]

    def __call__(self, record: Any, type_: Any) -> Any:
        """Build one model from one JSON object, in one pass over its keys."""
        if not is_object(record):
            raise _UnreadableRecordError("", f"is {kind(record)}, not an object")
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, raw in record.items():
            spelling = self.spellings.get(key)
            if spelling is None:
                extra[key] = raw
            elif raw is None:
                continue
            elif spelling.field in values:
                read, aside = self._settle(record)
                item = self(read, type_)
                return attrs.evolve(item, extra={**item.extra, **aside})
            else:
                try:
                    values[spelling.field] = spelling.read(raw, spelling.type)
                except ValueError:
                    values[spelling.field] = None
                    extra[key] = raw
        if not values.get("id"):
            raise self._without_id(record)
        return self.model(**values, extra=extra)

    def _settle(self, record: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Keep one spelling of each field; give the others that say something else apart."""
        read: dict[str, Any] = {}
        aside: dict[str, Any] = {}
        for key, raw in record.items():
            spelling = self.spellings.get(key)
            rivals = spelling.preferred if spelling else ()
            winner = next((name for name in rivals if record.get(name) is not None), None)
            if winner is None:
                read[key] = raw
            elif raw is not None and not _same(raw, record[winner]):
                aside[key] = raw
        return read, aside

    def _without_id(self, record: dict[str, Any]) -> _UnreadableRecordError:
        for key, spelling in self.spellings.items():
            if spelling.field == "id" and record.get(key) is not None:
                found = "an empty string" if record[key] == "" else kind(record[key])
                return _UnreadableRecordError(f".{key}", f"has {found} as its id")
        return _UnreadableRecordError(".id", "has no id")


def _same(one: Any, other: Any) -> bool:
    # Compared as JSON, since Python holds true, 1 and 1.0 for equal.
    try:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except RecursionError:
        return False


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _spellings(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form for name in names for form in (name, _camel(name))))


def _record_reader(model: type, converter: cattrs.Converter) -> _RecordReader:
    spellings: dict[str, _Spelling] = {}
    enums: list[str] = []
    for field in attrs.fields(model):
        if field.name == "extra":
            continue
        type_ = _without_none(field.type)
        read = converter.get_structure_hook(type_)
        names = _spellings((field.name, *_ALIASES[model].get(field.name, ())))
        for rank, name in enumerate(names):
            spellings[name] = _Spelling(field.name, read, type_, names[:rank])
        if _is_open_enum(type_):
            enums.append(field.name)
    return _RecordReader(model, spellings, tuple(enums))


def _without_none(type_: Any) -> Any:
    arms: list[Any] = list(get_args(type_))
    if NoneType not in arms:
        return type_
    return reduce(lambda one, other: one | other, (arm for arm in arms if arm is not NoneType))


def _is_open_enum(type_: Any) -> bool:
    return open_enum(type_) is not None


def _make_converter() -> tuple[cattrs.Converter, Mapping[type, _RecordReader]]:
    converter = cattrs.Converter()
    for type_, hook in READERS:
        # A class is looked up before any predicate, and `str` has a hook that coerces already;
        # `tuple[str, ...]` and its like are no classes.
        if isinstance(type_, type):
            converter.register_structure_hook(type_, hook)
        else:
            converter.register_structure_hook_func(partial(eq, type_), hook)
    converter.register_structure_hook_factory(_is_open_enum, open_enum_reader)
    readers = {model: _record_reader(model, converter) for model in _ALIASES}
    for model, reader in readers.items():
        converter.register_structure_hook(model, reader)
    return converter, readers


_CONVERTER, _READERS = _make_converter()


def _add_drift(
    drift: dict[str, int], items: Iterable[Any], reader: _RecordReader, scrub: Scrub
) -> None:
    unknown: dict[str, int] = {}
    for item in items:
        for name in reader.enums:
            if type(getattr(item, name)) is str:
                count_drift(drift, f"unknown_value:{name}")
        for key in item.extra:
            spelling = reader.spellings.get(key)
            if spelling is None:
                unknown[key] = unknown.get(key, 0) + 1
            else:
                count_drift(drift, f"{_why_aside(item, spelling)}:{key}")
    for key, times in unknown.items():
        count_drift(drift, f"unknown_field:{field_name(key, scrub)}", times)


def _why_aside(item: Any, spelling: _Spelling) -> str:
    taken = getattr(item, spelling.field) is not None
    if taken or any(name in item.extra for name in spelling.preferred):
        return "conflict"
    return "wrong_type"
