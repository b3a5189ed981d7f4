"""The file of failed calls: what a line holds, and that nothing about it can break a call."""

import asyncio
import json
import os
import resource
import stat
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import respx

import deepidv_async
from deepidv_async import (
    CallFinished,
    CallStarted,
    ConfigurationError,
    DeepIDVError,
    ServerError,
    TimeSpent,
)
from deepidv_async.observe import ErrorLog
from support import BASE, make_client, workflows_body

FAILURE = {"error": "ServerError", "message": "HTTP 503.", "status": 503}
FAILED = CallFinished("list_workflows", "ServerError", 4, 2.5, TimeSpent(), error=FAILURE)
GONE = "FileNotFoundError: No such file or directory"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "errors.jsonl"


@pytest.mark.asyncio
@pytest.mark.virtual_time
@respx.mock
async def test_a_line_for_each_failed_call(path):
    """One line switches it on; a line has who, what, when, and where the time went."""

    async def never(request):
        await asyncio.sleep(3600)

    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.Response(200, json=workflows_body()),
            httpx.Response(503),
            httpx.Response(401, headers={"x-request-id": "r2"}),
            never,
        ]
    )
    before = datetime.now(UTC)
    async with make_client(observers=[ErrorLog(path)]) as client:
        await client.list_workflows()
        with pytest.raises(DeepIDVError):
            await client.list_workflows()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.list_workflows(), 1)
    (line,) = lines(path)
    at = datetime.fromisoformat(line.pop("time"))
    assert at.utcoffset() == timedelta(0)
    assert before - timedelta(seconds=1) < at < datetime.now(UTC) + timedelta(seconds=1)
    assert len(line.pop("call")) == 16
    assert [attempt["status"] for attempt in line.pop("attempts")] == [503, 401]
    assert line.pop("message").startswith("HTTP 401. Check DEEPIDV_API_KEY")
    assert line == {
        "version": deepidv_async.__version__,
        "operation": "list_workflows",
        "api_version": "legacy",
        "error": "AuthenticationError",
        "status": 401,
        "code": None,
        "hints": [],
        "request_id": "r2",
        "body": "no content type, 0 bytes",
        "retry_after": None,
        "retry_at": None,
        "elapsed": 0.5,
        "spent": {"limited": 0.0, "queued": 0.0, "on_wire": 0.0, "backing_off": 0.5},
    }


