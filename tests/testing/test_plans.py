"""Planned answers and failures: what a client makes of each, and what the server knows of it."""

import asyncio

import httpx
import pytest

from deepidv_async import (
    APIConnectionError,
    APITimeoutError,
    BadRequestError,
    ConfigurationError,
    QuotaExceededError,
    RateLimit,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from deepidv_async.simulator import Fault, Simulator
from deepidv_async.testing import Failure, FakeDeepIDV

pytestmark = pytest.mark.asyncio

ONCE = RetryPolicy(max_retries=0)


async def error_of(fake, **options):
    """The error that one call without retries ends with."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at it
        await fake.client(retry=ONCE, **options).list_workflows()
    return caught.value


@pytest.mark.parametrize("api_version", ["legacy", "v1"])
@pytest.mark.parametrize(
    ("planned", "kind"),
    [
        (400, BadRequestError),
        (503, ServerError),
        ("limit-exceeded", QuotaExceededError),
        ({"nope": []}, ResponseDecodeError),
        ([1, 2], ResponseDecodeError),
        (b"<html>", ResponseDecodeError),
        (Fault(500, delay=3), ServerError),
        ("read-timeout", APITimeoutError),
        (Failure("refused"), APIConnectionError),
        (httpx.ReadError("gone"), APIConnectionError),
        (OSError, APIConnectionError),
    ],
    ids=str,
)
async def test_what_can_be_planned(planned, kind, api_version):
    """Statuses, names, bodies, exceptions, faults and failures, in both generations."""
    async with FakeDeepIDV() as fake:
        fake.plan(planned)
        assert type(await error_of(fake, api_version=api_version)) is kind
        await fake.client(api_version=api_version).list_workflows()


async def test_a_body_is_an_answer():
    """A planned body comes with a 200, also an empty one."""
    async with FakeDeepIDV() as fake:
        fake.plan({"workflows": [{"id": "wf_1"}]}, {"workflows": []}, b'{"workflows": []}')
        client = fake.client()
        assert [len(await client.list_workflows()) for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("kind", "phase", "after", "arrived"),
    [
        ("connect-timeout", "connect", 1, 0),
        ("pool-timeout", "pool", 4, 0),
        ("write-timeout", "write", 3, 0),
        ("read-timeout", "read", 2, 1),
    ],
)
async def test_timeouts(kind, phase, after, arrived):
    """A timeout comes after the client's own timeout of that phase, on the virtual clock."""
    async with FakeDeepIDV() as fake:
        fake.plan(Failure(kind))
        error = await error_of(fake, timeout=Timeouts(connect=1, read=2, write=3, pool=4))
        assert (type(error), error.phase) == (APITimeoutError, phase)
        assert fake.clock.now() == after
    assert len(fake.journal) == arrived
    assert fake.requests[0].failure == f"{phase.title()}Timeout"
    assert fake.requests[0].status == (200 if arrived else None)


@pytest.mark.parametrize(
    ("kind", "name", "arrived"),
    [
        ("refused", "ConnectError", 0),
        ("disconnected", "RemoteProtocolError", 1),
        ("cut-off", "RemoteProtocolError", 1),
    ],
)
async def test_broken_connections(kind, name, arrived):
    """Connections that fail or break; those made are in the journal, and are repeated."""
    async with FakeDeepIDV(rate=100, burst=3) as fake:
        fake.plan(Failure(kind, delay=7))
        error = await error_of(fake)
        assert type(error) is APIConnectionError
        assert name in error.cause
        assert fake.clock.now() == 7
        assert len(await fake.client().list_workflows()) == 5
    assert len(fake.journal) == arrived + 1
    assert [sent.failure for sent in fake.requests] == [name, None]


async def test_slow_answers_time_out():
    """An answer that takes longer than the client's read timeout is not waited for."""
    async with FakeDeepIDV() as fake:
        fake.plan(Fault("usual", delay=6), Fault("usual", delay=6))
        assert (await error_of(fake, timeout=5)).phase == "read"
        assert fake.clock.now() == 5
        page = await fake.client(timeout=7).list_workflows()
        assert page.response.elapsed == 6


async def test_without_timeouts():
    """A client that has none does not wait for ever: a failure comes after its delay."""
    async with FakeDeepIDV() as fake:
        for kind in ("connect-timeout", "read-timeout"):
            fake.plan(Failure(kind, delay=2))
            with pytest.raises(httpx.TimeoutException):
                await fake.http_client.get(fake.base_url, timeout=None)
        assert fake.clock.now() == 4


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("refused", 2),
        ("connect-timeout", 2),
        ("write-timeout", 1),
        ("read-timeout", 1),
        ("cut-off", 1),
    ],
)
async def test_the_limiter_learns_what_was_sent(kind, left):
    """A request that never left gives its permit back; one that may have arrived does not."""
    async with FakeDeepIDV() as fake:
        fake.plan(kind)
        client = fake.client(retry=ONCE, rate_limit=RateLimit(1e-6, burst=2), timeout=1e-3)
        with pytest.raises(APIConnectionError):
            await client.list_workflows()
        assert round(client.rate_limiter.stats().tokens) == left


