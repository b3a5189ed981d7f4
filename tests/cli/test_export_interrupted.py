"""However a run of the export ends, the next ones end with the bytes of an undisturbed one."""

import functools
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from deepidv_async import AsyncDeepIDV, RetryPolicy
from deepidv_async.cli import _connection
from deepidv_async.cli._checkpoint import Checkpoint
from deepidv_async.cli._export_run import Export
from deepidv_async.simulator import Fault, running_simulator

PROGRAM = [sys.executable, "-W", "error", "-m", "deepidv_async"]
V1 = ["--api-version", "v1"]
SIZES = (300, 0, 170, 1, 230)
# So small that a run is long enough to be ended at many places.
PAGES = [*V1, "--page-size", "20", "--rate", "1000"]


@pytest.fixture(scope="module")
def many():
    """An organization with workflows of many pages, of one and of none."""
    with running_simulator(workflows=5, sessions=SIZES, rate=None, per_day=None) as served:
        yield served


@pytest.fixture
def connected(many, monkeypatch, tmp_path):
    """The settings of a user of it, in a folder of their own."""
    many.simulator.reset()
    many.simulator.latency = 0.0
    monkeypatch.setenv("DEEPIDV_BASE_URL", many.base_url)
    monkeypatch.setenv("DEEPIDV_API_KEY", many.api_key)
    monkeypatch.chdir(tmp_path)
    return many


@pytest.fixture(scope="module")
def undisturbed(many, tmp_path_factory):
    """The bytes of an export that nothing happened to."""
    path = tmp_path_factory.mktemp("whole") / "whole"
    settings = {"DEEPIDV_BASE_URL": many.base_url, "DEEPIDV_API_KEY": many.api_key}
    program = [*PROGRAM, "export", str(path), *PAGES, "--quiet"]
    subprocess.run(program, env={**os.environ, **settings}, check=True)
    return path.read_bytes()


@pytest.fixture
def impatient(monkeypatch):
    """Let a failure that would be repeated come through at once."""
    client = functools.partial(AsyncDeepIDV, retry=RetryPolicy(max_retries=0))
    monkeypatch.setattr(_connection, "AsyncDeepIDV", client)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.jsonl"


def _lines(path):
    """Tell how many pages the checkpoint promises."""
    journal = path.with_name("x.jsonl.checkpoint")
    return journal.read_bytes().count(b'"digests"') if journal.exists() else 0


def _start(path):
    return subprocess.Popen(
        [*PROGRAM, "export", path.name, *PAGES], stderr=subprocess.PIPE, cwd=path.parent, text=True
    )


def _end_behind(program, path, pages, how):
    """Send a signal when so many pages have come; give exit code and what was told."""
    until = time.monotonic() + 20
    while _lines(path) < pages:
        assert program.poll() is None, program.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.001)
    program.send_signal(how)
    _, told = program.communicate(timeout=20)
    return program.returncode, told


