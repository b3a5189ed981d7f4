"""What the limiter does when the server refuses after all, and what it tells about it."""

import asyncio
import math
from datetime import timedelta

import pytest

from deepidv_async import PauseStarted, RateLearned, RateLimitError
from deepidv_async.limits import RateLimit, TokenBucket
from deepidv_async.limits._adapt import Congestion

pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]


def now():
    return asyncio.get_running_loop().time()


def make(per_second=10.0, burst=5.0, clock=None, **options):
    limit = RateLimit(per_second=per_second, burst=burst, per_day=None)
    return TokenBucket(limit, clock=clock, **options)


async def grants(bucket, count):
    """Ask for `count` permits at once; give the instants at which they came."""

    async def one():
        (await bucket.acquire()).seen()
        return round(now(), 3)

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def test_a_429_pauses_everybody():
    """Nobody is granted before Retry-After is over, and then one by one, not in a burst."""
    bucket = make()
    bucket.throttled(3.0)
    instants = await grants(bucket, 4)
    gap = 1 / 8.5
    assert instants[0] == 3.0
    assert instants[1:] == pytest.approx([3 + gap, 3 + 2 * gap, 3 + 3 * gap], abs=0.01)


async def test_nobody_ends_a_pause():
    """An answer to another request, or a shorter Retry-After, does not end the pause."""
    bucket = make()
    first = await bucket.acquire()
    bucket.throttled(3.0)
    bucket.throttled(0.5)
    first.seen()
    # The request that was answered in the pause took the first token after it.
    assert (await grants(bucket, 1)) == [pytest.approx(3.0 + 1 / 8.5, abs=0.001)]


async def test_the_first_pause_is_short_and_doubles():
    """Without Retry-After: 0.25 s, and twice as long each time until one is admitted."""
    bucket = make()
    pauses = []
    for _ in range(5):
        (await bucket.acquire()).refused(None)
        pauses.append(bucket.stats().paused_for)
        await asyncio.sleep(pauses[-1])
    assert pauses == pytest.approx([0.25, 0.5, 1.0, 2.0, 4.0])
    (await bucket.acquire()).seen()
    (await bucket.acquire()).refused(None)
    assert bucket.stats().paused_for == pytest.approx(0.25)


async def test_pauses_without_permits_double_too():
    """Who reports a 429 without its permit gets the same back-off, once a second at most."""
    bucket = make()
    pauses = []
    for _ in range(4):
        (await bucket.acquire()).seen()
        bucket.throttled(None)
        pauses.append(bucket.stats().paused_for)
        await asyncio.sleep(max(1.0, pauses[-1]))
    assert pauses == pytest.approx([0.25, 0.5, 1.0, 2.0])
    assert bucket.stats().per_second == pytest.approx(10 * 0.85**4, rel=0.05)


@pytest.mark.parametrize("retry_after", [0.0, -5.0, math.nan, math.inf])
async def test_a_senseless_retry_after_is_no_retry_after(retry_after):
    """A Retry-After that is no time to wait leaves the limiter its own back-off."""
    bucket = make()
    bucket.throttled(retry_after)
    assert bucket.stats().paused_for == pytest.approx(0.25)


async def test_a_pause_beyond_the_cap_fails_everybody(clock):
    """Waiters and newcomers fail at once with the instant to come back at, until what is left
    is not too long any more.
    """
    bucket = make(clock=clock, pause_cap=60.0)
    for _ in range(5):
        (await bucket.acquire()).seen()
    waiters = [asyncio.create_task(bucket.acquire(priority=lane)) for lane in ("normal", "bulk")]
    await asyncio.sleep(0)
    bucket.throttled(100.0)
    for waiter in waiters:
        with pytest.raises(RateLimitError) as caught:
            await waiter
        error = caught.value
        assert (error.status, error.retry_after) == (None, 100.0)
        assert error.retry_at == clock.began + timedelta(seconds=100)
        assert "retry_at" in error.message
    assert now() == 0
    with pytest.raises(RateLimitError):
        await bucket.acquire()
    await asyncio.sleep(39.9)
    with pytest.raises(RateLimitError):
        await bucket.acquire()
    await asyncio.sleep(0.2)
    await bucket.acquire()
    assert now() == pytest.approx(100.0, abs=0.001)


async def test_an_endless_pause_can_be_told(clock):
    """A Retry-After beyond the calendar still gives a date."""
    bucket = make(clock=clock)
    bucket.throttled(1e18)
    with pytest.raises(RateLimitError) as caught:
        await bucket.acquire()
    assert caught.value.retry_at is not None
    assert bucket.stats().paused_until == caught.value.retry_at


async def test_one_congestion_event_lowers_the_rate_once():
    """The refusals of requests that were on their way together are one event."""
    bucket = make(per_second=100.0, burst=10.0)
    permits = [await bucket.acquire() for _ in range(10)]
    for permit in permits:
        permit.written()
    for permit in permits:
        permit.refused(None)
    stats = bucket.stats()
    assert stats.throttled == 10
    assert stats.per_second == pytest.approx(85.0)
    assert stats.published == 100.0
    (await bucket.acquire()).refused(None)
    assert bucket.stats().per_second == pytest.approx(85.0 * 0.85, abs=0.2)


