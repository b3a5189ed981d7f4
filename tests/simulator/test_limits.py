"""The server's limits: a bucket and a quota per key, judged at arrival; latency after that."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async._clock import SystemClock
from deepidv_async.simulator import Fault, Simulator
from deepidv_async.simulator._limits import Limits, refill

TODAY = datetime(2026, 6, 1, tzinfo=UTC).date()
RATE, BURST = 25.0, 35.0


def take(limits, now, key="k", **options):
    options = {"rate": RATE, "burst": BURST, "per_day": None} | options
    return limits.take(key, now=now, today=TODAY, **options)


def test_a_full_bucket_lets_a_burst_pass():
    """35 at once pass, the 36th does not, and 1/25 s later one more does."""
    limits = Limits()
    assert [take(limits, 0.0) for _ in range(36)] == [None] * 35 + ["throttled"]
    assert take(limits, 0.039) == "throttled"
    assert [take(limits, 0.04), take(limits, 0.04)] == [None, "throttled"]


def test_a_refused_request_costs_nothing():
    """Hammering an empty bucket does not keep it empty."""
    limits = Limits()
    for _ in range(35):
        take(limits, 0.0)
    # A thousand refusals within the time that one token takes.
    assert {take(limits, 0.0399 * n / 1000) for n in range(1000)} == {"throttled"}
    assert take(limits, 0.04) is None


def test_who_keeps_the_limit_to_the_letter_is_never_refused():
    """A request each 1/25 s after the burst passes for ever: sums of floats are no breach."""
    limits = Limits()
    instants = [0.0] * 35 + [n / RATE for n in range(1, 20_000)]
    assert {take(limits, now) for now in instants} == {None}


@settings(max_examples=60)
@given(st.lists(st.floats(0, 0.2), max_size=150))
def test_no_window_holds_more_than_burst_and_rate(gaps):
    """In any window of t seconds at most burst + rate * t requests are granted."""
    limits, now, granted = Limits(), 0.0, []
    for gap in gaps:
        now += gap
        if take(limits, now, burst=5.0) is None:
            granted.append(now)
    for first, start in enumerate(granted):
        for last, end in enumerate(granted[first:], first):
            assert last - first + 1 <= 5 + RATE * (end - start) + 1e-6


def test_the_bucket_never_runs_over_or_back():
    """It holds at most a burst, and a clock that goes back takes nothing out of it."""
    assert refill(0, 100, RATE, BURST) == BURST
    assert refill(3, -1, RATE, BURST) == 3


def test_keys_do_not_share():
    """Each key has a bucket and a day of its own."""
    limits = Limits()
    for _ in range(36):
        take(limits, 0.0, "a", per_day=36)
    assert take(limits, 0.0, "b", per_day=36) is None
    assert (limits.used("a", TODAY), limits.used("b", TODAY)) == (35, 1)


def test_limits_can_be_off():
    """No rate, no quota: everything passes."""
    limits = Limits()
    assert {take(limits, 0.0, rate=None, per_day=None) for _ in range(1000)} == {None}


def test_the_quota_counts_what_was_granted():
    """Throttled requests do not count; once the day is spent nothing passes, bucket or not."""
    limits = Limits()
    found = [take(limits, 0.0, burst=2.0, per_day=3) for _ in range(4)]
    assert found == [None, None, "throttled", "throttled"]
    later = [take(limits, 10.0, burst=2.0, per_day=3) for _ in range(2)]
    assert later == [None, "quota"]


class Noon(SystemClock):
    """A clock whose date is set by hand."""

    def __init__(self):
        self.day = 1

    def wall(self):
        return datetime(2026, 6, self.day, 12, tzinfo=UTC)


@pytest.mark.asyncio
async def test_a_new_day_is_a_new_quota(ask):
    """The quota is the UTC day's, and its refusal is the gateway's `Limit Exceeded`."""
    clock = Noon()
    async with ask(per_day=2, clock=clock) as http:
        answers = [await http.get("/workflow") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].json() == {"message": "Limit Exceeded"}
        assert answers[2].headers["x-amzn-errortype"] == "LimitExceededException"
        clock.day = 2
        assert (await http.get("/workflow")).status_code == 200
        assert http.simulator.journal.reasons() == {"granted": 3, "quota": 1}


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_a_throttle_speaks_its_generations_words(ask):
    """Legacy says it in the documented words, the current API and the gateway in the gateway's."""
    async with ask(rate=1.0, burst=1) as http:
        await http.get("/workflow")
        for path, errors, body in (
            ("/workflow", "documented", {"error": "Rate limit exceeded."}),
            ("/workflow", "gateway", {"message": "Too Many Requests"}),
            ("/v1/workflows", "documented", {"message": "Too Many Requests"}),
        ):
            http.simulator.errors = errors
            answer = await http.get(path)
            assert (answer.status_code, answer.json()) == (429, body)
        await asyncio.sleep(1)
        assert (await http.get("/workflow")).status_code == 200
        assert http.simulator.journal.refused == 3
        assert http.simulator.journal.reasons()["throttled"] == 3


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_only_a_call_with_a_right_key_counts(ask):
    """Unknown paths, wrong keys, other methods and health cost nothing."""
    simulator = Simulator(burst=1, rate=0)
    async with ask(simulator, key="wrong") as http:
        await http.get("/workflow")
    async with ask(simulator) as http:
        for method, path in (("GET", "/nope"), ("GET", "/health"), ("POST", "/workflow")):
            await http.request(method, path)
        assert [(await http.get("/workflow")).status_code for _ in range(2)] == [200, 429]


@pytest.mark.asyncio
async def test_a_fault_waits_behind_the_limits(ask):
    """A refused request does not use up a planned fault."""
    async with ask(burst=1, rate=0, per_day=None) as http:
        await http.get("/workflow")
        http.simulator.plan(Fault(503))
        assert (await http.get("/workflow")).status_code == 429
        http.simulator.rate = None
        assert (await http.get("/workflow")).status_code == 503


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_judged_at_arrival_answered_after_the_latency(ask, loop_time):
    """Requests that arrive together are judged together, however late they are answered."""
    async with ask(latency=2.0, burst=3, rate=1) as http:

        async def get():
            return (await http.get("/workflow")).status_code

        async def five():
            return sorted(await asyncio.gather(*[get() for _ in range(5)]))

        task = asyncio.create_task(five())
        assert await loop_time(task) == 2.0
        assert task.result() == [200, 200, 200, 429, 429]
        assert http.simulator.journal.arrivals() == [0.0] * 5


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_jitter_is_seeded(ask, loop_time):
    """Jitter adds between 0 and its value, the same for the same seed."""

    async def spans(seed):
        async with ask(latency=1.0, jitter=0.5, seed=seed) as http:
            return [await loop_time(http.get("/workflow")) for _ in range(20)]

    first = await spans(1)
    assert first == await spans(1) != await spans(2)
    assert all(1.0 <= span <= 1.5 for span in first)
    assert max(first) - min(first) > 0.2


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_a_client_that_is_gone_is_not_waited_for():
    """A hang-up ends the wait for the latency; the request was judged all the same."""
    simulator = Simulator(latency=60.0)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/workflow",
        "query_string": b"",
        "headers": [],
    }
    messages = iter([{"type": "http.request", "body": b""}, {"type": "http.disconnect"}])
    sent = []

    async def receive():
        await asyncio.sleep(1)
        return next(messages)

    async def send(message):
        sent.append(message)

    started = asyncio.get_running_loop().time()
    await simulator(scope, receive, send)
    assert asyncio.get_running_loop().time() - started == 2.0
    assert sent == []
    assert len(simulator.journal) == 1
