"""Start-up: what is not needed is not loaded, so that help, completion and slips are instant."""

import json
import os
import subprocess
import sys

import pytest

from deepidv_async.cli import _app

LOADED = """
import contextlib, io, sys
from deepidv_async.cli import main
streams = [io.TextIOWrapper(io.BytesIO()) for _ in range(2)]
with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
    try:
        code = main(sys.argv[1:])
    except SystemExit as ended:  # completion ends like that
        code = ended.code
loaded = sorted(sys.modules)
import json
print(json.dumps([code, loaded]))
"""
HEAVY = {"rich", "httpx", "httpcore", "cattrs", "attr", "anyio", "asyncio", "ssl", "starlette"}


def _loaded(*arguments, **environment):
    """Give the exit code, and which libraries a new process had loaded at the end."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOADED, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(done.stdout)
    return code, set(modules)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("--version", 0),
        ("--help", 0),
        ("", 2),
        ("nonsense", 2),
        ("sessions", 2),
        ("export", 2),
        ("sessions --nonsense", 2),
        *((f"{name} --help", 0) for name in _app.COMMANDS if name != "sim"),
    ],
)
def test_help_loads_click_alone(command, code):
    """Neither the client nor rich: they take longer than all the rest."""
    ended, loaded = _loaded(*command.split())
    assert (ended, HEAVY & loaded) == (code, set())


@pytest.mark.parametrize("words", ["deepidv-async ", "deepidv-async export --", "deepidv-async s"])
def test_completion_loads_click_alone(words):
    """Completion runs the program for each press of a key."""
    settings = {
        "_DEEPIDV_ASYNC_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    ended, loaded = _loaded(**settings)
    assert (ended, HEAVY & loaded) == (0, set())


def test_nothing_is_drawn_for_a_program(api):
    """Records in a pipe take no table and no console; httpx has a command line that loads rich."""
    drawing = {"deepidv_async.cli._console", "deepidv_async.cli._tables"}
    for arguments, drawn in ((["workflows"], False), (["workflows", "-o", "table"], True)):
        code, loaded = _loaded(*arguments)
        assert (code, drawing & loaded) == (0, drawing if drawn else set())


def test_the_commands_are_known_by_name():
    """What click may ask a group: its commands in order, and nothing for another name."""
    assert _app.cli.list_commands(None) == list(_app.COMMANDS)
    assert _app.cli.get_command(None, "nonsense") is None


def test_completion(run, monkeypatch):
    """Commands, options and statuses are offered, each with its help where the shell shows it."""
    monkeypatch.setenv("_DEEPIDV_ASYNC_COMPLETE", "zsh_complete")
    for words, offered in (
        ("deepidv-async s", ["sessions", "stats", "sim"]),
        ("deepidv-async --v", ["--version"]),
        ("deepidv-async sessions --st", ["--status"]),
        ("deepidv-async export x --status ver", ["VERIFIED"]),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        lines = run().stdout.splitlines()
        assert lines[1::3] == offered
