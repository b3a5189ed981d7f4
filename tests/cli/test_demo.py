"""The demo: what it shows is true, and it says so if something is not."""

import ast
import functools
import re
import subprocess
import sys
import textwrap
import time

import attrs
import pytest

from deepidv_async import AsyncDeepIDV, AttemptFinished, AttemptStarted, LimiterWaited, Workflow
from deepidv_async.cli import _demo
from deepidv_async.cli._demo import run_demo
from deepidv_async.cli._demo_count import Audit, Meter, Reading, Stream, audit, busiest_second
from deepidv_async.cli._terminal import Terminal
from deepidv_async.simulator import Fault, Simulator

PROGRAM = [sys.executable, "-W", "error", "-m", "deepidv_async"]
SMALL = (90, 41, 0)


@pytest.fixture
def small(monkeypatch):
    """A demo of seconds in a fraction of one; gives its simulator once it was made."""
    made = []

    def make(**options):
        made.append(Simulator(**{**options, "latency": 0.0, "jitter": 0.0}))
        return made[-1]

    monkeypatch.setattr(_demo, "run_demo", functools.partial(run_demo, sessions=SMALL))
    monkeypatch.setattr(_demo, "Simulator", make)
    return made


def test_the_whole_demo_on_a_terminal(screen):
    """As a new user starts it, without a key: thousands of sessions, 429s: 0, exit code 0."""
    began = time.monotonic()
    done = subprocess.run([*PROGRAM, "demo"], stdout=screen.slave, stderr=screen.slave, check=False)
    assert done.returncode == 0, screen.text
    assert time.monotonic() - began < 20
    screen.close()
    for generation in ("legacy", "v1"):
        assert re.search(rf"{generation} sessions +3,500 +3,500 +0 +0 *\n", screen.text)
    assert re.search(r"requests +97 +97 *\n", screen.text)
    assert "Nothing lost, nothing twice, 429s: 0" in screen.text
    assert int(re.search(r"held back +(\d+)", screen.text)[1]) > 10
    assert all(len(line) <= 80 for line in screen.text.splitlines())
    drawn = set(re.findall(r"([\d,]+) / 1,240", screen.text))
    assert len(drawn) > 5, "the progress does not move"
    assert "\x1b[1A" in screen.raw


