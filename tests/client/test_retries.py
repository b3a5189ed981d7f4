"""What is repeated, when, and what is raised in the end. Time is virtual."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import httpx
import pytest
import respx

from deepidv_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    DeadlineExceededError,
    InsufficientFundsError,
    LimiterStats,
    NotFoundError,
    QuotaExceededError,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from deepidv_async._clock import SystemClock
from support import BASE, make_client, workflows_body

pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]

OK = httpx.Response(200, json=workflows_body("wf_1"))


def now():
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(500, json={"error": "Something went wrong."}),
        httpx.Response(503),
        httpx.Response(429, json={"error": "Rate limit exceeded."}),
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("Server disconnected"),
        httpx.ReadTimeout("slow"),
        httpx.ConnectTimeout("slow"),
    ],
)
@respx.mock
async def test_passing_failures_are_repeated(failure):
    """429, 5xx, connection errors and timeouts are tried again, and the page says how often."""
    route = respx.get(f"{BASE}/workflow").mock(side_effect=[failure, failure, OK])
    async with make_client(rate_limit=None) as client:
        page = await client.list_workflows()
    assert route.call_count == page.response.attempts == 3
    assert page.response.elapsed == pytest.approx(0.5 + 1.0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, InsufficientFundsError),
        (404, NotFoundError),
    ],
)
@respx.mock
async def test_lasting_failures_are_not(status, kind):
    """An answer that another try cannot change is raised at once."""
    route = respx.get(f"{BASE}/workflow/wf_1").respond(status, json={"error": "no"})
    async with make_client() as client:
        with pytest.raises(kind) as caught:
            await client.list_workflow_sessions("wf_1")
    assert route.call_count == 1
    assert [each.status for each in caught.value.attempts] == [status]


@respx.mock
async def test_full_back_off_and_the_history_on_the_error():
    """Delays double from `initial` to `maximum`; the last real error carries every try."""
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.ConnectError("refused"),
            httpx.Response(500),
            httpx.Response(502),
            httpx.Response(503, headers={"x-request-id": "r4"}),
        ]
    )
    policy = RetryPolicy(max_retries=3, initial=1, maximum=3, random=lambda: 1.0)
    async with make_client(retry=policy, rate_limit=None) as client:
        with pytest.raises(ServerError) as caught:
            await client.list_workflows()
    assert now() == pytest.approx(1 + 2 + 3)
    history = caught.value.attempts
    assert [each.status for each in history] == [None, 500, 502, 503]
    assert [each.error for each in history] == ["APIConnectionError", *["ServerError"] * 3]
    assert [each.delay for each in history] == [1, 2, 3, None]
    assert history[3].request_id == caught.value.request_id == "r4"
    assert "[after 4 attempts]" in str(caught.value)


@respx.mock
async def test_zero_retries_is_exactly_one_request():
    """`max_retries=0` means one request, whatever its outcome."""
    route = respx.get(f"{BASE}/workflow").respond(500)
    async with make_client(retry=RetryPolicy(max_retries=0)) as client:
        with pytest.raises(ServerError):
            await client.list_workflows()
    assert route.call_count == 1


@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("status", [429, 503])
@respx.mock
async def test_retry_after_is_obeyed_and_never_shortened(status, limited):
    """The next request goes out no earlier than `Retry-After` says, and no later either."""
    route = respx.get(f"{BASE}/workflow").mock(
        side_effect=[httpx.Response(status, headers={"retry-after": "17"}), OK]
    )
    async with make_client(rate_limit=RateLimit() if limited else None) as client:
        await client.list_workflows()
    assert route.call_count == 2
    assert now() == pytest.approx(17, abs=0.1)


@respx.mock
async def test_retry_after_as_a_date():
    """An HTTP date is understood as well."""
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[httpx.Response(503, headers={"retry-after": at}), OK]
    )
    async with make_client() as client:
        await client.list_workflows()
    assert 28 <= now() <= 31


@pytest.mark.parametrize("value", ["inf", "nan", "-5", "soon", "1e9", ""])
@respx.mock
async def test_nonsense_in_retry_after_is_ignored(value):
    """What is no span and no date leaves the ordinary back-off."""
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[httpx.Response(503, headers={"retry-after": value}), OK]
    )
    async with make_client() as client:
        await client.list_workflows()
    assert now() == pytest.approx(0.5)


@pytest.mark.parametrize("limited", [True, False])
@respx.mock
async def test_a_retry_after_above_the_cap_is_raised_at_once(limited):
    """Nobody waits for ten minutes unasked; the error says when to come back."""
    respx.get(f"{BASE}/workflow").respond(429, headers={"retry-after": "600"})
    async with make_client(rate_limit=RateLimit() if limited else None) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.list_workflows()
    assert now() == 0
    assert caught.value.retry_after == 600
    left = caught.value.retry_at - datetime.now(UTC)
    assert timedelta(seconds=590) < left <= timedelta(seconds=600)


@respx.mock
async def test_a_pause_above_the_cap_refuses_everybody():
    """While the pause lasts, waiters and newcomers fail at once with `retry_at`, unsent."""
    route = respx.get(f"{BASE}/workflow").respond(429, headers={"retry-after": "600"})
    async with make_client(rate_limit=RateLimit(burst=1, initial=1)) as client:
        waiting = [asyncio.create_task(client.list_workflows()) for _ in range(5)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(RateLimitError) as late:
            await client.list_workflows()
    assert {type(result) for result in results} == {RateLimitError}
    assert route.call_count == 1
    assert (late.value.status, late.value.attempts, late.value.operation) == (
        None,
        (),
        "list_workflows",
    )
    assert late.value.retry_at is not None
    assert now() < 1


@respx.mock
async def test_a_longer_cap_holds_for_the_limiter_too():
    """With a cap of 300 s, a pause of 120 s is waited for, also by calls that come meanwhile."""
    route = respx.get(f"{BASE}/workflow").mock(
        side_effect=[httpx.Response(429, headers={"retry-after": "120"}), OK, OK]
    )
    policy = RetryPolicy(retry_after_cap=300, random=lambda: 1.0)
    async with make_client(retry=policy) as client:
        first = asyncio.create_task(client.list_workflows())
        await asyncio.sleep(1)
        assert (await client.list_workflows()).response.elapsed == pytest.approx(119, abs=0.1)
        assert (await first).response.attempts == 2
    assert route.call_count == 3


@respx.mock
async def test_a_shorter_cap_holds_for_the_limiter_too():
    """With a cap of 5 s, calls behind a pause of 20 s are refused at once, unsent."""
    route = respx.get(f"{BASE}/workflow").respond(429, headers={"retry-after": "20"})
    policy = RetryPolicy(retry_after_cap=5, random=lambda: 1.0)
    async with make_client(retry=policy) as client:
        for attempts in (1, 0):
            with pytest.raises(RateLimitError) as caught:
                await client.list_workflows()
            assert len(caught.value.attempts) == attempts
    assert route.call_count == 1
    assert now() == 0


@respx.mock
async def test_a_429_pauses_every_call():
    """One throttled call holds the others back until the pause is over."""
    sent = []

    def answer(request):
        sent.append(now())
        first = len(sent) == 1
        return httpx.Response(429, headers={"retry-after": "5"}) if first else OK

    respx.get(f"{BASE}/workflow").mock(side_effect=answer)
    async with make_client() as client:
        first = asyncio.create_task(client.list_workflows())
        await asyncio.sleep(0.1)
        await asyncio.gather(*(client.list_workflows() for _ in range(3)))
        await first
    assert all(at >= 5 for at in sent[1:])


@respx.mock
async def test_one_congestion_lowers_the_rate_once():
    """429s of calls that were on their way together are one event, though each is told when its
    own body was read.
    """
    refusals = iter(range(10))

    async def answer(request):
        await asyncio.sleep(0.05)
        return OK if next(refusals, None) is None else httpx.Response(429)

    respx.get(f"{BASE}/workflow").mock(side_effect=answer)
    async with make_client() as client:
        await asyncio.gather(*(client.list_workflows() for _ in range(10)))
        stats = client.rate_limiter.stats()
    assert stats.throttled == 10
    assert stats.per_second == pytest.approx(25 * 0.85, rel=0.05)


class _OwnLimiter:
    """A user's limiter; `permit` is what it gives, `told` what it heard of refusals."""

    def __init__(self, *, exact):
        self.told = []
        self.exact = exact

    async def acquire(self, *, cost=1, priority="normal", deadline=None):
        permit = SimpleNamespace(written=lambda: None, seen=lambda: None, unsent=lambda: None)
        if self.exact:
            permit.refused = lambda seconds: self.told.append(("permit", seconds))
        return permit

    def throttled(self, retry_after):
        self.told.append(("limiter", retry_after))

    def stats(self):
        return LimiterStats()


