"""Events as records of Python's logging: levels, stable messages, flat fields."""

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import pytest
import respx

from deepidv_async import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    DeepIDVError,
    Event,
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
from deepidv_async.observe import EventLog
from support import BASE, make_client, workflows_body

NAME = "list_workflows"
MIDNIGHT = datetime(2026, 5, 7, tzinfo=UTC)
FAILURE = {"code": "C", "request_id": "r", "message": "said", "hints": [{"path": ["limit"]}]}
LINES = [
    (CallStarted(NAME, "v1", "/v1/workflows", "bulk"), "DEBUG", "list_workflows: started"),
    (
        LimiterWaited(NAME, 0.3),
        "DEBUG",
        "list_workflows: waited 0.300 s for the rate limiter",
    ),
    (AttemptStarted(NAME, 2), "DEBUG", "list_workflows: attempt 2 started"),
    (
        AttemptFinished(NAME, 2, 503, "ServerError", 0.1, "r1"),
        "DEBUG",
        "list_workflows: attempt 2 ended after 0.100 s, status 503, error ServerError",
    ),
    (Throttled(NAME, 2.0), "WARNING", "list_workflows: the server answered 429"),
    (
        RetryScheduled(NAME, 2, 0.5, "ServerError"),
        "WARNING",
        "list_workflows: attempt 2 failed with ServerError, the next one comes in 0.500 s",
    ),
    (
        SchemaDrift(NAME, {"unknown_field:a": 2, "wrong_type:b": 1}),
        "WARNING",
        "list_workflows: the answer is not quite as documented: unknown_field:a=2, wrong_type:b=1",
    ),
    (
        CallFinished(NAME, "ok", 2, 1.5, TimeSpent(limited=1.0), "v1", 200),
        "INFO",
        "list_workflows: ok after 2 attempts and 1.500 s",
    ),
    (
        CallFinished(NAME, "CancelledError", 1, 1.5, TimeSpent()),
        "INFO",
        "list_workflows: CancelledError after 1 attempts and 1.500 s",
    ),
    (
        CallFinished(NAME, "ServerError", 4, 1.5, TimeSpent(), "v1", 503, FAILURE),
        "ERROR",
        "list_workflows: ServerError after 4 attempts and 1.500 s",
    ),
    (PauseStarted(2.0, None), "WARNING", "the rate limiter pauses for 2.000 s"),
    (
        RateLearned(21.25, 25),
        "WARNING",
        "the rate limiter goes down to 21.25 of 25.00 requests/s",
    ),
    (
        QuotaWarning(0.8, 8_000, 10_000, MIDNIGHT),
        "WARNING",
        "8000 of the day's 10000 requests are used",
    ),
    (
        QuotaSpent(9_000, MIDNIGHT),
        "ERROR",
        "the day's quota is spent after 9000 requests",
    ),
    (
        SharedLimitLost("OSError", 0.25),
        "WARNING",
        "the shared limit's server is away (OSError): this process keeps to 0.25 of the rate",
    ),
    (
        SharedLimitFound(5.0),
        "INFO",
        "the shared limit's server answers again after 5.000 s",
    ),
    (
        ProcessForked(parent=1, child=2),
        "INFO",
        "process 2 goes on with the client of its parent 1",
    ),
]


def fields_of(record):
    return {name: value for name, value in vars(record).items() if name.startswith("deepidv_")}


@pytest.fixture
def logged(caplog):
    """Take everything that the package logs."""
    caplog.set_level(logging.DEBUG, logger="deepidv_async")
    return caplog


@pytest.mark.parametrize(("event", "level", "message"), LINES, ids=range(len(LINES)))
def test_a_line_for_each_event(event, level, message, logged):
    """Each kind of event has a level and a message; its fields are flat and fit for JSON."""
    EventLog()(event)
    (record,) = logged.records
    assert (record.name, record.levelname) == ("deepidv_async", level)
    assert record.getMessage() == message
    fields = fields_of(record)
    assert fields["deepidv_event"] == type(event).__name__
    assert all(value is None or isinstance(value, str | int | float) for value in fields.values())
    json.dumps(fields, allow_nan=False)


def test_no_event_is_forgotten():
    """A new kind of event finds its line here, or the tests fail."""
    assert {type(event) for event, _, _ in LINES} == {*Event.__args__}


def test_an_event_of_another_kind_is_passed_over(logged):
    """A limiter of the user's may tell of things that are not known here."""
    EventLog()(object())
    assert logged.records == []


def test_messages_are_stable(logged):
    """Error trackers group by the template, which holds nothing of a single call."""
    for operation, waited in (("list_workflows", 0.5), ("list_workflow_sessions", 7.0)):
        EventLog()(LimiterWaited(operation, waited))
    assert len({record.msg for record in logged.records}) == 1


def test_the_fields_of_a_failed_call(logged):
    """Nested parts are laid flat; of the error, what a search needs."""
    EventLog()(CallFinished(NAME, "ServerError", 4, 1.5, TimeSpent(1.0), "v1", 503, FAILURE, "c"))
    assert fields_of(logged.records[0]) == {
        "deepidv_event": "CallFinished",
        "deepidv_operation": "list_workflows",
        "deepidv_outcome": "ServerError",
        "deepidv_attempts": 4,
        "deepidv_elapsed": 1.5,
        "deepidv_limited": 1.0,
        "deepidv_queued": 0.0,
        "deepidv_on_wire": 0.0,
        "deepidv_backing_off": 0.0,
        "deepidv_api_version": "v1",
        "deepidv_status": 503,
        "deepidv_message": "said",
        "deepidv_code": "C",
        "deepidv_request_id": "r",
        "deepidv_call": "c",
    }


def test_another_logger(caplog):
    """A program may give its own logger; a level that is off costs no formatting."""
    logger = logging.getLogger("my.service")
    caplog.set_level(logging.INFO, logger="my.service")
    log = EventLog(logger)
    for event, _, _ in LINES:
        log(event)
    assert {record.name for record in caplog.records} == {"my.service"}
    assert "DEBUG" not in {record.levelname for record in caplog.records}


@pytest.mark.asyncio
@pytest.mark.virtual_time
@respx.mock
async def test_one_line_switches_it_on(logged):
    """An observer of a client: a retried call, then one that fails."""
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.Response(503),
            httpx.Response(200, json=workflows_body("wf_1")),
            httpx.Response(401, headers={"x-request-id": "r3"}),
        ]
    )
    async with make_client(observers=[EventLog()]) as client:
        await client.list_workflows()
        with pytest.raises(DeepIDVError):
            await client.list_workflows()
    told = [(r.levelname, r.deepidv_event) for r in logged.records if r.levelno > logging.DEBUG]
    assert told == [
        ("WARNING", "RetryScheduled"),
        ("INFO", "CallFinished"),
        ("ERROR", "CallFinished"),
    ]
    last = logged.records[-1]
    assert (last.deepidv_outcome, last.deepidv_request_id) == ("AuthenticationError", "r3")


SILENT = """
from deepidv_async import AsyncDeepIDV, CallStarted
from deepidv_async._observers import Observers

def broken(event):
    raise LookupError

Observers([broken]).emit(CallStarted("list_workflows", "v1", "/v1/workflows", "normal"))
"""


def test_the_package_is_silent_unless_logging_is_set_up():
    """A warning of ours goes nowhere in a program that has not configured logging."""
    done = subprocess.run(
        [sys.executable, "-c", SILENT], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
