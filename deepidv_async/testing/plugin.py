"""Fixtures for pytest; they come with `pytest_plugins = ["deepidv_async.testing.plugin"]`.

They are plain fixtures, which work the same under pytest-asyncio, under anyio's plugin and in
tests that are not asynchronous. PYTEST_DONT_REWRITE: there is no assertion in here.
"""

import os
from collections.abc import Generator
from typing import Any
from unittest import mock

try:
    import pytest
except ImportError as _missing:
    raise ImportError(
        "deepidv_async.testing.plugin needs pytest: pip install pytest", name="pytest"
    ) from _missing

from deepidv_async._client import AsyncDeepIDV
from deepidv_async.simulator import RunningSimulator, running_simulator
from deepidv_async.testing._fake import FakeDeepIDV

__all__ = ["deepidv_client", "deepidv_server", "fake_deepidv", "pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "deepidv(**options): what FakeDeepIDV, or running_simulator, is made with in the fixtures "
        "fake_deepidv and deepidv_server. The mark nearest to the test wins.",
    )


@pytest.fixture
def fake_deepidv(request: pytest.FixtureRequest) -> Generator[FakeDeepIDV, None, None]:
    """A `FakeDeepIDV` that every client talks to which is made during the test.

    Its options come from `@pytest.mark.deepidv(workflows=2)`. At the end it checks that all
    planned answers were asked for.
    """
    with FakeDeepIDV(**_options(request)) as fake, fake.patched():
        yield fake


@pytest.fixture
def deepidv_client(fake_deepidv: FakeDeepIDV) -> AsyncDeepIDV:
    """A client of the fixture `fake_deepidv`; closing it is optional."""
    return fake_deepidv.client()


@pytest.fixture
def deepidv_server(request: pytest.FixtureRequest) -> Generator[RunningSimulator, None, None]:
    """A simulator on a socket (extra `simulator`) that the environment's settings point to.

    For real HTTP, and for other processes. Its options come from `@pytest.mark.deepidv(...)`.
    """
    with running_simulator(**_options(request)) as served:
        settings = {"DEEPIDV_API_KEY": served.api_key, "DEEPIDV_BASE_URL": served.base_url}
        with mock.patch.dict(os.environ, settings):
            yield served


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    marks = reversed(list(request.node.iter_markers("deepidv")))
    return {name: value for mark in marks for name, value in mark.kwargs.items()}
