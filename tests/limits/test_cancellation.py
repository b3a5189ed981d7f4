"""A caller that is cancelled leaves no trace, wherever it stands."""

import asyncio
import random

import pytest

from deepidv_async.limits import RateLimit, TokenBucket

pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]


def make(**limit):
    limit.setdefault("per_day", None)
    return TokenBucket(RateLimit(**limit))


async def drained(**limit):
    """Give a bucket with no token left and nothing open."""
    bucket = make(**limit)
    for _ in range(int(bucket.limit.burst)):
        (await bucket.acquire()).seen()
    return bucket


@pytest.mark.parametrize("gone", [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2]])
async def test_head_middle_and_tail(gone):
    """Whoever leaves the queue, the others are served in order and without a gap."""
    bucket = await drained(per_second=10, burst=1)
    loop = asyncio.get_running_loop()
    served = {}

    async def call(number):
        (await bucket.acquire()).seen()
        served[number] = round(loop.time(), 4)

    tasks = [asyncio.create_task(call(number)) for number in range(4)]
    await asyncio.sleep(0.05)
    for number in gone:
        tasks[number].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    left = [number for number in range(4) if number not in gone]
    assert served == {number: pytest.approx(0.1 * (at + 1)) for at, number in enumerate(left)}


async def test_granted_but_not_run():
    """A permit that was granted to a caller in the tick of its cancellation goes to the next."""
    bucket = await drained(per_second=10, burst=1)
    loop = asyncio.get_running_loop()
    first, second = (asyncio.create_task(bucket.acquire()) for _ in range(2))
    await asyncio.sleep(0)

    def cancel_after_grant():
        assert bucket.stats().granted == 2
        first.cancel()

    # The bucket's own timer is due a microsecond after the token.
    loop.call_at(0.1 + 1.1e-6, cancel_after_grant)
    loop.now = 0.1 + 2e-6
    await asyncio.wait([second])
    assert first.cancelled()
    assert loop.time() == pytest.approx(0.1, abs=1e-4)
    second.result().seen()
    assert bucket.stats().granted == 2


@pytest.mark.parametrize("first", ["refused", "cancelled"])
async def test_refused_and_cancelled_at_once(first):
    """A caller that is cancelled in the tick in which it is refused is just cancelled."""
    bucket = make(per_second=10, burst=1)
    await bucket.acquire()
    waiter = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0)
    if first == "cancelled":
        waiter.cancel()
    bucket.throttled(1000.0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter


async def test_a_cancelled_caller_is_skipped_before_it_runs():
    """A caller whose cancellation has not reached it yet gets no permit."""
    bucket = await drained(per_second=10, burst=1)
    first, second = (asyncio.create_task(bucket.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    bucket._queue._fire()
    asyncio.get_running_loop().now = 0.1 + 1e-6
    bucket._queue._fire()
    await asyncio.wait([first, second])
    assert first.cancelled()
    assert bucket.stats().granted == 2
    second.result().seen()


@pytest.mark.parametrize("granted", [False, True])
async def test_a_closed_coroutine_leaves_the_queue(granted):
    """`close()` on a coroutine that waits takes it out like a cancellation, with its permit."""
    bucket = await drained(per_second=10, burst=1)
    waiting = bucket.acquire()
    future = waiting.send(None)
    second = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0.15 if granted else 0.01)
    assert future.done() == granted
    waiting.close()
    await asyncio.sleep(0)
    (await second).seen()
    assert asyncio.get_running_loop().time() == pytest.approx(0.15 if granted else 0.1, abs=1e-4)
    stats = bucket.stats()
    assert (stats.granted, stats.waiting, stats.in_flight) == (2, 0, 0)


async def test_a_coroutine_may_be_closed_after_its_loop():
    """What a closed loop has left behind is closed in the end, by the garbage collector."""
    bucket, left = make(per_second=10, burst=1), []

    async def main():
        await bucket.acquire()
        left.append(bucket.acquire())
        left[0].send(None)

    await asyncio.to_thread(asyncio.run, main())
    left[0].close()
    assert bucket.stats().waiting == 1
    (await bucket.acquire()).seen()
    assert bucket.stats().waiting == 0


async def test_a_timeout_around_acquire():
    """`asyncio.timeout` around `acquire` is a cancellation like any other."""
    bucket = await drained(per_second=1, burst=1)
    for _ in range(20):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await bucket.acquire()
    await bucket.acquire()
    assert asyncio.get_running_loop().time() == pytest.approx(1.0, abs=1e-3)


async def test_a_hundred_thousand_random_cancellations():
    """Queued, granted but not run, in flight: no token is lost, the level is exact afterwards,
    and every survivor is served in order.
    """
    rng = random.Random(5)
    bucket = make(per_second=20_000, burst=50, hold=0.01)
    loop = asyncio.get_running_loop()
    served, cancelled, total = [], 0, 0

    async def call(number):
        permit = await bucket.acquire()
        served.append(number)
        try:
            permit.written()
            await asyncio.sleep(rng.choice((0.0, 0.002, 0.02)))
        finally:
            permit.seen()

    alive = {}
    while cancelled < 100_000:
        for _ in range(rng.randrange(200)):
            task = asyncio.create_task(call(total))
            alive[task] = total
            total += 1
        await asyncio.sleep(rng.choice((0.0, 0.0, 1e-4, 0.004)))
        for task in rng.sample(list(alive), min(len(alive), rng.randrange(250))):
            cancelled += task.cancel()
        alive = {task: number for task, number in alive.items() if not task.done()}
    ended = await asyncio.gather(*alive, return_exceptions=True)
    assert all(result is None or isinstance(result, asyncio.CancelledError) for result in ended)
    assert served == sorted(served)
    stats = bucket.stats()
    assert (stats.waiting, stats.in_flight, stats.open) == (0, 0, 0.0)
    assert stats.granted == stats.sent == len(served)
    assert not bucket._queue.lanes.normal.queue
    await asyncio.sleep(1)
    assert bucket.stats().tokens == 50
    # And the bucket is as good as new: a full burst, then one token after the other.
    began = loop.time()
    for _ in range(60):
        (await bucket.acquire()).seen()
    assert loop.time() - began == pytest.approx(10 / 20_000, rel=0.1)
