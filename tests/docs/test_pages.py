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
LANGUAGES = {"python", "sh", "text", "{toctree}", "{eval-rst}", "{include}"}
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
def test_links_lead_somewhere(page):
    """Every relative link names a file; Sphinx sees to the anchors, and not to the README."""
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_proofs_exist(page):
    """A test that is named as the proof of a promise is there."""
    named = re.findall(r"`(tests/[^`]*)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_names_every_page():
    """Whoever starts at the README finds each page of the documentation."""
    linked = set(re.findall(r"\]\(docs/([\w-]+)\.md\)", README.read_text()))
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert linked == pages - {"index", "changelog"}


def test_the_tests_on_the_page_pass(tmp_path):
    """The page about tests shows a fixture and two tests; pytest runs them as they stand."""
    (example,) = [
        text for _, text in fences(ROOT / "docs" / "testing.md") if "@pytest.fixture" in text
    ]
    (tmp_path / "test_example.py").write_text(example)
    plain = ["-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plain, "."],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(deepidv_async.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
