"""The daily quota: counted, warned about, kept, and told when it is back."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepidv_async import InvalidArgumentError, QuotaExceededError, QuotaSpent, QuotaWarning
from deepidv_async.limits import RateLimit, TokenBucket
from deepidv_async.limits._quota import Quota

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)

virtual = [pytest.mark.asyncio, pytest.mark.virtual_time]


def marked(test):
    for mark in virtual:
        test = mark(test)
    return test


def make(clock, per_day=5, **limit):
    limit.setdefault("per_second", 1000)
    limit.setdefault("burst", 100)
    return TokenBucket(RateLimit(per_day=per_day, **limit), clock=clock)


async def spend(bucket, count):
    for _ in range(count):
        (await bucket.acquire()).seen()
    await asyncio.sleep(0)  # for the news


@marked
async def test_when_it_is_spent_calls_fail_at_once(clock):
    """No call sleeps for hours: the error says when the quota is expected to be back."""
    bucket = make(clock)
    await spend(bucket, 5)
    with pytest.raises(QuotaExceededError) as caught:
        await bucket.acquire()
    error = caught.value
    assert (error.status, error.attempts) == (None, ())
    assert error.resets_at == error.retry_at == MIDNIGHT
    assert error.retry_after == pytest.approx(12 * 3600, abs=1)
    assert "2026-03-02T00:00:00+00:00" in error.message
    stats = bucket.stats()
    assert (stats.quota_used, stats.quota_left, stats.quota_resets_at) == (5, 0, MIDNIGHT)


@marked
async def test_waiters_fail_when_the_last_request_is_granted(clock):
    """Who stands behind the last request of the day is told at once."""
    bucket = make(clock, per_second=10, burst=1)
    tasks = [asyncio.create_task(bucket.acquire()) for _ in range(8)]
    while not tasks[5].done():
        for task in tasks[:5]:
            if task.done():
                task.result().seen()
        await asyncio.sleep(0.001)
    assert asyncio.get_running_loop().time() == pytest.approx(0.4, abs=0.02)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, QuotaExceededError) for result in results] == 5 * [False] + 3 * [
        True
    ]


@marked
async def test_a_new_day_brings_a_new_quota(clock):
    """At midnight UTC the count starts again."""
    bucket = make(clock)
    await spend(bucket, 5)
    await asyncio.sleep(12 * 3600 - 1.0)
    with pytest.raises(QuotaExceededError):
        await bucket.acquire()
    await asyncio.sleep(1.0)
    await spend(bucket, 5)
    assert bucket.stats().quota_used == 5


@marked
async def test_a_rolling_window_forgets_minute_by_minute(clock):
    """What was sent 24 hours ago, to the minute, is sent again; nothing before."""
    bucket = make(clock, quota_window="rolling")
    await spend(bucket, 3)
    await asyncio.sleep(3600)
    await spend(bucket, 2)
    with pytest.raises(QuotaExceededError) as caught:
        await bucket.acquire()
    assert caught.value.resets_at == NOON + DAY + timedelta(minutes=1)
    await asyncio.sleep(23 * 3600 + 59)
    with pytest.raises(QuotaExceededError):
        await bucket.acquire()
    await asyncio.sleep(2)
    await spend(bucket, 3)
    with pytest.raises(QuotaExceededError):
        await bucket.acquire()


@given(
    st.lists(
        st.tuples(st.integers(0, 30_000), st.integers(1, 4), st.sampled_from((-7200, 0, 0, 1e6)))
    )
)
def test_a_rolling_count_is_never_too_low(steps):
    """In any 24 hours no more than the limit is admitted, steps of the wall clock included; and
    24 hours and a minute later it is forgotten.
    """
    quota, now, off, admitted = Quota(20, "rolling"), NOON.timestamp(), 0.0, []
    for seconds, cost, step in steps:
        now, off = now + seconds, off + step
        quota.look(now, now + off)
        if quota.fits(cost):
            quota.used += cost
            admitted.append((now, cost))
        window, longer = (
            sum(count for at, count in admitted if at > now - 86_400 - more) for more in (0, 60)
        )
        assert window <= 20
        assert window <= quota.used <= longer


@marked
async def test_warnings_at_80_and_95_percent(clock):
    """Each mark is told once a day, when it is reached."""
    bucket, news = make(clock, per_day=100), []
    bucket.subscribe(news.append)
    await spend(bucket, 79)
    assert news == []
    await spend(bucket, 1)
    assert news == [QuotaWarning(share=0.8, used=80, limit=100, resets_at=MIDNIGHT)]
    await spend(bucket, 15)
    assert [event.share for event in news] == [0.8, 0.95]
    await spend(bucket, 5)
    assert len(news) == 2
    await asyncio.sleep(24 * 3600)
    await spend(bucket, 80)
    assert [event.share for event in news] == [0.8, 0.95, 0.8]


@marked
async def test_a_warning_comes_for_waiters_too(clock):
    """Marks are told whoever passes them, also while a queue is served."""
    bucket, news = make(clock, per_day=10, per_second=10, burst=1), []
    bucket.subscribe(news.append)
    for _ in range(10):
        (await bucket.acquire()).seen()
    await asyncio.sleep(0)
    assert [event.share for event in news] == [0.8, 0.95]


@marked
async def test_a_mark_is_told_once_a_window(clock):
    """Also when permits are given back and taken again around it, and in every later window."""
    bucket, news = make(clock, per_day=100), []
    bucket.subscribe(news.append)
    await spend(bucket, 79)
    for _ in range(5):
        permit = await bucket.acquire()
        await asyncio.sleep(1.5)
        permit.unsent()
        await asyncio.sleep(1.5)
    assert [event.share for event in news] == [0.8]
    await spend(bucket, 20)
    assert [event.share for event in news] == [0.8, 0.95]
    await asyncio.sleep(24 * 3600)
    await spend(bucket, 100)
    assert [event.share for event in news] == [0.8, 0.95, 0.8, 0.95]


@marked
async def test_a_rolling_window_tells_a_mark_once_in_24_hours(clock):
    """A count that falls and rises around a mark as minutes leave does not tell it each time."""
    bucket, news = make(clock, per_day=100, quota_window="rolling"), []
    bucket.subscribe(news.append)
    for hour in range(4 * 24):  # 72 to 96 in any 24 hours, back and forth every two hours
        await spend(bucket, 1 if hour % 4 < 2 else 6)
        await asyncio.sleep(3600)
    # The day has to fill first.
    assert [event.share for event in news] == [0.8] * 3


@marked
async def test_what_was_never_sent_does_not_count(clock):
    """A permit that goes back gives its part of the quota back, but not on another day."""
    bucket = make(clock)
    permits = [await bucket.acquire() for _ in range(5)]
    permits.pop().unsent()
    assert bucket.stats().quota_used == 4
    await asyncio.sleep(24 * 3600)
    await spend(bucket, 2)
    permits.pop().unsent()
    assert bucket.stats().quota_used == 2


@marked
async def test_the_servers_word_ends_the_day(clock):
    """`Limit Exceeded` fails waiters and newcomers at once, whatever our own count says."""
    bucket, news = make(clock, per_day=None, per_second=1, burst=1), []
    bucket.subscribe(news.append)
    await spend(bucket, 1)
    waiter = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0)
    assert bucket.quota_exceeded() == MIDNIGHT
    with pytest.raises(QuotaExceededError):
        await waiter
    with pytest.raises(QuotaExceededError) as caught:
        await bucket.acquire()
    assert caught.value.resets_at == MIDNIGHT
    assert caught.value.retry_at == NOON + timedelta(minutes=15)
    assert news == [QuotaSpent(used=1, resets_at=MIDNIGHT)]


@marked
async def test_the_servers_word_is_tried_again_after_a_while(clock):
    """The reset is an estimate: after a quarter of an hour, and on a new day, calls go again."""
    bucket = make(clock, per_day=1000)
    await spend(bucket, 1)
    bucket.quota_exceeded()
    assert bucket.stats().quota_left == 0
    await asyncio.sleep(15 * 60 - 2)
    with pytest.raises(QuotaExceededError):
        await bucket.acquire()
    await asyncio.sleep(3)
    await spend(bucket, 1)
    await asyncio.sleep(12 * 3600 - 15 * 60 - 60)
    bucket.quota_exceeded()
    await asyncio.sleep(50)
    with pytest.raises(QuotaExceededError):
        await bucket.acquire()
    await asyncio.sleep(10)
    await spend(bucket, 1)
    assert bucket.stats().quota_used == 1


@marked
async def test_a_snapshot_goes_on_in_another_process(clock):
    """Count and level survive a restart, through JSON; the level refills with the time between."""
    bucket = make(clock, per_second=10, burst=50)
    bucket.restore(make(clock, per_day=9).snapshot())
    await spend(bucket, 4)
    saved = json.loads(json.dumps(bucket.snapshot()))
    assert saved["tokens"] == 46
    clock.step = 0.2
    other = make(clock, per_second=10, burst=50)
    other.restore(saved)
    stats = other.stats()
    assert (stats.quota_used, stats.tokens) == (4, pytest.approx(48))
    await spend(other, 1)
    with pytest.raises(QuotaExceededError):
        await other.acquire()


@marked
async def test_a_snapshot_after_the_start_brings_the_count_only(clock):
    """A bucket at work keeps its level; of two counts of one day the higher stays."""
    bucket = make(clock, per_day=100, burst=50)
    saved = bucket.snapshot()
    await spend(bucket, 3)
    saved["quota"]["slots"][-1][1] = 2
    bucket.restore(saved)
    assert bucket.stats().quota_used == 3
    saved["quota"]["slots"][-1][1] = 95
    news = []
    bucket.subscribe(news.append)
    bucket.restore(saved)
    assert bucket.stats().quota_used == 95
    assert bucket.stats().tokens == 47
    await spend(bucket, 1)
    assert news == []  # the marks were passed before


@marked
async def test_an_old_snapshot_counts_nothing(clock):
    """Yesterday's count is not today's."""
    bucket = make(clock)
    await spend(bucket, 5)
    saved = bucket.snapshot()
    clock.step = 24 * 3600
    other = make(clock)
    other.restore(saved)
    assert other.stats().quota_used == 0


@marked
async def test_a_rolling_snapshot_keeps_its_minutes(clock):
    """Each minute of a restored count leaves the window at its own time."""
    bucket = make(clock, per_day=10, quota_window="rolling")
    await spend(bucket, 3)
    await asyncio.sleep(600)
    await spend(bucket, 4)
    saved = bucket.snapshot()
    other = make(clock, per_day=10, quota_window="rolling")
    clock.step = 24 * 3600 - 300
    other.restore(saved)
    assert other.stats().quota_used == 4
    await spend(other, 1)
    await asyncio.sleep(420)
    assert other.stats().quota_used == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"at": "yesterday"},
        {"at": "2026-03-01T12:00:00"},
        {"tokens": "many"},
        {"quota": None},
        {"quota": {"window": "utc-day", "slots": [[1]]}},
        {"quota": {"window": "utc-day", "slots": [[1, -1]]}},
        {"quota": {"window": "utc-day", "slots": [[1, float("nan")]]}},
        {"quota": {"window": "utc-day"}},
        {"quota": {"window": "utc-day", "slots": [], "refused_until": "soon"}},
        {"quota": {"window": "utc-day", "slots": [], "refused_until": "2026-03-01T12:00:00"}},
        {"version": 3},
        {"version": None},
        {"tokens": 10**400},
        {"quota": {"window": "utc-day", "slots": [[float("inf"), 1]]}},
        {"tokens": -1},
        {"per_second": float("nan")},
        {"paused_for": float("inf")},
        {"refills_after": None},
        {"quota": {"window": "rolling", "slots": []}},
    ],
)
@marked
async def test_a_damaged_snapshot_is_refused(clock, damage):
    """What is no snapshot, or one of another window, is refused and changes nothing."""
    bucket = make(clock)
    saved = bucket.snapshot()
    with pytest.raises(InvalidArgumentError, match="snapshot"):
        bucket.restore(saved | damage)
    assert bucket.stats().quota_used == 0


@marked
async def test_without_a_quota_there_is_none(clock):
    """`per_day=None`: requests are counted and never refused; no reset is told."""
    bucket, news = make(clock, per_day=None), []
    bucket.subscribe(news.append)
    await spend(bucket, 50)
    stats = bucket.stats()
    assert (stats.quota_used, stats.quota_left, stats.quota_resets_at) == (50, None, None)
    assert news == []


def test_the_reset_of_an_idle_window():
    """With nothing counted yet, a rolling window is full again 24 hours from now."""
    quota, noon = Quota(5, "rolling"), NOON.timestamp()
    quota.look(noon, noon)
    assert quota.resets_at == NOON + DAY + timedelta(minutes=1)
    quota.refused()
    assert quota.left == 0
    quota.look(noon + 900, noon + 900)
    assert quota.left == 5


@marked
async def test_a_snapshot_knows_what_is_on_its_way(clock):
    """Tokens of requests under way start to come back when they have surely arrived."""
    bucket = make(clock, per_day=None)
    permits = [await bucket.acquire() for _ in range(35)]
    for permit in permits:
        permit.written()
    assert bucket.snapshot()["refills_after"] == 0.5
    permits[0].seen()
    bucket.throttled(50)
    assert bucket.snapshot()["refills_after"] == pytest.approx(50)


@marked
async def test_a_snapshot_keeps_pause_and_learned_rate(clock):
    """A process that goes on from it waits out the pause, and goes no faster than was learned."""
    bucket = make(clock, per_day=None, per_second=10, burst=5)
    bucket.throttled(20)
    saved = json.loads(json.dumps(bucket.snapshot()))
    assert saved["per_second"] == 8.5
    clock.step = 5
    other = make(clock, per_day=None, per_second=10, burst=5)
    other.restore(saved)
    assert other.stats().paused_for == 15
    assert other.stats().per_second == 8.5
    loop = asyncio.get_running_loop()
    (await other.acquire()).seen()
    (await other.acquire()).seen()
    assert loop.time() == pytest.approx(15 + 2 / 8.5, abs=0.01)
    # And it creeps back meanwhile: half a percent of 10/s for each second since the pause.
    clock.step = 25
    later = make(clock, per_day=None, per_second=10, burst=5)
    later.restore(saved)
    passed = loop.time() + 25 - 20
    assert later.stats().per_second == pytest.approx(8.5 + 0.05 * passed, abs=0.01)
    assert later.stats().paused_for == 0


@marked
async def test_a_snapshot_keeps_the_servers_word(clock):
    """`Limit Exceeded` survives a restart, for as long as it would have lasted."""
    bucket = make(clock)
    await spend(bucket, 1)
    bucket.quota_exceeded()
    saved = json.loads(json.dumps(bucket.snapshot()))
    assert saved["quota"]["refused_until"] == "2026-03-01T12:15:00+00:00"
    clock.step = 600
    other = make(clock)
    other.restore(saved)
    with pytest.raises(QuotaExceededError) as caught:
        await other.acquire()
    assert caught.value.retry_at == NOON + timedelta(minutes=15)
    await asyncio.sleep(301)
    await spend(other, 4)
    clock.step = -7200  # set back before the snapshot was made: no longer than a quarter of an hour
    early = make(clock)
    early.restore(saved)
    await asyncio.sleep(901)
    await spend(early, 1)


@marked
async def test_a_snapshot_of_the_first_version_still_loads(clock):
    """What an older release has saved goes on as before."""
    old = {
        "version": 1,
        "at": NOON.isoformat(),
        "tokens": 40.0,
        "refills_after": 0.5,
        "quota": {"window": "utc-day", "slots": [[int(NOON.timestamp()) // 86_400, 3.0]]},
    }
    bucket = make(clock, per_second=10, burst=50)
    clock.step = 1.0
    bucket.restore(old)
    stats = bucket.stats()
    assert (stats.tokens, stats.quota_used, stats.per_second) == (45, 3, 10)
    assert (stats.paused_for, stats.quota_left) == (0, 2)


@marked
async def test_a_learned_rate_is_what_a_level_refills_at(clock):
    """After a pause of four seconds at half the rate a restored level has half the tokens."""
    bucket = make(clock, per_day=None, per_second=10, burst=50)
    saved = bucket.snapshot() | {"tokens": 0.0, "per_second": 5.0}
    clock.step = 4
    other = make(clock, per_day=None, per_second=10, burst=50)
    other.restore(saved)
    assert other.stats().tokens == pytest.approx(20, abs=0.5)


@marked
async def test_one_call_looks_whether_the_quota_is_still_spent(clock):
    """When the server's word has run out, one request goes to see, and a burst only behind it."""
    bucket, told = make(clock, per_day=1000, per_second=10, burst=20), []
    bucket.subscribe(told.append)

    async def call(refused):
        try:
            permit = await bucket.acquire()
        except QuotaExceededError:
            return False
        permit.seen()
        if refused:
            bucket.quota_exceeded()
        return True

    async def calls(refused):
        return sum(await asyncio.gather(*(call(refused) for _ in range(15))))

    assert await call(refused=True)
    assert await calls(refused=True) == 0
    await asyncio.sleep(901)
    assert await calls(refused=True) == 1
    assert len(told) == 1  # that it is still spent is no news
    await asyncio.sleep(901)
    assert await calls(refused=False) == 1
    await asyncio.sleep(6)
    assert await calls(refused=False) == 15
    assert await calls(refused=False) == 15


@marked
async def test_the_word_of_a_day_that_is_over_is_forgotten(clock):
    """At midnight nobody needs to look first: the new day has a quota of its own."""
    clock.step = 12 * 3600 - 60
    bucket = make(clock, per_day=1000, per_second=10, burst=20)
    (await bucket.acquire()).seen()
    bucket.quota_exceeded()
    await asyncio.sleep(61)
    for _ in range(10):
        (await bucket.acquire()).seen()