async def test_late_refusals_of_an_event_are_no_news():
    """A 429 that is told after others have succeeded still belongs to the event before which its
    request was granted, however much later that is.
    """
    bucket = make(per_second=100.0, burst=10.0)
    early, late, later = [await bucket.acquire() for _ in range(3)]
    early.refused(None)
    for _ in range(20):
        (await bucket.acquire()).seen()
    late.refused(None)
    await asyncio.sleep(2.0)
    (await bucket.acquire()).seen()
    later.refused(None)
    stats = bucket.stats()
    assert stats.throttled == 3
    assert 85.0 <= stats.per_second < 90.0
    assert stats.paused_for == pytest.approx(0.25)


async def test_a_refusal_inside_the_scope_is_learned_from():
    """Within `permit()` a 429 may be reported with the permit or without: both lower the rate."""
    by_permit, by_bucket = make(per_second=100.0), make(per_second=100.0)
    for _ in range(3):
        async with by_permit.permit() as permit:
            permit.refused(None)
        async with by_bucket.permit():
            by_bucket.throttled(None)
        await asyncio.sleep(1.5)
    assert by_permit.stats().per_second == pytest.approx(100 * 0.85**3, rel=0.05)
    assert by_permit.stats().per_second == by_bucket.stats().per_second
    # The second pause in a row was twice as long as the first, the third four times.
    assert by_permit.stats().paused_for == 0
    (await by_permit.acquire()).refused(None)
    assert by_permit.stats().paused_for == pytest.approx(2.0)


async def test_within_a_second_or_a_pause_it_is_the_same_trouble():
    """Without the permit, a 429 of the next second, or during the pause, lowers nothing more."""
    bucket = make(per_second=100.0)
    bucket.throttled(None)
    await asyncio.sleep(0.9)
    bucket.throttled(3.0)
    assert bucket.stats().per_second == pytest.approx(85.0, rel=0.01)
    await asyncio.sleep(2.9)
    bucket.throttled(None)
    assert bucket.stats().per_second == pytest.approx(85.0, rel=0.01)
    await asyncio.sleep(1.0)
    bucket.throttled(None)
    assert bucket.stats().per_second == pytest.approx(85.0 * 0.85, rel=0.02)


async def test_a_permit_is_refused_once():
    """Telling the same refusal again changes nothing; of a permit that was given back, it is a
    429 of nobody knows which request.
    """
    bucket = make()
    permit, other = await bucket.acquire(), await bucket.acquire()
    for _ in range(3):
        permit.refused(2.0)
    assert bucket.stats().throttled == 1
    other.unsent()
    other.refused(4.0)
    stats = bucket.stats()
    assert (stats.throttled, stats.paused_for, stats.sent) == (2, 4.0, 1)
    assert stats.per_second == 8.5


async def test_the_rate_creeps_back():
    """Half a percent of the published rate per second, up to it, and not during a pause."""
    bucket = make(per_second=100.0, burst=10.0)
    (await bucket.acquire()).unsent()
    bucket.throttled(50.0)
    await asyncio.sleep(50.0)
    assert (await grants(bucket, 1)) == [50.0]
    assert bucket.stats().per_second == pytest.approx(85.0)
    await asyncio.sleep(10.0)
    await grants(bucket, 1)
    assert bucket.stats().per_second == pytest.approx(90.0)
    await asyncio.sleep(1000.0)
    await grants(bucket, 1)
    assert bucket.stats().per_second == 100.0
    began = now()
    assert (await grants(bucket, 30))[-1] - began == pytest.approx(0.21, abs=0.01)


async def test_the_rate_that_is_told_creeps_back_in_silence():
    """Whoever looks after a quiet hour sees the rate that holds then, not the last one used."""
    bucket = make()
    bucket.throttled(1.0)
    assert bucket.stats().per_second == 8.5
    await asyncio.sleep(3600)
    assert bucket.stats().per_second == 10.0


async def test_a_deadline_is_judged_by_the_published_rate():
    """The learned rate creeps back: a caller who may be served in time then is not refused."""
    bucket = make(per_second=10.0, burst=1.0)
    for _ in range(12):
        bucket.throttled(0.01)
        await asyncio.sleep(1.5)
    assert bucket.stats().per_second < 3.0
    others = asyncio.create_task(grants(bucket, 60))
    await asyncio.sleep(0)
    came = now()
    permit = await bucket.acquire(deadline=came + 40.0)
    assert now() - came < 40.0
    permit.seen()
    await others


async def test_the_rate_has_a_floor():
    """However many refusals, one request in twenty still goes."""
    congestion = Congestion(100.0)
    for second in range(100):
        congestion.refused(float(second), second - 0.5)
    assert congestion.rate == pytest.approx(5.0)
    pause, _ = congestion.refused(100.0, 99.5)
    assert pause == 30.0


