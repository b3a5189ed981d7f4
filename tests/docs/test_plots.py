"""The pictures of the pages are what their scripts draw, and tell what the code does."""

import asyncio
import importlib
import sys
from pathlib import Path

import pytest

import deepidv_async
from deepidv_async import AsyncDeepIDV
from deepidv_async.simulator import running_simulator

PLOTS = Path(__file__).parents[2] / "docs" / "plots"
PACKAGE = Path(deepidv_async.__file__).parent
SCRIPTS = sorted(path.stem for path in PLOTS.glob("*.py") if path.stem != "drawing")


@pytest.fixture
def script(monkeypatch):
    """Import a script of docs/plots by its name."""
    monkeypatch.syspath_prepend(str(PLOTS))
    return importlib.import_module


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_picture_is_up_to_date(name, script, monkeypatch, tmp_path):
    """Running the script gives the file that the pages show, byte by byte."""
    module = script(name)
    shown = module.TARGET.read_bytes()
    monkeypatch.setattr(module, "TARGET", tmp_path / "again.svg")
    module.main()
    assert (tmp_path / "again.svg").read_bytes() == shown


def test_the_way_of_a_call_is_the_drawn_one(script):
    """A real call enters the drawn modules, in the drawn order."""
    order = []

    def note(frame, event, _argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
            if name not in order:
                order.append(name)

    async def call(api):
        async with AsyncDeepIDV(api.api_key, base_url=api.base_url) as client:
            (workflow,) = await client.list_workflows()
            before = sys.getprofile()
            sys.setprofile(note)
            try:
                async for _ in client.iter_workflow_sessions(workflow.id):
                    break
            finally:
                sys.setprofile(before)

    with running_simulator(workflows=1) as api:
        asyncio.run(call(api))
    drawn = script("one_call").entered()
    assert [name for name in order if name in drawn] == drawn
