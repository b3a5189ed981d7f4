"""People look at a terminal, programs read a pipe: what each of them gets."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deepidv_async import AsyncDeepIDV
from deepidv_async.cli._terminal import silence
from deepidv_async.simulator import Fault

PROGRAM = [sys.executable, "-m", "deepidv_async"]
FULL = Path("/dev/full")


def test_a_terminal_gets_a_table(on_screen, api, workflow_id):
    """Without `--output`: columns, colours, and ids whole on 80 columns."""
    code, screen = on_screen("sessions", workflow_id, "--api-version", "v1", "--limit", "20")
    assert code == 0
    for name in api.simulator.session_ids(workflow_id)[:20]:
        assert f"\n{name}  " in screen.text
    assert "\x1b[32mVERIFIED" in screen.raw
    assert screen.text.endswith("\n20 sessions\n")
    assert all(len(line) <= 80 for line in screen.text.splitlines())


@pytest.mark.parametrize(
    ("arguments", "variables", "coloured"),
    [
        ([], {}, True),
        (["--no-color"], {}, False),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, True),
        ([], {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ([], {"TERM": "dumb"}, False),
    ],
)
def test_colours_on_a_terminal(on_screen, api, monkeypatch, *, arguments, variables, coloured):
    """`--no-color`, `NO_COLOR` and `TERM=dumb` each take the colours away."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    _, screen = on_screen("workflows", "--quiet", *arguments)
    assert ("\x1b[" in screen.raw) == coloured
    assert api.simulator.workflow_ids[0] in screen.text


