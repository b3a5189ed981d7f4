"""What users may import: exactly what is exported, promised and documented."""

import inspect
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import deepidv_async
import deepidv_async.limits
import deepidv_async.limits.redis
import deepidv_async.observe
import deepidv_async.simulator
import deepidv_async.testing

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference.md"
PUBLIC_MODULES = [
    deepidv_async,
    deepidv_async.limits,
    deepidv_async.limits.redis,
    deepidv_async.observe,
    deepidv_async.simulator,
    deepidv_async.testing,
]

# User code is written against these names; taking one away breaks it.
PROMISED = """
AsyncDeepIDV Page ItemIterator ResponseInfo Timeouts RetryPolicy
Workflow WorkflowSession SessionStatus SessionType SessionProgress
DeepIDVError ConfigurationError UnsupportedByAPIVersionError InvalidArgumentError ClientClosedError
APIConnectionError APITimeoutError DeadlineExceededError ResponseDecodeError
APIStatusError BadRequestError AuthenticationError InsufficientFundsError PermissionDeniedError
NotFoundError EndpointNotServedError RateLimitError QuotaExceededError ServerError
RateLimit TokenBucket RateLimiter Permit LimiterStats Priority Observer
""".split()  # noqa: SIM905 - forty quoted names would fill a page

TREE = {
    "DeepIDVError": Exception,
    "ConfigurationError": "DeepIDVError",
    "UnsupportedByAPIVersionError": "DeepIDVError",
    "InvalidArgumentError": ("DeepIDVError", ValueError),
    "ClientClosedError": ("DeepIDVError", RuntimeError),
    "APIConnectionError": "DeepIDVError",
    "APITimeoutError": "APIConnectionError",
    "DeadlineExceededError": ("DeepIDVError", TimeoutError),
    "SharedLimitUnavailableError": "DeepIDVError",
    "ResponseDecodeError": "DeepIDVError",
    "APIStatusError": "DeepIDVError",
    "BadRequestError": "APIStatusError",
    "AuthenticationError": "APIStatusError",
    "InsufficientFundsError": "APIStatusError",
    "PermissionDeniedError": "APIStatusError",
    "NotFoundError": "APIStatusError",
    "EndpointNotServedError": "NotFoundError",
    "RateLimitError": "APIStatusError",
    "QuotaExceededError": "RateLimitError",
    "ServerError": "APIStatusError",
}


def test_the_promise_is_kept():
    """Every promised name can be imported from `deepidv_async`."""
    assert set(PROMISED) <= set(deepidv_async.__all__)


@pytest.mark.parametrize("module", PUBLIC_MODULES, ids=lambda module: module.__name__)
def test_the_exports_are_there(module):
    """What a module says that it exports can be had; the list is sorted, with each name once."""
    for name in module.__all__:
        getattr(module, name)  # some come when they are asked for
    assert module.__all__ == sorted({*module.__all__})


# A module with code of its own needs names of others; it is its list that counts.
ROOM_MODULES = [module for module in PUBLIC_MODULES if hasattr(module, "__path__")]


@pytest.mark.parametrize("module", ROOM_MODULES, ids=lambda module: module.__name__)
def test_the_exports_are_what_is_visible(module):
    """Nothing is exported in passing."""
    for name in module.__all__:
        getattr(module, name)
    visible = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    names = [name for name in module.__all__ if name != "__version__"]
    assert names == sorted(visible)


@pytest.mark.parametrize("module", PUBLIC_MODULES, ids=lambda module: module.__name__)
def test_the_exports_are_what_is_documented(module):
    """Every exported name stands in the reference, once, and nothing else does."""
    marks = rf"auto(?:class|exception|data|function):: {module.__name__}\.(\w+)$"
    told = re.findall(marks, REFERENCE.read_text(), re.MULTILINE)
    above = set() if module is deepidv_async else set(deepidv_async.__all__)
    assert sorted(told) == sorted({*module.__all__} - above - {"__version__"})


def test_names_come_when_they_are_asked_for():
    """Every exported name is found, `dir` shows it, and another one is an AttributeError."""
    assert {*deepidv_async._HOME_OF, "__version__"} == set(deepidv_async.__all__)
    assert set(deepidv_async.__all__) <= set(dir(deepidv_async))
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        _ = deepidv_async.Nobody


ROOMS = """
import deepidv_async
for room in ("limits", "observe", "simulator", "testing"):
    print(getattr(deepidv_async, room).__name__)
"""


def test_rooms_are_there_without_an_import_of_their_own():
    """`deepidv_async.limits` works whatever was imported before."""
    done = subprocess.run([sys.executable, "-c", ROOMS], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 4


def test_exported_names_explain_themselves():
    """Every exported class has a docstring of its own; `help()` is the manual at hand."""
    silent = [
        name
        for name in deepidv_async.__all__
        if inspect.isclass(value := getattr(deepidv_async, name))
        and (not value.__doc__ or value.__doc__.startswith(f"{name}("))
    ]
    assert silent == []


@pytest.mark.parametrize("name", TREE)
def test_the_error_tree(name):
    """An `except` clause written against the documented tree catches what it says."""
    parents = TREE[name] if isinstance(TREE[name], tuple) else (TREE[name],)
    expected = tuple(
        getattr(deepidv_async, parent) if isinstance(parent, str) else parent for parent in parents
    )
    assert getattr(deepidv_async, name).__bases__ == expected


def test_no_error_is_missing_from_the_tree():
    """The tree above is whole."""
    exported = {
        name
        for name in deepidv_async.__all__
        if inspect.isclass(value := getattr(deepidv_async, name))
        and issubclass(value, BaseException)
    }
    assert exported == set(TREE)


def test_the_package_is_marked_as_typed():
    """Type checkers read the annotations only where `py.typed` is."""
    assert (Path(deepidv_async.__file__).parent / "py.typed").is_file()