def test_the_file_is_for_its_owner_only(path):
    """It is made at once with mode 0600, and so is each file that follows it."""
    mask = os.umask(0)
    try:
        log = ErrorLog(path, max_bytes=1_000, backups=2)
        assert path.read_bytes() == b""
        for _ in range(20):
            log(FAILED)
    finally:
        os.umask(mask)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["errors.jsonl", "errors.jsonl.1", "errors.jsonl.2"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_files_are_rotated_and_stay_small(path):
    """No file is larger than the bound, no line is torn or lost while there are backups."""
    log = ErrorLog(path, max_bytes=1_000, backups=99)
    for number in range(30):
        log(CallFinished("list_workflows", "E", number, 0.0, TimeSpent(), error={"n": number}))
    files = sorted(path.parent.iterdir(), key=lambda file: int(f"{file.suffix[1:]:0>1}", 36))
    assert len(files) > 5
    assert max(file.stat().st_size for file in files) <= 1_000
    found = [line["n"] for file in files for line in lines(file)]
    assert sorted(found) == list(range(30))
    assert log.lost == 0


def test_zero_bytes_mean_no_rotation(path):
    """Where something else rotates, the file only grows."""
    log = ErrorLog(path, max_bytes=0)
    for _ in range(20):
        log(FAILED)
    assert len(lines(path)) == 20
    assert len(list(path.parent.iterdir())) == 1


def test_what_is_no_failed_call_is_left_out(path):
    """Other events, successes and cancellations write nothing."""
    log = ErrorLog(path)
    log(CallStarted("list_workflows", "v1", "/v1/workflows", "normal"))
    log(CallFinished("list_workflows", "ok", 1, 0.1, TimeSpent()))
    log(CallFinished("list_workflows", "CancelledError", 1, 0.1, TimeSpent()))
    assert path.read_bytes() == b""
    assert repr(log) == f"ErrorLog({str(path)!r})"


def test_a_file_that_was_moved_away_is_made_again(path):
    """Another program may rotate or remove the file: the next line is not written into nowhere."""
    log = ErrorLog(path)
    log(FAILED)
    path.rename(path.with_suffix(".old"))
    log(FAILED)
    path.unlink()
    log(FAILED)
    assert len(lines(path)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_is_gone(tmp_path, caplog):
    """Lines are lost and counted, the log tells once; when the folder is back, so are the lines."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = ErrorLog(folder / "errors.jsonl")
    log(FAILED)
    folder.rename(tmp_path / "elsewhere")
    for _ in range(3):
        log(FAILED)
    assert log.lost == 3
    folder.mkdir()
    log(FAILED)
    log(FAILED)
    assert len(lines(folder / "errors.jsonl")) == 2
    assert caplog.messages == [
        f"the error log cannot be written ({GONE}): lines are lost",
        "the error log is written again; 3 lines were lost so far",
    ]


@pytest.mark.asyncio
@respx.mock
async def test_a_full_disk_breaks_no_call(path, caplog, capfd):
    """A disk that takes nothing costs lines: the caller gets its own error, stderr stays clean."""
    respx.get(f"{BASE}/workflow").respond(401)
    path.symlink_to("/dev/full")
    log = ErrorLog(path, max_bytes=10)
    async with make_client(observers=[log]) as client:
        with pytest.raises(deepidv_async.AuthenticationError):
            await client.list_workflows()
    assert log.lost == 1
    assert "No space left on device" in caplog.text
    assert capfd.readouterr().err == ""
    assert path.is_char_device()  # a device is not rotated


def test_a_disk_that_fills_up_within_a_line_leaves_no_half_line(path, caplog):
    """What was written of a line is taken back, so that the next one can be read."""
    log = ErrorLog(path)
    log(FAILED)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))
    try:
        log(FAILED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log(FAILED)
    assert len(lines(path)) == 2
    assert log.lost == 1


def test_a_folder_in_which_nothing_can_be_renamed(path, monkeypatch):
    """Where rotation fails the file grows; no line is lost for it."""

    def refuse(*names):
        raise PermissionError(13, "Permission denied")

    log = ErrorLog(path, max_bytes=500)
    log(FAILED)
    monkeypatch.setattr(os, "rename", refuse)
    for _ in range(5):
        log(FAILED)
    assert len(lines(path)) == 6
    assert log.lost == 0


def test_a_pipe_that_nobody_reads_does_not_block(tmp_path):
    """Opening a pipe waits for its reader; the event loop must not."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        ErrorLog(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = ErrorLog(pipe, max_bytes=10)
    log(FAILED)
    assert json.loads(os.read(reader, 100_000))["status"] == 503
    while log.lost == 0:
        log(FAILED)  # until the pipe is full
    os.close(reader)
    assert pipe.is_fifo()


def test_a_value_that_is_no_json_is_told_as_text(path):
    """An error of the user's own limiter may hold anything."""
    odd = {**FAILURE, "retry_after": timedelta(seconds=1), "hints": ["\u2028\n\x1b[31m"]}
    log = ErrorLog(path)
    log(CallFinished("list_workflows", "E", 1, 0.1, TimeSpent(), error=odd))
    text = path.read_text()
    assert text.isascii()
    assert text.count("\n") == 1
    assert json.loads(text)["retry_after"] == "0:00:01"
    circle = {}
    circle["itself"] = circle
    log(CallFinished("list_workflows", "E", 1, 0.1, TimeSpent(), error=circle))
    assert log.lost == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"path": "missing/errors.jsonl"}, "FileNotFoundError: No such file"),
        ({"path": "."}, "IsADirectoryError"),
        ({"max_bytes": -1}, "max_bytes must be"),
        ({"max_bytes": "1"}, "max_bytes must be"),
        ({"backups": 0}, "backups must be"),
        ({"backups": True}, "backups must be"),
    ],
    ids=range(6),
)
def test_a_mistake_shows_when_it_is_made(options, why, tmp_path, monkeypatch):
    """What can never be written to is refused at once, and not with the first failure."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=why):
        ErrorLog(**{"path": "errors.jsonl", **options})


def test_threads_share_a_log(path):
    """Clients in several threads may share a log: each line is whole, also while it rotates."""
    log = ErrorLog(path, max_bytes=2_000, backups=99)
    started = threading.Barrier(4)

    def fail():
        started.wait()
        for _ in range(50):
            log(FAILED)

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(lines(file)) for file in path.parent.iterdir()) == 200


@pytest.mark.asyncio
@pytest.mark.virtual_time
@respx.mock
async def test_an_observer_behind_it_is_still_told(path):
    """Whatever becomes of a line, other observers and the caller get what is theirs."""
    respx.get(f"{BASE}/workflow").respond(503)
    events = []
    log = ErrorLog(path)
    path.unlink()
    path.mkdir()
    async with make_client(observers=[log, events.append]) as client:
        with pytest.raises(ServerError):
            await client.list_workflows()
    assert isinstance(events[-1], CallFinished)
    assert log.lost == 1
