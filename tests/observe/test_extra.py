"""What the observers load, and what they say when it is missing."""

import subprocess
import sys

import pytest

import deepidv_async.observe


def shown_by(code):
    """Run code in an interpreter of its own; give what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


MISSING = """
import sys
sys.modules["opentelemetry"] = None  # importing it now raises ImportError
from deepidv_async.observe import ErrorLog, EventLog
try:
    from deepidv_async.observe import OpenTelemetry
except ImportError as error:
    print(error)
"""


def test_the_extra_is_named_when_it_is_missing():
    """The other observers need nothing, and this one says in a line what to install."""
    told = "OpenTelemetry needs opentelemetry: pip install 'deepidv-async[otel]'\n"
    assert shown_by(MISSING) == told


def test_a_client_without_observers_loads_none():
    """Events, narrator and observers are loaded by those who ask for them, and by nobody else."""
    code = "import sys, deepidv_async\ndeepidv_async.AsyncDeepIDV('a-key-of-sixteen')\n"
    late = {"deepidv_async.observe", "deepidv_async._narrator", "opentelemetry", "logging.handlers"}
    assert not late & {*shown_by(f"{code}print(*sys.modules)").split()}


def test_opentelemetry_is_loaded_on_use():
    """The logs alone load nothing of it."""
    code = "import sys\nfrom deepidv_async.observe import ErrorLog, EventLog\nprint(*sys.modules)"
    assert "opentelemetry" not in shown_by(code).split()


def test_another_name_is_an_attribute_error():
    """A misspelt observer is what it is in any module."""
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        _ = deepidv_async.observe.Nobody
