"""The simulator on a socket: ready when given, gone when left, nothing else touched."""

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from deepidv_async import ConfigurationError
from deepidv_async.simulator import Fault, Simulator, running_simulator, serve
from deepidv_async.simulator._serving import _url

ROOT = Path(__file__).parents[2]


def get(api, path="/workflow", **options):
    return httpx.get(api.base_url + path, headers={"x-api-key": api.api_key}, **options)


def test_it_serves_at_its_base_url():
    """The URL is right from the first line of the block; options are the simulator's."""
    with running_simulator(seed=3, workflows=2, api_key="k", stage="/dev") as api:
        assert api.base_url.startswith("http://127.0.0.1:")
        assert api.base_url.endswith("/dev")
        assert api.api_key == "k"
        assert len(get(api).json()["workflows"]) == 2
        assert api.simulator.journal.statuses() == {200: 1}
        assert "'k'" not in repr(api)


def test_one_can_bring_a_simulator():
    """The simulator that is served is the one given: its journal outlives the server."""
    simulator = Simulator()
    with running_simulator(simulator) as api:
        assert api.simulator is simulator
        get(api)
    with running_simulator(simulator) as api:
        get(api)
    assert len(simulator.journal) == 2
    with (
        pytest.raises(ConfigurationError, match="not both"),
        running_simulator(simulator, seed=3),
    ):
        pass


def test_answers_come_at_once():
    """A small answer takes milliseconds, not the 40 that Nagle and a delayed ACK would add."""
    with running_simulator() as api, httpx.Client() as http:
        headers = {"x-api-key": api.api_key}
        http.get(f"{api.base_url}/workflow", headers=headers)
        started = time.perf_counter()
        for _ in range(10):
            http.get(f"{api.base_url}/workflow", headers=headers)
        assert time.perf_counter() - started < 0.3


def test_its_end_is_prompt_and_clean():
    """Kept connections and requests in flight are cut; thread and port are free afterwards."""
    threads = set(threading.enumerate())
    failed = []

    def wait_for_answer(api):
        try:
            get(api, timeout=30)
        except httpx.HTTPError as error:
            failed.append(error)

    with httpx.Client() as kept:
        with running_simulator() as api:
            kept.get(f"{api.base_url}/health")
            api.simulator.plan(Fault(delay=30))
            waiting = threading.Thread(target=wait_for_answer, args=(api,))
            waiting.start()
            while len(api.simulator.journal) < 2:
                time.sleep(0.001)
            started = time.perf_counter()
        assert time.perf_counter() - started < 1
    waiting.join()
    assert len(failed) == 1
    assert set(threading.enumerate()) == threads
    with pytest.raises(httpx.ConnectError):
        get(api)


def test_an_error_in_the_block_comes_through():
    """What the block raises is raised; the server ends all the same."""
    with pytest.raises(LookupError), running_simulator() as api:
        raise LookupError
    with pytest.raises(httpx.ConnectError):
        get(api)


@pytest.mark.asyncio
async def test_it_serves_the_loop_that_it_was_started_in():
    """Started inside a running loop, it answers that loop, whose other tasks go on."""
    with running_simulator(latency=0.02) as api:
        async with httpx.AsyncClient(headers={"x-api-key": api.api_key}) as http:
            answers = await asyncio.gather(
                *[http.get(f"{api.base_url}/workflow") for _ in range(20)]
            )
    assert [answer.status_code for answer in answers] == [200] * 20


def test_logging_and_signals_are_left_alone():
    """No level, handler or signal of the program is changed, while it runs and afterwards."""
    names = ["", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"]

    def state():
        loggers = [logging.getLogger(name) for name in names]
        signals = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
        levels = logging.getLevelNamesMapping()
        return [(log.level, list(log.handlers), log.propagate) for log in loggers], signals, levels

    before = state()
    with running_simulator() as api:
        get(api)
        assert state() == before
    assert state() == before


def test_two_at_a_time():
    """Several simulators run side by side, each with its own data and journal."""
    with running_simulator(seed=1) as one, running_simulator(seed=2) as two:
        assert get(one).json() != get(two).json()
        assert len(one.simulator.journal) == len(two.simulator.journal) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "", "::", "localhost.x"])  # noqa: S104 - refused
def test_it_is_for_this_machine_only(host):
    """Any host but loopback is refused before a socket is opened."""
    with (
        pytest.raises(ConfigurationError, match="this machine only"),
        running_simulator(host=host),
    ):
        pass
    with pytest.raises(ConfigurationError, match="this machine only"):
        serve(Simulator(), host)


def test_a_name_for_loopback():
    """`localhost` may be named, and the URL says where it really is."""
    with running_simulator(host="localhost") as api:
        assert get(api).status_code == 200


def test_a_port_of_ones_own():
    """A fixed port is kept; one that is taken is an error that leaves nothing behind."""
    with running_simulator() as api:
        port = int(api.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), running_simulator(port=port):
            pass
    with running_simulator(port=port) as again:
        assert again.base_url == api.base_url


def test_an_address_of_ipv6_stands_in_brackets():
    """In a URL an IPv6 address is bracketed."""

    class Listener:
        def getsockname(self):
            return "::1", 8080, 0, 0

    assert _url(Listener(), Simulator(stage="/dev")) == "http://[::1]:8080/dev"


def test_a_server_that_cannot_start_says_so(monkeypatch):
    """An error of the server's own start is raised in the block's place, nothing hangs."""
    from deepidv_async.simulator import _server  # noqa: PLC0415 - imported on use

    async def broken(self, sockets=None):
        raise LookupError("no start")

    monkeypatch.setattr(_server.LoopbackServer, "startup", broken)
    with pytest.raises(LookupError, match="no start"), running_simulator():
        pass


def test_a_server_that_fails_later_says_so(monkeypatch):
    """An error of the server while it runs is raised at the end of the block, not lost."""
    from deepidv_async.simulator import _server  # noqa: PLC0415 - imported on use

    shutdown = _server.LoopbackServer.shutdown

    async def broken(self, sockets=None):
        await shutdown(self, sockets)
        raise LookupError("late")

    monkeypatch.setattr(_server.LoopbackServer, "shutdown", broken)
    with pytest.raises(LookupError, match="late"), running_simulator() as api:
        get(api)


FOREGROUND = """
import sys
from deepidv_async.simulator import Simulator, serve
serve(Simulator(), on_ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


def test_the_foreground_ends_with_ctrl_c():
    """`serve` says where it is, serves, and returns without a word at Ctrl-C."""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", FOREGROUND]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/health").status_code == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "ended\n", "")


def test_what_goes_wrong_at_the_start_comes_through():
    """An error of `on_ready` ends the server and is raised, not swallowed."""

    def unready(url):
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
            raise LookupError(url)

    with pytest.raises(LookupError, match="http://127"):
        serve(Simulator(), on_ready=unready)


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
import deepidv_async.simulator as simulator
try:
    with simulator.running_simulator():
        pass
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_without_the_extra(library):
    """The package can be imported; using it names the command that installs the extra."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT, library],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    needs = f"The simulator needs {library}"
    assert run.stdout.startswith(needs)
    assert run.stdout.endswith("pip install 'deepidv-async[simulator]'\n")
    assert run.stdout.count("\n") == 1
