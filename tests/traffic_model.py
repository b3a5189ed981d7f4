"""A model of what lies behind a rate limiter: the server's bucket, the network, and callers.

The server counts a request when it arrives: one token bucket per key, refused requests cost
nothing. The network delays every request and every answer on its own, so that they overtake each
other; a new connection costs two more round trips before its first request arrives.

All of it waits on the running loop, so on a `VirtualLoop` minutes of traffic take milliseconds.
"""

import asyncio
import math
import random
from collections.abc import Callable

import attrs

__all__ = ["NETS", "Caller", "Network", "Server", "inversions", "quantile"]


class Server:
    """A token bucket that counts arrivals.

    Attributes:
        accepted, refused: instants of the arrivals, in seconds.
        lowest: the lowest level that it ever had, in tokens.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self.tokens = burst
        self.at = 0.0
        self.lowest = burst
        self.accepted: list[float] = []
        self.refused: list[float] = []

    def let_pass(self, now: float) -> None:
        """Let tokens come back."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now

    def arrive(self, now: float, cost: float = 1.0) -> bool:
        """Count a request; tell whether it is admitted."""
        self.let_pass(now)
        # Server and client add the same numbers in another order.
        if self.tokens < cost - 1e-9:
            self.refused.append(now)
            return False
        self.tokens -= cost
        self.lowest = min(self.lowest, self.tokens)
        self.accepted.append(now)
        return True

    def headers(self) -> dict[str, float]:
        """Tell what truthful headers do: whole numbers, and as reset the time until it is full."""
        reset = math.ceil((self.burst - self.tokens) / self.rate)
        return {"remaining": math.floor(self.tokens), "reset_after": reset}

    def utilisation(self) -> float:
        """Give the least possible time for what was admitted over the time that it took."""
        span = self.accepted[-1] - self.accepted[0]
        return (len(self.accepted) - self.burst) / self.rate / span


@attrs.define
class Network:
    """Delays, in seconds.

    Args:
        mean, spread: of the one-way delay; `spread` 0 for a constant one.
        kind: `normal` or `lognormal`.
        handshake: a new connection costs two round trips more.
        service: how long the server works on an admitted request.
        bound: no request takes longer than this to arrive.
    """

    mean: float = 0.0
    spread: float = 0.0
    kind: str = "normal"
    handshake: bool = False
    service: float = 0.0
    bound: float = math.inf
    seed: int = 0
    _random: random.Random = attrs.field(init=False)
    _idle: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def one_way(self) -> float:
        """Draw a delay."""
        if self.spread == 0:
            return self.mean
        if self.kind == "normal":
            return max(self.mean / 5, self._random.gauss(self.mean, self.spread))
        variance = math.log(1 + (self.spread / self.mean) ** 2)
        middle = math.log(self.mean) - variance / 2
        return self._random.lognormvariate(middle, math.sqrt(variance))

    def way_there(self) -> float:
        """Draw the delay of a request, with that of its connection if it needs a new one."""
        delay = self.one_way()
        if self.handshake:
            if self._idle:
                self._idle -= 1
            else:
                delay += sum(self.one_way() for _ in range(4))
        return min(delay, self.bound)

    def way_back(self) -> float:
        """Draw the delay of an answer."""
        return self.one_way()

    def connection_idle(self) -> None:
        """Take back a connection, for others to use."""
        self._idle += 1


NETS: dict[str, Callable[[int], Network]] = {
    "0 ms": lambda seed: Network(seed=seed),
    "20±5 ms": lambda seed: Network(0.020, 0.005, seed=seed),
    "20±5 ms, handshakes": lambda seed: Network(0.020, 0.005, handshake=True, seed=seed),
    "80±60 ms": lambda seed: Network(0.080, 0.060, "lognormal", bound=0.49, seed=seed),
    "80±60 ms, handshakes": lambda seed: Network(
        0.080, 0.060, "lognormal", handshake=True, bound=0.49, seed=seed
    ),
}