@pytest.mark.parametrize(("variables", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_colours_in_a_pipe(run, api, variables, coloured):
    """A pipe has colours only where `FORCE_COLOR` asks for them."""
    result = run("workflows", "-o", "table", env=variables)
    assert ("\x1b[" in result.stdout) == coloured


def test_errors_are_red_on_a_terminal(on_screen, api):
    """The word that is looked for first stands out."""
    _, screen = on_screen("sessions", "nobody")
    assert "\x1b[31mError:\x1b[0m HTTP 404" in screen.raw


def test_a_long_message_is_not_broken(on_screen, api):
    """The terminal wraps it; a copy of it is one line."""
    _, screen = on_screen("sessions", "nobody", "--quiet")
    assert screen.text.count("\n") == 1


def test_a_counter_while_one_waits(on_screen, api, workflow_id):
    """With the data elsewhere, a person sees how far it is, and nothing is left of that."""
    api.simulator.latency = 0.1
    file = io.StringIO()
    arguments = ["sessions", workflow_id, "--api-version", "v1", "--page-size", "40"]
    code, screen = on_screen(*arguments, out=file)
    assert code == 0
    assert "80 sessions ..." in screen.text
    assert screen.raw.endswith("\x1b[2K")
    assert len(file.getvalue().splitlines()) == 120


@pytest.mark.parametrize("arguments", [["-o", "jsonl"], ["--quiet"]])
def test_no_counter_beside_data(on_screen, api, workflow_id, arguments):
    """Records and a moving line would mix on one screen; `--quiet` has no line at all."""
    api.simulator.latency = 0.1
    _, screen = on_screen("sessions", workflow_id, "--limit", "1", *arguments)
    assert "..." not in screen.text


def test_a_narrow_terminal(on_screen, screen, api, monkeypatch):
    """An id wider than the terminal is wrapped by it, not cut: it is there to be copied."""
    monkeypatch.setenv("COLUMNS", "30")
    _, screen = on_screen("workflows")
    assert api.simulator.workflow_ids[0] in screen.text


def _start(*arguments, **options):
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([*PROGRAM, *arguments], text=True, **options)


# Each prints in another way: records, a table of rich's, and what click prints without a command.
PRINTS = (
    ["workflows"],
    ["workflows", "-o", "table"],
    ["--help"],
    ["stats", "--help"],
    ["--version"],
)


@pytest.mark.parametrize("arguments", PRINTS, ids=" ".join)
def test_a_closed_pipe(api, arguments):
    """`| head`: the end is quiet, with the code that a shell gives for SIGPIPE.

    The output is small enough to wait in a buffer until the interpreter ends.
    """
    reader, writer = os.pipe()
    program = _start(*arguments, stdout=writer)
    os.close(writer)
    os.close(reader)
    _, told = program.communicate()
    assert (program.returncode, told) == (141, "")


def test_completion_for_a_shell_that_has_gone(monkeypatch):
    """Completion ends like any other output that nobody reads."""
    monkeypatch.setenv("_DEEPIDV_ASYNC_COMPLETE", "bash_source")
    reader, writer = os.pipe()
    program = _start(stdout=writer)
    os.close(writer)
    os.close(reader)
    _, told = program.communicate()
    assert (program.returncode, told) == (141, "")


@pytest.mark.skipif(not FULL.exists(), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", PRINTS, ids=" ".join)
def test_a_full_disk(api, monkeypatch, arguments, unbuffered):
    """One line and 1: the interpreter adds no complaint and no code of its own at its end."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with FULL.open("w") as full:
        _, told = (program := _start(*arguments, stdout=full)).communicate()
    assert (program.returncode, told.splitlines()[-1]) == (1, "Error: No space left on device")
    assert "Traceback" not in told
    assert "ignored" not in told


def test_a_pipe_that_is_closed_on_the_way(api, workflow_id):
    """A reader that has enough after a line gets no complaint, as in `| head -1`."""
    api.simulator.latency = 0.1
    arguments = ["sessions", workflow_id, "--api-version", "v1", "--page-size", "40"]
    with _start(*arguments) as program:
        first = program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == ""
    assert json.loads(first)["id"] == api.simulator.session_ids(workflow_id)[0]
    assert program.returncode == 141


def _with_closed(streams, *arguments):
    """Run the program from a shell that closes streams: nobody else starts it without them."""
    script = f'exec "$@" {streams}'
    return subprocess.run(
        ["sh", "-c", script, "sh", *PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [["workflows"], ["workflows", "-o", "table"], ["sim", "--port", "0"], ["demo"]],
    ids=" ".join,
)
def test_a_closed_standard_output(api, arguments):
    """`>&-`: one line says so, before any request is made."""
    ended = _with_closed(">&-", *arguments)
    assert ended.returncode == 1
    assert ended.stderr == "Error: Standard output is closed: there is nowhere to print.\n"
    assert len(api.simulator.journal) == 0


def test_a_closed_standard_error(api):
    """`2>&-`: the data comes whole, and the code still tells what went wrong."""
    fine = _with_closed("2>&-", "workflows", "-v")
    assert [json.loads(line)["id"] for line in fine.stdout.splitlines()] == list(
        api.simulator.workflow_ids
    )
    assert fine.returncode == 0
    refused = _with_closed("2>&-", "sessions", "nobody")
    assert (refused.returncode, refused.stdout) == (8, "")


def test_a_closed_standard_input(api):
    """`<&-`: a key that should come from there is missing, which one line says."""
    ended = _with_closed("<&-", "workflows", "--api-key-file", "-")
    assert ended.returncode == 2
    assert ended.stderr == "Error: There is no API key in standard input.\n"


def test_both_streams_closed(api):
    """With neither stream there is only the code."""
    assert _with_closed(">&- 2>&-", "workflows").returncode == 1


def test_an_interrupt_on_the_way(api, workflow_id):
    """Ctrl-C amid the pages: 130, what came so far is whole, no traceback."""
    api.simulator.latency = 0.2
    arguments = ["sessions", workflow_id, "--api-version", "v1", "--page-size", "40"]
    with _start(*arguments) as program:
        lines = [program.stdout.readline()]
        program.send_signal(signal.SIGINT)
        lines += program.stdout.readlines()
        assert program.stderr.read() == ""
    assert program.returncode == 130
    assert 40 <= len(lines) < 120
    for line in lines:
        json.loads(line)


def test_an_interrupt_closes_the_client(run, api, monkeypatch):
    """In this process, where it can be seen: the pool is closed before the program ends."""
    closed = []
    aclose = AsyncDeepIDV.aclose

    async def watch(client):
        await aclose(client)
        closed.append(client)

    monkeypatch.setattr(AsyncDeepIDV, "aclose", watch)
    api.simulator.plan(Fault(delay=30))

    def interrupt() -> None:
        while not len(api.simulator.journal):
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    result = run("workflows")
    interrupter.join()
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "")
    assert len(closed) == 1


def test_silence(monkeypatch):
    """What was written for a reader that is gone vanishes, instead of failing at the end."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as broken, io.StringIO() as whole:
        broken.write("nobody reads this")
        monkeypatch.setattr(sys, "stdout", broken)
        monkeypatch.setattr(sys, "stderr", whole)
        silence()
        broken.write("nor this")
        monkeypatch.setattr(sys, "stderr", None)
        silence()
