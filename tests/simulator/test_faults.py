"""Planned faults: which requests they strike, and what these are answered."""

import json

import pytest

from deepidv_async import ConfigurationError
from deepidv_async.simulator import Fault
from deepidv_async.simulator._replies import by_status

pytestmark = pytest.mark.asyncio

PATH = "/workflow"


async def statuses(http, count, path=PATH):
    return [(await http.get(path)).status_code for _ in range(count)]


async def test_the_next_n(ask):
    """A fault strikes the next n requests, then it is spent."""
    async with ask() as http:
        http.simulator.plan(Fault(503, times=2))
        assert http.simulator.faults_planned == 1
        assert await statuses(http, 3) == [503, 503, 200]
        assert http.simulator.faults_planned == 0


async def test_every_nth(ask):
    """`every` strikes each n-th matching request, until cleared when `times` is None."""
    async with ask() as http:
        http.simulator.plan(Fault(500, every=3, times=None))
        assert await statuses(http, 7) == [200, 200, 500, 200, 200, 500, 200]
        http.simulator.clear_faults()
        assert await statuses(http, 3) == [200] * 3


async def test_in_the_order_planned(ask):
    """The first planned strikes first; one that lets a request pass hands it to the next."""
    async with ask() as http:
        http.simulator.plan(Fault(500), Fault(503), Fault(504, every=2), Fault(429))
        assert await statuses(http, 5) == [500, 503, 429, 504, 200]


async def test_by_path(ask):
    """A pattern picks the paths; the stage is not part of it."""
    async with ask(stage="/dev", serves="both") as http:
        http.simulator.plan(Fault(500, path="/workflow/*", times=None))
        http.simulator.plan(Fault(503, path="/v1/sessions"))
        assert await statuses(http, 1, "/dev/workflow") == [200]
        assert await statuses(http, 2, "/dev/workflow/x") == [500, 500]
        assert await statuses(http, 1, "/dev/v1/sessions?limit=0") == [503]


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("forbidden", 403, {"message": "Forbidden"}),
        ("not-served", 403, {"message": "Missing Authentication Token"}),
        ("too-many-requests", 429, {"message": "Too Many Requests"}),
        ("limit-exceeded", 429, {"message": "Limit Exceeded"}),
        ("null-message", 500, {"message": None}),
        ("timeout", 504, {"message": "Endpoint request timed out"}),
        ("unpaid", 402, {"error": "Insufficient funds or subscription."}),
    ],
)
async def test_answers_by_name(ask, name, status, body):
    """The gateway's own answers, and the documented ones, can be asked for by name."""
    async with ask() as http:
        http.simulator.plan(Fault(name))
        answer = await http.get(PATH)
        assert (answer.status_code, answer.json()) == (status, body)


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        ({"x": [1]}, b'{"x":[1]}', "application/json"),
        ([], b"[]", "application/json"),
        ("<html>", b"<html>", "text/plain; charset=utf-8"),
        (b'{"workflows":', b'{"workflows":', "application/json"),
        ("", b"", "text/plain; charset=utf-8"),
    ],
)
async def test_a_body_of_ones_own(ask, body, sent, kind):
    """JSON, text or bytes; bytes keep the type, so that broken JSON can be sent."""
    async with ask() as http:
        http.simulator.plan(Fault(200, body=body))
        answer = await http.get(PATH)
        assert (answer.status_code, answer.content) == (200, sent)
        assert answer.headers["content-type"] == kind


async def test_headers_of_ones_own(ask):
    """Headers are set on the answer, in the place of its own where it has one."""
    async with ask() as http:
        headers = {"Retry-After": "2", "Content-Type": "text/html"}
        http.simulator.plan(Fault(429, headers=headers))
        answer = await http.get(PATH)
        assert answer.headers["retry-after"] == "2"
        assert answer.headers.get_list("content-type") == ["text/html"]


async def test_the_usual_answer_otherwise(ask):
    """`usual` keeps the answer: with other headers, or with another body."""
    async with ask() as http:
        http.simulator.plan(Fault(headers={"x-extra": "1"}), Fault(body={"workflows": []}))
        first, second, third = [await http.get(PATH) for _ in range(3)]
        assert first.headers["x-extra"] == "1"
        assert first.content == third.content
        assert second.json() == {"workflows": []}
        reasons = [entry.reason for entry in http.simulator.journal]
        assert reasons == ["granted", "fault", "granted"]
        assert [entry.items for entry in http.simulator.journal] == [5, 0, 5]


@pytest.mark.virtual_time
async def test_a_delay_of_ones_own(ask, loop_time):
    """`delay` is added to the latency of the requests it strikes."""
    async with ask(latency=1.0) as http:
        http.simulator.plan(Fault(delay=20))
        assert [await loop_time(http.get(PATH)) for _ in range(2)] == [21.0, 1.0]


async def test_faults_strike_unknown_paths_and_wrong_keys_too(ask):
    """A fault needs no right key and no known path; it is in front of both."""
    async with ask(key="wrong") as http:
        http.simulator.plan(Fault(503))
        assert await statuses(http, 2) == [503, 401]
    async with ask() as http:
        http.simulator.plan(Fault(503))
        assert await statuses(http, 1, "/nope") == [503]


@pytest.mark.parametrize("status", [299, 418, 599])
async def test_any_status(ask, status):
    """A status that nobody documents comes with a plain `error` body."""
    async with ask() as http:
        http.simulator.plan(Fault(status))
        answer = await http.get(PATH)
        assert answer.status_code == status
        assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("generation", ["legacy", "v1", None])
async def test_a_400_without_a_cause(generation):
    """A planned 400 has the form of its generation's; a path of none counts as legacy."""
    body = json.loads(by_status(generation, 400).body)
    assert list(body) == (["message", "hints"] if generation == "v1" else ["error"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer": 199},
        {"answer": 600},
        {"answer": True},
        {"answer": None},
        {"answer": "nonsense"},
        {"times": 0},
        {"times": 1.5},
        {"every": None},
        {"every": True},
        {"delay": -1},
        {"delay": float("nan")},
        {"delay": "1"},
        {"headers": {"x": 1}},
        {"headers": {"x": "a\r\nb"}},
        {"headers": {"Content-Length": "3"}},
        {"path": 3},
    ],
    ids=str,
)
async def test_a_fault_that_makes_no_sense_is_refused(wrong):
    """A wrong field is refused when the fault is made, not when it strikes."""
    with pytest.raises(ConfigurationError, match="Fault"):
        Fault(**wrong)
