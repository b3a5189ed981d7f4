"""Reading ahead: in order whatever the answers do, bounded, and without a trace at its end."""

import asyncio

import pytest

from deepidv_async import AuthenticationError, NotFoundError
from deepidv_async.cli._ahead import ReadAhead
from deepidv_async.cli._reading import Batch

pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]


class Reading:
    """Stands for the pages of one workflow: seconds that each takes, or the error it ends with."""

    def __init__(self, name, *pages):
        self.workflow_id = name
        self.pages = list(pages)
        self.asked = 0

    async def next(self):
        page = self.pages[self.asked]
        self.asked += 1
        if isinstance(page, Exception):
            raise page
        await asyncio.sleep(page)
        return Batch([self.asked], None if self.asked == len(self.pages) else "more")


async def _gather(readings):
    found = []
    async with ReadAhead(readings) as batches:
        async for batch in batches:
            found.append((batches.current_id, batch.records[0]))
    return found


async def test_the_order_is_that_of_the_list():
    """Slow ones first: the order of workflows and pages stays."""
    readings = [Reading("a", 9, 5, 1), Reading("b", 1), Reading("c", 5, 1), *map(_quick, "defg")]
    expected = [
        (each.workflow_id, 1 + page) for each in readings for page in range(len(each.pages))
    ]
    assert await _gather(readings) == expected


def _quick(name):
    return Reading(name, 0.1)


async def test_it_reads_ahead_and_not_too_far():
    """While one page is worked on, its next one and the first of three more are on their way."""
    readings = [Reading("a", 1, 1, 1), *(Reading(name, 1, 1) for name in "bcdef")]
    loop = asyncio.get_running_loop()
    async with ReadAhead(readings) as batches:
        await anext(batches)
        await asyncio.sleep(0)
        assert [each.asked for each in readings] == [2, 1, 1, 1, 0, 0]
        await anext(batches)
        await anext(batches)
        began = loop.time()
        await anext(batches)
        assert loop.time() == began, "the first page of the next workflow was there"
        assert [each.asked for each in readings] == [3, 2, 1, 1, 1, 0]


async def test_an_error_comes_in_its_turn():
    """What was read before a failure is given first; asked again, it goes on behind it."""
    failing = Reading("b", 1, NotFoundError("gone", status=404))
    readings = [Reading("a", 5, 5), failing, Reading("c", 1)]
    found = []
    async with ReadAhead(readings) as batches:
        for _ in range(3):
            found.append((await anext(batches)).records)
        with pytest.raises(NotFoundError):
            await anext(batches)
        assert batches.current_id == "b"
        found.append((await anext(batches)).records)
        assert batches.current_id == "c"
        with pytest.raises(StopAsyncIteration):
            await anext(batches)
    assert found == [[1], [2], [1], [1]]


async def test_leaving_early():
    """Left by an error or a cancellation: no task is left, and no failure that nobody looked at."""
    refused = AuthenticationError("no", status=401)
    loop = asyncio.get_running_loop()
    for leave in (KeyError, asyncio.CancelledError):
        with pytest.raises(leave):
            async with ReadAhead([Reading("a", 1, 9), Reading("b", refused)]) as batches:
                await anext(batches)
                began = loop.time()
                raise leave
        assert (len(asyncio.all_tasks()), loop.time()) == (1, began)


async def test_cancelled_while_waiting():
    """The page that was waited for is given up as well."""
    reading = Reading("a", 60)

    async def wait():
        async with ReadAhead([reading]) as batches:
            await anext(batches)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait(), 1)
    assert len(asyncio.all_tasks()) == 1
