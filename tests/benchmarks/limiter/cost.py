"""What a limiter costs by itself: CPU time and memory, without any network."""

import asyncio
import gc
import tracemalloc

from follow_time import real_cpu, run

from contestants import CONTESTANTS

__all__ = ["bytes_per_waiter", "idle", "per_token"]


async def _use(acquire) -> None:
    permit = await acquire()
    if permit is not None:
        permit.seen()


def idle(name: str) -> float:
    """Give the µs of an acquire and release when there are tokens for everybody."""

    async def main():
        acquire = CONTESTANTS[name](10_000_000, 10_000_000).acquire
        best = float("inf")
        for _ in range(40):
            began = real_cpu()
            for _ in range(2_000):
                permit = await acquire()
                if permit is not None:
                    permit.seen()
            best = min(best, (real_cpu() - began) / 2_000)
        return best * 1e6

    # On a real loop: a virtual one answers the question for the time faster.
    return asyncio.run(main())


def per_token(name: str, waiting: int, budget: float = 10.0) -> float:
    """Give the µs per granted token while so many callers wait; at most `budget` CPU seconds."""

    async def main():
        rate = 1000
        acquire = CONTESTANTS[name](rate, 35).acquire
        served = 0

        async def caller():
            nonlocal served
            await _use(acquire)
            served += 1

        tasks = [asyncio.ensure_future(caller()) for _ in range(waiting)]
        await asyncio.sleep(0.05)
        best, began = float("inf"), real_cpu()
        for _ in range(8):
            before, start = served, real_cpu()
            await asyncio.sleep(max(2, waiting / 40) / rate)
            if served > before:
                best = min(best, (real_cpu() - start) / (served - before))
            if real_cpu() - began > budget:
                break
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return best * 1e6

    return run(main)


def bytes_per_waiter(name: str, waiting: int = 2_000) -> float:
    """Give the bytes of a waiting caller, above a task that waits for a bare future."""

    async def measure(make_tasks):
        gc.collect()
        tracemalloc.start()
        tasks = make_tasks()
        await asyncio.sleep(0.001)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return size / waiting

    async def main():
        acquire = CONTESTANTS[name](25, 35).acquire
        for _ in range(35):
            await _use(acquire)

        async def bare():
            await asyncio.get_running_loop().create_future()

        def start(coroutine_function):
            return [asyncio.ensure_future(coroutine_function()) for _ in range(waiting)]

        waiters = await measure(lambda: start(acquire))
        return waiters - await measure(lambda: start(bare))

    return run(main)
