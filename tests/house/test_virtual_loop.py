"""The virtual clock itself: without it no statement about waiting is worth anything."""

import asyncio
import contextlib
import socket
import threading
import time

import anyio
import anyio.to_thread
import pytest

from virtual_loop import DeadlockError, VirtualLoop

pytestmark = pytest.mark.asyncio


@pytest.mark.virtual_time
async def test_an_hour_passes_at_once():
    """Sleeping moves the loop's clock, not the wall's."""
    began = time.monotonic()
    await asyncio.sleep(1800)
    await anyio.sleep(1800)
    assert asyncio.get_running_loop().time() == 3600
    assert time.monotonic() - began < 1


@pytest.mark.virtual_time
async def test_timers_fire_in_their_order():
    """The clock stops at every timer on its way."""
    loop = asyncio.get_running_loop()
    seen = []
    for delay in (3, 1, 2):
        loop.call_later(delay, lambda delay=delay: seen.append((delay, loop.time())))
    await asyncio.sleep(5)
    assert seen == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.virtual_time
async def test_timeouts_follow_the_virtual_clock():
    """`asyncio.timeout`, `asyncio.wait_for` and anyio's scopes all fire on it."""
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await asyncio.sleep(11)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 20)
    with anyio.move_on_after(30):
        await anyio.sleep_forever()
    assert loop.time() == 60


@pytest.mark.virtual_time
@pytest.mark.parametrize("run", [anyio.to_thread.run_sync, asyncio.to_thread])
async def test_time_stands_still_while_a_thread_works(run):
    """A timer that is due long after a thread's real work does not overtake it."""
    for _ in range(20):
        async with asyncio.timeout(0.001):
            assert await run(lambda: time.sleep(0.005) or "done") == "done"
    assert asyncio.get_running_loop().time() == 0


@pytest.mark.virtual_time
async def test_a_foreign_thread_may_wake_the_loop():
    """Nothing ready and no timer is no deadlock as long as a thread calls back soon."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    caller = threading.Timer(0.05, loop.call_soon_threadsafe, [event.set])
    caller.start()
    await event.wait()
    caller.join()


@pytest.mark.virtual_time
async def test_real_sockets_are_refused():
    """Virtual time would run ahead of them, so the test is told to choose."""
    ours, theirs = socket.socketpair()
    with contextlib.closing(ours), contextlib.closing(theirs):
        ours.setblocking(False)
        with pytest.raises(RuntimeError, match="virtual_time"):
            await asyncio.get_running_loop().sock_recv(ours, 1)


async def test_other_tests_have_real_time():
    """Without the mark the loop is asyncio's own."""
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)


async def test_a_deadlock_is_told_with_the_place_of_every_task():
    """A wait that nobody can end is an error that shows where it stands."""

    async def waiter() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.sleep(7)
        async with asyncio.TaskGroup() as group:
            group.create_task(waiter(), name="the waiter")

    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main())

    with pytest.raises(DeadlockError) as caught:
        await asyncio.to_thread(run)
    text = str(caught.value)
    assert "at 7 s" in text
    assert "the waiter" in text
    assert __file__ in text


async def test_the_end_of_a_loop_waits_for_its_threads():
    """A thread that nobody awaits any more is joined, not called a deadlock."""
    done = threading.Event()

    def work() -> None:
        time.sleep(0.45)
        done.set()

    async def main() -> None:
        task = asyncio.create_task(asyncio.to_thread(work))
        await asyncio.sleep(0)
        task.cancel()

    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main())

    await asyncio.to_thread(run)
    assert done.is_set()
