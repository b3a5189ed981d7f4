"""The promise: no refusal, on any network, and hardly any of the rate given away for it.

Every run is on the virtual clock, at the true rates.
"""

import asyncio
import random
import statistics

import pytest

from deepidv_async.limits import RateLimit, TokenBucket
from traffic_model import NETS, Caller, Server, inversions
from virtual_loop import VirtualLoop

SEEDS = range(10)


def run(scenario, net, seed, *, rate=25.0, burst=35.0, granted=1.0, service=0.0, headers=False):
    """Run `scenario(caller)` on a loop of its own; `granted`: the share that it admits."""

    async def go():
        limit = RateLimit(per_second=rate, burst=burst, per_day=None)
        bucket = TokenBucket(limit)
        network = NETS[net](seed)
        network.service = service
        server = Server(rate * granted, burst)
        caller = Caller(bucket.acquire, bucket.throttled, server, network, headers=headers)
        await scenario(caller)
        return caller, bucket

    loop = VirtualLoop()
    try:
        return loop.run_until_complete(go())
    finally:
        loop.close()


@pytest.mark.parametrize("net", NETS)
def test_saturating_traffic(net):
    """300 callers at once, ten seeds: no refusal, in order, at 98.2 % of the ideal or more."""
    runs = [run(lambda caller: caller.work_off(300, 300), net, seed)[0] for seed in SEEDS]
    assert [caller.refused for caller in runs] == [0] * len(runs)
    assert max(inversions(caller.order) for caller in runs) == 0
    assert statistics.median(caller.server.utilisation() for caller in runs) >= 0.982


@pytest.mark.parametrize("net", NETS)
def test_on_off_traffic(net):
    """10 groups of 60 requests, about 3 s apart, ten seeds: no refusal."""
    for seed in SEEDS:
        caller, _ = run(lambda caller, seed=seed: caller.bursts(10, 60, 3.0, seed), net, seed)
        assert caller.refused == 0


@pytest.mark.parametrize(("rate", "burst"), [(25, 5), (25, 1), (100, 10)])
@pytest.mark.parametrize("net", NETS)
def test_small_bursts(net, rate, burst):
    """However small the burst, no refusal: `hold` does not depend on it."""
    for seed in range(3):
        for scenario in (
            lambda caller: caller.work_off(100, 60),
            lambda caller, seed=seed: caller.bursts(3, 25, 1.5, seed),
        ):
            caller, _ = run(scenario, net, seed, rate=rate, burst=burst)
            assert caller.refused == 0


def test_turnover_is_fair():
    """500 callers that come back: the longest wait is a perfect line's, and 99.5 % are used."""
    used = []
    for seed in SEEDS:
        caller, _ = run(lambda each: each.work_off(1000, 500), "80±60 ms, handshakes", seed)
        assert caller.refused == 0
        assert max(caller.waits) <= 500 / 25 * 1.005
        assert inversions(caller.order) == 0
        used.append(caller.server.utilisation())
    assert statistics.median(used) >= 0.995


def test_slow_answers_cost_no_rate():
    """An endpoint that takes 5 s to answer does not slow the rate: `hold` ends before."""
    caller, _ = run(
        lambda caller: caller.work_off(600, 300), "80±60 ms, handshakes", 2, service=5.0
    )
    assert caller.refused == 0
    assert caller.server.utilisation() >= 0.98


def test_a_busy_period_costs_one_round_trip():
    """On a constant network the time lost against (N - burst)/rate is one round trip, no more."""

    async def scenario(caller):
        caller.network.mean = 0.08
        started = asyncio.get_running_loop().time()
        await caller.work_off(300, 300)
        took = asyncio.get_running_loop().time() - started
        # The last request's own round trip is not the limiter's doing.
        assert took - 0.16 - (300 - 35) / 25 <= 0.16 + 0.005

    run(scenario, "0 ms", 0)


