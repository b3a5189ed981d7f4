"""Real requests to a server of this machine, with the model's network in front of its bucket.

The server runs in a process of its own and delays what it reads and what it answers; its bucket
counts at the moment of arrival. Around a bare `httpx2.AsyncClient`: httpx itself is the
bottleneck above a few hundred requests per second.
"""

import asyncio
import multiprocessing
import statistics

from contestants import CONTESTANTS, Contestant
from traffic_model import NETS, Network, Server

from deepidv_async import AsyncDeepIDV

__all__ = ["show"]

WHOLE_CLIENT = "AsyncDeepIDV, whole"

_OK = b'HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{"workflows":[]}'
_REFUSED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}"


async def _serve(reader, writer, bucket: Server, network: Network) -> None:
    loop = asyncio.get_running_loop()
    setup = sum(network.one_way() for _ in range(4)) if network.handshake else 0.0
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(min(setup + network.one_way(), network.bound))
            setup = 0.0
            admitted = bucket.arrive(loop.time())
            await asyncio.sleep(network.way_back())
            writer.write(_OK if admitted else _REFUSED)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _server(pipe, rate: float, burst: float, net: str, seed: int) -> None:
    """Serve until the pipe says so, then answer with what was counted."""

    async def main():
        bucket, network = Server(rate, burst), NETS[net](seed)
        bucket.at = asyncio.get_running_loop().time()

        async def handle(reader, writer):
            await _serve(reader, writer, bucket, network)

        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)
        server.close()
        pipe.send((len(bucket.refused), bucket.utilisation()))

    asyncio.run(main())


async def _load(url: str, contestant: Contestant, requests: int, tasks: int) -> None:
    import httpx2

    pool = httpx2.Limits(max_connections=tasks, max_keepalive_connections=tasks)
    async with httpx2.AsyncClient(limits=pool, timeout=60, trust_env=False) as client:
        numbers = iter(range(requests))

        async def attempt() -> bool:
            permit = await contestant.acquire()
            if permit is not None:
                permit.written()
            response = await client.get(url)
            if permit is not None:
                permit.seen()
            if response.status_code == 429:
                getattr(permit, "refused", contestant.throttled)(None)
            return response.status_code == 200

        async def worker():
            for _ in numbers:
                while not await attempt():
                    await asyncio.sleep(0.5)

        await asyncio.gather(*(worker() for _ in range(tasks)))


async def _load_whole_client(url: str, requests: int) -> None:
    """Call the API through the whole client as its users do: no setting but the address."""
    async with AsyncDeepIDV("key", base_url=url) as client:
        await asyncio.gather(*(client.list_workflows() for _ in range(requests)))


def measure(name, net, *, rate, burst, requests, tasks, seed) -> tuple[int, float]:
    """Give the 429s in the server's journal and the utilisation of one run."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_server, args=(theirs, rate, burst, net, seed)
    )
    process.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}/"
        if name == WHOLE_CLIENT:
            asyncio.run(_load_whole_client(url, requests))
        else:
            asyncio.run(_load(url, CONTESTANTS[name](rate, burst), requests, tasks))
        ours.send("stop")
        return ours.recv()
    finally:
        process.terminate()
        process.join()


def show(names) -> None:
    """Print 429s and utilisation over real HTTP, at the published rate and at ten times it."""
    print(f"\nreal HTTP, 3 runs\n{'limiter, network, limit':64}{'429s':>14}{'used %':>10}")
    shown_names = [
        name for name in ("deepidv_async", "aiolimiter", "asynciolimiter") if name in names
    ]
    for rate, burst, requests, tasks in ((25.0, 35.0, 300, 300), (250.0, 350.0, 3000, 500)):
        for net in ("20±5 ms, handshakes", "80±60 ms, handshakes"):
            for name in [*([WHOLE_CLIENT] if rate < 100 else []), *shown_names]:
                runs = [
                    measure(
                        name, net, rate=rate, burst=burst, requests=requests, tasks=tasks, seed=seed
                    )
                    for seed in range(3)
                ]
                refused = sorted(refused for refused, _ in runs)
                used = 100 * statistics.median(share for _, share in runs)
                shown = f"{refused[1]} ({refused[0]}..{refused[-1]})"
                label = f"{name}, {net}, {rate:g}/s burst {burst:g}"
                print(f"{label:64}{shown:>14}{used:>10.2f}", flush=True)
