"""One record read with care: any spelling, any type; what cannot be read is kept and told.

A field is found under its name, its camelCase form and its documented aliases; what cannot be
read, and what has no field, stays in `extra` under the key it came with. What differs from the
documentation is counted afterwards from the records themselves, so that readers stay plain
functions of a value. A record without an id has nothing to be found by later: it is an error.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import attrs

from deepidv_async._hooks import Field
from deepidv_async._shape import Scrub, count_drift, field_name
from deepidv_async._values import is_object, kind, open_enum

__all__ = ["RecordReader", "UnreadableRecordError", "record_reader"]


class UnreadableRecordError(Exception):
    """A record that has no id to be known by, or is no record at all."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


@attrs.frozen
class Spelling:
    """One key under which a field may come.

    Attributes:
        field: the model's field.
        preferred: the spellings that win over this one.
    """

    field: Field
    preferred: tuple[str, ...]


@attrs.frozen
class RecordReader:
    """The careful reader of one model.

    Attributes:
        model: the model.
        spellings: every key that is known, with its field.
        enums: names of the fields that hold an open enum.
    """

    model: type
    spellings: Mapping[str, Spelling]
    enums: tuple[str, ...]

    def __call__(self, record: Any) -> Any:
        """Build one model from one JSON object, in one pass over its keys."""
        if not is_object(record):
            raise UnreadableRecordError("", f"is {kind(record)}, not an object")
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, raw in record.items():
            spelling = self.spellings.get(key)
            if spelling is None:
                extra[key] = raw
            elif raw is None:
                continue
            elif spelling.field.name in values:
                read, aside = self._settle(record)
                item = self(read)
                return attrs.evolve(item, extra={**item.extra, **aside})
            else:
                field = spelling.field
                try:
                    values[field.name] = field.read(raw, field.type)
                except ValueError:
                    values[field.name] = None
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

    def _without_id(self, record: dict[str, Any]) -> UnreadableRecordError:
        for key, spelling in self.spellings.items():
            if spelling.field.name == "id" and record.get(key) is not None:
                found = "an empty string" if record[key] == "" else kind(record[key])
                return UnreadableRecordError(f".{key}", f"has {found} as its id")
        return UnreadableRecordError(".id", "has no id")

    def unknown_values(self, item: Any) -> list[str]:
        """Name the fields of `item` whose open enum does not have their value."""
        return [name for name in self.enums if type(getattr(item, name)) is str]

    def count_extra(self, drift: dict[str, int], items: Sequence[Any], scrub: Scrub) -> None:
        """Count, into `drift`, why there is something in the `extra` of `items`."""
        keys = Counter(chain.from_iterable(item.extra for item in items))
        if known := self.spellings.keys() & keys.keys():
            for item in items:
                for key in (key for key in item.extra if key in known):
                    count_drift(drift, f"{_why_aside(item, self.spellings[key])}:{key}")
        for key, times in keys.items():
            if key not in known:
                count_drift(drift, f"unknown_field:{field_name(key, scrub)}", times)


def _why_aside(item: Any, spelling: Spelling) -> str:
    taken = getattr(item, spelling.field.name) is not None
    if taken or any(name in item.extra for name in spelling.preferred):
        return "conflict"
    return "wrong_type"


def _same(one: Any, other: Any) -> bool:
    # Compared as JSON, since Python holds true, 1 and 1.0 for equal.
    try:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except RecursionError:
        return False


def record_reader(
    model: type, fields: Sequence[Field], aliases: Mapping[str, tuple[str, ...]]
) -> RecordReader:
    """Make the reader of `model`; `aliases` are documented names beside a field's own."""
    spellings: dict[str, Spelling] = {}
    for field in fields:
        names = _spellings((field.name, *aliases.get(field.name, ())))
        for rank, name in enumerate(names):
            spellings[name] = Spelling(field, names[:rank])
    enums = tuple(field.name for field in fields if open_enum(field.type))
    return RecordReader(model, spellings, enums)


def _spellings(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form for name in names for form in (name, _camel(name))))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