def test_beyond_littles_law_throughput_falls_and_stats_tell():
    """With rate x round trip above burst - 1 the rate cannot be kept; nothing is refused."""
    caller, bucket = run(lambda caller: caller.work_off(60, 60), "80±60 ms", 0, burst=1)
    assert caller.refused == 0
    assert caller.server.utilisation() < 0.5
    assert bucket.stats().stalled > 3


@pytest.mark.parametrize("net", ["20±5 ms, handshakes", "80±60 ms, handshakes"])
def test_a_gateway_that_admits_less(net):
    """A server that grants 80 %: at most 5 refusals in 1,000, at 97 % of what it grants."""
    for seed in range(3):
        caller, bucket = run(
            lambda caller: caller.work_off(1000, 100, lambda refusals: 0.5 * 2**refusals),
            net,
            seed,
            granted=0.8,
        )
        assert caller.refused <= 5
        assert caller.server.utilisation() >= 0.97
        assert bucket.stats().per_second < 25


@pytest.mark.parametrize("net", ["20±5 ms, handshakes", "80±60 ms, handshakes"])
def test_a_hidden_consumer(net):
    """Beside a program that takes 10/s of the same key and never retries: at most 10 refusals of
    ours in 1,000 requests, at 95 % of what is left.
    """

    async def scenario(caller):
        loop = asyncio.get_running_loop()
        others = 0

        async def hidden():
            nonlocal others
            while True:
                if caller.server.arrive(loop.time()):
                    others += 1
                await asyncio.sleep(0.1)

        task = asyncio.create_task(hidden())
        await caller.work_off(1000, 100, lambda refusals: 0.5 * 2**refusals)
        task.cancel()
        took = loop.time()
        left = 25 - others / took
        assert (1000 - 35) / left / took >= 0.95

    for seed in range(3):
        caller, _ = run(scenario, net, seed)
        assert caller.refused <= 10


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("service", [0.0, 3.0])
def test_truthful_headers_cost_nothing(net, service):
    """A server that tells the truth about its bucket does not slow a single request."""
    for scenario in (
        lambda caller: caller.work_off(150, 100),
        lambda caller: caller.bursts(5, 50, 3.0, 1),
    ):
        told, untold = (
            run(scenario, net, 1, service=service, headers=headers)[0] for headers in (True, False)
        )
        assert told.waits == pytest.approx(untold.waits, abs=1e-9)
        assert told.refused == 0


def test_headers_help_beside_another_program():
    """With somebody else's bursts on the key, headers save a good part of the refusals."""

    async def scenario(caller):
        loop, rng = asyncio.get_running_loop(), random.Random(caller.network.seed)

        async def other():
            while True:
                for _ in range(20):
                    caller.server.arrive(loop.time())
                await asyncio.sleep(rng.expovariate(1 / 4))

        task = asyncio.create_task(other())
        async with asyncio.TaskGroup() as group:
            for number in range(960):
                for _ in range(20 if number % 32 == 31 else 1):
                    group.create_task(caller.until_admitted(lambda refusals: 0.5 * 2**refusals))
                await asyncio.sleep(rng.expovariate(8))
        task.cancel()

    told, untold = (
        sum(run(scenario, "20±5 ms", seed, headers=headers)[0].refused for seed in range(2))
        for headers in (True, False)
    )
    assert told < 0.7 * untold


def test_a_hundred_thousand_grants():
    """100,000 requests through the loop: none refused, none lost, the rate kept to the end."""

    async def scenario(caller):
        loop, numbers = asyncio.get_running_loop(), iter(range(100_000))

        async def worker():  # a bare one: the model's would take as long as the limiter
            for _ in numbers:
                permit = await caller.acquire()
                permit.written()
                assert caller.server.arrive(loop.time())
                permit.seen()

        await asyncio.gather(*(worker() for _ in range(60)))

    caller, bucket = run(scenario, "0 ms", 0, rate=1000.0, burst=100.0)
    assert len(caller.server.accepted) == 100_000
    assert caller.server.utilisation() > 0.999
    assert bucket.stats().granted == 100_000
