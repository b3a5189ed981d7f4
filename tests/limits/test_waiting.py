"""Waiting in front of the bucket: order, timers, deadlines, work conservation."""

import asyncio
import math

import pytest

from deepidv_async import (
    ConfigurationError,
    DeadlineExceededError,
    InvalidArgumentError,
    RateLimitError,
)
from deepidv_async.limits import RateLimit, TokenBucket

pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]


def now():
    return asyncio.get_running_loop().time()


def make(per_second=10, burst=2, **limit):
    return TokenBucket(RateLimit(per_second=per_second, burst=burst, per_day=None, **limit))


class Line:
    """Callers of one bucket, and who was served when."""

    def __init__(self, bucket):
        self.bucket = bucket
        self.served = {}
        self.errors = {}
        self.tasks = {}

    async def _call(self, name, kwargs):
        try:
            permit = await self.bucket.acquire(**kwargs)
        except DeadlineExceededError as error:
            self.errors[name] = (round(now(), 4), error)
        else:
            self.served[name] = round(now(), 4)
            permit.seen()

    async def join(self, name, **kwargs):
        self.tasks[name] = asyncio.create_task(self._call(name, kwargs))
        await asyncio.sleep(0)

    async def done(self):
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_first_come_first_served():
    """Callers are served in the order in which they came, one every 1/rate after the burst."""
    line = Line(make())
    for name in range(6):
        await line.join(name)
    await line.done()
    assert line.served == {0: 0, 1: 0, 2: 0.1, 3: 0.2, 4: 0.3, 5: 0.4}


async def test_a_newcomer_never_overtakes():
    """A caller that comes when a token is just there still waits behind those who came first."""
    line = Line(make(burst=1))
    await line.join("first")
    await line.join("second", cost=1)
    await asyncio.sleep(0.09)
    await line.join("newcomer")
    await line.done()
    assert line.served == {"first": 0, "second": 0.1, "newcomer": 0.2}


async def test_a_big_request_is_not_starved():
    """Small requests behind a big one wait until it has its tokens."""
    line = Line(make(burst=5))
    await line.join("burst", cost=5)
    await line.join("big", cost=5)
    await line.join("small")
    await line.done()
    assert line.served == {"burst": 0, "big": 0.5, "small": 0.6}


