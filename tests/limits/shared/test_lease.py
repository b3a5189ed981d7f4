"""The level of a process that spends what it was leased: arithmetic alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepidv_async.limits._lease import LeasedLevel
from deepidv_async.limits._level import Flight


def leased(tokens, usable_at=0.0, *, rate=10.0, burst=20.0):
    level = LeasedLevel(rate=rate, burst=burst, hold=0.5)
    level.lease(tokens, usable_at, 1e9)
    return level


def test_tokens_of_a_lease_become_usable_one_after_the_other():
    """The last one at the instant that was told, each one before a token's time earlier."""
    level = leased(3, 1.0)
    assert [level.next_look(cost) for cost in (1, 2, 3)] == pytest.approx([0.8, 0.9, 1.0])
    assert not level.take(1, 0.79)
    assert level.take(1, 0.8)
    assert not level.take(1, 0.85)
    assert level.take(2, 1.0)
    assert not level.take(1, 9.0)


def test_a_lack_is_told():
    """Whoever needs more than is leased makes the pump ask, and nobody else does."""
    level, told = leased(1), []
    level.on_lack = lambda: told.append(level.unused)
    assert level.next_look(1) == 0
    assert told == []
    assert level.next_look(3) is None
    assert told == [1]


def test_what_was_not_sent_is_used_again():
    """A permit that comes back belongs to the lease again, once."""
    level = leased(1)
    flight = Flight(1.0, 0.0)
    assert level.take(1, 0)
    for _ in range(2):
        level.unsent(flight)
    assert (level.unused, level.open, level.flights) == (1, 0, 0)
    assert not level.unreported


def test_headers_of_the_server_cap_a_lease():
    """What is above the cap goes back; a cap that is above the lease changes nothing."""
    level, news = leased(5), []
    level.on_news = lambda: news.append(1)
    level.cap(7)
    assert (level.unused, news) == (5, [])
    level.cap(2)
    assert (level.unused, level.report().returned, news) == (2, 3, [1])


def test_a_report_is_told_until_it_is_heard():
    """What comes between a report and its receipt belongs to the next one."""
    level = leased(4)
    flights = [Flight(1.0, 0.0) for _ in range(4)]
    for flight in flights:
        assert level.take(1, 0)
        level.written(flight, 0)
    level.arrive(flights[0], 0.1)
    report = level.report()
    assert (report.settled, report.settled_at, report.open) == (1, 0.1, 3)
    level.arrive(flights[1], 0.2)
    level.told(report)
    assert (level.report().settled, level.report().open) == (1, 2)
    level.advance(0.6)  # the holds of the others have ended
    assert (level.report().settled, level.report().settled_at) == (3, 0.5)


def test_a_report_that_may_have_been_heard():
    """What was counted is told again, what was not used is not: both err to the safe side."""
    level = leased(4)
    flight = Flight(1.0, 0.0)
    assert level.take(1, 0)
    level.arrive(flight, 0.1)
    level.drop_lease()
    level.perhaps_told(level.report())
    assert (level.report().settled, level.report().returned) == (1, 0)
    level.lease_alone(2, 0.0, 1e9)
    level.perhaps_told(level.report())
    assert level.report().returned == -2


def test_a_refusal_gives_the_lease_back():
    """During a pause nothing is held, and the report says until when it lasts."""
    level = leased(3)
    level.note_refusal(0.0)
    level.drain(0.0, 2.0)
    report = level.report()
    assert (level.unused, report.returned, report.refusals, report.paused_until) == (0, 3, 1, 2.0)
    assert level.refused
    level.note_refusal(1.0)  # too late for this report
    level.told(report)
    assert level.refused
    assert level.report().refused_at == 1.0
    level.told(level.report())
    assert not level.unreported


@pytest.mark.parametrize("forked", [False, True])
def test_another_loop_keeps_the_pause_and_another_process_nothing(forked):
    """What the server has asked for holds on the next loop, and is still to be reported."""
    level = leased(3)
    level.note_refusal(0.0)
    level.drain(0.0, 5.0)
    other = level.carry_over(1.0, 101.0, empty=forked)
    assert other.paused_until == (101.0 if forked else 105.0)
    assert (other.unused, other.flights, other.refused) == (0, 0, not forked)


def test_an_expired_lease_is_not_used():
    """It may be another process's by now."""
    level = LeasedLevel(rate=10, burst=20, hold=0.5)
    level.lease(3, 0.0, 1.0)
    assert not level.take(1, 1.1)
    level.advance(1.1)
    assert (level.unused, level.report().returned) == (0, 3)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0, 2), st.booleans()), min_size=1, max_size=30)
)
def test_nothing_is_made_or_lost(steps):
    """Tokens leased are always unused, open, settled or returned, whatever happens."""
    level, now, total, flights = LeasedLevel(rate=10, burst=1e6, hold=0.5), 0.0, 0.0, []
    for tokens, pause, answered in steps:
        level.lease(tokens, now, 1e9)
        total += tokens
        while level.next_look(1) is not None and level.take(1, max(now, level.usable_at)):
            flights.append(Flight(1.0, now))
            level.written(flights[-1], now)
        now += pause
        level.advance(now)
        if answered and flights:
            level.arrive(flights.pop(), now)
        report = level.report()
        assert report.open + report.settled + report.returned == pytest.approx(total)
