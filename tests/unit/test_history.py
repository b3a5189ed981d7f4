"""What is remembered of a call."""

import pickle

import attrs
import pytest

from deepidv_async._history import Attempt, PartialPage, TimeSpent

RECORDS = [
    Attempt(1, 200, None, 0.1),
    TimeSpent(),
    PartialPage(({"id": "s"},), None, ()),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_are_frozen_and_cross_processes(record):
    """History is not rewritten, takes no stray attribute, and travels with its error."""
    name = attrs.fields(type(record))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(record, name, None)
    assert not hasattr(record, "__dict__")
    assert pickle.loads(pickle.dumps(record)) == record


def test_the_time_of_a_call_starts_at_nothing():
    """Four phases, in seconds, and none of them counted yet."""
    assert attrs.astuple(TimeSpent()) == (0.0, 0.0, 0.0, 0.0)
