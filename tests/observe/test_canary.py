"""The canary: a planted key and a person, searched for in all that observers write."""

import json
import logging

import pytest

from bad_answers import ANSWERS, INDISCREET, PERSON
from deepidv_async import CallFinished, DeepIDVError, RetryPolicy
from deepidv_async.observe import ErrorLog, EventLog, OpenTelemetry
from raw_server import raw_server
from support import KEY, make_client

pytestmark = pytest.mark.asyncio


@pytest.fixture
def logged():
    """Keep every record of the package's logger, formatted and with its fields."""
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(f"{record.getMessage()} {vars(record)!r}")

    logger, handler = logging.getLogger("deepidv_async"), Keep()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(level)


async def failure_of(client):
    """Call; give the name of the error's class."""
    with pytest.raises(DeepIDVError) as caught:
        await client.list_workflows()
    return caught.type.__name__


@pytest.mark.parametrize("attempts", [False, True])
async def test_no_output_of_an_observer_holds_the_key_or_a_person(
    attempts, telemetry, logged, tmp_path
):
    """Every kind of failure, also of servers that talk of people: none of it is written down.

    An observer in front of the others that always raises costs none of them an event.
    """
    sent, events = [], []

    async def answer(server, head):
        assert KEY in head
        return sent[-1]

    def broken(event):
        raise RuntimeError(f"{KEY} {PERSON}")

    path = tmp_path / "errors.jsonl"
    otel = OpenTelemetry(**telemetry.providers, attempts=attempts)
    failed = []
    async with raw_server(answer) as server:
        async with make_client(
            base_url=server.base_url,
            retry=RetryPolicy(max_retries=1, initial=0),
            observers=[broken, EventLog(), ErrorLog(path), otel, events.append],
            rate_limit=None,
            timeout=0.3,
        ) as client:
            for each in ANSWERS + INDISCREET:
                sent.append(each)
                failed.append(await failure_of(client))
    ends = [event for event in events if isinstance(event, CallFinished)]
    assert [end.outcome for end in ends] == failed
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["error"] for line in lines] == failed
    calls = [span for span in telemetry.spans if span.name == "deepidv.list_workflows"]
    assert [span.attributes["error.type"] for span in calls] == failed
    spans = [span.to_json() for span in telemetry.spans]
    metrics = telemetry.reader.get_metrics_data()
    shown = [path.read_text(), *logged, *spans, repr(metrics), repr(events)]
    for text in shown:
        assert KEY not in text
        assert PERSON not in text
