"""The records of a page to models: the sound ones fast, each unusual one with care.

The records of a page are alike: one casing, few sets of keys. So a page is read by a form, the
keys that were seen on it, each for another field, and by the function made for these. A record
that has a new key makes the form wider. What a form cannot take (two spellings of a field on one
page, a wrong type, an unreadable time, no id) is for the careful reader, which decides alone what
becomes of such a record: the fast way reads less, never otherwise.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

from deepidv_async._hooks import UNSOUND, Field, Form, Reading, Run, make_run
from deepidv_async._records import RecordReader, UnreadableRecordError
from deepidv_async._shape import Fault
from deepidv_async._values import is_object

__all__ = ["PageReader"]

# A function takes half a millisecond to make and 8 KB to keep. Were records to leave out fields at
# random there could be half a million; after these, one for all fields serves the rest.
_MOST_RUNS: Final = 32
# Beyond these, unknown keys are data, and no two records have the same.
_MOST_OTHERS: Final = 32


def _refuse(records: Iterator[Any], *_: Any) -> None:
    for _record in records:
        raise ValueError("the form has no keys yet")


_NO_FORM: Final = Form({}, (), {}, 0, tuple, _refuse)


class PageReader:
    """The structure hook of one model, with a way for whole pages.

    Attributes:
        careful: the reader of single records.
    """

    def __init__(self, fields: Sequence[Field], careful: RecordReader) -> None:
        self.careful = careful
        self._fields = list(fields)
        self._runs: dict[tuple[bool | str, ...], Run] = {}
        self._form_before = _NO_FORM

    def __call__(self, record: Any, _: Any) -> Any:
        """Build the model of one record, as a hook of the converter."""
        reading = self.read([record], "$")
        if reading.faults:
            raise ValueError(reading.faults[0].message)
        return reading.items[0]

    def read(self, records: Sequence[Any], path: str) -> Reading:
        """Build the models of a page, whose list stands at `path`."""
        reading, form, rest = Reading(), self._first_form(records), iter(records)
        while True:
            try:
                form.run(rest, form, reading)
            except UNSOUND:
                place = len(reading.items) + len(reading.faults)
                form = self._read_one(records[place], f"{path}[{place}]", form, reading)
            else:
                if not form.others:  # unknown keys may be data, and are not kept
                    self._form_before = form
                return reading

    def _first_form(self, records: Sequence[Any]) -> Form:
        """Give the form of the page before if this one begins alike: most do."""
        before = self._form_before
        alike = records and is_object(records[0]) and records[0].keys() == before.blank.keys()
        return before if alike else _NO_FORM

    def _read_one(self, record: Any, path: str, form: Form, reading: Reading) -> Form:
        """Read the record that a run stumbled over; gives the form for those after it."""
        try:
            form = self._widen(form, record)
            form.run(iter((record,)), form, reading)
        except UNSOUND:
            self._read_carefully(record, path, reading)
        return form

    def _read_carefully(self, record: Any, path: str, reading: Reading) -> None:
        try:
            item = self.careful(record)
        except UnreadableRecordError as error:
            reading.faults.append(Fault(f"{path}{error.path}", error.reason))
            return
        reading.items.append(item)
        if item.extra:
            reading.with_extra.append(item)
        reading.unknown.extend(self.careful.unknown_values(item))

    def _widen(self, form: Form, record: Any) -> Form:
        """Add a record's new keys to the form; raises `ValueError` where that cannot be."""
        new = [key for key in record if key not in form.blank] if is_object(record) else []
        if not new:
            raise ValueError("it is not for want of keys")
        keys, others = dict(form.keys), list(form.others)
        for key in new:
            spelling = self.careful.spellings.get(key)
            if spelling is None:
                others.append(key)
            else:
                # A second spelling finds no place, and the record is too wide for its form.
                keys.setdefault(spelling.field.name, key)
        if len(others) > _MOST_OTHERS:
            raise ValueError("keys that are data")
        return self._form(keys, others)

    def _form(self, keys: dict[str, str], others: list[str]) -> Form:
        if any(field.required and field.name not in keys for field in self._fields):
            raise ValueError("a required field is missing")
        fields = [field for field in self._fields if field.name in keys]
        kind: tuple[bool | str, ...] = (bool(others), *(field.name for field in fields))
        if kind not in self._runs and len(self._runs) >= _MOST_RUNS:
            fields, kind = self._fields, (bool(others),)
        if kind not in self._runs:
            self._runs[kind] = make_run(self.careful.model, fields, others=bool(others))
        # No key of JSON is a number, so a number stands for a field that has not been seen.
        order = [keys.get(field.name, place) for place, field in enumerate(fields)]
        blank: dict[Any, None] = dict.fromkeys((*order, *others))
        return Form(keys, others, blank, len(blank), _picker(order), self._runs[kind])


def _picker(keys: Sequence[Any]) -> Callable[[Any], Iterable[Any]]:
    # Of one key alone `itemgetter` gives the value and no tuple.
    (key, *others) = keys
    return itemgetter(key, *others) if others else lambda record: (record[key],)