def test_killed_three_times(run, connected, undisturbed, path):
    """`kill -9` at any three places: the same bytes, each session once, little asked for again."""
    connected.simulator.latency = 0.01
    places = sorted(random.Random(time.time_ns()).sample(range(2, 34), 3))
    for place in places:
        code, told = _end_behind(_start(path), path, place, signal.SIGKILL)
        assert code == -signal.SIGKILL, f"killed behind {places}"
        assert told.count("Going on with x.jsonl") == (place != places[0])
        assert not path.exists()
    assert run("export", path.name, *PAGES).exit_code == 0
    assert path.read_bytes() == undisturbed, f"killed behind {places}"
    found = [json.loads(line)["id"] for line in path.read_bytes().splitlines()]
    simulator = connected.simulator
    owned = [each for name in simulator.workflow_ids for each in simulator.session_ids(name)]
    assert found == owned
    assert sorted(each.name for each in path.parent.iterdir()) == ["x.jsonl"]
    pages = sum(max(1, -(-size // 20)) for size in SIZES)
    # Each run asks for the list of workflows, and a killed one for up to 5 pages in vain.
    assert len(simulator.journal) <= pages + 4 + 3 * 6


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_asked_to_end(run, connected, undisturbed, path, how, code):
    """Ctrl-C and SIGTERM end it at once, with one line about what to do next and no traceback."""
    connected.simulator.latency = 0.01
    ended, told = _end_behind(_start(path), path, 8, how)
    assert ended == code
    assert told.endswith("x.jsonl.part; run the same command again to go on.\n")
    assert told.count("\n") == 1
    assert run("export", path.name, *PAGES).exit_code == 0
    assert path.read_bytes() == undisturbed


def test_asked_to_end_before_it_has_begun(run, connected, path, monkeypatch):
    """Nothing has come, so nothing is told, and nothing is left."""
    connected.simulator.plan(Fault(delay=30))
    program = _start(path)
    while not len(connected.simulator.journal):
        time.sleep(0.01)
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=20)[1] == ""
    assert program.returncode == 130
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault(402), 6), (Fault(500), 1), (Fault(200, body="?"), 1)],
)
def test_a_failure_on_the_way(run, connected, undisturbed, path, impatient, *, fault, code):
    """An answer that ends the run: the pages before it stay, and what to do is told."""
    connected.simulator.plan(Fault(times=20), fault)
    result = run("export", path.name, *PAGES)
    assert result.exit_code == code
    assert "run the same command again to go on" in result.stderr
    assert _lines(path) > 10
    result = run("export", path.name, *PAGES)
    assert result.exit_code == 0
    assert result.stderr.startswith("Going on with x.jsonl: ")
    assert path.read_bytes() == undisturbed


def test_a_network_that_is_gone(run, connected, undisturbed, path, impatient):
    """Unreachable, for the pages and for the run after that: 7 both times, and nothing is lost."""
    slow = ["--timeout", "0.5"]
    connected.simulator.plan(Fault(times=20), Fault(delay=30, times=None))
    assert run("export", path.name, *PAGES, *slow).exit_code == 7
    pages = _lines(path)
    result = run("export", path.name, *PAGES, *slow)
    assert (result.exit_code, _lines(path)) == (7, pages)
    assert "run the same command again to go on" in result.stderr
    connected.simulator.clear_faults()
    assert run("export", path.name, *PAGES).exit_code == 0
    assert path.read_bytes() == undisturbed


def test_a_quota_that_is_spent(run, connected, undisturbed, path):
    """The count of the day goes on in the next run, which therefore ends as well, with 5."""
    result = run("export", path.name, *PAGES, "--per-day", "20")
    assert result.exit_code == 5
    assert "run the same command again to go on" in result.stderr
    assert run("export", path.name, *PAGES, "--per-day", "20").exit_code == 5
    assert len(connected.simulator.journal) <= 20
    assert run("export", path.name, *PAGES, "--per-day", "23").exit_code == 5
    assert len(connected.simulator.journal) <= 23
    assert run("export", path.name, *PAGES).exit_code == 0
    assert path.read_bytes() == undisturbed


def test_runs_that_come_to_nothing(run, connected, ended):
    """What they request counts for the day as well: one that is tried for ever spends no more."""
    connected.simulator.plan(Fault(401, times=None))
    spent = [run("export", ended.name, *PAGES, "--per-day", "25").exit_code for _ in range(15)]
    assert (spent[0], spent[-1]) == (4, 5)


def test_a_disk_that_is_full(run, connected, undisturbed, path, monkeypatch):
    """The page that found no room is fetched again when there is some."""
    write = Export._keep

    def fail(export, batch):
        if export._pages == 12:
            raise OSError(28, "No space left on device")
        write(export, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Export, "_keep", fail)
        result = run("export", path.name, *PAGES)
    assert result.exit_code == 1
    assert "Error: No space left on device\n240 sessions are kept in " in result.stderr
    assert run("export", path.name, *PAGES).exit_code == 0
    assert path.read_bytes() == undisturbed


def test_a_mistake_of_ours(run, connected, path, monkeypatch):
    """A bug shows its traceback, also on the way."""

    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(Export, "_keep", fail)
    with pytest.raises(ZeroDivisionError):
        run("export", path.name, *PAGES)


