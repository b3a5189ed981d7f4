"""Random traffic against the model of server and network, step by step.

Whatever happens (bursts, idle gaps, cancellations, failures, slow answers, reordering), as long
as every request arrives within `hold` of its writing:

- the server never refuses,
- nobody waits while a permit is due,
- nothing is lost: after a quiet time the bucket is full again.
"""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from deepidv_async import DeadlineExceededError
from deepidv_async.limits import RateLimit, TokenBucket
from traffic_model import Server
from virtual_loop import VirtualLoop

RATE, BURST, HOLD = 10.0, 5.0, 0.5
DELAYS = st.sampled_from((0.0, 0.001, 0.05, 0.3, HOLD))


class Traffic(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = VirtualLoop()
        self.bucket = TokenBucket(RateLimit(RATE, BURST, per_day=None, hold=HOLD))
        self.server = Server(RATE, BURST)
        self.callers = []
        self.served = {}
        self.number = 0

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    async def call(self, number, options, *, fate, gate, there, back):
        try:
            permit = await self.bucket.acquire(**options)
        except DeadlineExceededError:
            assert options["deadline"] is not None
            return
        deadline = options["deadline"]
        assert deadline is None or self.loop.time() <= deadline
        self.served.setdefault(options["priority"], []).append((number, self.loop.time()))
        try:
            await asyncio.sleep(gate)  # for a connection
        except asyncio.CancelledError:
            permit.unsent()
            raise
        if fate == "fails":
            permit.unsent()
            return
        permit.written()
        arrival = asyncio.create_task(self.arrive(self.loop.time() + there, options["cost"]))
        if fate == "unanswered":
            await arrival
            return
        # The request is on its way whatever becomes of the caller.
        await asyncio.shield(arrival)
        await asyncio.sleep(back)
        permit.seen()

    async def arrive(self, instant, cost):
        # At its own instant, also when this process is late.
        await asyncio.sleep(instant - self.loop.time())
        assert self.server.arrive(instant, cost), "the server refused"

    @rule(
        count=st.integers(1, 12),
        cost=st.sampled_from((1.0, 1.0, 1.0, 2.0, 5.0)),
        priority=st.sampled_from(("normal", "normal", "bulk")),
        patience=st.sampled_from((None, None, 0.0, 0.2, 1.0, 5.0)),
        fate=st.sampled_from(("answered", "answered", "answered", "unanswered", "fails")),
        gate=st.sampled_from((0.0, 0.0, 0.2)),
        there=DELAYS,
        back=st.sampled_from((0.0, 0.02, 0.4, 3.0)),
    )
    def come_up(self, *, count, cost, priority, patience, fate, gate, there, back):
        deadline = None if patience is None else self.loop.time() + patience
        options = {"cost": cost, "priority": priority, "deadline": deadline}
        for _ in range(count):
            self.number += 1
            call = self.call(self.number, options, fate=fate, gate=gate, there=there, back=back)
            self.callers.append(self.loop.create_task(call))
        self.run(asyncio.sleep(0))

    @rule(seconds=st.sampled_from((0.0, 0.001, 0.04, 0.1, 0.5, 3.0)))
    def time_passes(self, seconds):
        self.run(asyncio.sleep(seconds))

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def somebody_leaves(self, data):
        data.draw(st.sampled_from(self.callers)).cancel()
        self.run(asyncio.sleep(0))

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def somebody_leaves_in_the_same_tick(self, data):
        # The timers that are due run first: the caller may have been granted and not run.
        self.loop.call_soon(data.draw(st.sampled_from(self.callers)).cancel)
        self.loop.now += 0.1
        self.run(asyncio.sleep(0))

    @rule()
    def news_is_looked_at(self):
        assert self.bucket.stats().tokens <= BURST

    @invariant()
    def nobody_fails(self):
        for task in self.callers:
            if task.done() and not task.cancelled():
                task.result()
        self.callers = [task for task in self.callers if not task.done()]

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
            self.run(asyncio.sleep(200))
            self.nobody_fails()
            assert self.callers == []
            stats = self.bucket.stats()
            assert (stats.waiting, stats.in_flight, stats.tokens) == (0, 0, BURST)
        finally:
            for task in self.callers:
                task.cancel()
            self.run(asyncio.sleep(0))
            self.loop.close()


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