@pytest.mark.parametrize("exact", [True, False])
@respx.mock
async def test_a_429_is_told_once(exact):
    """To the permit if it wants to know, as `RefusalAware` says, else to the limiter."""
    limiter = _OwnLimiter(exact=exact)
    refusal = httpx.Response(429, headers={"retry-after": "2"})
    respx.get(f"{BASE}/workflow").mock(side_effect=[refusal, OK])
    async with make_client(rate_limit=limiter) as client:
        await client.list_workflows()
    assert limiter.told == [("permit" if exact else "limiter", 2.0)]


class _Impatient(_OwnLimiter):
    """A user's limiter that bounds the wait itself."""

    async def acquire(self, *, cost=1, priority="normal", deadline=None):
        raise DeadlineExceededError("My queue is full.")


async def test_a_limiter_with_a_bound_of_its_own():
    """Its error comes through; where the call has a deadline, as the one of that deadline."""
    async with make_client(rate_limit=_Impatient(exact=False)) as client:
        with pytest.raises(DeadlineExceededError, match="My queue is full") as caught:
            await client.list_workflows()
        assert caught.value.attempts == ()
        with pytest.raises(DeadlineExceededError, match="cannot grant in time"):
            await client.with_options(deadline=5).list_workflows()


@pytest.mark.parametrize("limited", [True, False])
@respx.mock
async def test_a_spent_quota_is_never_repeated(limited):
    """`Limit Exceeded` is the day's quota: one request, and an error of its own."""
    route = respx.get(f"{BASE}/workflow").respond(429, json={"message": "Limit Exceeded"})
    async with make_client(rate_limit=RateLimit() if limited else None) as client:
        with pytest.raises(QuotaExceededError) as caught:
            await client.list_workflows()
    assert route.call_count == 1
    assert caught.value.status == 429
    assert caught.value.resets_at > datetime.now(UTC)
    assert caught.value.retry_at == caught.value.resets_at


