"""`deepidv-async sim`: the simulator from the command line."""

import signal
import socket
import subprocess
import sys

import attrs
import pytest

from deepidv_async.cli import _app, _sim
from deepidv_async.simulator import Simulator

PROGRAM = [sys.executable, "-W", "error", "-m", "deepidv_async"]


@pytest.fixture
def made(monkeypatch):
    """What the command would serve: nothing is served, and the simulator is kept."""
    simulators = []

    def serve(simulator, host, port, *, on_ready):
        simulators.append(simulator)
        on_ready(f"http://{host}:{port}")

    monkeypatch.setattr(_sim, "serve", serve)
    return simulators


def test_it_serves_until_it_is_interrupted(run, monkeypatch):
    """What it prints points another process's client at it; Ctrl-C is its normal end."""
    with subprocess.Popen(
        [*PROGRAM, "sim", "--port", "0", "--workflows", "3", "--sessions", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        for _ in range(2):
            export, _, setting = program.stdout.readline().rstrip("\n").partition(" ")
            assert export == "export"
            monkeypatch.setenv(*setting.split("=", 1))
        assert len(run("workflows").stdout.splitlines()) == 3
        program.send_signal(signal.SIGINT)
        assert program.stdout.read() == ""
        assert "3 workflows, 12 sessions" in program.stderr.read()
    assert program.returncode == 0


def test_print_url(run, made):
    """For scripts there is the URL alone, and `--quiet` for silence on stderr."""
    result = run("sim", "--port", "4711", "--print-url", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "http://127.0.0.1:4711\n", "")


def test_defaults_are_those_of_the_simulator(run, made):
    """Without options it is the simulator that tests get."""
    run("sim")
    ours, plain = (attrs.asdict(each, filter=_is_option) for each in (made[0], Simulator()))
    assert ours == plain


def _is_option(field, _):
    return field.init and field.name != "clock"


def test_options_reach_the_simulator(run, made):
    """Each option sets what it is named after; 0 lifts a limit."""
    arguments = {
        "workflows": 2,
        "sessions": 3,
        "rate": 0,
        "burst": 7,
        "per-day": 0,
        "latency": 0.5,
        "jitter": 0.25,
        "seed": 9,
        "legacy-body": "sessions",
        "serves": "v1",
    }
    assert {name.replace("-", "_") for name in arguments} == {name for name, *_ in _sim._OPTIONS}
    run("sim", *(word for name, value in arguments.items() for word in (f"--{name}", str(value))))
    expected = {name.replace("-", "_"): value or None for name, value in arguments.items()}
    assert {name: getattr(made[0], name) for name in expected} == expected


def test_a_port_that_is_taken(run):
    """The reason and the way out, in one line."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("sim", "--port", str(port))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Address already in use" in result.stderr
    assert "--port" in result.stderr


def test_a_failure_without_a_reason(run, monkeypatch):
    """An error that has a text only is told by it."""

    def fail(*_, **__):
        raise OSError("no sockets today")

    monkeypatch.setattr(_sim, "serve", fail)
    assert "no sockets today" in run("sim").stderr


def test_commands_stand_alone():
    """Every command can be interrupted, be quiet and be colourless."""
    for name in _app.COMMANDS:
        command = _app.cli.get_command(None, name)
        assert {"quiet", "no_color"} <= {parameter.name for parameter in command.params}