async def test_the_limiter_learns_when_it_was_sent():
    """A request counts as arrived `hold` seconds after it was sent, though no answer has come."""
    async with FakeDeepIDV(latency=10) as fake:
        client = fake.client(rate_limit=RateLimit(per_second=1, burst=1, hold=0.5))
        await asyncio.gather(client.list_workflows(), client.list_workflows())
        assert [round(sent.at, 3) for sent in fake.requests] == [0, 1.5]


async def outcome(fake, path="/workflow"):
    """Status of one request, or the name of its failure."""
    headers = {"x-api-key": fake.api_key}
    try:
        return (await fake.http_client.get(f"{fake.base_url}{path}", headers=headers)).status_code
    except httpx.HTTPError as error:
        return type(error).__name__


async def test_in_the_order_planned():
    """Answers and failures share one order; times and every n-th are kept."""
    async with FakeDeepIDV() as fake:
        fake.plan(Failure("refused", every=2, times=None), 503, "cut-off", Fault(500, times=2))
        assert [await outcome(fake) for _ in range(9)] == [
            *(503, "ConnectError", "RemoteProtocolError", "ConnectError"),
            *(500, "ConnectError", 500, "ConnectError", 200),
        ]
        fake.clear_faults()
        assert [await outcome(fake) for _ in range(3)] == [200] * 3


async def test_by_path():
    """A pattern picks the paths, without the stage, for failures as for faults."""
    async with FakeDeepIDV(stage="/dev") as fake:
        fake.plan(Failure("disconnected", path="/v1/*"), Failure("refused", path="/workflow"))
        assert await outcome(fake, "/health") == 200
        assert await outcome(fake) == "ConnectError"
        assert await outcome(fake, "/v1/workflows") == "RemoteProtocolError"
        assert await outcome(fake) == await outcome(fake, "/v1/workflows") == 200
    assert len(fake.journal) == 4  # all but the refused one


async def test_a_refused_request_leaves_the_plan():
    """A request that finds no token is refused; the planned answer waits for the next one."""
    async with FakeDeepIDV(rate=1, burst=1) as fake:
        assert await outcome(fake) == 200
        fake.plan(503)
        assert await outcome(fake) == 429
        await fake.clock.sleep(1)
        assert await outcome(fake) == 503


async def test_answers_that_nobody_asked_for():
    """A block that ends well fails if planned answers are left, and names them."""
    with pytest.raises(AssertionError) as caught:
        async with FakeDeepIDV() as fake:
            fake.plan(503, Fault(500, times=3, path="/v1/*"), Failure("refused", times=2), {})
            fake.plan(Fault("usual", times=None))
            await outcome(fake)
            await outcome(fake, "/v1/workflows")
    assert str(caught.value).startswith(
        "Planned answers were not asked for: 500 on /v1/* (2 left), 'refused' (2 left), "
        "200 (1 left). The code under test sent 2 requests;"
    )


async def test_answers_may_be_left_over():
    """The check can be switched off, and does not hide the error of a block that fails."""
    with FakeDeepIDV(assert_all_used=False) as fake:
        fake.plan(503)
    with pytest.raises(ZeroDivisionError):
        with FakeDeepIDV() as fake:
            fake.plan(503)
            raise ZeroDivisionError


@pytest.mark.parametrize(
    "planned", ["nonsense", 99, None, dict, ("refused",), True, KeyboardInterrupt], ids=str
)
async def test_nonsense_is_refused(planned):
    """What cannot be planned is refused where it is planned, and nothing else is planned then."""
    fake = FakeDeepIDV()
    with pytest.raises(ConfigurationError):
        fake.plan(503, planned)
    assert fake.faults_planned == 0


@pytest.mark.parametrize("kind", ["nonsense", 503, KeyboardInterrupt, None], ids=str)
async def test_a_failure_is_checked(kind):
    """A failure is one of those that there are, or an exception."""
    with pytest.raises(ConfigurationError, match="an exception or one of refused"):
        Failure(kind)
    with pytest.raises(ConfigurationError):
        Failure("refused", times=0)


async def test_a_served_simulator_has_no_failures():
    """The simulator, which can only answer, refuses what it would have to ignore."""
    for planned in (Failure("refused"), 503):
        with pytest.raises(ConfigurationError, match="FakeDeepIDV"):
            Simulator().plan(planned)
