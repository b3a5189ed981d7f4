"""Without an extra: one line that says how to install it."""

import importlib
import subprocess
import sys
import types

import pytest

import deepidv_async.cli
from deepidv_async.cli import main

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # importing it now raises ModuleNotFoundError
import deepidv_async.cli
sys.exit(deepidv_async.cli.main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("library", "command", "extra"),
    [
        ("click", "--help", "cli"),
        ("rich", "demo", "cli"),
        ("starlette", "demo", "simulator"),
        ("uvicorn", "sim", "simulator"),
        ("redis", "limits --redis redis://localhost --redis-name any", "redis"),
    ],
)
def test_a_missing_extra(library, command, extra):
    """The package can be imported; the command ends with 2 and one line that names the cure."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT, library, *command.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"pip install 'deepidv-async[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_missing_module_is_not_blamed_on_an_extra(monkeypatch):
    """What is no library of the extra is a broken installation, and raised as what it is."""
    monkeypatch.setitem(sys.modules, "deepidv_async.cli._app", None)
    with pytest.raises(ModuleNotFoundError, match=r"cli\._app"):
        main([])


def test_an_interrupt_during_the_imports(monkeypatch):
    """Ctrl-C as early as that is 130, too."""

    class Slow(types.ModuleType):
        def __getattr__(self, name):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "deepidv_async.cli._app", Slow("slow"))
    assert main([]) == 130


def test_the_module_is_the_program():
    """`python -m deepidv_async` is the same program; importing the module starts nothing."""
    assert importlib.import_module("deepidv_async.__main__").main is main
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "deepidv_async", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    told = f"deepidv-async {deepidv_async.__version__}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
