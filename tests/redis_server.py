"""A real Redis server for tests: a process of this machine on a free loopback port.

Never somebody else's: the tests flush it, stop it and let it stand still.
"""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager

import pytest
from redis.asyncio import Redis

BINARIES = ("redis-server", "valkey-server")


class RedisServer:
    """A server that keeps nothing.

    Attributes:
        url: where it is.
        process: what runs it.
    """

    def __init__(self, binary, port, folder):
        self.url = f"redis://127.0.0.1:{port}/0"
        self.process = None
        self._port = port
        self._command = [
            *(binary, "--port", str(port), "--bind", "127.0.0.1", "--save", ""),
            *("--appendonly", "no", "--dir", folder),
        ]

    def connect(self, **options):
        return Redis.from_url(self.url, **options)

    def start(self):
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port)).close()
            except OSError:
                assert self.process.poll() is None, "the server did not start"
                time.sleep(0.01)
            else:
                return

    def stop(self):
        self.thaw()
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def running_redis():
    """Start a server; skips the test where there is no binary."""
    binary = next(filter(None, map(shutil.which, BINARIES)), None)
    if binary is None:
        pytest.skip(f"none of {', '.join(BINARIES)} is installed (Debian: redis-server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(binary, port, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