async def test_one_timer_for_the_whole_queue():
    """However many wait, one timer is set."""
    bucket = make(per_second=1, burst=1)
    (await bucket.acquire()).seen()
    waiting = [asyncio.create_task(bucket.acquire()) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    scheduled = asyncio.get_running_loop()._scheduled
    assert len([timer for timer in scheduled if not timer.cancelled()]) == 1
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(0)
    assert [timer for timer in scheduled if not timer.cancelled()] == []


async def test_news_wakes_the_head_at_once():
    """A head that waits for the answer to somebody else's request is served when it comes."""
    bucket = make(per_second=1000, burst=1, hold=5.0)
    permit = await bucket.acquire()
    permit.written()
    waiter = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(1.0)
    assert bucket.stats().waiting == 1
    permit.seen()
    await waiter
    assert now() == pytest.approx(1.001, abs=1e-4)
    assert bucket.stats().stalled == pytest.approx(1.0, abs=1e-3)


async def test_a_hold_wakes_the_head():
    """Without any answer the head is served once the hold of the oldest request is over."""
    bucket = make(per_second=1000, burst=1, hold=0.5)
    (await bucket.acquire()).written()
    await bucket.acquire()
    assert now() == pytest.approx(0.501, abs=1e-4)


async def test_a_hold_that_begins_while_somebody_waits():
    """A head that waited for permits which nobody had written is served when their hold ends."""
    bucket = make(per_second=1000, burst=1, hold=0.5)
    permit = await bucket.acquire()
    waiter = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(2.0)
    permit.written()
    await waiter
    assert now() == pytest.approx(2.501, abs=1e-4)


async def test_an_unwritten_permit_blocks_until_there_is_news():
    """A permit that has not been written holds its token without an end; returning it frees it."""
    bucket = make(burst=1)
    permit = await bucket.acquire()
    waiter = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(3600)
    assert not waiter.done()
    permit.unsent()
    await waiter
    assert now() == 3600


async def test_a_deadline_out_of_reach_is_refused_before_queueing():
    """Who cannot be served in time is told at once, and stands in nobody's way."""
    line = Line(make())
    for name in range(4):
        await line.join(name)
    await line.join("late", deadline=now() + 0.29)
    await line.join("in time", deadline=now() + 0.31)
    assert line.errors["late"][0] == 0
    error = line.errors["late"][1]
    assert error.deadline == pytest.approx(0.29)
    assert error.spent.limited == 0
    await line.done()
    assert line.served["in time"] == 0.3


async def test_a_deadline_in_the_past_takes_no_token():
    """A full bucket gives nothing to a call whose time is over."""
    bucket = make()
    await asyncio.sleep(1)
    with pytest.raises(DeadlineExceededError):
        await bucket.acquire(deadline=0.5)
    assert bucket.stats().granted == 0
    (await bucket.acquire(deadline=1.0)).seen()


async def test_a_deadline_that_becomes_unreachable_is_evicted_then():
    """When tokens stop coming back, who can no longer be in time fails before its deadline."""
    bucket = make(per_second=10, burst=2, hold=10)
    line = Line(bucket)
    permits = [await bucket.acquire() for _ in range(2)]
    for name in range(10):
        await line.join(name, deadline=3.0)
    # Nothing can come back before there is an answer: the tenth needs 1 s from then on.
    await asyncio.sleep(2.05)
    assert {name: at for name, (at, _) in line.errors.items()} == {9: 2.0}
    assert line.errors[9][1].spent.limited == pytest.approx(2.0, abs=1e-4)
    await asyncio.sleep(0.1)
    assert sorted(line.errors) == [8, 9]
    for permit in permits:
        permit.seen()
    await line.done()
    assert sorted(line.served) == list(range(8))
    assert max(line.served.values()) <= 3.0


@pytest.mark.parametrize("burst", [1, 5])
async def test_none_is_granted_after_its_deadline(burst):
    """A timer that is late serves nobody whose time is over, however much is there by then."""
    bucket = make(per_second=10, burst=burst)
    line = Line(bucket)
    await line.join("burst", cost=burst)
    await line.join("late", deadline=0.15)
    await line.join("patient")
    asyncio.get_running_loop().now += 0.4  # the loop was busy elsewhere
    await line.done()
    assert sorted(line.errors) == ["late"]
    assert sorted(line.served) == ["burst", "patient"]


async def test_a_pause_evicts_whom_it_makes_late():
    """A 429's pause tells at once those who cannot be served in time after it."""
    bucket = make(per_second=10, burst=1)
    line = Line(bucket)
    await line.join("burst")
    await line.join("short", deadline=3.0)
    await line.join("long", deadline=30.0)
    bucket.throttled(5.0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert line.errors["short"][0] == 0
    await line.done()
    assert line.served == {"burst": 0, "long": 5.0}


async def test_a_caller_that_leaves_lets_others_in_earlier():
    """Who stands behind a cancelled caller moves up, and is not judged by its old place."""
    bucket = make(per_second=10, burst=1)
    line = Line(bucket)
    for name in range(12):
        await line.join(name)
    await line.join("dated", deadline=1.25)
    for name in range(1, 12):
        line.tasks[name].cancel()
    await line.done()
    assert line.served == {0: 0, "dated": 0.1}


async def test_a_slower_rate_still_fails_by_the_deadline():
    """Under a learned rate a caller may wait longer than was promised; it fails in time."""
    bucket = make(per_second=10, burst=1)
    bucket.throttled(0.1)
    line = Line(bucket)
    await line.join("first")
    await line.join("second")
    await line.join("dated", deadline=0.1 + 2 / 8.5 + 0.001)
    await asyncio.sleep(0.11)
    bucket.throttled(0.01)
    await line.done()
    at, _ = line.errors["dated"]
    assert at <= 0.1 + 2 / 8.5 + 0.001
    assert sorted(line.served) == ["first", "second"]


async def test_many_deadlines_leave_nothing_behind():
    """The book of deadlines does not grow with those who have gone."""
    bucket = make(per_second=1, burst=1)
    await bucket.acquire()
    for _ in range(5):
        waiting = [asyncio.create_task(bucket.acquire(deadline=1e6)) for _ in range(200)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    lane = bucket._queue.lanes.normal
    assert len(lane.queue) + len(lane.deadlines._heap) < 300
    fast = make(per_second=1000, burst=1)

    async def call():
        (await fast.acquire(deadline=10.0)).seen()

    await asyncio.gather(*(call() for _ in range(1000)))
    assert len(fast._queue.lanes.normal.deadlines._heap) < 100


@pytest.mark.parametrize("cost", [0, -1, 2.5, math.nan, math.inf, "1", None, True])
async def test_a_wrong_cost_is_refused(cost):
    """A cost is a number above zero and not above the burst."""
    bucket = make()
    if cost is True:
        (await bucket.acquire(cost=cost)).seen()  # equal to 1, the default
    else:
        with pytest.raises(InvalidArgumentError, match="cost"):
            await bucket.acquire(cost=cost)


@pytest.mark.parametrize("deadline", [math.nan, "5", True, [], 1j])
@pytest.mark.parametrize("busy", [True, False])
async def test_a_deadline_that_is_no_instant_is_refused(deadline, busy):
    """A deadline is a number; a wrong one takes no token."""
    bucket = make()
    if busy:
        await bucket.acquire(cost=2)
    with pytest.raises(InvalidArgumentError, match="deadline"):
        await bucket.acquire(deadline=deadline)
    assert bucket.stats().granted == (2 if busy else 0)
    assert bucket.stats().waiting == 0


async def test_a_deadline_that_never_comes_is_none():
    """Infinity is no deadline, an integer is one, and what lies before everything is lost."""
    bucket = make()
    first = await bucket.acquire(cost=2, deadline=math.inf)
    waiter = asyncio.create_task(bucket.acquire(deadline=math.inf))
    await asyncio.sleep(0.1)
    assert bucket.stats().waiting == 1
    assert bucket._queue.lanes.dated == 0
    for deadline in (-1, -math.inf, -(10**400)):
        with pytest.raises(DeadlineExceededError):
            await bucket.acquire(deadline=deadline)
    first.seen()
    (await waiter).seen()
    (await bucket.acquire(deadline=10**400)).seen()


@pytest.mark.parametrize("limit", [25, None, "25/s", RateLimit])
async def test_a_bucket_needs_a_rate_limit(limit):
    """What is no `RateLimit` is told at once, with how to write one."""
    with pytest.raises(ConfigurationError, match=r"RateLimit\(per_second=25"):
        TokenBucket(limit)


@pytest.mark.parametrize("cap", [-1, math.nan, math.inf, "60", None, True])
async def test_a_pause_cap_is_a_number_of_seconds(cap):
    """A cap that is no time is refused; zero means that nobody waits for any pause."""
    with pytest.raises(ConfigurationError, match="pause_cap"):
        TokenBucket(RateLimit(), pause_cap=cap)
    impatient = TokenBucket(RateLimit(), pause_cap=0)
    impatient.throttled(0.1)
    with pytest.raises(RateLimitError):
        await impatient.acquire()


async def test_a_wrong_priority_is_refused():
    """There are two lanes."""
    with pytest.raises(InvalidArgumentError, match="priority"):
        await make().acquire(priority="urgent")


async def test_fractions_of_a_request():
    """A cost may be a fraction: ten tenths are one token."""
    bucket = make(burst=1)
    for _ in range(10):
        (await bucket.acquire(cost=0.1)).seen()
    assert now() == 0
    await bucket.acquire(cost=0.5)
    assert now() == pytest.approx(0.05, abs=1e-4)


async def test_waits_are_measured():
    """p50 and p99 tell how long callers waited, those who did not wait included."""
    line = Line(make(per_second=10, burst=50))
    for name in range(100):
        await line.join(name)
    await line.done()
    stats = line.bucket.stats()
    assert stats.wait_p50 == pytest.approx(0.1, abs=0.01)
    assert stats.wait_p99 == pytest.approx(5.0, abs=0.01)


async def test_permits_that_nobody_holds_come_back_with_a_deadline_too():
    """A program that only ever acquires is served on and on, also when it gives a deadline."""
    loop = asyncio.get_running_loop()
    bucket = TokenBucket(RateLimit(per_day=None))
    served = 0

    async def caller():
        nonlocal served
        await bucket.acquire(deadline=3600)
        served += 1

    callers = [asyncio.create_task(caller()) for _ in range(300)]
    await asyncio.wait(callers, timeout=60)
    assert served == 300
    assert loop.time() < 13


async def test_a_hold_that_ends_after_a_refusal_wakes_the_head():
    """After a 429 nobody waits on while tokens are there: slow answers count after `hold`."""
    bucket = TokenBucket(RateLimit(per_day=None))
    permits = [await bucket.acquire() for _ in range(21)]
    for permit in permits:
        permit.written()
    permits[0].seen()
    bucket.throttled(None)
    head = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0.55)
    assert head.done()


async def test_a_spent_quota_before_the_first_request_leaves_the_level():
    """The server's word on the quota does not fill an empty bucket."""
    bucket = TokenBucket(RateLimit(initial=0))
    await asyncio.sleep(100)
    bucket.quota_exceeded()
    assert bucket.stats().tokens < 1
