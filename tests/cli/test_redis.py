"""A limit that a command shares with other processes, and the password of its server."""

import json
import re
import subprocess
import sys
from urllib.parse import quote

import pytest
import redis

from deepidv_async.cli._redis import RedisServer
from deepidv_async.cli._terminal import Terminal
from deepidv_async.limits._shared import key_of
from deepidv_async.limits.redis import limit_name
from deepidv_async.simulator import Fault

KEY = "canary-key-4711"
NAME = limit_name(KEY)
PASSWORD = "canary/pass?word#1@"
V1 = ["--api-version", "v1"]


def _hash(server, name=NAME):
    """Give the books of a limit, as they stand on the server."""
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        return client.hgetall(key_of(name))


def _used(server, name=NAME):
    return int(_hash(server, name)["used"]) // 1_000_000


@pytest.fixture
def locked(shared, monkeypatch):
    """The server, which asks for a password; gives a URL with it."""
    with redis.Redis.from_url(shared.url) as client:
        client.config_set("requirepass", PASSWORD)
        client.auth(PASSWORD)
        monkeypatch.delenv("DEEPIDV_REDIS_URL")
        yield shared.url.replace("://", f"://:{quote(PASSWORD, safe='')}@")
        client.config_set("requirepass", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["workflows"],
        ["sessions", "--all", *V1],
        ["stats", *V1],
        ["export", "sessions.jsonl"],
        ["doctor"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_that_calls_shares(run, api, shared, monkeypatch, tmp_path, arguments):
    """All requests with the key are counted on the server, and nothing is held at the end."""
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 0
    sent = sum(entry.key == "right" for entry in api.simulator.journal)
    assert sent
    books = _hash(shared)
    assert int(books["used"]) // 1_000_000 == sent
    assert [text.split()[0] for field, text in books.items() if field.startswith("p:")] == ["0"]
    with redis.Redis.from_url(shared.url) as client:
        assert len(client.client_list()) == 1  # this one
        assert client.keys() == [key_of(NAME).encode()]
    assert KEY not in str(books)


def test_the_limit_is_that_of_the_options(run, api, shared):
    """`--rate`, `--per-day` and `--redis-name` reach the server."""
    options = ["--rate", "20", "--per-day", "0", "--redis-name", "ours"]
    assert run("workflows", *options).exit_code == 0
    books = _hash(shared, "ours")
    assert (books["published"], books["per_day"]) == ("20000000", "-1")
    assert not _hash(shared)


def test_a_key_from_a_file_names_the_limit(run, api, shared, monkeypatch):
    """The limit goes with the key that is used, wherever it comes from."""
    monkeypatch.setenv("DEEPIDV_API_KEY", "another-key")
    for command in ("workflows", "limits"):
        assert run(command, "--api-key-file", "-", input=KEY).exit_code == 0
    assert _used(shared) == 1


def test_an_empty_option_shares_nothing(run, api, shared):
    """`--redis ''` goes before the environment."""
    assert run("workflows", "--redis", "").exit_code == 0
    assert not _hash(shared)


def test_a_spent_quota_is_everybodys(run, api, shared):
    """What one run has used the next one has not, though neither has left a file."""
    assert run("workflows", "--per-day", "1").exit_code == 0
    result = run("workflows", "--per-day", "1")
    assert result.exit_code == 5
    assert len(api.simulator.journal) == 1


def test_an_export_takes_the_count_of_the_server(run, api, shared, monkeypatch, tmp_path):
    """A checkpoint of a spent day does not stop a run whose limit the server has counted."""
    monkeypatch.chdir(tmp_path)
    two = ["export", "x.jsonl", "--per-day", "2"]
    assert [run(*two, "--redis", "").exit_code for _ in range(2)] == [5, 5]
    assert len(api.simulator.journal) == 2
    assert run(*two).exit_code == 0
    assert (_used(shared), len(api.simulator.journal)) == (2, 4)


def test_an_export_remembers_the_count_of_the_server(run, api, shared, monkeypatch, tmp_path):
    """An export that goes on without the server knows what all had used by then."""
    monkeypatch.chdir(tmp_path)
    assert run("workflows").exit_code == 0
    api.simulator.plan(Fault("usual", times=2), Fault(402))
    assert run("export", "x.jsonl").exit_code == 6
    result = run("export", "x.jsonl", "--redis", "", "--per-day", "4")
    assert result.exit_code == 5
    assert len(api.simulator.journal) == 4


def test_a_server_that_is_away(run, api):
    """One line says so, the command does its work; with `--quiet` nothing is said."""
    away = ["--redis", "redis://127.0.0.1:1"]
    result = run("sessions", "--all", *V1, *away)
    assert result.exit_code == 0
    assert result.stderr == (
        "The shared limit's server, 127.0.0.1:1, cannot be reached (ConnectionError): going on "
        "alone, at 25% of the rate.\n"
    )
    assert len(result.stdout.splitlines()) == 240
    assert run("workflows", *away, "--quiet").stderr == ""


def test_a_server_that_hangs(run, api, shared):
    """One that takes the connection and says nothing is away as well."""
    shared.freeze()
    try:
        result = run("workflows")
    finally:
        shared.thaw()
    assert result.exit_code == 0
    assert "cannot be reached (TimeoutError)" in result.stderr


def test_a_server_that_comes_back(run, api, shared, monkeypatch):
    """The end of the trouble is told, too."""
    told = []

    def tell(terminal, text):
        told.append(text)
        client.config_set("requirepass", "")

    monkeypatch.setattr(Terminal, "note", tell)
    api.simulator.latency = 0.05
    with redis.Redis.from_url(shared.url) as client:
        client.config_set("requirepass", "secret")
        client.auth("secret")
        assert run("sessions", "--all", *V1, "--page-size", "20").exit_code == 0
    assert len(told) == 2
    assert "cannot be reached (AuthenticationError)" in told[0]
    assert re.fullmatch(r"The shared limit's server answers again, after 0\.\d s\.", told[1])


@pytest.mark.parametrize("command", ["workflows -v", "doctor", "limits"])
def test_a_password(run, api, locked, command):
    """With it the server is used, and it stands in no line."""
    run("workflows", "--redis", locked)
    result = run(*command.split(), "--redis", locked)
    assert result.exit_code == 0
    assert "canary/" not in result.stdout + result.stderr


@pytest.mark.parametrize("command", ["workflows -v", "doctor", "limits"])
def test_a_wrong_password(run, api, locked, command):
    """It is told that it is wrong, and not what it is."""
    wrong = locked.replace("word", "w0rd")
    result = run(*command.split(), "--redis", wrong)
    told = result.stdout + result.stderr
    assert result.exit_code == (0 if command.startswith("workflows") else 4)
    assert "Authentication" in told or "refuses user or password" in told
    assert "canary/" not in told
    assert "w0rd" not in told


@pytest.mark.parametrize(
    "url",
    [
        "redis://:canary/word@localhost",
        "redis://:canary#word@localhost",
        "redis://:canary?word@localhost",
        "redis://user:12/canary@localhost",
        "redis://[canary@localhost",
        "http://:canary@localhost",
        "redis://:canary@localhost:port",
        "redis://:canary@localhost?socket_timeout=soon",
        "redis://:canary@localhost?nonsense=canary",
        "redis://:canary@localhost?protocol=9",
        "rediss://:canary@localhost?ssl_cert_reqs=canary",
        "canary",
    ],
)
@pytest.mark.parametrize("command", ["workflows", "limits", "doctor"])
def test_a_url_that_is_none(run, api, command, url):
    """It is refused with 2 before anything is sent, in a message without any part of it."""
    result = run(command, "--redis", url)
    assert result.exit_code == 2
    assert "percent-encode" in result.stdout + result.stderr
    assert "canary" not in result.stdout + result.stderr
    assert len(api.simulator.journal) == 0


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://", "localhost:6379"),
        ("rediss://user:secret@host:1/2", "host:1"),
        ("redis://[::1]", "::1:6379"),
        ("unix://user:secret@/run/redis.sock", "/run/redis.sock"),
        ("redis://host?password=secret", "host:6379"),
    ],
)
def test_where_a_server_is(url, where):
    """It is named without user and password, and an error that repeats these hides them."""
    server = RedisServer.of(url)
    assert server.where == where
    assert "secret" not in repr(server)
    if "secret" in url:
        error = redis.ResponseError("unknown command, with args beginning with: 'secret'")
        said, _ = server.failure(error)
        assert said.endswith("with: '[password]'")


def test_a_mistake_of_ours_is_none_of_the_server():
    """An error of another kind is raised as what it is."""
    assert RedisServer.of("redis://").failure(KeyError("at")) is None


def test_a_traceback_has_no_password(locked):
    """Nor is it in the traceback of an error that nobody takes."""
    code = (
        "import asyncio, os\n"
        "from deepidv_async.cli._redis import RedisServer\n"
        "async def main():\n"
        "    async with RedisServer.of(os.environ['URL']).connected() as redis:\n"
        "        await redis.delete('x')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"URL": locked.replace("word", "w0rd")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "AuthenticationError" in done.stderr
    assert "w0rd" not in done.stderr


def test_a_limit_in_json(run, api, shared):
    """What `limits` tells of a run is what the run has done."""
    assert run("sessions", "--all", *V1).exit_code == 0
    told = json.loads(run("limits").stdout)
    assert told["quota_used"] == len(api.simulator.journal) == 3
    assert (told["name"], told["quota_left"]) == (NAME, 9997)
