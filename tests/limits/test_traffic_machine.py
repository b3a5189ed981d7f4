"""Random traffic against the model of server and network, step by step.

Whatever happens (bursts, idle gaps, cancellations, failures, slow answers, reordering, permits that
are dropped, another event loop, a wall clock that is stepped), as long as every request arrives
within `hold` of its writing:

- the server never refuses, unless somebody else uses the key or it admits less than it says;
- then nothing is granted during a pause, and the promise holds again as soon as the server has as
  many tokens as we believe;
- nobody waits while a permit is due;
- nothing is lost: after a quiet time the bucket is full again.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from deepidv_async import DeadlineExceededError
from deepidv_async.limits import RateLimit, TokenBucket
from traffic_model import Server
from virtual_loop import VirtualLoop

RATE, BURST, HOLD = 10.0, 5.0, 0.5
DELAYS = st.sampled_from((0.0, 0.001, 0.05, 0.3, HOLD))
NO_WISHES = {"cost": 1.0, "priority": "normal", "deadline": None}
FATES = ("answered", "answered", "answered", "unanswered", "fails", "dropped")


class Clock:
    """One time for all loops of a run, and a wall clock that can be stepped."""

    def __init__(self):
        self.loop = VirtualLoop()
        self.base = self.step = 0.0

    def now(self):
        return self.base + self.loop.time()

    def wall(self):
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.now() + self.step)

    def call_later(self, seconds, callback):
        return self.loop.call_later(seconds, callback)

    def next_loop(self):
        self.base = self.now()
        self.loop.close()
        self.loop = VirtualLoop()


class Traffic(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.bucket = TokenBucket(
            RateLimit(RATE, BURST, hold=HOLD, per_day=10**6), clock=self.clock
        )
        self.server = Server(RATE, BURST)
        self.alone = True
        self.broken = 0  # refusals that must not be
        self.callers = []
        self.waiting = {}  # those of them that have no permit yet
        self.flying = []  # requests on their way: instant of arrival, cost, future of the answer
        self.pauses = []
        self.served = {}
        self.number = 0
        self.granted = 0.0

    def run(self, coroutine):
        result = self.clock.loop.run_until_complete(coroutine)
        self.arrive()
        return result

    # -- one request -----------------------------------------------------------------------

    async def call(self, number, options, *, fate, gate, there, back, asked):
        resumes = self.clock.now() + self.bucket.stats().paused_for
        try:
            permit = await self.bucket.acquire(**options)
        except DeadlineExceededError:
            assert options["deadline"] is not None
            return
        finally:
            self.waiting.pop(number, None)
        self.granted += options["cost"]
        assert permit.at >= resumes - 1e-9
        deadline = options["deadline"]
        assert deadline is None or self.clock.now() <= deadline
        assert not any(told < permit.at < resumes for told, resumes in self.pauses)
        self.served.setdefault(options["priority"], []).append((number, permit.at))
        try:
            await asyncio.sleep(gate)  # for a connection
        except asyncio.CancelledError:
            self.give_back(permit)
            raise
        if fate == "fails":
            self.give_back(permit)
            return
        answer = self.send(there, options["cost"])
        if fate == "dropped":
            return
        permit.written()
        if fate == "unanswered":
            return
        admitted = await answer
        await asyncio.sleep(back)
        if admitted:
            permit.seen()
        else:
            self.refuse(permit, asked)

    def give_back(self, permit):
        permit.unsent()
        self.granted -= permit.cost

    def send(self, there, cost):
        # The request is on its way whatever becomes of its caller, and of the loop.
        answer = self.clock.loop.create_future()
        self.flying.append((self.clock.now() + there, cost, answer))
        self.clock.loop.call_later(there, self.arrive)
        return answer

    def arrive(self):
        """Let arrive what is due, each at its own instant, also when this process is late."""
        now = self.clock.now() + 1e-9
        for flight in sorted(self.flying, key=lambda flight: flight[0]):
            instant, cost, answer = flight
            if instant <= now:
                self.flying.remove(flight)
                admitted = self.server.arrive(max(instant, self.server.at), cost)
                self.broken += self.alone and not admitted
                if not answer.done() and not answer.get_loop().is_closed():
                    answer.set_result(admitted)

    def refuse(self, permit, asked):
        paused_until = self.clock.now() + self.bucket.stats().paused_for
        permit.refused(asked)
        resumes = self.clock.now() + self.bucket.stats().paused_for
        assert resumes >= max(paused_until, self.clock.now() + (asked or 0.25)) - 1e-9
        assert self.bucket._ledger.level.tokens <= 1 + 1e-9
        self.pauses.append((self.clock.now(), resumes - 1e-9))

    # -- what happens ----------------------------------------------------------------------

    @rule(
        count=st.integers(1, 12),
        cost=st.sampled_from((1.0, 1.0, 1.0, 2.0, 5.0)),
        priority=st.sampled_from(("normal", "normal", "bulk")),
        patience=st.sampled_from((None, None, 0.0, 0.2, 1.0, 5.0)),
        fate=st.sampled_from(FATES),
        gate=st.sampled_from((0.0, 0.0, 0.2)),
        there=DELAYS,
        back=st.sampled_from((0.0, 0.02, 0.4, 3.0)),
        asked=st.sampled_from((None, 0.1, 3.0)),
    )
    def come_up(self, *, count, cost, priority, patience, **fate):
        deadline = None if patience is None else self.clock.now() + patience
        self.come(count, {"cost": cost, "priority": priority, "deadline": deadline}, **fate)

    def come(self, count, options=NO_WISHES, **fate):
        fate = {"fate": "answered", "gate": 0.0, "there": 0.05, "back": 0.05, "asked": None} | fate
        for _ in range(count):
            self.number += 1
            task = self.clock.loop.create_task(self.call(self.number, options, **fate))
            self.callers.append(task)
            self.waiting[self.number] = task
        self.run(asyncio.sleep(0))

    @rule(seconds=st.sampled_from((0.0, 0.001, 0.04, 0.1, 0.5, 3.0)))
    def time_passes(self, seconds):
        self.run(asyncio.sleep(seconds))

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def somebody_leaves(self, data):
        data.draw(st.sampled_from(self.callers)).cancel()
        self.run(asyncio.sleep(0))

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 2))
    def somebody_leaves_in_the_same_tick(self, which):
        # The timers that are due run first: the caller may have been granted and not run.
        leaver = list(self.waiting.values())[min(which, len(self.waiting) - 1)]
        self.clock.loop.call_soon(leaver.cancel)
        self.clock.loop.now += 0.1
        self.run(asyncio.sleep(0))

    @rule(count=st.integers(1, 5), ours=st.integers(0, 3), there=DELAYS)
    def somebody_else_uses_the_key(self, count, ours, there):
        self.alone = False
        for _ in range(count):
            self.server.arrive(max(self.clock.now(), self.server.at))
        self.come(ours, there=there)

    @precondition(lambda self: self.bucket.stats().paused_for)
    @rule(count=st.integers(1, 3), later=st.sampled_from((0.0, 0.05, 0.2)))
    def somebody_comes_in_a_pause(self, count, later):
        self.run(asyncio.sleep(later))
        self.come(count)

    @rule(share=st.sampled_from((0.5, 0.8, 1.0)))
    def the_server_admits_less(self, share):
        self.alone = False
        self.server.let_pass(max(self.clock.now(), self.server.at))
        self.server.rate = RATE * share

    @rule(hours=st.sampled_from((-72, -24, -1, 1, 24, 72)))
    def the_wall_clock_is_stepped(self, hours):
        self.clock.step += hours * 3600

    @rule()
    def the_loop_is_closed(self):
        for task in self.callers:
            task.cancel()
        self.run(asyncio.sleep(0))
        self.nobody_fails()
        self.clock.next_loop()
        for instant, _, _ in self.flying:
            self.clock.loop.call_later(max(0.0, instant - self.clock.now()), self.arrive)

    @rule()
    def news_is_looked_at(self):
        stats = self.bucket.stats()
        assert stats.tokens <= BURST
        assert stats.in_flight >= 0
        assert stats.quota_used >= stats.granted

    # -- what holds ------------------------------------------------------------------------

    @invariant()
    def the_promise_comes_back(self):
        if self.alone or self.server.rate < RATE:
            return
        now = self.clock.now()
        self.bucket.stats()  # lets time pass
        level = self.bucket._ledger.level
        self.server.let_pass(max(now, self.server.at))
        # What the two steps of the proof start from, if all that is open is still to arrive.
        # During a pause the debt is that of its end.
        debt = level.debt + max(0.0, level.at - now) * level.rate
        self.alone = BURST - self.server.tokens <= debt <= BURST - level.open

    @invariant()
    def the_server_refuses_nothing(self):
        assert self.broken == 0

    @invariant()
    def nobody_fails(self):
        for task in self.callers:
            if task.done() and not task.cancelled():
                task.result()
        self.callers = [task for task in self.callers if not task.done()]
        self.waiting = {name: task for name, task in self.waiting.items() if not task.done()}

    @invariant()
    def nobody_waits_for_a_permit_that_is_due(self):
        head = self.bucket._queue.lanes.first()
        if head is not None and not head.future.done():
            # A timer looks a microsecond after the instant.
            assert self.bucket.stats().tokens < head.cost + RATE * 2e-6

    @invariant()
    def lanes_are_served_in_order(self):
        for served in self.served.values():
            instants = [instant for _, instant in sorted(served)]
            assert instants == sorted(instants)

    def teardown(self):
        try:
            for task in self.callers[::3]:
                task.cancel()
            self.run(asyncio.sleep(2_000))
            self.nobody_fails()
            self.the_server_refuses_nothing()
            assert self.callers == self.flying == []
            stats = self.bucket.stats()
            assert (stats.waiting, stats.in_flight, stats.tokens) == (0, 0, BURST)
            assert stats.granted == self.granted
        finally:
            for task in self.callers:
                task.cancel()
            self.clock.loop.run_until_complete(asyncio.sleep(0))
            self.clock.loop.close()


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
