"""The API key: where it may come from, and that it is never seen."""

import subprocess
import sys

import pytest

from deepidv_async import ConfigurationError
from deepidv_async.cli._keys import read_key
from deepidv_async.simulator import Fault

KEY = "canary-key-4711"


@pytest.fixture
def no_key(api, monkeypatch):
    """A user who has set the host, but no key."""
    monkeypatch.delenv("DEEPIDV_API_KEY")
    return api


@pytest.fixture
def key_file(tmp_path):
    return tmp_path / "key"


@pytest.mark.parametrize("written", [KEY, f"{KEY}\n", f"  {KEY}\r\n", f"\ufeff{KEY}\n"])
def test_a_key_from_a_file(run, no_key, key_file, written):
    """Spaces, line breaks and a byte order mark around the key do not matter."""
    key_file.write_text(written)
    assert run("workflows", "--api-key-file", str(key_file)).exit_code == 0


def test_a_key_from_standard_input(run, no_key):
    """`-` reads the key from a pipe."""
    assert run("workflows", "--api-key-file", "-", input=f"{KEY}\n").exit_code == 0


def test_a_key_that_is_typed(screen, no_key):
    """On a terminal `-` asks for the key and does not echo it."""
    program = subprocess.Popen(
        [sys.executable, "-m", "deepidv_async", "workflows", "--api-key-file", "-"],
        stdin=screen.slave,
        stdout=screen.slave,
        stderr=screen.slave,
        start_new_session=True,  # or the key would be asked for on the terminal of the tests
    )
    screen.wait_for("API key: ")
    screen.type(f"{KEY}\n")
    assert program.wait() == 0
    screen.close()
    assert no_key.simulator.workflow_ids[0] in screen.text
    assert KEY not in screen.raw


def test_a_standard_input_that_is_closed(monkeypatch):
    """`<&-`: there is no key, which is told in one line like any other missing key."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ConfigurationError, match="no API key in standard input"):
        read_key("-")


def test_the_file_goes_before_the_environment(run, api, key_file):
    """A key that is asked for by an option is the one that is used."""
    key_file.write_text("another-key")
    assert run("workflows", "--api-key-file", str(key_file)).exit_code == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), ("", "no API key"), (" \n", "no API key"), ("two words", "malformed")],
)
def test_a_file_without_a_key(run, no_key, key_file, content, said):
    """A missing, empty or wrong file is told, with 2, and none of its content is shown."""
    if content is not None:
        key_file.write_text(content)
    result = run("workflows", "--api-key-file", str(key_file))
    assert result.exit_code == 2
    assert said in result.stderr
    assert "two words" not in result.stderr


def test_no_key_at_all(run, no_key):
    """The message names both ways to give a key, and the command that needs none."""
    result = run("workflows")
    assert result.exit_code == 2
    for way in ("DEEPIDV_API_KEY", "--api-key-file", "deepidv-async demo"):
        assert way in result.stderr


@pytest.mark.parametrize("arguments", [["--api-key", KEY], [f"--api-key={KEY}"]])
def test_a_key_as_an_argument_is_refused(run, no_key, arguments):
    """There is no such option; the refusal does not repeat the key and names the right one."""
    result = run("workflows", *arguments)
    assert result.exit_code == 2
    assert "--api-key-file" in result.stderr
    assert KEY not in result.stderr


@pytest.mark.parametrize(
    "fault",
    [
        Fault(401, body={"message": f"bad key {KEY}"}),
        Fault(200, body=f"echo {KEY}"),
        Fault(500, body=KEY, headers={"Retry-After": "3600"}),
        Fault(302, headers={"Location": f"http://elsewhere.example/?key={KEY}"}),
    ],
    ids=["401", "200", "500", "302"],
)
def test_the_key_is_never_shown(run, api, fault):
    """A server that echoes the key, with every event told: it is in neither stream."""
    api.simulator.plan(fault)
    result = run("workflows", "--verbose")
    assert result.exit_code != 0
    assert KEY not in result.stdout + result.stderr


def test_verbose_tells_the_events(run, api, workflow_id):
    """`--verbose` tells attempts, waits and drift on stderr, and no id of a record."""
    quiet, told = run("sessions", workflow_id), run("sessions", workflow_id, "--verbose")
    assert quiet.stderr == ""
    assert told.stdout == quiet.stdout
    assert "AttemptFinished operation=list_workflow_sessions attempt=1 status=200" in told.stderr
    assert "CallFinished operation=list_workflow_sessions outcome=ok attempts=1" in told.stderr
    assert KEY not in told.stderr
    assert workflow_id not in told.stderr


def test_verbose_tells_what_is_not_documented(run, api):
    """Fields that the client does not know are told by name, made safe to print."""
    body = {"workflows": [{"id": "wf_1", "risk\x1b[2J": 5}]}
    api.simulator.plan(Fault(200, body=body))
    result = run("workflows", "-v")
    assert r"unknown_field:risk\x1b[2J:1" in result.stderr or "unknown_field:risk" in result.stderr
    assert "\x1b" not in result.stderr
