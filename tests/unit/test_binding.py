"""Which loop and which process an object works in."""

import asyncio
import os
from contextlib import closing

import pytest

from deepidv_async import ConfigurationError
from deepidv_async._binding import Ground, LoopBinding


@pytest.fixture
def binding():
    return LoopBinding("This client")


async def look(binding):
    return binding.check()


def test_it_needs_a_running_loop(binding):
    """Outside a running asyncio loop the error says how to get into one, and hides no cause."""
    with pytest.raises(ConfigurationError, match=r"This client needs .* asyncio\.run") as caught:
        binding.check()
    assert caught.value.__context__ is None
    assert binding.loop is None


def test_a_loop_is_remembered(binding):
    """The first look moves in, later looks from the same loop find it unchanged."""
    with closing(asyncio.new_event_loop()) as loop:
        found = [loop.run_until_complete(look(binding)) for _ in range(3)]
        assert binding.loop is loop
    assert found == [Ground.NEW_LOOP, Ground.SAME, Ground.SAME]


def test_a_closed_loop_is_left(binding):
    """After `asyncio.run` has ended, the next loop takes over."""
    assert [asyncio.run(look(binding)) for _ in range(3)] == [Ground.NEW_LOOP] * 3


def test_a_second_open_loop_is_an_error(binding):
    """Two open loops cannot share sockets: refused on the second, the first goes on."""
    with closing(asyncio.new_event_loop()) as first, closing(asyncio.new_event_loop()) as second:
        first.run_until_complete(look(binding))
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="another event loop that is still open"):
                second.run_until_complete(look(binding))
        assert binding.loop is first
        assert first.run_until_complete(look(binding)) is Ground.SAME
        first.close()
        assert second.run_until_complete(look(binding)) is Ground.NEW_LOOP


def test_a_fork_is_noticed_once(binding, monkeypatch):
    """A child process says so on its first look, even on the loop it was forked with."""
    parent = binding.pid
    assert parent == os.getpid()
    with closing(asyncio.new_event_loop()) as loop, closing(asyncio.new_event_loop()) as other:
        loop.run_until_complete(look(binding))
        monkeypatch.setattr(os, "getpid", lambda: parent + 1)
        assert loop.run_until_complete(look(binding)) is Ground.FORKED
        assert binding.pid == parent + 1
        assert loop.run_until_complete(look(binding)) is Ground.SAME
        monkeypatch.setattr(os, "getpid", lambda: parent + 2)
        assert other.run_until_complete(look(binding)) is Ground.FORKED
        assert binding.loop is other