@respx.mock
async def test_a_deadline_covers_the_whole_call():
    """A wait that cannot fit is not begun; the error tells where the time went, and why."""
    route = respx.get(f"{BASE}/workflow").respond(500)
    async with make_client(deadline=2.0) as client:
        with pytest.raises(DeadlineExceededError) as caught:
            await client.list_workflows()
    error = caught.value
    assert now() == pytest.approx(1.5)  # 0.5 + 1.0, and the next 2.0 would not fit
    assert route.call_count == len(error.attempts) == 3
    assert error.spent.backing_off == pytest.approx(1.5)
    assert error.deadline == 2.0
    assert isinstance(error.__cause__, ServerError)
    assert isinstance(error, TimeoutError)


@respx.mock
async def test_a_deadline_ends_an_attempt():
    """An attempt is cut off when the deadline passes."""

    async def never(request):
        await asyncio.sleep(3600)

    respx.get(f"{BASE}/workflow").mock(side_effect=never)
    async with make_client(deadline=3.0) as client:
        with pytest.raises(DeadlineExceededError, match="no answer in time") as caught:
            await client.list_workflows()
    assert now() == pytest.approx(3.0)
    assert caught.value.spent.on_wire == pytest.approx(3.0)
    assert [(each.error, each.elapsed) for each in caught.value.attempts] == [
        ("CancelledError", pytest.approx(3.0))
    ]


class SlowMotion(SystemClock):
    """A clock that goes at a tenth of the loop's speed."""

    def now(self):
        return super().now() / 10

    def call_later(self, seconds, callback):
        return super().call_later(seconds * 10, callback)


