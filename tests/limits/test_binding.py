"""Loops, processes and clocks: what a bucket is tied to, and how it moves on."""

import asyncio
import gc
import json
import os
import time
import weakref
from itertools import pairwise

import pytest

from deepidv_async import ConfigurationError
from deepidv_async.limits import RateLimit, TokenBucket
from virtual_loop import VirtualLoop


def make(clock=None, **limit):
    limit.setdefault("per_second", 10)
    limit.setdefault("burst", 5)
    return TokenBucket(RateLimit(**limit), clock=clock)


async def use(bucket, count):
    for _ in range(count):
        (await bucket.acquire()).seen()


def on_virtual_loop(coroutine_function):
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(coroutine_function())
    finally:
        loop.close()


def test_it_may_be_made_outside_a_loop():
    """A bucket is made and looked at without a loop."""
    assert make().stats().tokens == 5


def test_a_closed_loop_is_left_with_the_level_kept():
    """On the next loop there is no fresh burst."""
    bucket = make()

    async def first():
        await use(bucket, 5)

    async def second():
        loop = asyncio.get_running_loop()
        await use(bucket, 2)
        return loop.time()

    on_virtual_loop(first)
    assert on_virtual_loop(second) == pytest.approx(0.2, abs=0.001)


def test_time_between_two_real_loops_counts():
    """On asyncio's own clock tokens come back between two loops as well."""
    bucket = make(per_second=100, burst=5)
    asyncio.run(use(bucket, 5))
    time.sleep(0.03)
    assert 2 <= bucket.stats().tokens <= 5
    asyncio.run(use(bucket, 1))


def test_what_was_open_on_a_closed_loop_gets_a_hold():
    """Permits of a closed loop may be on their way still; later news of them is ignored."""
    bucket = make(burst=2, hold=0.5)
    permits = []

    async def first():
        permits.extend([await bucket.acquire(), await bucket.acquire()])
        permits[1].written()

    async def second():
        loop = asyncio.get_running_loop()
        assert bucket.stats().open == bucket.stats().in_flight == 2
        waiter = asyncio.create_task(bucket.acquire())
        await asyncio.sleep(0.1)
        for permit in permits:
            permit.seen()
            permit.written()
            permit.unsent()
        assert bucket.stats().open == 2
        (await waiter).seen()
        return loop.time()

    on_virtual_loop(first)
    assert on_virtual_loop(second) == pytest.approx(0.6, abs=0.001)


def test_waiters_of_a_closed_loop_are_forgotten():
    """Nobody is served who can never run again, and a pause goes on."""
    bucket = make(burst=1)

    async def first():
        await use(bucket, 1)
        waiters = [asyncio.ensure_future(bucket.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        bucket.throttled(1.0)
        await asyncio.sleep(0.4)
        assert bucket.stats().waiting == 3
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)

    async def second():
        await use(bucket, 1)
        return asyncio.get_running_loop().time()

    on_virtual_loop(first)
    assert on_virtual_loop(second) == pytest.approx(0.6, abs=0.001)
    assert bucket.stats().waiting == 0


def test_a_permit_dropped_after_its_loop_was_closed():
    """It cannot be told to a closed loop; the next one has it among the open ones."""
    bucket = make(burst=1, hold=0.5)
    kept = []

    async def first():
        kept.append(await bucket.acquire())

    on_virtual_loop(first)
    kept.clear()
    gc.collect()

    async def second():
        await use(bucket, 1)
        return asyncio.get_running_loop().time()

    assert on_virtual_loop(second) == pytest.approx(0.6, abs=0.001)


def test_a_second_loop_is_refused():
    """While the first loop is not closed, a second one gets a clear error."""
    bucket = make()
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(use(bucket, 1))
        with pytest.raises(ConfigurationError, match="another event loop"):
            asyncio.run(use(bucket, 1))
        loop.run_until_complete(use(bucket, 1))
    finally:
        loop.close()
    asyncio.run(use(bucket, 1))


def in_child(work):
    """Run `work` in a forked child; give what it returns, through a pipe as JSON."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(answer)


@pytest.mark.parametrize("used", [0, 3])
def test_a_forked_child_has_no_burst(used):
    """A child starts with an empty bucket and nothing open, and the parent's is untouched."""
    bucket = make(per_second=50, burst=5)
    loop = asyncio.new_event_loop()
    try:
        if used:
            kept = [loop.run_until_complete(bucket.acquire()) for _ in range(used)]

        def work():
            async def child():
                began = time.monotonic()
                await use(bucket, 2)
                return time.monotonic() - began, bucket.stats().open

            return asyncio.run(child())

        took, open_ = in_child(work)
        assert took >= 0.039
        assert open_ == 0
        assert bucket.stats().open == used
        if used:
            for permit in kept:
                permit.seen()
    finally:
        loop.close()


def test_a_forked_child_that_goes_on_with_its_parents_loop():
    """The same if the child runs the loop object that it got from its parent."""
    bucket = make(per_second=50, burst=5)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(use(bucket, 1))

        def work():
            began = time.monotonic()
            loop.run_until_complete(use(bucket, 2))
            return time.monotonic() - began

        assert in_child(work) >= 0.039
    finally:
        loop.close()


def test_a_bucket_that_is_gone_is_not_kept_for_a_fork(monkeypatch):
    """What a fork has to tell a bucket does not keep it alive, and tells a dead one nothing."""
    told = []
    monkeypatch.setattr(
        os, "register_at_fork", lambda *, after_in_child: told.append(after_in_child)
    )
    bucket = make()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(use(bucket, 1))
    told[0]()
    assert bucket._loop is None
    loop.close()
    gone = weakref.ref(bucket)
    del bucket
    gc.collect()
    assert gone() is None
    told[0]()


@pytest.mark.asyncio
@pytest.mark.virtual_time
@pytest.mark.parametrize("used", [0, 1])
async def test_another_process_id_means_a_fork(monkeypatch, used):
    """The same as above, without a fork: another process id empties the bucket."""
    bucket = make()
    if used:
        on_other_loop = asyncio.new_event_loop()
        await asyncio.to_thread(on_other_loop.run_until_complete, use(bucket, used))
        on_other_loop.close()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    await use(bucket, 1)
    assert asyncio.get_running_loop().time() == pytest.approx(0.1, abs=0.001)


@pytest.mark.asyncio
@pytest.mark.virtual_time
@pytest.mark.parametrize("step", [-3600, 3600])
async def test_a_step_of_the_wall_clock_has_no_effect(clock, step):
    """Grants follow the monotonic clock: an hour back or forth in mid-run moves none of them."""
    bucket = make(clock, burst=1, per_day=10_000)
    loop = asyncio.get_running_loop()
    instants = []
    for number in range(100):
        if number == 50:
            clock.step = step
        (await bucket.acquire()).seen()
        instants.append(loop.time())
    gaps = [later - sooner for sooner, later in pairwise(instants)]
    assert gaps == pytest.approx([0.1] * 99, abs=1e-4)
    assert bucket.stats().quota_used == 100
    assert clock.wall_read < 30


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_a_clock_of_ones_own(clock):
    """Whatever clock is injected is the one that counts, for timers and deadlines too."""
    bucket = make(clock, burst=1)
    await use(bucket, 2)
    assert clock.now() == pytest.approx(0.1, abs=1e-4)
    with pytest.raises(TimeoutError):
        await bucket.acquire(deadline=clock.now() + 0.05)
