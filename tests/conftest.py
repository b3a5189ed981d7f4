"""What holds for every test: a clean environment, no network, nothing left behind, virtual time.

A test that waits is marked `virtual_time` and runs on `virtual_loop.VirtualLoop`.
"""

import asyncio
import ipaddress
import os
import signal
import sys
import threading

import pytest
from hypothesis import settings

from virtual_loop import VirtualLoop

_PROXY_VARIABLES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
_LOOPS = pytest.StashKey[list[asyncio.AbstractEventLoop]]()

# A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that:
# tests that interrupt would wait in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that does other work too is no stop-watch.
settings.register_profile("house", settings(), deadline=None)
settings.load_profile("house")


def pytest_asyncio_loop_factories(config, item):
    """Run tests marked `virtual_time` on the jumping clock, the others on asyncio's own loop."""
    name, make = "real", asyncio.new_event_loop
    if item.get_closest_marker("virtual_time"):
        name, make = "virtual", VirtualLoop
    loops = config.stash.setdefault(_LOOPS, [])

    def make_loop():
        loops[:] = [loop for loop in loops if not loop.is_closed()]
        loops.append(make())
        return loops[-1]

    return {name: make_loop}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """Take away what would steer the client from outside: its own settings and proxies."""
    for name in list(os.environ):
        if name.startswith("DEEPIDV_") or name.lower() in _PROXY_VARIABLES:
            monkeypatch.delenv(name)


class RefusedNetworkError(AssertionError):
    """A test tried to reach something that is not this machine."""


class NetworkGuard:
    """Refuses to resolve or reach any host but loopback, and remembers who tried.

    It listens to the interpreter's audit events, so that no way around `socket` escapes it.
    """

    def __init__(self) -> None:
        self.refused: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        match event, args:
            case "socket.getaddrinfo" | "socket.gethostbyname", (host, *_):
                pass
            case "socket.connect" | "socket.sendto", (_, (host, *_)):
                pass
            case _:
                return
        if not _is_loopback(host):
            self.refused.append(f"{event} {host!r}")
            raise RefusedNetworkError(f"a test must stay on loopback: {event} {host!r}")


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


_guard = NetworkGuard()


@pytest.fixture(autouse=True)
def network_guard():
    """Fail a test that tried to leave this machine, even if the code under test hid it."""
    _guard.refused.clear()
    yield _guard
    if _guard.refused:
        pytest.fail(f"the test left this machine: {', '.join(_guard.refused)}", pytrace=False)


@pytest.fixture(autouse=True)
def no_thread_left():
    """Fail a test whose threads outlive it. A fixture of a wider scope may keep some."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        # A pool's worker has been told to stop, but may not have come to it.
        thread.join(timeout=1)
    if names := [thread.name for thread in left if thread.is_alive()]:
        pytest.fail(f"the test left threads behind: {', '.join(names)}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail an async test that started a task and left it running.

    Looked at between the test's end and its fixtures' teardown: later, the runner has already
    cancelled what was left. Tasks of fixtures are older than the test and stay.
    """
    loops = item.config.stash.setdefault(_LOOPS, [])
    before = {task for loop in loops for task in _tasks(loop)}
    result = yield
    for loop in loops:
        for _ in range(3):
            # A task that was cancelled last needs a turn of the loop to end.
            if not loop.is_closed() and _tasks(loop) - before:
                loop.run_until_complete(asyncio.sleep(0))
        if left := _tasks(loop) - before:
            names = ", ".join(sorted(repr(task.get_coro()) for task in left))
            pytest.fail(f"the test left tasks behind: {names}", pytrace=False)
    return result


def _tasks(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task]:
    return set() if loop.is_closed() else asyncio.all_tasks(loop)