class Caller:
    """Sends requests through a limiter, over a network, to a server, and keeps the score.

    Args:
        acquire: waits for a permit; gives an object with `written`, `seen`, `unsent`, or `None`.
        throttled: told of every refusal, unless the permit has `refused`.
        headers: whether the server sends rate-limit headers; the permits are told of them.

    Attributes:
        waits: seconds that each request waited for its permit, in the order of the grants.
        order: numbers of the requests, in the order of the grants.
        refused: how many 429s came back.
    """

    def __init__(
        self, acquire, throttled, server: Server, network: Network, *, headers: bool = False
    ) -> None:
        self.acquire = acquire
        self.throttled = throttled
        self.headers = headers
        self.server = server
        self.network = network
        self.waits: list[float] = []
        self.order: list[int] = []
        self.refused = 0
        self._asked = 0

    async def attempt(self) -> bool:
        """Send one request once it may be sent; tell whether it was admitted."""
        loop = asyncio.get_running_loop()
        number, self._asked = self._asked, self._asked + 1
        came = loop.time()
        permit = await self.acquire()
        self.waits.append(loop.time() - came)
        self.order.append(number)
        admitted = await self._send(permit)
        if not admitted:
            self.refused += 1
            getattr(permit, "refused", self.throttled)(None)
        return admitted

    async def _send(self, permit) -> bool:
        if permit is not None:
            permit.written()
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        delay = self.network.way_there()
        if delay > 0:
            # On its way it needs nobody: a task that woke for its arrival would take a fifth of
            # the time of a run.
            loop.call_later(delay, self._arrive, answer)
        else:
            self._arrive(answer)
        if answer.done():
            await asyncio.sleep(0)  # at least a turn of the loop lies between
        admitted, headers = await answer
        self.network.connection_idle()
        if permit is not None:
            permit.seen()
        if self.headers:
            permit.server_says(**headers)
        return admitted

    def _arrive(self, answer: asyncio.Future) -> None:
        """Let the server count a request, and book its answer."""
        loop = answer.get_loop()
        admitted = self.server.arrive(loop.time())
        news = admitted, self.server.headers() if self.headers else {}
        delay = self.network.way_back() + (self.network.service if admitted else 0.0)
        if delay > 0:
            loop.call_later(delay, _answer, answer, news)
        else:
            _answer(answer, news)

    async def until_admitted(self, backoff: Callable[[int], float] = lambda _: 0.0) -> None:
        """Send one request until it is admitted; `backoff` gives the wait after a refusal."""
        refusals = 0
        while not await self.attempt():
            await asyncio.sleep(backoff(refusals))
            refusals += 1

    async def work_off(self, requests: int, tasks: int, backoff=lambda _: 0.0) -> None:
        """Let `tasks` workers send `requests` requests, until all are admitted."""
        numbers = iter(range(requests))

        async def worker() -> None:
            for _ in numbers:
                await self.until_admitted(backoff)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(tasks, requests)):
                group.create_task(worker())

    async def bursts(self, groups: int, size: int, gap: float, seed: int) -> None:
        """Let groups of requests come up together, `gap` seconds apart, give or take a quarter."""
        rng = random.Random(seed)
        async with asyncio.TaskGroup() as group:
            for _ in range(groups):
                for _ in range(size):
                    group.create_task(self.until_admitted())
                await asyncio.sleep(gap * rng.uniform(0.75, 1.25))


def _answer(answer: asyncio.Future, news: object) -> None:
    if not answer.done():  # its caller may have gone
        answer.set_result(news)


def inversions(order: list[int]) -> float:
    """Give the share of pairs that were served in the wrong order; 0.5 is random."""
    tree = [0] * (len(order) + 1)
    wrong = 0
    for seen, number in enumerate(order):
        at = number + 1
        before = 0
        while at:
            before += tree[at]
            at &= at - 1
        wrong += seen - before
        at = number + 1
        while at < len(tree):
            tree[at] += 1
            at += at & -at
    return wrong / max(1, len(order) * (len(order) - 1) / 2)


def quantile(values: list[float], share: float) -> float:
    """Give the value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
