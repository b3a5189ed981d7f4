"""The arithmetic alone, without clock or loop."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async.limits._level import ARRIVED, GRANTED, RETURNED, WRITTEN, Flight, Level
from traffic_model import Server


def make(rate=25.0, burst=35.0, hold=0.5, now=0.0):
    return Level(rate=rate, burst=burst, hold=hold, now=now)


def granted(level, now, cost=1.0):
    assert level.take(cost, now)
    return Flight(cost, now)


def see(level, flight, now):
    level.arrive(flight, now)


def test_a_full_bucket_gives_its_burst_and_no_more():
    """From rest, `burst` requests may go at once, and the next may not."""
    level = make(burst=3)
    assert [level.take(1, 0.0) for _ in range(4)] == [True, True, True, False]


def test_open_tokens_do_not_come_back():
    """A request that the server may not have counted yet gives nothing back, however long."""
    level = make(burst=1)
    granted(level, 0.0)
    assert not level.take(1, 1e6)
    assert level.next_look(1) is None
    assert level.starved


def test_seen_tokens_come_back_at_the_rate():
    """From the answer on, and not from the sending, a token comes back in 1/rate."""
    level = make(rate=10, burst=1)
    flight = granted(level, 0.0)
    level.written(flight, 0.0)
    see(level, flight, 0.3)
    assert level.next_look(1) == pytest.approx(0.4)
    assert not level.take(1, 0.399)
    assert level.take(1, 0.401)


def test_a_hold_ends_at_its_own_instant():
    """A request without an answer counts as arrived `hold` seconds after it was written, even if
    nobody looks until long after.
    """
    level = make(rate=10, burst=2, hold=0.5)
    for written_at in (1.0, 1.02):
        level.written(granted(level, 0.9), written_at)
    assert level.next_look(2) == pytest.approx(1.5)
    level.advance(1.55)
    # 1 token of debt at 1.5, 0.2 of it back at 1.52 when the second one came, 0.3 more by 1.55.
    assert level.debt == pytest.approx(1.5)
    assert level.flights == 0


def test_a_hold_starts_at_the_writing():
    """A permit that waits for a connection stays open: its hold starts when it is written."""
    level = make(burst=1, hold=0.5)
    flight = granted(level, 0.0)
    level.advance(100.0)
    assert level.open == 1
    level.written(flight, 100.0)
    level.advance(100.4)
    assert level.open == 1
    level.advance(100.5)
    assert level.open == 0


def test_only_the_first_news_counts():
    """Whatever is told after a flight has ended changes nothing, and nothing twice."""
    level = make(burst=4)
    flights = [granted(level, 0.0) for _ in range(4)]
    level.unsent(flights[0])
    level.unsent(flights[0])
    see(level, flights[0], 0.0)
    level.written(flights[0], 0.0)
    level.written(flights[1], 0.0)
    level.written(flights[1], 0.2)
    level.unsent(flights[1])
    see(level, flights[2], 0.0)
    see(level, flights[2], 0.0)
    level.unsent(flights[2])
    assert [flight.state for flight in flights] == [RETURNED, WRITTEN, ARRIVED, GRANTED]
    assert (level.flights, level.open, level.debt) == (2, 2.0, 1.0)
    level.advance(0.5)
    assert flights[1].state == ARRIVED


def test_a_returned_permit_gives_its_tokens_back_at_once():
    """A request that never went out leaves the level as it was."""
    level = make(burst=2)
    first, second = granted(level, 0.0), granted(level, 0.0)
    level.unsent(second)
    assert level.tokens == 1.0
    level.unsent(first)
    assert (level.tokens, level.open) == (2.0, 0.0)


def test_fractions_leave_no_dust():
    """Sums of tenths drift; once nothing is open, exactly nothing is."""
    level = make(burst=1)
    flights = [granted(level, 0.0, 0.1) for _ in range(9)]
    for flight in flights[:5]:
        level.unsent(flight)
    for flight in flights[5:]:
        see(level, flight, 0.0)
    assert level.open == 0.0
    flight = granted(level, 10.0, 0.3)
    level.unsent(flight)
    level.advance(10.0)
    assert level.tokens == 1.0


def test_time_does_not_run_backwards():
    """An instant before the last one changes nothing."""
    level = make(rate=1, burst=2)
    see(level, granted(level, 5.0), 5.0)
    level.advance(3.0)
    assert (level.at, level.debt) == (5.0, 1.0)


def test_the_next_look_is_exact():
    """`next_look` gives the first instant at which the tokens are there, and no later one."""
    level = make(rate=4, burst=2)
    for _ in range(2):
        see(level, granted(level, 0.0), 0.0)
    assert level.next_look(1) == 0.25
    assert not level.starved
    assert level.next_look(2) == 0.5
    level.advance(0.25)
    assert level.next_look(1) <= 0.25


def test_it_looks_past_answered_requests():
    """The next hold to end is that of the first request which is still on its way."""
    level = make(burst=2, hold=0.5)
    first, second = granted(level, 0.0), granted(level, 0.0)
    level.written(first, 0.0)
    level.written(second, 0.1)
    see(level, first, 0.2)
    level.advance(0.3)
    assert level.next_look(2) == 0.6
    see(level, second, 0.3)
    level.advance(0.34)
    assert level.take(1, 0.34)
    assert level.next_look(2) is None


def test_standing_still_is_counted():
    """Time in which there is no debt is time in which nothing can come back."""
    level = make(rate=10, burst=5)
    see(level, granted(level, 0.0), 0.0)
    level.advance(1.0)
    assert level.stood_still == pytest.approx(0.9)


def test_a_drained_bucket_lets_one_go_at_the_end_of_the_pause():
    """After a pause requests go one by one, not in a burst; and none before its end."""
    level = make(rate=10, burst=5)
    flights = [granted(level, 0.0) for _ in range(3)]
    level.advance(1.0)
    level.drain(1.0, 3.0)
    for flight in flights:
        level.unsent(flight)
    assert not level.take(0.01, 2.99)
    assert level.next_look(1) == 3.0
    assert level.take(1, 3.0)
    assert not level.take(1, 3.0)
    assert level.next_look(1) == pytest.approx(3.1)


def test_a_pause_is_never_shortened():
    """A shorter pause than the one that runs changes nothing about its end."""
    level = make()
    level.drain(0.0, 10.0)
    level.drain(1.0, 2.0)
    assert level.paused_until == 10.0
    assert level.earliest(0.5, 1.0) == 10.0


def test_debt_never_exceeds_the_burst():
    """The server owes no more than its burst, so what is answered in a pause adds nothing."""
    level = make(burst=5)
    flights = [granted(level, 0.0) for _ in range(5)]
    level.drain(0.0, 1.0)
    for flight in flights:
        see(level, flight, 0.5)
    assert level.debt == 5.0


def test_a_cap_takes_tokens_and_never_gives():
    """What the server says is left is the most that is kept, whatever is open already."""
    level = make(burst=5)
    granted(level, 0.0)
    level.cap(2.0)
    assert level.tokens == 2.0
    level.cap(3.5)
    assert level.tokens == 2.0


def test_another_clock_carries_level_and_pause_over():
    """On a new clock the level is what it was, and what was open has a hold to arrive."""
    old = make(rate=10, burst=5, hold=0.5, now=1000.0)
    for _ in range(2):
        see(old, granted(old, 1000.0), 1000.0)
    for cost in (0.1, 0.2, 0.7):
        granted(old, 1000.0, cost)
    new = old.carry_over(1000.1, 7.0)
    assert (new.debt, new.open, new.flights) == (pytest.approx(1.0), pytest.approx(1.0), 3)
    new.advance(7.49)
    assert (new.open, new.flights) == (pytest.approx(1.0), 3)
    new.advance(7.5)
    assert (new.open, new.flights, new.debt) == (0.0, 0, pytest.approx(1.0))
    old.drain(1000.1, 1002.1)
    assert old.carry_over(1001.1, 50.0).paused_until == pytest.approx(51.0)


def test_another_process_gets_no_token():
    """A forked child starts with an empty bucket and nothing open."""
    old = make(rate=10, burst=5)
    granted(old, 0.0)
    child = old.carry_over(0.0, 0.0, empty=True)
    assert (child.tokens, child.open, child.flights) == (0.0, 0.0, 0)


@given(
    rate=st.floats(0.5, 100),
    slower=st.floats(0.3, 1.0),
    debt=st.floats(0, 20),
    tokens=st.floats(0, 50),
)
def test_the_line_rises_when_it_says(rate, slower, debt, tokens):
    """`line_risen` gives the instant at which `line` has risen by that much."""
    level = make(rate=rate * slower, burst=20.0)
    level.debt = debt
    before = level.line(rate)
    level.advance(level.line_risen(tokens, rate))
    assert level.line(rate) - before == pytest.approx(tokens, abs=1e-6)


@settings(max_examples=150)
@given(
    rate=st.floats(1, 200),
    burst=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    hold=st.floats(0.01, 1.0),
)
def test_the_server_never_refuses(rate, burst, seed, hold):
    """Whatever the order and the delays, while they stay within `hold`: no refusal. This is the
    statement that docs/explanation/no-429s.md proves.
    """
    rng = random.Random(seed)
    level, server = make(rate, float(burst), hold), Server(rate, float(burst))
    arrivals, answers, now = [], [], 0.0
    for _ in range(200):
        now += rng.choice((0.0, rng.expovariate(rate), rng.uniform(0, hold)))
        for instant, flight, cost in sorted(arrivals, key=lambda each: each[0]):
            if instant <= now:
                arrivals.remove((instant, flight, cost))
                assert server.arrive(instant, cost)
        for instant, flight in sorted(answers, key=lambda each: each[0]):
            if instant <= now:
                answers.remove((instant, flight))
                see(level, flight, instant)
        cost = rng.choice((1.0, 1.0, rng.uniform(0.1, burst)))
        if level.take(cost, now):
            flight = Flight(cost, now)
            fate = rng.random()
            if fate < 0.1:
                level.unsent(flight)
                continue
            written = now
            level.written(flight, written)
            arrives = written + rng.choice((0.0, rng.uniform(0, hold), hold))
            arrivals.append((arrives, flight, cost))
            if fate < 0.8:
                answers.append((arrives + rng.uniform(0, 3 * hold), flight))


def test_a_million_grants():
    """Over a million grants the level stays exact: sustained rate, no refusal, nothing left."""
    rate, burst = 25.0, 35.0
    level = make(rate, burst)
    grants, now, flight = 1_000_000, 0.0, Flight(1.0, 0.0)
    tokens, at = burst, 0.0  # the server's, written out: a call each would take half of the time
    for _ in range(grants):
        now = level.next_look(1.0) + 1e-6
        assert level.take(1.0, now)
        flight.state = GRANTED
        level.arrive(flight, now)
        tokens += (now - at) * rate
        tokens = min(tokens, burst)
        at = now
        tokens -= 1.0
        assert tokens >= -1e-9
    assert now == pytest.approx((grants - burst) / rate, rel=1e-3)
    level.advance(now + burst / rate)
    assert math.isclose(level.tokens, burst)
