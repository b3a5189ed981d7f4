"""What the tests of the client share."""

import asyncio
import gc

import pytest


@pytest.fixture
def silent():
    """Fail a test whose loop has something to complain of, such as an error nobody asked for.

    The test calls it on its loop.
    """
    said = []

    def listen():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: said.append(context))

    yield listen
    gc.collect()
    assert said == []
