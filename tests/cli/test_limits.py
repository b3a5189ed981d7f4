"""`limits`: the live state of a shared limit, for people and for programs."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime

import attrs
import pytest
import redis

from deepidv_async import RateLimit
from deepidv_async.cli import _doctor_redis
from deepidv_async.cli._limits import Look
from deepidv_async.limits._shared import key_of
from deepidv_async.limits.redis import RedisTokenBucket, SharedLimit, SharedProcess, limit_name

KEY = "canary-key-4711"
NAME = limit_name(KEY)
PROGRAM = [sys.executable, "-m", "deepidv_async"]
STATE = SharedLimit(
    published=25,
    per_second=21.25,
    burst=35,
    tokens=4.5,
    open=2,
    paused_for=0,
    refused=1,
    quota=10_000,
    quota_used=1_234,
    quota_refused_for=0,
    processes=(
        SharedProcess("17-a", open=2, waiting_for=None, expires_in=1.5),
        SharedProcess("18-b", open=0, waiting_for=0.25, expires_in=1.5),
        SharedProcess("19-c\x1b[2J", open=0, waiting_for=None, expires_in=-1),
    ),
    since=datetime(2026, 5, 6, tzinfo=UTC),
)


def _use(server, **options):
    """Use the limit in a process of its own name, and leave a request under way."""

    async def use():
        connection = redis.asyncio.Redis.from_url(server.url)
        bucket = RedisTokenBucket(connection, RateLimit(**options), name=NAME)
        permit = await bucket.acquire()
        permit.written()
        await bucket.aclose()
        await connection.aclose()

    asyncio.run(use())


@pytest.fixture
def used(api, shared):
    _use(shared)
    return shared


@pytest.fixture
def seen(used, monkeypatch):
    """A server where the limit stands as `STATE` says."""
    states = [STATE]

    async def read(_, __):
        return states[0]

    monkeypatch.setattr("deepidv_async.cli._limits.read_shared_limit", read)
    return states


def test_for_programs(run, used):
    """One object: everything that is known, with the name and the instant."""
    result = run("limits")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    names = [field.name for field in attrs.fields(SharedLimit)]
    assert list(told) == ["name", "at", "found", "quota_left", *names]
    assert (told["found"], told["quota_used"], told["quota_left"]) == (True, 1, 9999)
    (process,) = told["processes"]
    assert (process["open"], process["waiting_for"]) == (1, None)
    assert datetime.fromisoformat(told["since"]) <= datetime.fromisoformat(told["at"])


def test_for_people(on_screen, seen):
    """On a terminal: the figures, a line for each process, and nothing that moves the cursor."""
    code, screen = on_screen("limits")
    assert code == 0
    lines = [line.split(maxsplit=1) for line in screen.text.splitlines() if line.strip()]
    figures = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    assert figures["limit"] == NAME
    assert figures["rate"] == "21.25 of 25/s"
    assert figures["tokens"] == "4.5 of 35"
    assert figures["429s"] == "1"
    assert figures["used"] == "1,234 today, 8,766 left"
    assert figures["processes"] == "2"
    assert figures["17-a"].split() == ["2.0", "-", "now"]
    assert figures["18-b"].split() == ["0.0", "0.25", "s", "now"]
    assert figures[r"19-c\x1b[2J"].split() == ["0.0", "-", "gone"]


def test_a_pause_stands_out(on_screen, seen):
    """A pause after a 429 has a colour; a limit without processes has no table."""
    seen[0] = attrs.evolve(STATE, paused_for=1.25, processes=())
    _, screen = on_screen("limits")
    assert re.search(r"\x1b\[33m1\.2 s", screen.raw)
    assert "waiting" not in screen.text


def test_the_quota_that_is_left():
    """The API's own word goes before the count; without a quota nothing is left or spent."""
    at = datetime.now(UTC)
    lefts = [
        Look("n", at, state).quota_left
        for state in (
            STATE,
            attrs.evolve(STATE, quota_used=10_001),
            attrs.evolve(STATE, quota_refused_for=60),
            attrs.evolve(STATE, quota=None),
            None,
        )
    ]
    assert lefts == [8_766, 0, 0, None, None]
    assert Look("n", at, attrs.evolve(STATE, quota=None)).figures()["used"] == "1,234 today"


