"""From the body of a page to its models: the only module that imports cattrs.

One converter, built once, structures every record. It knows a strict hook for each type that the
models use (nothing is ever coerced: `5` does not become `"5"`, nor `true` become `1`) and one per
model, made from these and the model's own attrs fields, that reads whole pages.

A record without an id has nothing to be found by later, so it is an error of the page; the
readable ones travel with it.
"""

from collections import Counter
from collections.abc import Mapping
from functools import partial, reduce
from operator import eq
from types import NoneType
from typing import Any, Final, Generic, TypeVar, cast, get_args

import attrs
import cattrs

from deepidv_async._body import Envelope, outline_body, read_envelope
from deepidv_async._errors import ResponseDecodeError
from deepidv_async._history import PartialPage
from deepidv_async._hooks import Field
from deepidv_async._json import find_fast_parser
from deepidv_async._models import Workflow, WorkflowSession
from deepidv_async._pages import PageReader
from deepidv_async._records import record_reader
from deepidv_async._shape import Fault, PageShape, Scrub, count_drift
from deepidv_async._values import READERS, open_enum, open_enum_reader

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
    reader = cast("PageReader", _CONVERTER.get_structure_hook(shape.model))
    reading = reader.read(envelope.records, envelope.path)
    items = tuple(reading.items)
    if reading.faults or envelope.fault:
        raise _refusal(envelope, items, reading.faults, scrub)
    drift = dict(envelope.drift)
    for name, times in Counter(reading.unknown).items():
        count_drift(drift, f"unknown_value:{name}", times)
    if reading.with_extra:
        reader.careful.count_extra(drift, reading.with_extra, scrub)
    return DecodedPage(items, envelope.next_token, drift)


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


def _fields(model: type, converter: cattrs.Converter) -> tuple[Field, ...]:
    fields: list[Field] = []
    for field in attrs.fields(model):
        if field.name != "extra":
            type_ = _without_none(field.type)
            read = converter.get_structure_hook(type_)
            fields.append(Field(field.name, type_, read, required=field.default is attrs.NOTHING))
    return tuple(fields)


def _without_none(type_: Any) -> Any:
    arms: list[Any] = list(get_args(type_))
    if NoneType not in arms:
        return type_
    return reduce(lambda one, other: one | other, (arm for arm in arms if arm is not NoneType))


def _is_open_enum(type_: Any) -> bool:
    return open_enum(type_) is not None


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    for type_, hook in READERS:
        # A class is looked up before any predicate, and `str` has a hook that coerces already;
        # `tuple[str, ...]` and its like are no classes.
        if isinstance(type_, type):
            converter.register_structure_hook(type_, hook)
        else:
            converter.register_structure_hook_func(partial(eq, type_), hook)
    converter.register_structure_hook_factory(_is_open_enum, open_enum_reader)
    for model, aliases in _ALIASES.items():
        fields = _fields(model, converter)
        reader = PageReader(fields, record_reader(model, fields, aliases))
        converter.register_structure_hook(model, reader)
    return converter


_CONVERTER: Final = _make_converter()
# Here, where all that decoding needs is loaded, so that no call pays for the import.
find_fast_parser()