@pytest.fixture
def ended(run, connected, undisturbed, path, impatient):
    """An export that has ended amid its first workflow."""
    connected.simulator.plan(Fault(times=12), Fault(401))
    assert run("export", path.name, *PAGES).exit_code == 4
    connected.simulator.clear_faults()
    connected.simulator.journal.clear()
    return path


def test_a_cursor_that_is_too_old(run, connected, undisturbed, ended):
    """A cursor that the server takes no more: its workflow is read again, from its beginning."""
    journal = ended.with_name("x.jsonl.checkpoint")
    *before, last = journal.read_text().splitlines()
    if "digests" not in last:  # the line that tells of the run's end
        last = before.pop()
    line = json.loads(last) | {"next_token": "c3RhbGU="}
    journal.write_text("\n".join([*before, json.dumps(line), ""]))
    result = run("export", ended.name, *PAGES)
    assert result.exit_code == 0
    assert "The server takes the old cursor no more" in result.stderr
    assert ended.read_bytes() == undisturbed


def test_a_request_that_is_wrong(run, connected, ended):
    """A 400 that is not about the old cursor is an error."""
    connected.simulator.plan(Fault(times=3), Fault(400))
    assert run("export", ended.name, *PAGES).exit_code == 1
    connected.simulator.plan(Fault(), Fault(400, times=None))
    assert run("export", ended.name, *PAGES).exit_code == 1


def test_another_page_size(run, connected, undisturbed, ended):
    """How many come at once makes no difference to the file, so it may change."""
    assert run("export", ended.name, *V1).exit_code == 0
    assert ended.read_bytes() == undisturbed


@pytest.mark.parametrize(
    "other",
    [
        ["--api-version", "legacy"],
        ["-o", "csv"],
        ["--status", "PENDING"],
        ["--since", "2026-01-01T00:00:00Z"],
        ["--until", "2036-01-01T00:00:00Z"],
    ],
    ids=" ".join,
)
def test_other_options(run, connected, ended, other):
    """What was left by another export is refused before any request, and stays."""
    before = _lines(ended)
    result = run("export", ended.name, *V1, *other)
    assert (result.exit_code, len(connected.simulator.journal)) == (2, 0)
    assert "--restart" in result.stderr
    assert "run the same command again" not in result.stderr
    assert _lines(ended) == before


def test_another_host(run, connected, ended):
    """The same organization on another host is another one."""
    with running_simulator(api_key=connected.api_key) as other:
        result = run("export", ended.name, *PAGES, "--base-url", other.base_url)
        assert (result.exit_code, len(other.simulator.journal)) == (2, 0)
    assert "(base_url)" in result.stderr


def test_a_key_of_another_organization(run, connected, ended, monkeypatch):
    """Records of two organizations never end up in one file."""
    connected.simulator.keys = {connected.api_key: "other-organization"}
    result = run("export", ended.name, *PAGES)
    connected.simulator.keys = {connected.api_key: "live"}
    assert (result.exit_code, len(connected.simulator.journal)) == (2, 1)
    assert "belongs to this key" in result.stderr
    assert "again to go on" not in result.stderr


def test_beginning_afresh(run, connected, undisturbed, ended):
    """`--restart` drops what is there; ended once more, it is not what should be typed again."""
    connected.simulator.plan(Fault(times=9), Fault(401))
    result = run("export", ended.name, *PAGES, "-o", "csv", "--restart")
    assert result.exit_code == 4
    assert "run the same command without --restart again" in result.stderr
    assert run("export", ended.name, *PAGES, "--restart").exit_code == 0
    assert ended.read_bytes() == undisturbed


def test_ended_between_the_last_two_steps(run, connected, undisturbed, path, monkeypatch):
    """Renamed, and the checkpoint still there: the next run asks for nothing and is done."""
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "remove", Checkpoint.close)
        assert run("export", path.name, *PAGES).exit_code == 0
    connected.simulator.journal.clear()
    result = run("export", path.name, *PAGES)
    assert (result.exit_code, len(connected.simulator.journal)) == (0, 0)
    assert result.stderr == "x.jsonl was complete already.\n"
    assert sorted(each.name for each in path.parent.iterdir()) == ["x.jsonl"]
    assert path.read_bytes() == undisturbed
