"""The ways to leave a block of ours, and what each of them has to look like from outside."""

import asyncio
import contextlib

import anyio
import pytest

__all__ = ["CUT_OFF", "around", "body", "others"]

# Those that come from outside, while the block waits for something.
CUT_OFF = ["timeout", "cancel", "move_on"]


def others():
    """Give every task of the loop but the current one."""
    return asyncio.all_tasks() - {asyncio.current_task()}


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
async def around(way, seconds=0.1):
    """Bring about what cuts the block off, after some seconds, and expect what comes of it."""
    match way:
        case "raise":
            with pytest.raises(KeyError, match="mine"):
                yield
        case "timeout":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    yield
        case "cancel":
            task = asyncio.current_task()
            asyncio.get_running_loop().call_later(seconds, task.cancel)
            with pytest.raises(asyncio.CancelledError):
                yield
            task.uncancel()
        case "move_on":
            with anyio.move_on_after(seconds) as scope:
                yield
            assert scope.cancelled_caught
        case _:
            yield
