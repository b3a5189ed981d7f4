"""Starts the examples as the processes they are, against a simulator on loopback."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from deepidv_async.simulator import running_simulator

PATIENCE = 30  # seconds: starting Python with a framework takes one, on a busy machine more
# What a program says that leaves something open, or loses an error.
UNTIDY = ("ResourceWarning", "was destroyed", "never retrieved", "Unclosed", "never awaited")


class Program:
    """An example that runs.

    Attributes:
        process: its process.
        said: what it wrote to stderr and stdout, once it has ended.
    """

    def __init__(self, process):
        self.process = process
        self.said = ""

    def interrupt(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def ended(self):
        """Wait for its end, give its exit code, and see that it left nothing open."""
        out, err = self.process.communicate(timeout=PATIENCE)
        self.said = err + out
        assert [word for word in UNTIDY if word in self.said] == [], self.said
        return self.process.returncode


@pytest.fixture
def api():
    """A simulator on loopback that speaks both generations."""
    with running_simulator(workflows=3, sessions=40) as served:
        yield served


@pytest.fixture
def start(api, tmp_path):
    """Give a function that starts an example; at the end of the test none is left running."""
    with contextlib.ExitStack() as stack:

        def start(*command, **environment):
            settings = {
                "DEEPIDV_API_KEY": api.api_key,
                "DEEPIDV_BASE_URL": api.base_url,
                **environment,
            }
            process = subprocess.Popen(
                [sys.executable, "-X", "dev", *command],
                cwd=tmp_path,
                env=os.environ | settings,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return Program(process)

        yield start


@pytest.fixture
def until():
    """Give a function that waits, in short sleeps, until something is so."""

    def until(so):
        end = time.monotonic() + PATIENCE
        while not so():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.01)

    return until
