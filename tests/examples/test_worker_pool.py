"""The worker pool of docs/examples, started as a process and stopped in every way."""

import json
import signal
from pathlib import Path

import pytest

from deepidv_async.simulator import Fault
from deepidv_async.testing import assert_within_rate_limit

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "worker_pool.py"


@pytest.fixture
def pool(start, tmp_path):
    """Give a function that starts the pool on its two files."""
    return lambda **environment: start(str(EXAMPLE), "jobs.txt", "results.jsonl", **environment)


@pytest.fixture
def jobs(api, tmp_path):
    """Sixty workflows to count."""
    api.simulator.workflows = 60
    api.simulator.reset()
    (tmp_path / "jobs.txt").write_text("\n".join(api.simulator.workflow_ids))
    return api.simulator.workflow_ids


@pytest.fixture
def results(tmp_path):
    """Give a function that reads the results, which are whole lines, each job once."""

    def read():
        lines = (tmp_path / "results.jsonl").read_text().splitlines()
        found = {line["workflow"]: line for line in map(json.loads, lines)}
        assert len(found) == len(lines)
        return found

    return read


def test_all_jobs(pool, jobs, results, api):
    """Every job is done once, at the published rate, with one client's connections."""
    program = pool()
    assert program.ended() == 0, program.said
    assert sorted(results()) == sorted(jobs)
    assert {sum(each["sessions"].values()) for each in results().values()} == {40}
    assert "done, 0 jobs left" in program.said
    assert_within_rate_limit(api.simulator.journal)
    assert pool().ended() == 0  # nothing is left, so nothing is asked
    assert len(api.simulator.journal) == len(jobs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle(pool, jobs, results, api, until, number):
    """Jobs under way are ended, no other is begun, nothing is left open; the next run goes on."""
    api.simulator.latency = 0.3
    program = pool()
    until(lambda: len(api.simulator.journal) >= 10)
    program.interrupt(number)
    assert program.ended() == 0, program.said
    begun = len(api.simulator.journal)
    assert "stopped, " in program.said
    assert 10 <= begun == len(results()) < len(jobs)
    api.simulator.latency = 0
    assert pool().ended() == 0
    assert sorted(results()) == sorted(jobs)
    assert len(api.simulator.journal) == len(jobs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_stopped_at_once(pool, jobs, results, api, until, number):
    """A second signal cuts jobs off, and SIGKILL everything: they are done by the next run."""
    api.simulator.plan(Fault(delay=30, every=2, times=None))
    program = pool()
    until(lambda: len(api.simulator.journal) >= 20)
    program.interrupt(number)
    if number == signal.SIGTERM:
        until(lambda: len(results()) >= 10)
        program.interrupt(number)
        assert program.ended() == 0, program.said
        assert "were cut off" in program.said
    else:
        assert program.ended() == -number
    assert len(results()) < len(jobs)
    api.simulator.clear_faults()
    assert pool().ended() == 0
    assert sorted(results()) == sorted(jobs)


def test_jobs_that_fail(pool, jobs, results, api, tmp_path):
    """A job that cannot succeed is told once; one that the API was too busy for is left."""
    (tmp_path / "jobs.txt").write_text(f"no-such-workflow\n{jobs[0]}\n{jobs[1]}\n")
    busy = Fault(503, path=f"/workflow/{jobs[0]}", headers={"Retry-After": "100"})
    api.simulator.plan(busy)
    program = pool()
    assert program.ended() == 1
    assert results()["no-such-workflow"]["error"] == "NotFoundError"
    assert set(results()) == {"no-such-workflow", jobs[1]}
    assert "done, 1 jobs left" in program.said
    assert pool().ended() == 0
    assert set(results()) == {"no-such-workflow", *jobs[:2]}


def test_a_limit_that_others_use_up(pool, jobs, results, api, tmp_path):
    """A 429 holds all workers back, since they share the limiter; no job is lost by it."""
    api.simulator.plan(Fault(429, headers={"Retry-After": "1"}))
    program = pool()
    assert program.ended() == 0, program.said
    assert sorted(results()) == sorted(jobs)
    assert api.simulator.journal.refused == 1


@pytest.mark.parametrize("key", ["canary-0123456789-key", ""])
def test_a_key_that_is_not_accepted(pool, jobs, api, key):
    """The pool stops instead of asking for every job in vain, and says what to do."""
    program = pool(DEEPIDV_API_KEY=key)
    assert program.ended() == 1
    assert "DEEPIDV_API_KEY" in program.said
    assert len(api.simulator.journal) <= 16
    assert "cut off" not in program.said
    assert not key or key not in program.said
