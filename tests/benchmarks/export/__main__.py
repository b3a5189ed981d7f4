"""The export at full size: killed and resumed, and what it takes in time and memory.

    python tests/benchmarks/export [--sessions 100000] [--seed N]

Simulator and exports run in processes of their own, the simulator with a raised limit. One export
runs undisturbed; another one is killed (`kill -9`) three times, at places drawn at random, and
resumed. The files are compared byte by byte, and their ids with what the simulator owns. Then peak
memory, as the system counts it for the process, by how many sessions there are.
"""

import argparse
import filecmp
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

import lab

KILLS = 3
PAGE = 500
WORKFLOWS = 5
PROGRAM = [sys.executable, "-m", "deepidv_async"]
EXPORT = ["--api-version", "v1", "--rate", "900", "--per-day", "0", "--quiet"]


@contextmanager
def serving(workflows, sessions):
    """Serve a simulator with a raised limit, and its sessions made; gives its URL."""
    sizes = ["--workflows", str(workflows), "--sessions", str(sessions // workflows)]
    limits = ["--rate", "1000", "--burst", "1000", "--per-day", "0"]
    arguments = ["sim", "--port", "0", "--print-url", "--quiet", *sizes, *limits]
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as program:
        try:
            url = program.stdout.readline().strip()
            state(url)
            yield url
        finally:
            program.send_signal(signal.SIGINT)


def state(url):
    """Ask the simulator for its figures; this also makes its sessions."""
    with urllib.request.urlopen(f"{url}/_sim/state") as answer:  # noqa: S310 - our own server
        return json.load(answer)


def owned(workflows, sessions):
    """Give the ids of all sessions that such a simulator has, in its order."""
    code = """
import json, sys
from deepidv_async.simulator import Simulator
simulator = Simulator(workflows=int(sys.argv[1]), sessions=int(sys.argv[2]))
print(json.dumps([each for name in simulator.workflow_ids for each in simulator.session_ids(name)]))
"""
    return lab.in_fresh_process("-c", code, str(workflows), str(sessions // workflows))


def start(url, path):
    """Start an export to `path`."""
    settings = {"DEEPIDV_BASE_URL": url, "DEEPIDV_API_KEY": "sim-key"}
    return subprocess.Popen(
        [*PROGRAM, "export", str(path), *EXPORT], env={**os.environ, **settings}
    )


def finish(program):
    """Wait for an export; gives its peak memory in MB and its CPU seconds."""
    _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise SystemExit(f"the export ended with {program.returncode}")
    # Kilobytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return used.ru_maxrss / unit, used.ru_utime + used.ru_stime


def pages_done(path):
    """Tell how many pages the checkpoint promises."""
    journal = path.with_name(f"{path.name}.checkpoint")
    return journal.read_bytes().count(b'"digests"') if journal.exists() else 0


def kill_and_resume(url, path, places):
    """Export, killed a moment after each of these pages; gives what was there each time."""
    done = []
    for place in places:
        program = start(url, path)
        while pages_done(path) < place and program.poll() is None:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.05))
        program.send_signal(signal.SIGKILL)
        if program.wait() != -signal.SIGKILL:
            raise SystemExit("the export was over before it could be killed")
        done.append(pages_done(path))
    finish(start(url, path))
    return done


def show_kills(folder, sessions):
    """Compare an export that was killed with one that was not."""
    whole, resumed = folder / "whole.jsonl", folder / "resumed.jsonl"
    pages = WORKFLOWS * -(-sessions // WORKFLOWS // PAGE)
    places = sorted(random.sample(range(1, pages - 5), KILLS))
    with serving(WORKFLOWS, sessions) as url:
        began = time.monotonic()
        _, cpu = finish(start(url, whole))
        seconds = time.monotonic() - began
        before = state(url)["requests"]
        done = kill_and_resume(url, resumed, places)
        after = state(url)
    with resumed.open("rb") as file:
        ids = [json.loads(line)["id"] for line in file]
    expected = owned(WORKFLOWS, sessions)
    same = filecmp.cmp(whole, resumed, shallow=False)
    lab.show(
        f"{sessions:,} sessions of {WORKFLOWS} workflows, {pages} pages",
        ("", ""),
        [
            ("seconds, undisturbed", seconds),
            ("CPU seconds of the export", cpu),
            ("killed with so many pages done", ", ".join(map(str, done))),
            ("requests of the four runs", after["requests"] - before),
            ("429s", after["refused"]),
            ("bytes", f"{whole.stat().st_size:,}"),
            ("byte-identical", "yes" if same else "NO"),
            ("lost", len(set(expected) - set(ids))),
            ("twice", len(ids) - len(set(ids))),
            ("in the server's order", "yes" if ids == expected else "NO"),
        ],
    )
    if not same or ids != expected:
        raise SystemExit(1)


def show_memory(folder, sessions):
    """Peak memory by number of sessions, in several workflows and in one."""
    for workflows in (WORKFLOWS, 1):
        rows, floor = [], None
        for size in (workflows, sessions // 10, sessions):
            with serving(workflows, size) as url:
                memory, cpu = finish(start(url, folder / f"{workflows}-{size}"))
            rows.append((f"{size:,}", memory, memory / (floor or memory), cpu))
            floor = memory if size == sessions // 10 else None
        lab.show(
            f"Peak memory of the export, {workflows} workflow(s)",
            ("sessions", "MB", "x the tenth", "CPU s"),
            rows,
        )


def main():
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    options = parser.parse_args()
    print(f"seed {options.seed}")
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        # First: the system counts what this process held when it started the other one.
        show_memory(Path(folder), options.sessions)
        show_kills(Path(folder), options.sessions)


if __name__ == "__main__":
    main()
