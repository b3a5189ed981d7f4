"""Functions made to measure: sound records of one kind, checked, become frozen instances.

A function is generated per model and set of fields. It checks texts, times and open enums on the
spot, leaves other types to the converter's hooks, and knows one way only: where a record is not
exactly right it raises `KeyError`, `TypeError` or `ValueError`, and nothing of that record is kept.

An instance is filled as one of a hidden subclass that may be assigned to, and then turned into one
of the model: the `__init__` of a frozen class takes 57-67 ns a field, this takes 10-13. The layout
of both is the same by construction (CPython 3.11 to 3.13). Validators, converters and
`__attrs_post_init__` would not run, so the models have none.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeAlias

import attrs

from deepidv_async._shape import Fault
from deepidv_async._values import check_zone, open_enum

__all__ = ["UNSOUND", "Field", "Form", "Reading", "Run", "make_run"]

UNSOUND: Final = (KeyError, TypeError, ValueError)


@attrs.frozen
class Field:
    """A field of a model.

    Attributes:
        name: its name.
        type: its type, without `None`.
        read: the hook for its type.
        required: whether a record needs it, and not empty.
    """

    name: str
    type: Any
    read: Callable[[Any, Any], Any]
    required: bool


@attrs.frozen
class Reading:
    """What has become of the records of a page.

    Attributes:
        items: the models, in the order of the records.
        with_extra: those of them whose `extra` is not empty.
        unknown: names of fields, once per value that their open enum does not have.
        faults: place and reason of each record that cannot be read.
    """

    items: list[Any] = attrs.field(factory=list[Any])
    with_extra: list[Any] = attrs.field(factory=list[Any])
    unknown: list[str] = attrs.field(factory=list[str])
    faults: list[Fault] = attrs.field(factory=list[Fault])


@attrs.frozen
class Form:
    """The keys that the records of a page have.

    Attributes:
        keys: the key of each field.
        others: the unknown keys.
        blank: all of them, all null.
        width: their number, of a record that has them all.
        pick: gives the values of such a record's fields.
        run: the function for it.
    """

    keys: Mapping[str, str]
    others: Sequence[str]
    blank: dict[Any, Any]
    width: int
    pick: Callable[[Any], Iterable[Any]]
    run: "Run"


Run: TypeAlias = Callable[[Iterator[Any], Form, Reading], None]


def make_run(model: type, fields: Sequence[Field], *, others: bool) -> Run:
    """Generate the function that makes instances of `model` from records with these `fields`.

    It takes records until there are no more or one is not sound. Fields of the model that are not
    among `fields` become `None`. For two fields of a workflow it reads, in essence:

        for record in records:
            v0, v1 = pick(record) if len(record) == width else (blank | record).values()
            if type(v0) is not str and v0 is not None: raise ValueError
            if not v0: raise ValueError
            if v1 is not None:
                v1 = parse_time(v1)
                if v1.tzinfo is not utc: check_zone(v1)
            item = draft()
            item.id = v0
            item.name = None
            item.created_at = v1
            ...
            item.extra = {}
            item.__class__ = model
            append(item)

    Args:
        model: an attrs class.
        fields: those whose values the form has, in this order.
        others: whether the form has unknown keys too.
    """
    known: dict[str, Any] = {"model": model, "draft": _draft_of(model)}
    known |= {"parse_time": datetime.fromisoformat, "utc": UTC, "check_zone": check_zone}
    sources = dict.fromkeys((field.name for field in attrs.fields(model)), "None")
    sources |= {field.name: f"v{number}" for number, field in enumerate(fields)}
    sources["extra"] = "extra" if others else "{}"
    values = "".join(f"v{number}, " for number in range(len(fields)))
    enums = [field.name for field in fields if open_enum(field.type)]
    lines = [
        *(line.replace("VALUES", values) for line in (_OTHERS if others else _NO_OTHERS)),
        "odd = False",
        *(line for field in fields for line in _check(field, sources[field.name], known)),
        "item = draft()",
        *(f"item.{name} = {source}" for name, source in sources.items()),
        "item.__class__ = model",
        "append(item)",
        *("if extra: with_extra.append(item)" for _ in range(others)),
        "if odd:",
        *(f" if type({sources[name]}) is str: unknown.append({name!r})" for name in enums),
        " pass",
    ]
    source = "\n".join([*_START, *(f"  {line}" for line in lines)])
    exec(source, known)  # noqa: S102 - the names of our own models' fields are all that goes in
    run: Run = known["run"]
    return run


_START: Final = (
    "def run(records, form, reading):",
    " pick, width, blank, others = form.pick, form.width, form.blank, form.others",
    " append, with_extra, unknown = reading.items.append, reading.with_extra, reading.unknown",
    " for record in records:",
)
_NO_OTHERS: Final = (
    "VALUES = pick(record) if len(record) == width else (blank | record).values()",
)
_OTHERS: Final = (
    "if len(record) == width:",
    " VALUES = pick(record)",
    " extra = {key: record[key] for key in others}",
    "else:",
    " VALUES *rest = (blank | record).values()",
    " if len(rest) > len(others): raise ValueError",
    " extra = {key: record[key] for key in others if key in record}",
)


def _check(field: Field, value: str, known: dict[str, Any]) -> list[str]:
    """Write the lines that check one value, and leave what they need in `known`."""
    if enum := open_enum(field.type):
        known[f"members_{value}"] = {member.value: member for member in enum}
        lines = [
            f"if {value} is not None:",
            f" try: {value} = members_{value}[{value}]",
            " except KeyError:",
            f"  if type({value}) is not str: raise ValueError",
            "  odd = True",
        ]
    elif field.type is str:
        lines = [f"if type({value}) is not str and {value} is not None: raise ValueError"]
    elif field.type is datetime:
        lines = [
            f"if {value} is not None:",
            f" {value} = parse_time({value})",
            f" if {value}.tzinfo is not utc: check_zone({value})",
        ]
    else:
        known |= {f"read_{value}": field.read, f"type_{value}": field.type}
        lines = [f"if {value} is not None: {value} = read_{value}({value}, type_{value})"]
    return [*lines, f"if not {value}: raise ValueError"] if field.required else lines


@cache
def _draft_of(model: type) -> type:
    """Make the subclass whose instances can be filled and become ones of `model`."""
    # Setting and deleting share a slot of the type: only if both are C's own is it fast.
    members: dict[str, Any] = {"__slots__": (), "__init__": object.__init__}
    members |= {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(model.__name__, (model,), members)
