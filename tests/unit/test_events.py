"""Events, and what becomes of an observer's own mistakes."""

import functools
import pickle
from datetime import UTC, datetime

import attrs
import pytest

import deepidv_async
from deepidv_async import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    ConfigurationError,
    LimiterWaited,
    PauseStarted,
    ProcessForked,
    QuotaSpent,
    QuotaWarning,
    RateLearned,
    RetryScheduled,
    SchemaDrift,
    SharedLimitFound,
    SharedLimitLost,
    Throttled,
    TimeSpent,
)
from deepidv_async._events import Event
from deepidv_async._observers import Observers

EVENTS = [
    CallStarted("list_workflows", "v1", "/v1/workflows", "normal"),
    AttemptStarted("list_workflows", 1),
    AttemptFinished("list_workflows", 1, 200, None, 0.1),
    RetryScheduled("list_workflows", 1, 0.5, "ServerError"),
    CallFinished("list_workflows", "ServerError", 1, 0.2, TimeSpent(), error={"status": 500}),
    LimiterWaited("list_workflows", 0.3),
    Throttled("list_workflows", None),
    SchemaDrift("list_workflows", {"unknown_field:riskScore": 2}),
    ProcessForked(parent=1, child=2),
    PauseStarted(2.0, 2.0),
    RateLearned(21.25, 25),
    QuotaWarning(0.8, 8_000, 10_000, datetime(2026, 5, 7, tzinfo=UTC)),
    QuotaSpent(9_000, datetime(2026, 5, 7, tzinfo=UTC)),
    SharedLimitLost("ConnectionError", 0.25),
    SharedLimitFound(5.0),
]
STARTED = EVENTS[0]


def named(value):
    return type(value).__name__


def test_every_event_is_public_and_tried_here():
    """The union of events, the public names and this list are the same."""
    assert {type(event) for event in EVENTS} <= set(Event.__args__)
    for kind in Event.__args__:
        assert kind in {type(event) for event in EVENTS}
        assert getattr(deepidv_async, kind.__name__) is kind


@pytest.mark.parametrize("event", EVENTS, ids=named)
def test_events_are_frozen(event):
    """One observer cannot change what the next one sees; a record may go to another process."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(event, attrs.fields(type(event))[0].name, "other")
    assert pickle.loads(pickle.dumps(event)) == event


OF_A_CALL = [event for event in EVENTS if hasattr(event, "call")]


@pytest.mark.parametrize("event", OF_A_CALL, ids=named)
def test_the_name_of_the_call_is_beside_the_point(event):
    """Events are compared by what they tell: a test that expects some need not know the name."""
    named_otherwise = attrs.evolve(event, call="0123456789abcdef")
    assert named_otherwise == event
    assert type(event)(**attrs.asdict(event, recurse=False)) == event


def test_a_failed_calls_event_can_be_a_key():
    """What was hashable before a call's end told of its error still is."""
    failed = next(event for event in EVENTS if isinstance(event, CallFinished))
    assert len({failed, attrs.evolve(failed, error=None)}) == 2


@pytest.mark.parametrize("event", EVENTS, ids=named)
def test_events_hold_no_content(event):
    """No field of an event is made for an id of a record, a token, a body or a key."""
    words = {word for field in attrs.fields(type(event)) for word in field.name.split("_")}
    assert not words & {"workflow", "session", "token", "body", "key", "url", "message"}


def test_observers_are_told_in_their_order():
    """Each observer sees each event, in the order in which they were given."""
    seen = []
    observers = Observers(
        [lambda event: seen.append((1, event)), lambda event: seen.append((2, event))]
    )
    for event in EVENTS:
        observers.emit(event)
    assert seen == [(number, event) for event in EVENTS for number in (1, 2)]


def test_no_observer_is_false():
    """Callers make no event when nobody listens."""
    assert not Observers()
    assert not Observers([])
    assert Observers([print])
    Observers().emit(STARTED)


def test_the_list_is_taken_as_it_was():
    """A list that is changed afterwards changes nothing."""
    seen = []
    given = [seen.append]
    observers = Observers(given)
    given.clear()
    observers.emit(STARTED)
    assert seen == [STARTED]


class Broken:
    """An observer that fails with the key in its mouth."""

    def __call__(self, event):
        raise LookupError("canary-0123456789-key")


def test_an_observer_that_raises_is_logged_and_passed_over(caplog):
    """The others are told all the same; the log has the classes and not the error's text."""
    seen = []
    Observers([Broken(), seen.append]).emit(STARTED)
    assert seen == [STARTED]
    (record,) = caplog.records
    assert record.name == "deepidv_async"
    assert record.getMessage() == "observer Broken raised LookupError on CallStarted"
    assert record.exc_info is None


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_signal_is_not_swallowed(signal):
    """What is meant to end the program does."""

    def stop(event):
        raise signal

    with pytest.raises(signal):
        Observers([stop]).emit(STARTED)


async def watch(event):
    """Be an observer that nobody would await."""


@pytest.mark.parametrize(
    ("observers", "why"),
    [
        (print, "sequence of callables, not builtin_function_or_method"),
        (None, "not NoneType"),
        (iter([print]), "not list_iterator"),
        ({print}, "not set"),
        ("log", "must be callable; got str"),
        ([print, None], "must be callable; got NoneType"),
        ([[print]], "must be callable; got list"),
        ([watch], "plain function"),
        ([functools.partial(watch)], "plain function"),
    ],
    ids=range(9),
)
def test_what_cannot_observe_is_refused_at_once(observers, why):
    """A mistake shows when the client is made, not as a warning with every event."""
    with pytest.raises(ConfigurationError, match=why):
        Observers(observers)


def test_any_plain_callable_observes():
    """Functions, methods, partials, classes and callable objects."""
    seen = []

    class Watcher:
        def __init__(self, event):
            seen.append(event)

    Observers((seen.append, functools.partial(seen.append), Watcher)).emit(STARTED)
    assert seen == [STARTED] * 3