@respx.mock
async def test_a_deadline_follows_the_clock_of_the_client():
    """A client that was given a clock cuts off by that one, not by the loop's."""

    async def never(request):
        await asyncio.sleep(3600)

    respx.get(f"{BASE}/workflow").mock(side_effect=never)
    async with make_client(deadline=3.0, clock=SlowMotion()) as client:
        with pytest.raises(DeadlineExceededError) as caught:
            await client.list_workflows()
    assert now() == pytest.approx(30.0)
    assert caught.value.spent.on_wire == pytest.approx(3.0)


@respx.mock
async def test_a_deadline_that_was_kept_leaves_no_timer():
    """A call that ends in time takes its deadline back, which would be an error of the loop."""
    respx.get(f"{BASE}/workflow").mock(return_value=OK)
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    async with make_client(deadline=3.0) as client:
        await client.list_workflows()
    await asyncio.sleep(10)
    assert told == []


@respx.mock
async def test_a_deadline_that_cuts_off_a_retry_keeps_the_error_before_it():
    """The cut-off itself explains nothing: the failure that made the retry is the cause."""
    tries = []

    async def fail_then_hang(request):
        tries.append(now())
        if len(tries) > 1:
            await asyncio.sleep(3600)
        return httpx.Response(503, headers={"x-request-id": "r1"})

    respx.get(f"{BASE}/workflow").mock(side_effect=fail_then_hang)
    async with make_client(deadline=3.0) as client:
        with pytest.raises(DeadlineExceededError, match="no answer in time") as caught:
            await client.list_workflows()
    assert now() == pytest.approx(3.0)
    assert isinstance(caught.value.__cause__, ServerError)
    assert caught.value.__cause__.request_id == "r1"
    assert [each.error for each in caught.value.attempts] == ["ServerError", "CancelledError"]


@respx.mock
async def test_a_deadline_that_the_limiter_would_miss_spends_nothing():
    """If the permit cannot come in time, the call fails before it waits or spends."""
    route = respx.get(f"{BASE}/workflow").mock(return_value=OK)
    async with make_client(rate_limit=RateLimit(per_second=0.1, burst=1)) as client:
        await client.list_workflows()
        with pytest.raises(DeadlineExceededError, match="rate limiter") as caught:
            await client.with_options(deadline=2).list_workflows()
        assert now() < 0.1
        assert caught.value.spent.limited == pytest.approx(0, abs=0.01)
        await client.list_workflows()
    assert now() == pytest.approx(10, abs=0.1)
    assert route.call_count == 2


@pytest.mark.parametrize(
    ("raised", "phase"),
    [
        (httpx.ConnectTimeout, "connect"),
        (httpx.ReadTimeout, "read"),
        (httpx.WriteTimeout, "write"),
        (httpx.PoolTimeout, "pool"),
    ],
)
@respx.mock
async def test_timeouts_tell_their_phase(raised, phase):
    """Each of the client's timeouts is named, with its length."""
    respx.get(f"{BASE}/workflow").mock(side_effect=raised("x"))
    async with make_client(retry=RetryPolicy(max_retries=0), timeout=7) as client:
        with pytest.raises(APITimeoutError, match=rf"7 s \(timeout\.{phase}\)") as caught:
            await client.list_workflows()
    assert caught.value.phase == phase
    assert caught.value.cause.startswith(raised.__name__)


@pytest.mark.parametrize(
    "raised", [httpx.UnsupportedProtocol("x"), httpx.LocalProtocolError("x"), ValueError("mine")]
)
@respx.mock
async def test_what_is_not_the_networks_fault_is_not_repeated(raised):
    """A request that cannot be sent, or a fault of the HTTP client, is raised at once."""
    route = respx.get(f"{BASE}/workflow").mock(side_effect=raised)
    async with make_client() as client:
        with pytest.raises(APIConnectionError) as caught:
            await client.list_workflows()
    assert route.call_count == 1
    assert type(raised).__name__ in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@respx.mock
