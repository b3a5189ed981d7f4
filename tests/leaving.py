"""The ways to leave a block of ours, and what each of them has to look like from outside."""

import asyncio
import contextlib

import anyio
import pytest

__all__ = ["CUT_OFF", "around", "body", "others", "tasks_of_ours"]

# Those that come from outside, while the block waits for something.
CUT_OFF = ["timeout", "cancel", "move_on"]


def others():
    """Give every task of the loop but the current one."""
    return asyncio.all_tasks() - {asyncio.current_task()}


def tasks_of_ours():
    """Give the tasks that run code of the package, whoever else has tasks on the loop."""
    return [each for each in others() if "deepidv_async" in each.get_coro().cr_code.co_filename]


async def body(way, iterator):
    """Iterate inside the block until it is left in that way; `end` is the end of the iterator."""
    async for _ in iterator:
        match way:
            case "break":
                break
            case "raise":
                raise KeyError("mine")
            case _ if way in CUT_OFF:
                await asyncio.sleep(3600)


@contextlib.asynccontextmanager
async def around(way):
    """Give a function that cuts the block off, if the way is one of those; expect what it does."""
    match way:
        case "raise":
            with pytest.raises(KeyError, match="mine"):
                yield _nothing
        case "timeout":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as limit:
                    yield lambda: limit.reschedule(0)
        case "cancel":
            task = asyncio.current_task()
            with pytest.raises(asyncio.CancelledError):
                yield task.cancel
            task.uncancel()
        case "move_on":
            with anyio.CancelScope() as scope:
                yield scope.cancel
            assert scope.cancelled_caught
        case _:
            yield _nothing


def _nothing():
    """Cut nothing off: the block is left from inside."""
