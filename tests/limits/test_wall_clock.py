"""A wall clock that is stepped by hours or days neither locks the quota nor frees it."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepidv_async import QuotaExceededError
from deepidv_async.limits import RateLimit, TokenBucket
from deepidv_async.limits._days import UTCDay
from deepidv_async.limits._quota import Quota

HOUR = 3600
DAY = 24 * HOUR
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
LIMIT = 5
STEPS = [HOUR, 6 * HOUR, 20 * HOUR, 2 * DAY, 400 * DAY]
BOTH_WAYS = [*STEPS, *(-step for step in STEPS)]


class Days:
    """A program that asks for a request every quarter of an hour, and what it got each true day.

    Attributes:
        now: the true time, which the monotonic clock follows.
        off: what the wall clock is off.
    """

    def __init__(self, window="utc-day"):
        self.quota = Quota(LIMIT, window)
        self.now = NOON
        self.off = 0.0
        self.got = {}

    def ask(self):
        self.quota.look(self.now, self.now + self.off)
        if not self.quota.fits(1):
            return False
        self.quota.used += 1
        today = int(self.now // DAY)
        self.got[today] = self.got.get(today, 0) + 1
        return True

    def go_on(self, seconds):
        """Let time pass; tell whether anything was granted."""
        ends, granted = self.now + seconds, False
        while self.now < ends:
            granted |= self.ask()
            self.now = min(ends, self.now + HOUR / 4)
        return granted

    def until_midnight(self, seconds_before=0.0):
        return DAY - self.now % DAY - seconds_before


@pytest.mark.parametrize("window", ["utc-day", "rolling"])
@pytest.mark.parametrize("stays", [HOUR / 60, 5 * HOUR, 11 * HOUR])
@pytest.mark.parametrize("step", BOTH_WAYS)
def test_a_step_there_and_back_frees_and_locks_nothing(step, stays, window):
    """A clock that is wrong for some hours changes nothing: what was spent is spent until the
    true midnight, or for 24 true hours, and then it is back.
    """
    days = Days(window)
    days.go_on(2 * HOUR)
    assert days.got == {int(NOON // DAY): LIMIT}
    days.off = step
    assert not days.go_on(min(stays, days.until_midnight(HOUR)))
    days.off = 0.0
    assert not days.go_on(days.until_midnight())
    days.now += 1
    if window == "utc-day":
        assert days.ask()
    else:
        assert not days.go_on(11.9 * HOUR)
        assert days.go_on(2 * HOUR)
    assert sum(days.got.values()) > LIMIT


@pytest.mark.parametrize("stays", [20 * HOUR, 40 * HOUR, 5 * DAY])
@pytest.mark.parametrize("step", BOTH_WAYS)
def test_a_clock_that_was_wrong_for_days(step, stays):
    """While it is wrong it locks nothing for more than 24 hours; once it is right again, each
    true day has its quota, no more and no less.
    """
    days = Days()
    days.go_on(HOUR)
    days.off = step
    for _ in range(stays // DAY):
        assert days.go_on(DAY + HOUR / 2)
    days.go_on(stays % DAY)
    days.off = 0.0
    days.go_on(days.until_midnight())
    days.got.clear()
    days.go_on(3 * DAY)
    assert list(days.got.values()) == [LIMIT] * 3


@pytest.mark.parametrize("step", STEPS)
def test_a_step_back_reopens_nothing(step):
    """After a midnight that came by itself, a clock that is set back brings no second one: the
    quota is spent until the day has ended by both clocks, which takes 24 hours at most.
    """
    days = Days()
    days.now += days.until_midnight() + 1800
    assert days.go_on(3 * HOUR)
    days.off = -step
    stepped_at = days.now
    assert not days.go_on(days.until_midnight())
    assert days.go_on(stepped_at + DAY + HOUR / 2 - days.now)


@pytest.mark.parametrize(
    "steps", [[24, -78], [1, 2, 3, 4, 5, 6, 7], [24, -72, -72, -72], [-9, 50, -9]]
)
def test_many_steps_free_nothing(steps):
    """However often it is stepped, what is spent stays so until the first clock's midnight, and
    until that of the last one if that clock has not left the day.
    """
    days = Days()
    days.go_on(2 * HOUR)
    for hours in steps:
        days.off += hours * HOUR
        days.ask()
    assert not days.go_on(days.until_midnight())
    if steps == [24, -78]:  # 8:00 two days ago, when the first clock says 14:00
        assert not days.go_on(6 * HOUR - 60)
    assert days.go_on(DAY)


def test_old_opinions_lock_nothing():
    """A clock that is stepped every other day leaves each of its days a quota."""
    days = Days()
    for _ in range(8):
        assert days.go_on(1.2 * DAY)
        days.off += 5 * HOUR


@pytest.mark.parametrize("step", STEPS)
def test_a_step_ahead_frees_nothing(step):
    """Nobody knows yet whether the clock was wrong before or is wrong now: what is spent stays
    so until the old clock's midnight, 24 hours at most. The same holds for a machine that slept.
    """
    days = Days()
    days.go_on(2 * HOUR)
    days.off = step
    assert not days.go_on(days.until_midnight())
    assert days.go_on(DAY)


@given(
    st.lists(
        st.tuples(
            st.sampled_from((0.0, HOUR, 7 * HOUR, -HOUR, -7 * HOUR, 3.0 * DAY, -3.0 * DAY)),
            st.integers(1, 7),
        ),
        max_size=15,
    )
)
def test_whatever_the_clock_does(visits):
    """Steps that are taken back within the same true day never give a day more than its quota."""
    days = Days()
    for off, hours in visits:
        if days.until_midnight() <= hours * HOUR:
            days.off = 0.0
            days.go_on(days.until_midnight() + 1)
        days.off = off
        days.go_on(hours * HOUR)
        days.off = 0.0
        days.ask()
    assert all(count <= LIMIT for count in days.got.values())
    days.go_on(2 * DAY)
    assert days.got[int(days.now // DAY) - 1] == LIMIT


def test_a_slewed_clock_is_the_same_clock():
    """Some seconds a day are no step: midnight follows, and a day that was left stays left."""
    days = Days()
    for _ in range(40):
        days.off -= 30
        days.go_on(HOUR)
    days.now += days.until_midnight()
    days.got.clear()
    days.off += 30
    days.go_on(DAY)
    days.go_on(DAY)
    assert list(days.got.values()) == [LIMIT, LIMIT]


def test_the_servers_word_lasts_as_long_as_it_should():
    """A quarter of an hour of running time, though the clock is set back by days meanwhile."""
    quota = Quota(LIMIT, "utc-day")
    quota.look(NOON, NOON)
    quota.refused()
    quota.look(NOON + 899, NOON + 899 - 3 * DAY)
    assert quota.left == 0
    quota.look(NOON + 900, NOON + 900 - 3 * DAY)
    assert quota.left == LIMIT


@pytest.mark.asyncio
@pytest.mark.virtual_time
@pytest.mark.parametrize("step", [3 * DAY, -3 * DAY])
async def test_the_bucket_goes_by_its_monotonic_clock(clock, step):
    """The whole bucket on a stepped clock: spent until midnight, told by the clock as it is."""
    bucket = TokenBucket(RateLimit(1000, 100, per_day=LIMIT), clock=clock)
    bucket.stats()
    for _ in range(LIMIT):
        (await bucket.acquire()).seen()
    clock.step = step
    await asyncio.sleep(2)
    with pytest.raises(QuotaExceededError) as caught:
        await bucket.acquire()
    assert caught.value.resets_at.timestamp() == NOON + step + DAY / 2
    assert caught.value.retry_after == pytest.approx(DAY / 2 - 2, abs=1)
    await asyncio.sleep(DAY / 2 - 4)
    with pytest.raises(QuotaExceededError):
        await bucket.acquire()
    await asyncio.sleep(3)
    (await bucket.acquire()).seen()
    assert bucket.stats().quota_used == 1


def test_the_steady_time_goes_on_over_loops(clock):
    """A bucket that moves to another loop keeps its day, whatever that loop's clock says."""
    bucket = TokenBucket(RateLimit(1000, 100, per_day=LIMIT))

    async def spend(count):
        for _ in range(count):
            (await bucket.acquire()).seen()

    asyncio.run(spend(3))
    asyncio.run(spend(1))
    assert bucket.stats().quota_used == 4
    odd = TokenBucket(RateLimit(1000, 100, per_day=LIMIT), clock=clock)

    async def odd_spend(count):
        clock.step = -clock.now()  # it stays noon
        for _ in range(count):
            (await odd.acquire()).seen()

    asyncio.run(odd_spend(2))
    clock.behind = 86_400.0
    asyncio.run(odd_spend(2))
    assert odd._ledger.quota.used == 4


@pytest.mark.parametrize(("hours", "used"), [(1, 5.0), (14, 0.0)])
def test_a_clock_that_jumps_again_and_again(hours, used):
    """Of many opinions about the day the oldest lives on in the next, unless its day is over."""
    day = UTCDay()
    day.look(NOON, NOON, 0.0)
    day.look(NOON, NOON, 5.0)
    for jumps in (1, 2, 3):
        day.look(NOON + jumps, NOON + jumps + jumps * HOUR, 0.0)
    now = NOON + hours * HOUR
    day.look(now, now + 4 * HOUR, 0.0)
    assert day.used == used
