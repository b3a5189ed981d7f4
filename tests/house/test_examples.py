"""Every Python example of the README and the pages is run against the simulator, top to bottom.

A page is one programme: what an example binds, those below it can use. `await` may stand outside
a function, as in `python -m asyncio`. Only what a page marks with Sybil's `skip` is left out.
"""

import ast
import asyncio
import inspect
from pathlib import Path

import pytest
from sybil import Document, Example
from sybil.evaluators.python import pad
from sybil.parsers.myst import CodeBlockParser, SkipParser

from deepidv_async.simulator import running_simulator
from redis_server import running_redis

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


@pytest.fixture(scope="module")
def api():
    """A simulator on loopback, for all pages."""
    with running_simulator(seed=1, workflows=3, sessions=60) as served:
        yield served


@pytest.fixture
def redis():
    """A Redis server for a page that names one."""
    with running_redis() as server:
        yield server


@pytest.fixture
def runner():
    """One event loop for a page, so that a client made in one example works in the next."""
    with asyncio.Runner() as runner:
        yield runner


def _examples(page: Path, evaluate) -> list[Example]:
    parsers = [CodeBlockParser("python", evaluate), SkipParser()]
    return list(Document.parse(str(page), *parsers).examples())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_run(page, api, runner, request, monkeypatch, tmp_path):
    """What a reader copies from a page works as it stands, with a key in the environment."""
    api.simulator.reset()
    monkeypatch.setenv("DEEPIDV_API_KEY", api.api_key)
    monkeypatch.setenv("DEEPIDV_BASE_URL", api.base_url)
    monkeypatch.chdir(tmp_path)
    if "REDIS_URL" in page.read_text():
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis").url)

    def run(example: Example) -> None:
        source = pad(example.parsed, example.line + example.parsed.line_offset)
        code = compile(source, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        waiting = eval(code, example.namespace)  # noqa: S307 - our own pages
        if inspect.iscoroutine(waiting):
            runner.run(waiting)

    for example in _examples(page, run):
        example.evaluate()


def test_a_broken_example_is_seen(tmp_path):
    """The check above would notice: a page's examples are found and run in its order."""
    page = tmp_path / "page.md"
    page.write_text("```python\none = 1\n```\n\n```sh\nexit 1\n```\n\n```python\ntwo\n```\n")
    found = _examples(page, lambda example: None)
    assert [str(example.parsed) for example in found] == ["one = 1\n", "two\n"]
