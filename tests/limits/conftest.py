"""A clock whose wall time a test can set, and no garbage collection within a test."""

import asyncio
import gc
from datetime import UTC, datetime, timedelta

import pytest


class SteppedClock:
    """The running loop's clock, with a wall clock that can be stepped.

    Attributes:
        step: what the wall clock is off, in seconds.
        behind: what the clock itself is behind the loop's, in seconds.
    """

    def __init__(self) -> None:
        self.began = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.step = self.behind = 0.0
        self.wall_read = 0

    def now(self) -> float:
        return asyncio.get_running_loop().time() - self.behind

    def wall(self) -> datetime:
        self.wall_read += 1
        return self.began + timedelta(seconds=self.now() + self.step)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_later(self, seconds, callback):
        return asyncio.get_running_loop().call_later(seconds, callback)


@pytest.fixture(autouse=True)
def no_collections():
    """Collect garbage between tests only: amid thousands of tasks it took a sixth of the time."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def clock():
    return SteppedClock()