def test_no_such_limit(run, api, shared):
    """A limit that nobody uses is not found: 8, and no data."""
    result = run("limits", "--redis-name", "nobody's")
    assert (result.exit_code, result.stdout) == (8, "")
    assert "There is no limit nobody's on 127.0.0.1:" in result.stderr


def test_no_key_is_needed_for_a_name(run, used, monkeypatch):
    """`--redis-name` is enough; without either the command does not know what to look for."""
    monkeypatch.delenv("DEEPIDV_API_KEY")
    assert run("limits", "--redis-name", NAME).exit_code == 0
    assert run("limits").exit_code == 2


def test_a_server_that_cannot_be_reached(run, api, shared, monkeypatch):
    """Away or hanging: 7, with where it was looked for."""
    result = run("limits", "--redis", "redis://127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (7, "")
    assert "The Redis server, 127.0.0.1:1, cannot be reached" in result.stderr
    monkeypatch.setattr("deepidv_async.cli._limits.PATIENCE", 0.1)
    shared.freeze()
    try:
        result = run("limits")
    finally:
        shared.thaw()
    assert result.exit_code == 7
    assert result.stderr.endswith("does not answer.\n")


def test_a_key_of_something_else(run, api, shared):
    """What the server answers is told."""
    with redis.Redis.from_url(shared.url) as client:
        client.set(key_of(NAME), "a text")
    result = run("limits")
    assert result.exit_code == 1
    assert "answers: WRONGTYPE" in result.stderr


def test_books_that_nobody_can_read(run, api, shared):
    """A hash that is none of ours is a mistake of ours, and raised as what it is."""
    with redis.Redis.from_url(shared.url) as client:
        client.hset(key_of(NAME), "at", "1")
    with pytest.raises(KeyError):
        run("limits")


@pytest.mark.parametrize("output", ["json", "table"])
def test_a_watch_in_a_pipe(api, shared, output):
    """A line for each look; a limit that comes up is seen, and Ctrl-C ends it with 130."""
    with subprocess.Popen(
        [*PROGRAM, "limits", "--watch", "0.1", "-o", output],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        lines = [program.stdout.readline()]
        _use(shared)
        while not _found(lines[-1]):
            lines.append(program.stdout.readline())
        program.send_signal(signal.SIGINT)
        program.stdout.read()
        assert program.stderr.read() == ""
    assert program.returncode == 130
    assert not _found(lines[0])
    if output == "json":
        assert json.loads(lines[-1])["quota_used"] == 1
        assert json.loads(lines[0])["found"] is False
    else:
        assert "used 1 today, 9,999 left" in lines[-1]
        assert "nobody uses it" in lines[0]


def _found(line):
    return '"found": true' in line or "used 1" in line


def test_a_watch_on_a_terminal(on_screen, seen, monkeypatch):
    """It is drawn again in the same place; a server that goes away ends it with 7."""
    looks = []

    async def read(_, __):
        looks.append(1)
        if len(looks) > 3:
            raise redis.ConnectionError("gone")
        return STATE if len(looks) > 2 else None

    monkeypatch.setattr("deepidv_async.cli._limits.read_shared_limit", read)
    code, screen = on_screen("limits", "--watch", "0.3")
    assert code == 7
    assert "nobody uses it" in screen.text
    assert "1,234 today, 8,766 left" in screen.text
    assert "\x1b[1A" in screen.raw
    assert "cannot be reached: gone" in screen.text


def test_the_doctor(run, used):
    """One check more, between key and network; what it tried leaves nothing behind."""
    result = run("doctor", "-o", "json")
    assert result.exit_code == 0
    checks = json.loads(result.stdout)["checks"]
    assert [check["name"] for check in checks][:4] == ["settings", "key", "redis", "proxy"]
    detail = checks[2]["detail"]
    assert "runs the limit's script" in detail
    assert "The limit: 25 of 25 requests/s, 1 requests today, 1 process(es)." in detail
    (limiter,) = [check for check in checks if check["name"] == "limiter"]
    assert limiter["detail"].endswith("All processes that share the limit keep it together.")
    with redis.Redis.from_url(used.url) as client:
        assert client.keys() == [key_of(NAME).encode()]


def test_the_doctor_without_a_limit(run, api, shared, monkeypatch):
    """A limit that nobody uses is no trouble, and without a key the server is looked at, too."""
    assert "Nobody has used the limit for a while." in run("doctor").stdout
    monkeypatch.delenv("DEEPIDV_API_KEY")
    result = run("doctor", "-o", "json")
    check = json.loads(result.stdout)["checks"][2]
    assert (check["name"], check["state"]) == ("redis", "ok")
    assert check["detail"].endswith("there and back.")


def test_the_doctor_sees_a_pause(run, used):
    """A pause after a 429 is told."""
    with redis.Redis.from_url(used.url) as client:
        seconds, micros = client.time()
        client.hset(key_of(NAME), "pause", (seconds + 30) * 1_000_000 + micros)
    result = run("doctor", "--deadline", "0.1")
    assert re.search(r"paused for (29|30)\.\d s", result.stdout)


@pytest.fixture
def limited(used, monkeypatch):
    """A user of the server who may do only so much; gives a function that says what."""
    with redis.Redis.from_url(used.url) as client:

        def allow(*rules):
            client.acl_setuser("limited", enabled=True, nopass=True, reset=True, keys=["*"])
            client.execute_command("ACL", "SETUSER", "limited", *rules)
            return used.url.replace("://", "://limited:any@")

        yield allow
        client.acl_deluser("limited")


def test_the_doctor_of_a_user_who_may_do_little(run, limited):
    """Who may not ask for the version is told the rest; who may not run scripts, what to allow."""
    url = limited("+@all", "-info")
    result = run("doctor", "--redis", url)
    assert result.exit_code == 0
    assert "of an unknown version, runs the limit's script" in result.stdout
    url = limited("+@all", "-eval", "-evalsha")
    result = run("doctor", "-q", "-o", "json", "--redis", url)
    check = json.loads(result.stdout)["checks"][2]
    assert (result.exit_code, check["state"]) == (1, "fail")
    assert "does not run the limit's script" in check["detail"]
    assert "EVALSHA" in check["advice"]
    url = limited("-@all")
    result = run("doctor", "-q", "-o", "json", "--redis", url)
    assert result.exit_code == 4
    assert json.loads(result.stdout)["checks"][2]["advice"].startswith("Check --redis")


def test_the_doctor_does_not_hide_our_mistakes(run, used, monkeypatch):
    """An error of another kind is raised as what it is."""

    async def fail(*_):
        raise KeyError("at")

    monkeypatch.setattr(_doctor_redis, "read_shared_limit", fail)
    with pytest.raises(KeyError):
        run("doctor")


def test_a_server_that_is_far():
    """A round trip of more than 100 ms is a warning: at 250 ms the limit is not shared any more."""
    assert _doctor_redis.judge("x", 0.099, "").state == "ok"
    finding = _doctor_redis.judge("x", 0.101, " The limit.")
    assert finding.state == "warn"
    assert finding.detail == "x; 101.0 ms there and back. The limit."
    assert "250 ms" in finding.advice


def test_a_valkey_server():
    """Valkey tells Redis' version for the sake of old clients; its own is shown."""

    class Server:
        async def info(self, section):
            return {"redis_version": "7.2.4", "valkey_version": "9.0.1"}

    assert asyncio.run(_doctor_redis._version(Server())) == "Valkey 9.0.1"
