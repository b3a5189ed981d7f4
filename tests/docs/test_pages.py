"""The pages hang together: links, proofs, fences, and an example that is a test itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Document
from sybil.parsers.myst import SkipParser

import deepidv_async

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("**/*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
# A language that is not here could hide an example from the test that runs them.
LANGUAGES = {
    *("python", "sh", "text"),
    *("{container}", "{eval-rst}", "{include}", "{literalinclude}", "{toctree}"),
}
# More has to be scrolled sideways at the width of the built pages.
WIDEST = 88


def fences(page):
    """Give language and text of every fenced block."""
    return re.findall(r"^```(\S*)[^\n]*\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_fence_has_a_known_language(page):
    """No example escapes the test that runs them by another name of its language."""
    assert {language for language, _ in fences(page)} <= LANGUAGES


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_examples_fit_the_page(page):
    """No line of Python needs to be scrolled."""
    lines = [
        line
        for language, text in fences(page)
        if language == "python"
        for line in text.splitlines()
    ]
    assert [line for line in lines if len(line) > WIDEST] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_example_is_skipped(page):
    """No page tells Sybil to leave an example out."""
    assert list(Document.parse(str(page), SkipParser()).examples()) == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_proofs_exist(page):
    """A test that is named as the proof of a promise is there."""
    named = re.findall(r"`(tests/[^`]*)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("mark", "plugin"), [("asyncio", "pytest_asyncio.plugin"), ("anyio", "anyio.pytest_plugin")]
)
def test_the_tests_on_the_page_pass(tmp_path, mark, plugin):
    """The page about tests shows a whole module; pytest runs it as it stands, with both marks."""
    blocks = [text for _, text in fences(ROOT / "docs" / "testing.md")]
    (conftest,) = [text for text in blocks if text.startswith("pytest_plugins")]
    (example,) = [text for text in blocks if "pytestmark" in text]
    assert "pytest.mark.anyio" in example
    example = example.replace(
        "pytestmark = pytest.mark.asyncio", f"pytestmark = pytest.mark.{mark}"
    )
    backend = "@__import__('pytest').fixture\ndef anyio_backend(): return 'asyncio'"
    (tmp_path / "conftest.py").write_text(f"{conftest}\n{backend}\n")
    (tmp_path / "test_example.py").write_text(example)
    plain = ["-W", "error", "-p", "no:cacheprovider", "-p", plugin]
    if mark == "asyncio":
        plain += ["-o", "asyncio_default_fixture_loop_scope=function"]
    package = str(Path(deepidv_async.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--strict-markers", *plain, "."],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": package, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "5 passed" in done.stdout, done.stdout + done.stderr
