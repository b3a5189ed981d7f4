"""The simulator on a loopback socket: in a background thread for tests, or in the foreground."""

import asyncio
import contextlib
import ipaddress
import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

import attrs
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from anyio.from_thread import start_blocking_portal

from deepidv_async._errors import ConfigurationError
from deepidv_async.simulator._app import Simulator
from deepidv_async.simulator._extra import needs_extra

__all__ = ["RunningSimulator", "running_simulator", "serve"]

_BACKLOG: Final = 1024


@attrs.frozen
class RunningSimulator:
    """A simulator that is being served.

    Attributes:
        base_url: to give to the client, for example `http://127.0.0.1:40123`.
        api_key: a key that it accepts.
        simulator: the simulator itself: its journal, its faults, its options.
    """

    base_url: str
    api_key: str = attrs.field(repr=False)
    simulator: Simulator


@contextmanager
def running_simulator(
    simulator: Simulator | None = None,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    **options: Any,
) -> Generator[RunningSimulator, None, None]:
    """Serve a simulator over HTTP while the block runs.

    It has a thread and an event loop of its own, so the block may block as well as run a loop.
    At the end of the block connections are cut, also those that wait for an answer.

    Args:
        simulator: the one to serve; `None` makes one from `options`.
        port: 0 for any that is free.
        host: a loopback address.
        options: arguments of `Simulator`.

    Yields:
        Where it is served, and the simulator itself.

    Raises:
        ConfigurationError: the host is not this machine's own, or an option makes no sense.
        ImportError: the extra `simulator` is not installed.
        OSError: the port is taken.

    Example:
        ```python
        with running_simulator(seed=7, sessions=1000) as api:
            async with AsyncDeepIDV(api.api_key, base_url=api.base_url) as client:
                ...
            assert api.simulator.journal.refused == 0
        ```
    """
    if simulator is None:
        simulator = Simulator(**options)
    elif options:
        raise ConfigurationError("running_simulator() takes a simulator or options, not both.")
    with _listen(host, port) as listener:
        base_url = _url(listener, simulator)
        with _in_background(simulator, listener):
            yield RunningSimulator(base_url, simulator.api_key, simulator)


def serve(
    simulator: Simulator,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    on_ready: Callable[[str], object] = lambda _: None,
) -> None:
    """Serve a simulator over HTTP in the foreground, until Ctrl-C.

    Args:
        simulator: the one to serve.
        host: a loopback address.
        port: 0 for any that is free.
        on_ready: called with the base URL as soon as connections are accepted.

    Raises:
        ConfigurationError: the host is not this machine's own.
        ImportError: the extra `simulator` is not installed.
        OSError: the port is taken.
    """
    with _listen(host, port) as listener, contextlib.suppress(KeyboardInterrupt):
        base_url = _url(listener, simulator)
        server = _make_server(simulator, lambda: on_ready(base_url))
        asyncio.run(server.serve([listener]))


@contextmanager
def _in_background(simulator: Simulator, listener: socket.socket) -> Generator[None, None, None]:
    # A plain asyncio loop, whatever policy the program has set.
    options = {"loop_factory": asyncio.SelectorEventLoop}
    with start_blocking_portal("asyncio", options) as portal:
        ended, server = portal.start_task(_run, simulator, listener)
        try:
            yield
        finally:
            server.should_exit = True
            ended.result()


async def _run(
    simulator: Simulator,
    listener: socket.socket,
    *,
    task_status: TaskStatus[Any] = TASK_STATUS_IGNORED,
) -> None:
    server = _make_server(simulator, lambda: task_status.started(server))
    await server.serve([listener])


def _make_server(simulator: Simulator, on_ready: Callable[[], object]) -> Any:
    with needs_extra():
        from deepidv_async.simulator import _server  # noqa: PLC0415 - the extra, on use
    return _server.LoopbackServer(simulator, on_ready)


def _listen(host: str, port: int) -> socket.socket:
    """Open a socket that takes connections from now on, before anybody serves them."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            f"The simulator is served to this machine only (127.0.0.1, ::1, localhost), not on "
            f"{host!r}: its control endpoints ask for no key."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Not socket.create_server: it leaves the protocol number at 0, asyncio then does not set
    # TCP_NODELAY on what it accepts, and each answer takes 44 ms (measured) instead of 1.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Elsewhere the option would let another program take the port over.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name == "posix")
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _url(listener: socket.socket, simulator: Simulator) -> str:
    host, port, *_ = listener.getsockname()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{simulator.stage}"
