"""The virtual clock: waits in no time, in the right order, on any loop."""

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta, timezone

import anyio
import hypothesis.strategies as st
import pytest
from hypothesis import given

from deepidv_async import Clock, ConfigurationError
from deepidv_async.testing import VirtualClock


@pytest.mark.asyncio
async def test_an_hour_passes_at_once():
    """Sleeping moves this clock and not the wall's; nothing else moves it."""
    clock: Clock = VirtualClock()
    began = time.monotonic()
    await clock.sleep(3600)
    for _ in range(100):
        await asyncio.sleep(0)
    assert clock.now() == 3600
    assert time.monotonic() - began < 0.5


@pytest.mark.asyncio
async def test_the_wall_clock_goes_along():
    """The wall clock starts where it is told to, in UTC, and keeps pace."""
    start = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    clock = VirtualClock(start)
    await clock.sleep(90)
    assert clock.wall() == datetime(2026, 3, 1, 10, 1, 30, tzinfo=UTC)
    assert clock.wall().tzinfo is UTC
    assert repr(clock) == "VirtualClock(90 s, 2026-03-01 10:01:30+00:00)"


@pytest.mark.asyncio
async def test_a_naive_start_is_refused():
    """Nobody can tell what instant a naive time means."""
    with pytest.raises(ConfigurationError, match="aware"):
        VirtualClock(datetime(2026, 3, 1, 12))  # noqa: DTZ001 - that is the point


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_everybody_wakes_at_the_right_instant(spans):
    """Each of many sleepers wakes when its own time has come, the earlier ones first."""

    async def main():
        clock, woken = VirtualClock(), []

        async def sleep(span):
            await clock.sleep(span)
            woken.append((clock.now(), span))

        await asyncio.gather(*map(sleep, spans))
        return woken

    woken = asyncio.run(main())
    assert [span for _, span in woken] == sorted(spans)
    assert all(now == span for now, span in woken)


@pytest.mark.asyncio
async def test_sleepers_that_meet_sleep_on():
    """Who sleeps again at the same instant is not overtaken by a later one."""
    clock, told = VirtualClock(), []

    async def tick(name, span, times):
        for _ in range(times):
            await clock.sleep(span)
            told.append((clock.now(), name))

    await asyncio.gather(tick("slow", 2, 2), tick("quick", 1, 5))
    assert [now for now, _ in told] == [1, 2, 2, 3, 4, 4, 5]


@pytest.mark.asyncio
async def test_no_wait_takes_no_time():
    """Spans of zero and below are over at once, while others go on waiting."""
    clock, turns = VirtualClock(), []
    other = asyncio.create_task(clock.sleep(10))

    async def count():
        while not other.done():
            turns.append(1)
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await clock.sleep(0)
    await clock.sleep(-5)
    assert clock.now() == 0
    assert len(turns) < 10
    assert not other.done()
    await asyncio.gather(other, counting)


@pytest.mark.asyncio
async def test_an_endless_sleep_is_not_jumped_to():
    """Whoever sleeps for ever does so, and can be cancelled."""
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(math.inf))
    await clock.sleep(1e6)
    for _ in range(100):
        await asyncio.sleep(0)
    assert clock.now() == 1e6
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_time_stands_still_while_the_clock_is_used():
    """A deadline does not overtake work that keeps asking for the time."""
    clock, done = VirtualClock(), asyncio.Event()
    clock.call_later(1, done.set)
    for _ in range(500):
        assert clock.now() == 0
        await asyncio.sleep(0)
    assert not done.is_set()
    await done.wait()
    assert clock.now() == 1


@pytest.mark.asyncio
async def test_a_booking_can_be_taken_back():
    """A cancelled callback never runs, also if its instant has come and it has not run yet."""
    clock, called = VirtualClock(), []
    second = None

    def first():
        called.append("first")
        second.cancel()

    clock.call_later(1, first)
    second = clock.call_later(1, lambda: called.append("second"))
    clock.call_later(0.5, lambda: called.append("third")).cancel()
    await clock.sleep(2)
    assert called == ["first"]
    second.cancel()


@pytest.mark.asyncio
async def test_a_cancelled_sleeper_leaves_nothing():
    """Whoever is cancelled wakes at once, and does not move the time."""
    clock, told = VirtualClock(), []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clock.sleep(60)

    # The task is cancelled in the very turn in which its instant comes.
    def cancel():
        task.cancel()

    clock.call_later(1, cancel)
    task = asyncio.create_task(clock.sleep(1))
    with pytest.raises(asyncio.CancelledError):
        await asyncio.gather(task)
    for _ in range(100):
        await asyncio.sleep(0)
    assert (clock.now(), told) == (1, [])


def test_one_clock_outlives_its_loops():
    """A clock goes on on the next loop; what was booked on a closed one is gone with it."""
    clock, called = VirtualClock(), []

    async def book_and_sleep():
        clock.call_later(100, lambda: called.append(clock.now()))
        await clock.sleep(5)

    async def sleep():
        await clock.sleep(500)

    asyncio.run(book_and_sleep())
    asyncio.run(sleep())
    assert clock.now() == 505
    assert called == []


def test_one_loop_at_a_time():
    """Waiting on two open loops at once is refused; moving on with nothing booked is fine."""
    clock = VirtualClock()

    async def sleep():
        await clock.sleep(1)

    async def book():
        return clock.call_later(1, lambda: None)

    with asyncio.Runner() as one, asyncio.Runner() as two:
        one.run(sleep())
        two.run(sleep())
        booking = one.run(book())
        with pytest.raises(ConfigurationError, match="another event loop"):
            two.run(sleep())
        booking.cancel()
        two.run(sleep())
    assert clock.now() == 3


def test_a_loop_that_was_left_moves_no_time():
    """A loop on which nothing is booked any more does not run what another one has booked."""
    clock, loops = VirtualClock(), []

    async def book():
        return clock.call_later(1, lambda: loops.append(asyncio.get_running_loop()))

    with asyncio.Runner() as one, asyncio.Runner() as two:
        one.run(book()).cancel()
        two.run(book())
        one.run(asyncio.sleep(0.01))
        assert loops == []
        two.run(asyncio.sleep(0.01))
        assert loops == [two.get_loop()]


@pytest.mark.skipif("sys.platform == 'win32'", reason="uvloop is not made for Windows")
def test_it_works_on_uvloop():
    """It asks nothing of the loop but turns."""
    import uvloop  # noqa: PLC0415 - absent on Windows

    async def main():
        clock = VirtualClock()
        await asyncio.gather(*(clock.sleep(span) for span in range(100)))
        return clock.now()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == 99