async def test_an_outage_is_not_amplified():
    """With the service down, the retries of all calls together are bounded by the budget."""
    route = respx.get(f"{BASE}/workflow").respond(503)
    async with make_client(rate_limit=None, max_connections=100) as client:
        calls = (client.list_workflows() for _ in range(100))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in errors} == {ServerError}
        assert route.call_count == 100 + 50
        started = now()
        with pytest.raises(ServerError) as caught:
            await client.list_workflows()
        assert now() == started
        assert caught.value.__notes__ == [
            "Not repeated: too many calls of this client have failed lately."
        ]
        route.respond(json=workflows_body())
        for _ in range(10):
            await client.list_workflows()
        await asyncio.sleep(0.1)
        route.mock(side_effect=[httpx.Response(503), httpx.Response(503), OK])
        page = await client.list_workflows()
    assert page.response.attempts == 3


@respx.mock
async def test_a_web_request_does_not_wait_behind_an_export():
    """A normal call goes before thousands of queued bulk calls, which keep a small share."""
    respx.get(f"{BASE}/workflow").mock(return_value=OK)
    async with make_client(rate_limit=RateLimit(per_day=None)) as client:
        export = client.with_options(priority="bulk")
        queued = [asyncio.create_task(export.list_workflows()) for _ in range(5_000)]
        await asyncio.sleep(2)
        waits = []
        for _ in range(100):
            began = now()
            await client.list_workflows()
            waits.append(now() - began)
        done = sum(task.done() for task in queued)
        for task in queued:
            task.cancel()
        await asyncio.gather(*queued, return_exceptions=True)
    assert max(waits) < 0.1
    assert done > 35 + 2 * 25 - 5 + 100 / 12


@pytest.mark.parametrize("prefix", ["RateLimit", "X-RateLimit"])
@respx.mock
async def test_rate_limit_headers_are_obeyed(prefix):
    """If the server says that nothing is left for 7 s, the next request waits for that."""
    told = {f"{prefix}-Remaining": "0", f"{prefix}-Reset": "7"}
    respx.get(f"{BASE}/workflow").respond(json=workflows_body(), headers=told)
    async with make_client() as client:
        await client.list_workflows()
        await client.list_workflows()
    assert now() == pytest.approx(7, abs=0.1)


@respx.mock
async def test_rate_limit_headers_without_a_limiter_that_cares():
    """A limiter of the user's own, or none, makes nothing of the headers."""
    told = {"RateLimit-Remaining": "0", "RateLimit-Reset": "7"}
    respx.get(f"{BASE}/workflow").respond(json=workflows_body(), headers=told)
    async with make_client(rate_limit=None) as client:
        await client.list_workflows()
        await client.list_workflows()
    assert now() == 0


@respx.mock
async def test_headers_of_a_long_window_do_not_lock_the_client_out():
    """Nothing left for an hour may speak of a quota: only the level is taken over."""
    told = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3600"}
    respx.get(f"{BASE}/workflow").respond(json=workflows_body(), headers=told)
    async with make_client() as client:
        for _ in range(3):  # the second has the token that a whole number may hide
            await client.list_workflows()
    assert now() == pytest.approx(0.04, abs=0.01)


@respx.mock
async def test_the_budget_comes_back_with_time_and_429s_are_free():
    """After a quiet minute a lone failure is repeated again; throttled calls cost nothing."""
    route = respx.get(f"{BASE}/workflow").respond(503)
    async with make_client(max_connections=100, rate_limit=RateLimit(burst=100)) as client:
        calls = (client.list_workflows() for _ in range(100))
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(60)
        route.mock(side_effect=[httpx.Response(503), OK])
        assert (await client.list_workflows()).response.attempts == 2
        budget = client._pipeline._budget._saved
        route.mock(side_effect=[httpx.Response(429), OK])
        await client.list_workflows()
        assert client._pipeline._budget._saved >= budget


@respx.mock
async def test_a_refusal_by_the_limiter_keeps_the_error_before_it():
    """If the quota is spent between two tries, the failure of the first one is the cause."""
    respx.get(f"{BASE}/workflow").respond(503)
    async with make_client(rate_limit=RateLimit(per_day=1)) as client:
        with pytest.raises(QuotaExceededError) as caught:
            await client.list_workflows()
    assert isinstance(caught.value.__cause__, ServerError)
    assert [each.status for each in caught.value.attempts] == [503]
