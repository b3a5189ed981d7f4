"""The guard of an injected httpx client: a task's own rules, but for what anyio shields."""

import asyncio
import gc

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepidv_async._guard import guarded

pytestmark = pytest.mark.asyncio


async def turns(number):
    for _ in range(number):
        await asyncio.sleep(0)


async def start(coroutine, *, after=2):
    task = asyncio.create_task(guarded(coroutine))
    await turns(after)
    return task


async def test_results_errors_and_the_task_are_those_of_the_coroutine():
    """What the coroutine gives or raises comes out, and it runs in its caller's task."""

    async def gives():
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return asyncio.current_task()

    async def fails():
        await asyncio.sleep(0)
        raise KeyError(1)

    assert await guarded(gives()) is asyncio.current_task()
    with pytest.raises(KeyError):
        await guarded(fails())


WAITS = {"future": lambda: asyncio.sleep(0.01), "turns": lambda: turns(20)}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
async def test_without_a_shield_a_cancellation_comes_at_once(wait):
    """It arrives where the coroutine waits, with the message that it was given."""
    found = []

    async def work():
        try:
            await wait()
        except asyncio.CancelledError as error:
            found.append(error.args)
            raise

    task = await start(work())
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert found == [("enough",)]


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("times", [1, 3])
async def test_a_shield_holds_until_its_end(wait, times):
    """A clean-up that anyio shields runs to its end, however often its task is cancelled."""
    steps = []

    async def work():
        with anyio.CancelScope(shield=True):
            await wait()
            steps.append("clean")
        await asyncio.sleep(0)
        steps.append("too far")

    task = await start(work())
    for _ in range(times):
        task.cancel()
        await turns(1)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["clean"]
    assert task.cancelling() == times


@pytest.mark.parametrize("error", [None, KeyError(1)])
async def test_a_cancellation_is_raised_if_nothing_comes_after_the_shield(error):
    """It takes the place of a result or an error that came meanwhile."""

    async def work():
        with anyio.CancelScope(shield=True):
            await asyncio.sleep(0.01)
        if error is not None:
            raise error

    task = await start(work())
    task.cancel("held")
    with pytest.raises(asyncio.CancelledError, match="held"):
        await task


async def test_a_coroutine_that_survives_its_cancellation():
    """As with a plain task, a coroutine may go on: what was told to it is not told again."""

    async def work():
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
        return "survived"

    task = await start(work())
    task.cancel()
    assert await task == "survived"


async def test_a_cancellation_that_comes_with_the_result():
    """As with a plain task, what was awaited has come in vain."""
    awaited = asyncio.get_running_loop().create_future()

    async def work():
        return await awaited

    task = await start(work())
    awaited.set_result("in vain")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_the_coroutine_awaits_is_cancelled_first():
    """The coroutine goes on when the task that it awaits has ended, with what that gave."""

    async def stubborn():
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
        return "child's"

    async def work():
        return await asyncio.create_task(stubborn())

    task = await start(work(), after=3)
    task.cancel()
    assert await task == "child's"


async def test_timeouts_inside_and_outside():
    """`asyncio.timeout` and anyio's scopes work on both sides, and leave no cancellation behind."""

    async def slow():
        await asyncio.sleep(9)

    async def work(block):
        with pytest.raises(TimeoutError):
            async with block:
                await slow()
        return "went on"

    class FailAfter:
        async def __aenter__(self):
            self.scope = anyio.fail_after(0.01)
            self.scope.__enter__()

        async def __aexit__(self, *found):
            return self.scope.__exit__(*found)

    for inside in (asyncio.timeout(0.01), FailAfter()):
        assert await guarded(work(inside)) == "went on"
    for outside in (asyncio.timeout(0.01), FailAfter()):
        with pytest.raises(TimeoutError):
            async with outside:
                await guarded(slow())
    assert asyncio.current_task().cancelling() == 0


async def test_an_inner_deadline_is_not_mistaken_for_an_open_shield():
    """A time-out within a shield does not let a cancellation through."""
    steps = []

    async def work():
        with anyio.CancelScope(shield=True), anyio.move_on_after(0.05):
            await asyncio.sleep(0.01)
            steps.append("clean")
        await asyncio.sleep(0)
        steps.append("too far")

    task = await start(work())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["clean"]


async def test_a_scope_around_that_is_shielded_inside():
    """A cancellation by anyio keeps its rules: it waits for the shield, and its scope takes it."""
    steps = []

    async def work():
        with anyio.CancelScope(shield=True):
            await asyncio.sleep(0.01)
            steps.append("clean")
        await asyncio.sleep(9)

    with anyio.move_on_after(0.001) as scope:
        await guarded(work())
    assert scope.cancelled_caught
    assert steps == ["clean"]


async def test_a_coroutine_that_is_dropped_is_closed():
    """Closing the caller closes the coroutine at once, also one that held a cancellation back."""
    steps = []

    async def work():
        try:
            with anyio.CancelScope(shield=True):
                await asyncio.get_running_loop().create_future()
        except GeneratorExit:
            steps.append("closed")
            raise

    for held in (False, True):
        outer = guarded(work())
        outer.send(None)
        if held:
            outer.throw(asyncio.CancelledError())
        outer.close()
    gc.collect()
    assert steps == ["closed", "closed"]


PARTS = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=5)


@given(parts=PARTS, moments=st.lists(st.integers(1, 12), min_size=1, max_size=3))
async def test_any_cancellation_of_any_program(parts, moments):
    """Whenever it comes: no shielded part is cut, and one that comes before the end is raised."""
    begun, ended = set(), set()

    async def work():
        for number, (shield, waits) in enumerate(parts):
            with anyio.CancelScope(shield=shield):
                begun.add(number)
                await turns(waits)
                ended.add(number)

    task = asyncio.create_task(guarded(work()))
    in_time = False
    for moment in sorted(moments):
        await turns(moment)
        in_time = task.cancel() or in_time
    await asyncio.wait([task])
    assert task.cancelled() == in_time
    assert not any(parts[number][0] for number in begun - ended)
    assert asyncio.all_tasks() == {asyncio.current_task()}
