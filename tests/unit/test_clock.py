"""The default clock: the loop's where one runs, the system's where none does."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from deepidv_async._clock import SystemClock
from virtual_loop import VirtualLoop


def test_without_a_loop_it_is_the_systems():
    """Outside a loop the monotonic time is the system's."""
    before = time.monotonic()
    assert before <= SystemClock().now() <= time.monotonic()


def test_the_wall_clock_is_aware():
    """The wall clock tells UTC, and says so."""
    before = datetime.now(UTC)
    wall = SystemClock().wall()
    assert before <= wall <= datetime.now(UTC)
    assert wall.utcoffset() == timedelta()


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_on_a_loop_it_is_the_loops():
    """Time and sleep follow the running loop, so that a virtual one makes them virtual."""
    clock = SystemClock()
    began = clock.now()
    assert began == asyncio.get_running_loop().time()
    await clock.sleep(3600)
    assert clock.now() - began == pytest.approx(3600)


@pytest.mark.asyncio
@pytest.mark.virtual_time
async def test_bookings():
    """A callback runs when its time has come, unless it was taken back."""
    clock, ran = SystemClock(), []
    clock.call_later(5, lambda: ran.append("early"))
    timer = clock.call_later(6, lambda: ran.append("never"))
    clock.call_later(7, lambda: ran.append("late"))
    await clock.sleep(4.9)
    assert ran == []
    await clock.sleep(0.5)
    assert ran == ["early"]
    timer.cancel()
    await clock.sleep(5)
    assert ran == ["early", "late"]


def test_the_quick_reader_is_the_loops_own_clock():
    """Where a loop has a time of its own, that is read; elsewhere the detour is saved."""
    plain, virtual = asyncio.new_event_loop(), VirtualLoop()
    try:
        assert SystemClock.reader(plain) is time.monotonic
        virtual.now = 77.0
        assert SystemClock.reader(virtual)() == 77.0
    finally:
        plain.close()
        virtual.close()