def test_plain_lines_elsewhere(run, small):
    """In a pipe or a log each thing is said once, without control sequences.

    The last lines are commands and code to copy, and the code is Python.
    """
    result = run("demo", env={"COLUMNS": "200"})
    assert (result.exit_code, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    assert result.stdout.count("90 / 90") == 2
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    commands, marker, code = result.stdout.partition("  from deepidv_async import")
    assert "export DEEPIDV_API_KEY=" in commands
    source = textwrap.dedent(marker + code)
    assert compile(source, "demo", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_a_terminal_without_line_drawing(run, small):
    """Where the encoding is not UTF-8 it draws with ASCII."""
    result = run("demo", charset="ascii")
    assert result.exit_code == 0
    assert result.stdout.isascii()
    assert "\\" not in result.stdout


def test_a_session_that_the_client_loses(run, small, monkeypatch):
    """One record that does not arrive is seen, in red letters and in the exit code."""
    take = Stream.take

    def forget(stream, session_id, status):
        if stream.count or stream.expected != 90:
            take(stream, session_id, status)
        else:
            stream.count = 1

    monkeypatch.setattr(_demo.Stream, "take", forget)
    result = run("demo")
    assert result.exit_code == 1
    assert re.search(r"v1 sessions +131 +131 +1 +1 *\n", result.stdout)
    assert "Failed: the counts DISAGREE, 429s: 0" in result.stdout


def test_a_429_is_a_failure(run, monkeypatch):
    """All records may have come after a retry: a refused request fails the demo all the same."""

    def make(**options):
        simulator = Simulator(**{**options, "latency": 0.0, "jitter": 0.0})
        simulator.plan(Fault(429, headers={"Retry-After": "0"}))
        return simulator

    monkeypatch.setattr(_demo, "Simulator", make)
    monkeypatch.setattr(_demo, "run_demo", functools.partial(run_demo, sessions=SMALL))
    result = run("demo")
    assert result.exit_code == 1
    assert "Failed: the counts agree, 429s: 1" in result.stdout


def test_generations_that_differ(run, small, monkeypatch):
    """The same number of sessions is not enough: they have to be the same ones."""
    take = Stream.take
    seen = []

    def change(stream, session_id, status):
        seen.append(session_id)
        take(stream, session_id, "CHANGED" if len(seen) == 1 else status)

    monkeypatch.setattr(_demo.Stream, "take", change)
    result = run("demo")
    assert result.exit_code == 1
    assert "Both generations gave DIFFERENT sessions and statuses." in result.stdout


def test_a_request_that_one_side_does_not_know_of():
    """As many requests have arrived as were sent, or the counts disagree."""
    empty = [Reading("legacy"), Reading("v1")]
    simulator = Simulator(workflows=0)
    assert _demo._report(Terminal(), empty, Meter(requests=0), simulator) == 0
    assert _demo._report(Terminal(), empty, Meter(requests=1), simulator) == 1


def test_both_generations_share_a_limiter(run, small, monkeypatch):
    """One key has one limit at the server, so two clients on it keep one."""
    clients = []

    def make(*arguments, **options):
        clients.append(AsyncDeepIDV(*arguments, **options))
        return clients[-1]

    monkeypatch.setattr(_demo, "AsyncDeepIDV", make)
    assert run("demo").exit_code == 0
    legacy, current = clients
    assert legacy.rate_limiter is current.rate_limiter is not None


def test_an_error_of_the_client(run, monkeypatch):
    """It ends as the other commands do: one line and a code, no group of exceptions."""

    def make(**options):
        simulator = Simulator(**options)
        simulator.plan(Fault(404, path="/workflow/*", times=None))
        return simulator

    monkeypatch.setattr(_demo, "Simulator", make)
    monkeypatch.setattr(_demo, "run_demo", functools.partial(run_demo, sessions=SMALL))
    result = run("demo")
    assert result.exit_code == 8
    assert result.stderr.startswith("Error: HTTP 404")
    assert result.stderr.count("\n") == 2


def test_the_meter():
    """Requests are counted when they end; a wait that nobody could feel is none."""
    meter = Meter()
    meter(AttemptStarted("list_workflows", 1))
    meter(AttemptFinished("list_workflows", 1, 429, "RateLimitError", 0.1))
    meter(AttemptFinished("list_workflows", 2, 200, None, 0.1))
    for waited in (0.000_05, 0.5, 0.25):
        meter(LimiterWaited("list_workflows", waited))
    assert meter == Meter(requests=2, refused=1, waits=2, waited=0.75, longest=0.5)


@pytest.mark.parametrize(
    ("change", "agreed"),
    [
        ({}, True),
        ({"read": 9}, False),
        ({"sent": 9}, False),
        ({"lost": 1}, False),
        ({"twice": 1}, False),
    ],
)
def test_agreement(change, agreed):
    """Any difference between client and journal is a disagreement."""
    assert attrs.evolve(Audit("v1", read=10, sent=10, lost=0, twice=0), **change).agreed == agreed


def test_the_audit_counts_what_is_missing_and_what_came_twice():
    """It compares with what the simulator has, not only with what it has sent."""
    simulator = Simulator(workflows=1, sessions=3)
    workflow_id = simulator.workflow_ids[0]
    stream = Stream(Workflow(id=workflow_id), 3)
    first, second, _ = simulator.session_ids(workflow_id)
    for session_id in (first, second, second):
        stream.take(session_id, None)
    told = audit(Reading("v1", [stream]), simulator)
    assert told == Audit("v1", read=3, sent=0, lost=1, twice=1)
    assert stream.tally() == [("-", 2)]


@pytest.mark.parametrize(
    ("arrivals", "most"),
    [([], 0), ([0.0], 1), ([0.0, 0.5, 0.99, 1.0, 1.2], 4), ([0.0, 5.0], 1)],
)
def test_the_busiest_second(arrivals, most):
    """The most arrivals in any second, wherever it begins."""
    assert busiest_second(arrivals) == most