async def test_refusals_that_arrive_together_hide_no_success():
    """A batch with one success among the refusals is not silence: the pause starts anew."""
    congestion = Congestion(100.0)
    for second in range(4):
        congestion.refused(float(second), second - 0.5)
    congestion.answers = 3
    pauses = [congestion.refused(10.0, 9.5)[0] for _ in range(2)]
    assert pauses == [0.25, 0.25]
    congestion.answers = 2
    assert [congestion.refused(20.0, 19.5)[0] for _ in range(2)] == [0.25, 0.5]
    # Old news tell nothing about that.
    assert congestion.refused(20.1, 9.0) == (0.5, False)


async def test_a_refusal_before_the_first_request_counts():
    """A limiter may hear of a 429 before it has granted anything."""
    bucket = make()
    await asyncio.sleep(5.0)
    bucket.throttled(1.0)
    assert bucket.stats().throttled == 1
    assert (await grants(bucket, 1)) == [6.0]


async def test_remaining_takes_tokens():
    """With rate-limit headers the bucket holds no more than the server may have left: what it
    says, and the fraction of a token that the whole number hides.
    """
    bucket = make(per_second=10.0, burst=5.0)
    (await bucket.acquire()).seen()
    bucket.server_says(remaining=1)
    assert bucket.stats().tokens == pytest.approx(2.0)
    assert (await grants(bucket, 3))[-1] == 0.1
    bucket.server_says(remaining=100)
    assert bucket.stats().tokens == pytest.approx(0.0, abs=1e-4)


async def test_old_headers_take_fewer_tokens():
    """What came back since the request was granted may be there by now."""
    bucket = make(per_second=10.0, burst=5.0)
    permit = await bucket.acquire()
    await asyncio.sleep(0.2)
    permit.seen()
    permit.server_says(remaining=0)
    assert bucket.stats().tokens == pytest.approx(3.0)
    permit.server_says(remaining=0, reset_after=30)
    assert bucket.stats().paused_for == 30


async def test_headers_for_another_loop_say_nothing():
    """A permit of a loop that is gone tells nothing about this one's bucket."""
    bucket = make()

    async def first():
        return await bucket.acquire()

    permit = await asyncio.to_thread(asyncio.run, first())
    (await bucket.acquire()).seen()
    permit.server_says(remaining=0, reset_after=30)
    assert bucket.stats().paused_for == 0


async def test_nothing_remaining_waits_for_the_reset():
    """With nothing left, everybody waits until the server counts afresh; no 429 is counted, and
    observers are told once.
    """
    bucket, news = make(), []
    bucket.subscribe(news.append)
    bucket.server_says(remaining=0, reset_after=2.0)
    bucket.server_says(remaining=0, reset_after=1.9)
    assert news == [PauseStarted(seconds=2.0, retry_after=2.0)]
    assert (await grants(bucket, 2)) == [2.0, 2.1]
    assert bucket.stats().throttled == 0
    assert bucket.stats().per_second == 10.0


@pytest.mark.parametrize("reset_after", [None, 1.0, 1.5, math.inf])
async def test_nothing_remaining_of_a_bucket_just_empties(reset_after):
    """Without a reset, or with one in which a bucket fills, tokens come back at the rate."""
    bucket = make()
    bucket.server_says(remaining=-1, reset_after=reset_after)
    assert (await grants(bucket, 2)) == [0.0, 0.1]


async def test_a_waiter_is_served_as_soon_as_the_pause_allows():
    """Answers to requests of before the pause may bring the head's turn forward."""
    bucket = make(per_second=10.0, burst=5.0)
    permits = [await bucket.acquire() for _ in range(5)]
    bucket.throttled(1.0)
    waiter = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0.5)
    for permit in permits:
        permit.seen()
    await waiter
    # The server owes no more than its burst, so one token is there after 1/8.5 s.
    assert now() == pytest.approx(1.0 + 1 / 8.5, abs=0.001)


async def test_listeners_are_told():
    """Pauses and learned rates are news; who unsubscribes hears no more of them."""
    bucket, news = make(), []
    stop = bucket.subscribe(news.append)
    bucket.throttled(2.0)
    bucket.throttled(None)
    assert news == [
        PauseStarted(seconds=2.0, retry_after=2.0),
        RateLearned(per_second=8.5, published=10.0),
        PauseStarted(seconds=2.0, retry_after=None),
    ]
    stop()
    stop()
    bucket.throttled(9.0)
    assert len(news) == 3


async def test_a_listener_that_raises_breaks_nothing(caplog):
    """Its error is logged by class, and the others still hear the news."""
    bucket, news = make(), []

    def broken(_event):
        raise RuntimeError("secret")

    bucket.subscribe(broken)
    bucket.subscribe(news.append)
    bucket.throttled(0.1)
    assert len(news) == 2
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_listener_may_ask_the_limiter():
    """News are told when the limiter is in order again: a listener may use it."""
    bucket, seen = make(), []
    bucket.subscribe(lambda _event: seen.append(bucket.stats().paused_for))
    bucket.throttled(2.0)
    assert seen == [2.0, 2.0]
