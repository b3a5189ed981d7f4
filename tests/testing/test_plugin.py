"""The pytest plugin: its fixtures under pytest-asyncio, under anyio's plugin, under neither."""

import os
import subprocess
import sys

import pytest

ASYNC = """
import asyncio
import pytest
from deepidv_async import AsyncDeepIDV
from deepidv_async.simulator import Fault

pytestmark = [pytest.mark.PLUGIN, pytest.mark.deepidv(workflows=3, sessions=2)]


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_the_client(deepidv_client, fake_deepidv):
    fake_deepidv.plan(Fault(429, headers={"Retry-After": "60"}))
    assert len(await deepidv_client.list_workflows()) == 3
    assert fake_deepidv.clock.now() == 60


@pytest.mark.deepidv(workflows=1)
async def test_the_nearest_mark_wins(fake_deepidv):
    async with AsyncDeepIDV() as client:  # as code under test would
        (workflow,) = await client.list_workflows()
        assert len(await client.list_workflow_sessions(workflow.id)) == 2
    assert len(fake_deepidv.requests) == 2


async def test_a_fake_for_each_test(deepidv_client, fake_deepidv):
    assert fake_deepidv.requests == []
    await asyncio.gather(*(deepidv_client.list_workflows() for _ in range(100)))
    assert fake_deepidv.clock.now() > 2


async def test_a_real_server(deepidv_server):
    async with AsyncDeepIDV() as client:
        assert len(await client.list_workflows()) == 3
    assert len(deepidv_server.simulator.journal) == 1


async def test_a_leftover(fake_deepidv):
    fake_deepidv.plan(503)
"""

# Imported before pytest hears of it, as a larger conftest may do: no reason for a warning.
CONFTEST = """
import deepidv_async.testing.plugin

pytest_plugins = ["deepidv_async.testing.plugin"]
"""

PLAIN = """
import asyncio
import pytest
from deepidv_async import AsyncDeepIDV


async def count():
    async with AsyncDeepIDV() as client:
        return len(await client.list_workflows())


@pytest.mark.deepidv(workflows=4)
def test_in_process(fake_deepidv):
    assert asyncio.run(count()) == 4


@pytest.mark.deepidv(workflows=4)
def test_over_a_socket(deepidv_server):
    assert asyncio.run(count()) == 4


@pytest.mark.deepidv(nonsense=4)
def test_a_wrong_option(fake_deepidv):
    pass
"""


def run(folder, text, *options, conftest=CONFTEST):
    """Run pytest on a module in a folder of its own, with those plugins; give what it says."""
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_code.py").write_text(text)
    strict = ["-W", "error", "--strict-markers", "-p", "no:cacheprovider", "-rA", "--tb=short"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *strict, *options, "test_code.py"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


LOOP = ["-o", "asyncio_default_fixture_loop_scope=function"]
ASYNCIO, ANYIO = ["-p", "pytest_asyncio.plugin"], ["-p", "anyio.pytest_plugin"]


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        pytest.param("asyncio", [*ASYNCIO, *ANYIO, *LOOP], id="both, pytest-asyncio's mark"),
        pytest.param("anyio", [*ASYNCIO, *ANYIO, *LOOP], id="both, anyio's mark"),
        pytest.param("asyncio", [*ASYNCIO, *LOOP], id="pytest-asyncio"),
        pytest.param("anyio", ANYIO, id="anyio"),
    ],
)
def test_asynchronous_tests(tmp_path, mark, options):
    """The same fixtures serve async tests under both plugins; a leftover plan fails its test."""
    said = run(tmp_path, ASYNC.replace("PLUGIN", mark), *options)
    assert "5 passed, 1 error" in said, said
    assert "ERROR test_code.py::test_a_leftover" in said
    assert "Planned answers were not asked for: 503 (1 left)" in said


def test_plain_tests(tmp_path):
    """Tests that are not asynchronous use them too; options are checked by what they are for."""
    said = run(tmp_path, PLAIN)
    assert "2 passed, 1 error" in said, said
    assert "unexpected keyword argument 'nonsense'" in said


def test_it_is_asked_for(tmp_path):
    """Installing this library gives pytest nothing: a project says that it wants the fixtures."""
    said = run(tmp_path, PLAIN, conftest="")
    assert "'deepidv' not found in `markers`" in said, said


def test_without_pytest():
    """Whoever lacks pytest is told so in one line; the helpers themselves need none of it."""
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import deepidv_async.testing\n"
        "try: import deepidv_async.testing.plugin\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "deepidv_async.testing.plugin needs pytest: pip install pytest\n"
