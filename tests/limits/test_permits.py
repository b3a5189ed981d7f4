"""Permits: what they are told, and what becomes of those that nobody tells anything."""

import asyncio
import gc

import pytest

from deepidv_async.limits import (
    LimiterStats,
    Permit,
    QuotaAware,
    RateHeadersAware,
    RateLimit,
    RateLimiter,
    RefusalAware,
    TokenBucket,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]


def make(per_second=10.0, burst=5.0, **limit):
    return TokenBucket(RateLimit(per_second=per_second, burst=burst, per_day=None, **limit))


async def test_stats_follow_a_request():
    """Granted, then sent, then answered: each step shows, and nothing is counted twice."""
    bucket = make()
    steps = []

    def look():
        stats = bucket.stats()
        steps.append((stats.granted, stats.sent, stats.in_flight, stats.open))

    permit = await bucket.acquire(cost=2)
    look()
    permit.written()
    permit.written()
    look()
    permit.seen()
    permit.seen()
    permit.unsent()
    look()
    assert steps == [(2, 0, 1, 2), (2, 2, 1, 2), (2, 2, 0, 0)]


async def test_seen_without_written_counts_as_sent():
    """An answer proves that the request went out, even if nobody said so."""
    bucket = make()
    (await bucket.acquire()).seen()
    assert bucket.stats().sent == 1


async def test_an_unsent_permit_leaves_no_trace():
    """Neither counts nor level remember a permit that was never used."""
    bucket = make()
    permit = await bucket.acquire()
    permit.unsent()
    permit.unsent()
    permit.seen()
    permit.written()
    stats = bucket.stats()
    assert (stats.granted, stats.sent, stats.open, stats.tokens) == (0, 0, 0, 5)


async def test_unsent_after_written_changes_nothing():
    """Once bytes went out the server may count them: the token stays spent."""
    bucket = make()
    permit = await bucket.acquire()
    permit.written()
    permit.unsent()
    assert bucket.stats().open == 1
    await asyncio.sleep(0.5)
    assert bucket.stats().open == 0


async def test_an_answer_after_the_hold_changes_nothing():
    """What counted as arrived is not counted again when its answer comes."""
    bucket = make(hold=0.5)
    permit = await bucket.acquire()
    permit.written()
    await asyncio.sleep(5.0)
    before = bucket.stats()
    permit.seen()
    assert bucket.stats() == before
    assert bucket.stats().tokens == 5


async def test_a_dropped_permit_counts_as_written():
    """A program that only ever calls `acquire()` is limited, not stopped."""
    bucket = make(per_second=10, burst=1, hold=0.5)
    loop = asyncio.get_running_loop()
    for _ in range(4):
        await bucket.acquire()
    assert loop.time() == pytest.approx(3 * 0.6, abs=0.01)
    await asyncio.sleep(1)
    stats = bucket.stats()
    assert (stats.sent, stats.open) == (4, 0)


async def test_the_scope_is_a_permit_from_beginning_to_end():
    """`async with bucket.permit()` waits, counts as sent inside, and as answered after."""
    bucket = make(per_second=10, burst=1)
    for _ in range(3):
        async with bucket.permit(cost=1) as permit:
            assert bucket.stats().in_flight == 1
            await asyncio.sleep(0.02)
        assert bucket.stats().in_flight == 0
        permit.seen()
    assert asyncio.get_running_loop().time() == pytest.approx(3 * 0.02 + 2 * 0.1, abs=0.001)


async def test_a_failed_body_is_not_an_answer():
    """If the body raises nobody knows whether the server got the request: `hold` decides."""
    bucket = make(hold=0.5)
    with pytest.raises(OSError, match="broke"):
        async with bucket.permit():
            raise OSError("it broke")
    assert bucket.stats().open == 1
    await asyncio.sleep(0.5)
    assert bucket.stats().open == 0


async def test_waiting_inside_a_scope_does_not_use_up_the_hold():
    """With `written=False` the hold starts when the body says so, not while it waits for a place
    in a pool; with the default it starts at once.
    """
    bucket = make(burst=2, hold=0.5)
    opens = []

    async def call(*, written):
        async with bucket.permit(written=written) as permit:
            await asyncio.sleep(3.0)
            permit.written()
            opens.append(bucket.stats().open)
            await asyncio.sleep(0.4)
            opens.append(bucket.stats().open)
            await asyncio.sleep(0.2)
            opens.append(bucket.stats().open)

    await call(written=False)
    assert opens == [1, 1, 0]
    opens.clear()
    await call(written=True)
    assert opens == [0, 0, 0]


async def test_a_body_that_fails_before_it_writes_gives_the_permit_back():
    """With `written=False` nothing went out before the body said so."""
    bucket = make(hold=0.5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1), bucket.permit(written=False):
            await asyncio.sleep(9)
    stats = bucket.stats()
    assert (stats.granted, stats.sent, stats.tokens) == (0, 0, 5)
    with pytest.raises(OSError, match="broke"):
        async with bucket.permit(written=False) as permit:
            permit.written()
            raise OSError("it broke")
    assert bucket.stats().open == 1
    async with bucket.permit(written=False):
        pass  # it ended well, so it was answered
    assert bucket.stats().sent == 2


async def test_a_scope_passes_its_arguments_on():
    """Lane, cost and deadline of a scope are those of its `acquire`."""
    bucket = make(per_second=1, burst=2)
    async with bucket.permit(cost=2):
        pass
    waiting = asyncio.create_task(bucket.permit(priority="bulk", deadline=50.0).__aenter__())
    await asyncio.sleep(0)
    assert bucket.stats().waiting_bulk == 1
    with pytest.raises(TimeoutError):
        await bucket.permit(deadline=0.5).__aenter__()
    (await waiting).seen()


async def test_repr_tells_the_state():
    """A permit says what it was told last."""
    bucket = make()
    permits = [await bucket.acquire() for _ in range(5)]
    permits[2].written()
    permits[3].seen()
    permits[4].refused(None)
    await asyncio.sleep(0.6)
    permits[1].written()
    permits.append(await bucket.acquire())
    permits[5].unsent()
    states = ["granted", "written", "arrived", "answered", "refused", "returned"]
    assert [repr(permit) for permit in permits] == [
        f"<BucketPermit cost=1 {state}>" for state in states
    ]


async def test_stats_of_a_bucket_at_rest():
    """Looking changes nothing: a bucket that was never used stays full, or as `initial` says."""
    bucket = make(initial=2)
    await asyncio.sleep(100)
    assert bucket.stats() == LimiterStats(tokens=2, per_second=10, published=10)
    await bucket.acquire(cost=2)
    assert asyncio.get_running_loop().time() == 100
    assert bucket.limit.initial == 2


async def test_it_is_what_the_protocols_ask_for():
    """The bucket and its permits have all that the client calls."""
    limiter: RateLimiter = make()
    permit: Permit = await limiter.acquire()
    permit.seen()
    assert isinstance(limiter, QuotaAware)
    assert isinstance(limiter, RateHeadersAware)
    assert isinstance(permit, RefusalAware)
    assert isinstance(permit, RateHeadersAware)


async def test_a_permit_dropped_after_its_end_does_nothing():
    """Only a permit without any news is taken care of when it is dropped."""
    bucket = make()
    permit = await bucket.acquire()
    permit.unsent()
    del permit
    gc.collect()
    await asyncio.sleep(0)
    assert bucket.stats().sent == 0
