"""The fixtures that watch every test are watched here: each must fail a test that offends."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

OFFENDERS = """
import asyncio, os, socket, threading
import pytest


@pytest.mark.asyncio
async def test_leaves_a_task():
    asyncio.get_running_loop().keep = asyncio.create_task(asyncio.sleep(30))


@pytest.mark.asyncio
async def test_cancels_its_last_task():
    async def inner():
        await asyncio.gather(asyncio.sleep(30))

    task = asyncio.create_task(inner())
    await asyncio.sleep(0)
    task.cancel()


def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, name="lazy", daemon=True).start()


def test_hides_a_look_up():
    try:
        socket.getaddrinfo("api.example", 443)
    except AssertionError:
        pass


def test_hides_a_connection():
    with socket.socket() as client:
        try:
            client.connect(("192.0.2.1", 443))
        except AssertionError:
            pass


def test_sees_no_settings():
    assert not [name for name in os.environ if "proxy" in name.lower() or "DEEPIDV" in name]
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    """What pytest says of a folder with the house's conftest and some bad tests."""
    folder = tmp_path_factory.mktemp("offenders")
    (folder / "test_offenders.py").write_text(OFFENDERS)
    for name in ("conftest.py", "virtual_loop.py"):
        (folder / name).write_bytes((TESTS / name).read_bytes())
    options = ["-rA", "--tb=line", "-p", "no:cacheprovider", "-o", "markers=virtual_time"]
    settings = {"DEEPIDV_API_KEY": "planted", "HTTPS_PROXY": "http://192.0.2.1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder,
        env={**os.environ, **settings, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("test_leaves_a_task", "the test left tasks behind"),
        ("test_leaves_a_thread", "the test left threads behind: lazy"),
        ("test_hides_a_look_up", "socket.getaddrinfo 'api.example'"),
        ("test_hides_a_connection", "socket.connect '192.0.2.1'"),
    ],
)
def test_an_offender_fails(report, test, told):
    """A leaked task or thread, and traffic to another machine, fail the test that caused it."""
    assert any(
        f"::{test}" in line and told in line and line.startswith(("FAILED", "ERROR"))
        for line in report.splitlines()
    ), report


@pytest.mark.parametrize("test", ["test_cancels_its_last_task", "test_sees_no_settings"])
def test_a_clean_test_passes(report, test):
    """A task that is being cancelled counts as ended; settings from outside are not seen."""
    assert f"PASSED test_offenders.py::{test}" in report


def test_the_guard_refuses_at_once(network_guard):
    """Nothing is sent: the very attempt raises."""
    with pytest.raises(AssertionError, match="must stay on loopback"):
        socket.getaddrinfo("api.example", 443)
    network_guard.refused.clear()


def test_loopback_is_open():
    """Tests over real sockets reach a server on this machine by every usual name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, port), timeout=1).close()
