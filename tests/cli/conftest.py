"""A simulator on a real socket, the program as click's runner calls it, and a screen to look at."""

import contextlib
import fcntl
import inspect
import os
import pty
import re
import struct
import sys
import termios
import threading

import click
import pytest
import redis
from click.testing import CliRunner

from deepidv_async.cli import main
from deepidv_async.simulator import running_simulator
from redis_server import running_redis

KEY = "canary-key-4711"
COLOURS = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM", "COLUMNS")


class Program(click.Command):
    """The entry point in the shape that click's runner wants."""

    def main(self, args=(), **_):
        sys.exit(main(list(args)))


@pytest.fixture(scope="session")
def served():
    """One server for all tests; `api` gives it to each of them as new."""
    with running_simulator(api_key=KEY, workflows=2, sessions=120, rate=None, per_day=None) as api:
        yield api


@pytest.fixture
def api(served, monkeypatch):
    """The simulator, without limits, and the settings of a user who is connected to it."""
    served.simulator.reset()
    for name, value in {"page_plan": (), "legacy_body": "documented", "latency": 0.0}.items():
        setattr(served.simulator, name, value)
    monkeypatch.setenv("DEEPIDV_BASE_URL", served.base_url)
    monkeypatch.setenv("DEEPIDV_API_KEY", KEY)
    return served


@pytest.fixture(scope="session")
def server():
    """A Redis server for all tests."""
    with running_redis() as running:
        yield running


@pytest.fixture
def shared(server, monkeypatch):
    """The server, empty, and the setting of a user who shares a limit through it."""
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    monkeypatch.setenv("DEEPIDV_REDIS_URL", server.url)
    return server


@pytest.fixture
def workflow_id(api):
    return api.simulator.workflow_ids[0]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Colours, widths and buffers are what a user has, not what the tests are started with."""
    for name in COLOURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    # Unbuffered streams have nothing left to flush at the end, and would hide what goes wrong.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def run():
    """Call the program in this process; the result has `exit_code`, `stdout` and `stderr`."""
    parameters = inspect.signature(CliRunner).parameters

    def run(*arguments, charset="utf-8", **options):
        # Click 8.1 mixes the two streams unless it is told not to; 8.2 cannot be told.
        separate = {"mix_stderr": False} if "mix_stderr" in parameters else {}
        runner = CliRunner(charset=charset, **separate)
        program = Program("deepidv-async")
        return runner.invoke(program, list(arguments), catch_exceptions=False, **options)

    return run


class Screen:
    """A terminal that remembers what was written to it.

    Attributes:
        slave: the end that a program takes for its terminal.
        raw: all that was written, control sequences included.
    """

    def __init__(self, columns: int = 80) -> None:
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self._pieces: list[bytes] = []
        self._seen = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # the last program has closed its end
                return
            with self._seen:
                self._pieces.append(piece)
                self._seen.notify_all()

    @property
    def raw(self) -> str:
        return b"".join(self._pieces).decode()

    @property
    def text(self) -> str:
        """What was written, without the sequences that colour it or move the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw).replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        with self._seen:
            assert self._seen.wait_for(lambda: text in self.text, timeout=10), self.text

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def close(self) -> None:
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1
            self._reader.join()
            os.close(self._master)


@pytest.fixture
def screen():
    """A terminal, 80 columns wide."""
    screen = Screen()
    yield screen
    screen.close()


@pytest.fixture
def on_screen(screen, monkeypatch):
    """Call the program in this process on a terminal; gives the exit code and the screen.

    Standard output may be another stream than the terminal.
    """

    def on_screen(*arguments, out=None):
        with contextlib.ExitStack() as stack:
            patch = stack.enter_context(monkeypatch.context())
            for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
                end = os.fdopen(os.dup(screen.slave), mode, encoding="utf-8")
                patch.setattr(sys, name, stack.enter_context(end))
            if out is not None:
                patch.setattr(sys, "stdout", out)
            code = main(list(arguments))
        screen.close()
        return code, screen

    return on_screen
