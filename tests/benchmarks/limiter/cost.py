"""What a limiter costs by itself: CPU time and memory, without any network.

    python tests/benchmarks/limiter/cost.py NAME

prints the µs of an acquire and release of one limiter at rest. It has a process of its own,
where the time is asked as fast as anywhere: virtual time is slower to ask.
"""

import asyncio
import gc
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parents[1]), str(_HERE.parents[2])]

from contestants import CONTESTANTS

__all__ = ["bytes_per_waiter", "idle", "per_token"]


async def _use(acquire) -> None:
    permit = await acquire()
    if permit is not None:
        permit.seen()


async def _uncontended(name: str) -> float:
    acquire = CONTESTANTS[name](10_000_000, 10_000_000).acquire
    best = float("inf")
    for _ in range(60):
        began = time.process_time()
        for _ in range(2_000):
            permit = await acquire()
            if permit is not None:
                permit.seen()
        best = min(best, (time.process_time() - began) / 2_000)
    return best * 1e6


def idle(name: str) -> float:
    """Give the µs of an acquire and release when there are tokens for everybody."""
    command = [sys.executable, __file__, name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def per_token(name: str, waiting: int, budget: float = 10.0) -> float:
    """Give the µs per granted token while so many callers wait; at most `budget` CPU seconds."""
    from follow_time import run

    async def main():
        rate = 1000
        acquire = CONTESTANTS[name](rate, 35).acquire
        served = 0

        async def caller():
            nonlocal served
            await _use(acquire)
            served += 1

        # A window lets its whole rate through at first.
        at_once = rate if name == "limits" else 35
        tasks = [asyncio.ensure_future(caller()) for _ in range(waiting + at_once)]
        await asyncio.sleep(0.05)
        best, began = float("inf"), time.process_time()
        for _ in range(8):
            before, start = served, time.process_time()
            await asyncio.sleep(1.0 if name == "limits" else waiting / 20 / rate)
            if served > before:
                best = min(best, (time.process_time() - start) / (served - before))
            if time.process_time() - began > budget:
                break
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return best * 1e6

    return run(main)


def bytes_per_waiter(name: str, waiting: int = 2_000) -> float:
    """Give the bytes of a waiting caller, above a task that waits for a bare future."""

    async def measure(coroutine_function) -> float:
        gc.collect()
        tracemalloc.start()
        tasks = [asyncio.ensure_future(coroutine_function()) for _ in range(waiting)]
        await asyncio.sleep(0.001)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return size / waiting

    async def main():
        acquire = CONTESTANTS[name](25, 35).acquire
        for _ in range(25):
            await _use(acquire)

        async def waiter():
            await acquire()

        async def bare():
            await asyncio.get_running_loop().create_future()

        return await measure(waiter) - await measure(bare)

    return asyncio.run(main())


if __name__ == "__main__":
    print(asyncio.run(_uncontended(sys.argv[1])))
