"""The gate in front of the pool."""

import asyncio
import random

import pytest

from deepidv_async._gate import Gate

pytestmark = pytest.mark.asyncio


async def enter(gate, priority="normal"):
    if not gate.enter_now():
        await gate.enter(priority)


async def test_no_more_than_its_places():
    """As many as there are places are inside, never more, and each that waited comes in."""
    gate, inside, most = Gate(3), 0, 0

    async def caller():
        nonlocal inside, most
        await enter(gate)
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        gate.leave()

    await asyncio.gather(*(caller() for _ in range(50)))
    assert (most, gate.free) == (3, 3)


async def order_of(priorities):
    """Let callers wait at a closed gate; gives the order in which they come in."""
    gate, order = Gate(1), []
    assert gate.enter_now()

    async def caller(number, priority):
        await gate.enter(priority)
        order.append(number)
        gate.leave()

    tasks = [asyncio.create_task(caller(*each)) for each in enumerate(priorities)]
    await asyncio.sleep(0)
    gate.leave()
    await asyncio.gather(*tasks)
    assert gate.free == 1
    return order


async def test_first_come_first_served():
    """Within a lane nobody overtakes."""
    assert await order_of(["normal"] * 20) == list(range(20))
    assert await order_of(["bulk"] * 20) == list(range(20))


async def test_normal_goes_first_and_bulk_keeps_its_share():
    """A web request does not wait behind an export; of eleven places bulk gets one."""
    order = await order_of([*["bulk"] * 3, *["normal"] * 25])
    normal = list(range(3, 28))
    assert order == [*normal[:10], 0, *normal[10:20], 1, *normal[20:], 2]


async def test_a_cancelled_waiter_leaves_no_trace():
    """Whoever gives up, before or after it was let in, takes no place along."""
    chance = random.Random(3)
    gate = Gate(4)

    async def caller():
        await enter(gate, chance.choice(["normal", "bulk"]))
        try:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        finally:
            gate.leave()

    for _ in range(200):
        tasks = [asyncio.create_task(caller()) for _ in range(20)]
        for _ in range(3):
            await asyncio.sleep(0)
            for task in chance.sample(tasks, 4):
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert gate.free == 4


async def test_a_place_given_to_a_waiter_that_is_cancelled_goes_on():
    """A waiter that was let in and cancelled in the same moment hands its place on."""
    gate = Gate(1)
    gate.enter_now()
    first, second = (asyncio.create_task(gate.enter("normal")) for _ in range(2))
    await asyncio.sleep(0)
    gate.leave()
    first.cancel()
    await second
    assert first.cancelled() or await asyncio.wait([first])
    assert gate.free == 0
    gate.leave()
    assert gate.free == 1


async def test_a_place_is_not_given_to_who_has_gone():
    """A waiter that was cancelled and has not run yet is passed over."""
    gate = Gate(1)
    gate.enter_now()
    first, second = (asyncio.create_task(gate.enter("normal")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.leave()
    await second
    assert gate.free == 0
