"""Two lanes: web traffic does not wait behind an export, and the export never starves."""

import asyncio

import pytest

from deepidv_async import DeadlineExceededError
from deepidv_async.limits import RateLimit, TokenBucket

pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]


class Lines:
    """Callers in both lanes; the order in which they were served."""

    def __init__(self, **limit):
        self.bucket = TokenBucket(RateLimit(per_day=None, **limit))
        self.order = []
        self.tasks = []

    async def _call(self, name, kwargs):
        (await self.bucket.acquire(**kwargs)).seen()
        self.order.append(name)

    def add(self, name, **kwargs):
        task = asyncio.create_task(self._call(name, kwargs))
        self.tasks.append(task)
        return task

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_a_web_call_does_not_wait_behind_an_export():
    """Behind 5,000 queued bulk calls a normal one waits less than 0.1 s at 25/s."""
    lines = Lines()
    for number in range(5_000):
        lines.add(f"bulk {number}", priority="bulk")
    await asyncio.sleep(1.03)
    assert lines.bucket.stats().waiting_bulk > 4_900
    loop = asyncio.get_running_loop()
    waits = []
    for _ in range(40):
        came = loop.time()
        (await lines.bucket.acquire()).seen()
        waits.append(loop.time() - came)
        await asyncio.sleep(0.013)
    assert max(waits) < 0.1
    await lines.stop()


async def test_bulk_keeps_its_share():
    """While both lanes wait, every eleventh token is bulk's."""
    lines = Lines(per_second=100, burst=1, initial=0)
    for number in range(20):
        lines.add(f"bulk {number}", priority="bulk")
    for number in range(200):
        lines.add(f"normal {number}")
    await asyncio.sleep(1.101)
    served = [name.partition(" ")[0] for name in lines.order]
    assert len(served) == 110
    assert served.count("bulk") == 10
    assert all(served[at] == "bulk" for at in range(10, 110, 11))
    await lines.stop()


async def test_bulk_keeps_its_share_of_tokens():
    """The share is one of tokens, not of calls: beside big normal calls bulk has more turns."""
    lines = Lines(per_second=100, burst=22, initial=0)
    for number in range(60):
        lines.add(f"normal {number}", cost=20)
    for number in range(200):
        lines.add(f"bulk {number}", priority="bulk")
    await asyncio.sleep(11.001)
    served = [name.partition(" ")[0] for name in lines.order]
    assert served.count("bulk") == pytest.approx(100, abs=4)
    await lines.stop()


async def test_first_come_first_served_within_a_lane():
    """Priority orders lanes, not callers of one lane."""
    lines = Lines(per_second=1000, burst=1, initial=0)
    for number in range(300):
        lines.add(number, priority="bulk" if number % 3 else "normal")
    await asyncio.gather(*lines.tasks)
    for remainder in (0, 1):
        lane = [number for number in lines.order if bool(number % 3) == bool(remainder)]
        assert lane == sorted(lane)


async def test_an_idle_lane_saves_nothing_up():
    """Bulk's share counts only while bulk waits: credit is not saved."""
    lines = Lines(per_second=100, burst=1, initial=0)
    for number in range(50):
        lines.add(f"normal {number}")
    await asyncio.sleep(0.305)
    lines.add("bulk", priority="bulk")
    await asyncio.sleep(0.001)
    served = len(lines.order)
    await asyncio.gather(*lines.tasks)
    assert lines.order.index("bulk") - served == 10


async def test_a_big_bulk_request_saves_for_its_turn():
    """A bulk request of cost 3 waits for three turns' worth of normal traffic."""
    lines = Lines(per_second=100, burst=5, initial=0)
    lines.add("bulk", priority="bulk", cost=3)
    for number in range(60):
        lines.add(f"normal {number}")
    await asyncio.gather(*lines.tasks)
    assert lines.order.index("bulk") == 30


async def test_the_wait_of_a_bulk_call_is_predicted_with_both_lanes():
    """A bulk deadline that the normal calls ahead make unreachable is refused at once."""
    lines = Lines(per_second=10, burst=1, initial=0)
    for number in range(30):
        lines.add(f"normal {number}")
    await asyncio.sleep(0)
    with pytest.raises(DeadlineExceededError):
        await lines.bucket.acquire(priority="bulk", deadline=1.05)
    lines.add("bulk", priority="bulk", deadline=1.15)
    await asyncio.sleep(1.12)
    assert "bulk" in lines.order
    await lines.stop()


async def test_a_bulk_call_whose_deadline_is_lost_is_evicted():
    """New normal calls may push a bulk call back; it fails by its deadline."""
    lines = Lines(per_second=10, burst=1, initial=0)
    bulk = lines.add("bulk", priority="bulk", cost=1, deadline=0.35)
    lines.add("bulk ahead", priority="bulk")
    await asyncio.sleep(0.05)
    for number in range(30):
        lines.add(f"normal {number}")
    with pytest.raises(DeadlineExceededError):
        await bulk
    assert asyncio.get_running_loop().time() <= 0.4
    await lines.stop()


async def test_the_last_bulk_call_may_leave():
    """A bulk caller that is cancelled leaves no claim on the next turn."""
    lines = Lines(per_second=100, burst=1, initial=0)
    bulk = lines.add("bulk", priority="bulk")
    for number in range(15):
        lines.add(f"normal {number}")
    await asyncio.sleep(0.055)
    bulk.cancel()
    lines.add("other bulk", priority="bulk")
    await asyncio.gather(*lines.tasks, return_exceptions=True)
    assert lines.order.index("other bulk") >= 14
