"""What the tests of shared limits have in common: a Redis server, and one that is made up."""

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from redis_server import running_redis


class MadeUpServer:
    """A stand-in within the process, so that a machine without Redis tests the most of it, too."""

    def __init__(self):
        self._server = FakeServer()

    def connect(self, **options):
        return FakeAsyncRedis(server=self._server, **options)


@pytest.fixture(scope="module", params=["redis", "made up"])
def server(request):
    """A Redis server for the tests of a module."""
    if request.param == "made up":
        yield MadeUpServer()
        return
    with running_redis() as running:
        yield running


@pytest.fixture(scope="module")
def real_server():
    """One that is a process of its own."""
    with running_redis() as running:
        yield running
