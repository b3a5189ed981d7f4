"""One limit for several processes, on a real Redis server and over real HTTP.

    python tests/benchmarks/shared [--limiters deepidv_async] [--only equal,flood]

Each process is one of the operating system, sends its requests to a server that delays them as a
network does, and shares the limit with the others. The server's bucket counts what it refuses.
Needs `redis-server`, and what requirements.txt lists. Nothing leaves this machine.
"""

import argparse
import contextlib
import multiprocessing
import os
import shutil
import signal
import statistics
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1]), str(HERE.parent / "limiter")]

import lab
from real_http import _server
from redis_server import running_redis
from worker import LIMITERS, work

RATE, BURST = 25.0, 35.0
SPAWN = multiprocessing.get_context("spawn")


def run(limiter, net, jobs, *, seed=0, during=None):
    """Give what the processes said, the 429s, and the server's utilisation."""
    ours, theirs = multiprocessing.Pipe()
    server = SPAWN.Process(target=_server, args=(theirs, RATE, BURST, net, seed))
    server.start()
    workers, says = [], []
    with running_redis() as redis:
        try:
            url = f"http://127.0.0.1:{ours.recv()}/"
            go = SPAWN.Event()
            for job in jobs:
                here, there = multiprocessing.Pipe()
                whole = {"tasks": 50, "every": 0, "skew": 0, **job} | {
                    "limiter": limiter,
                    "url": url,
                    "rate": RATE,
                    "burst": BURST,
                    "redis": redis.url,
                }
                worker = SPAWN.Process(target=work, args=(whole, go, there))
                worker.start()
                there.close()
                workers.append(worker)
                says.append(here)
            time.sleep(2.5)  # until all have imported what they need
            go.set()
            if during is not None:
                threading.Thread(target=during, args=(redis, workers), daemon=True).start()
            told = []
            for worker, say in zip(workers, says, strict=True):
                while worker.is_alive() and not say.poll(0.1):
                    pass
                with contextlib.suppress(EOFError):  # it was killed
                    told.append(say.recv())
            ours.send("stop")
            return told, *ours.recv()
        finally:
            for process in (*workers, server):
                process.terminate()
                process.join()


def row(name, told, refused, used):
    """Put one run into a line."""
    served = sum(len(each["ends"]) for each in told)
    waits = sorted(wait for each in told for wait in each["waits"])
    # Who was served how much while all wanted more.
    first_end = min(max(each["ends"]) for each in told)
    counts = [sum(end <= first_end for end in each["ends"]) for each in told]
    scripts = sum(each["scripts"] for each in told)
    return (
        name,
        refused,
        100 * used,
        scripts / served if scripts else "-",
        max(counts) / max(1, min(counts)),
        waits[len(waits) // 2],
        waits[len(waits) * 99 // 100],
        sum(len(each["failed"]) for each in told),
    )


COLUMNS = ("case", "429s", "used %", "scripts/grant", "max/min", "p50 s", "p99 s", "failed")


def equal(limiters):
    """Four equal processes, on two networks, and with a clock that is off."""
    for net in ("20±5 ms", "80±60 ms, handshakes"):
        rows = [row(name, *run(name, net, [{"requests": 100}] * 4)) for name in limiters]
        lab.show(f"4 processes, 400 requests, 25/s burst 35, {net}", COLUMNS, rows)
    skewed = [{"requests": 100, "skew": 2}, *[{"requests": 100}] * 3]
    rows = [row(name, *run(name, "20±5 ms", skewed)) for name in limiters]
    lab.show("the same, one process's clock 2 s off", COLUMNS, rows)


def flood(limiters):
    """One process floods with 200 tasks, and three call once a second."""
    rows = []
    for name in limiters:
        jobs = [{"requests": 400, "tasks": 200}, *[{"requests": 12, "every": 1.0}] * 3]
        seen = []

        def look(redis, workers, seen=seen):
            from redis import Redis

            with Redis.from_url(redis.url) as client:
                for _ in range(50):
                    seen.append(client.info("clients")["connected_clients"] - 1)
                    time.sleep(0.1)

        told, refused, used = run(name, "20±5 ms", jobs, during=look)
        light = sorted(wait for each in told[1:] for wait in each["waits"])
        rows.append((name, refused, 100 * used, statistics.median(light), light[-1], max(seen)))
    columns = ("limiter", "429s", "used %", "light p50", "light max", "connections of four")
    lab.show("one floods with 200 tasks, three are light", columns, rows)


def many(limiters):
    """16 processes, unequal."""
    jobs = [{"requests": 10 + 5 * number, "tasks": 1 + number} for number in range(16)]
    rows = [row(name, *run(name, "20±5 ms", jobs)) for name in limiters if name == "deepidv_async"]
    lab.show("16 processes, uneven", COLUMNS, rows)


def trouble(limiters):
    """A process that is killed, and a Redis that stands still for five seconds."""

    def kill(redis, workers):
        time.sleep(4)
        os.kill(workers[0].pid, signal.SIGKILL)

    def freeze(redis, workers):
        time.sleep(4)
        redis.freeze()
        time.sleep(5)
        redis.thaw()

    rows = []
    for name in limiters:
        if name == "deepidv_async":
            for case, during in (("kill -9 of one", kill), ("Redis still for 5 s", freeze)):
                told, refused, used = run(name, "20±5 ms", [{"requests": 100}] * 4, during=during)
                print(case, [each["events"] for each in told])
                rows.append(row(f"{name}, {case}", told, refused, used))
    lab.show("trouble", COLUMNS, rows)


TOPICS = {"equal": equal, "flood": flood, "many": many, "trouble": trouble}


def main() -> None:
    """Measure those that are installed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limiters", default=",".join(LIMITERS))
    parser.add_argument("--only", default=",".join(TOPICS), help=f"some of {', '.join(TOPICS)}")
    given = parser.parse_args()
    if shutil.which("redis-server") is None:
        sys.exit("redis-server is needed (Debian: apt-get install redis-server)")
    chosen = [name for name in LIMITERS if name in given.limiters]
    for topic in given.only.split(","):
        TOPICS[topic](chosen)


if __name__ == "__main__":
    main()
