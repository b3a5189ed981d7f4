"""Links between pages, to their headings and to elsewhere, and the lists of pages, are sound."""

import importlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAPERS = [README, *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"))]
PAGES = [*PAPERS, *sorted(DOCS.glob("**/*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
# These hold another paper of the project, which the README links itself.
SHELLS = {"changelog", "security"}


@pytest.fixture(scope="module")
def llms():
    """The module that makes llms.txt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield importlib.import_module("llms")


def prose(page):
    """Give a page without its examples."""
    fence = r"^(?P<fence>```+)(?!\{container\})[^\n]*\n.*?^(?P=fence)$"
    return re.sub(fence, "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def targets(page):
    """Give what the links of a page lead to."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page):
    """Give the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#{1,3} (.+)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page):
    """Every link within the project names a file that is there, and a heading that it has."""
    broken = []
    for target in targets(page):
        if urlsplit(target).scheme:
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_to_elsewhere_are_well_formed(page):
    """A link that leaves the project is https, with a host of letters and without a query."""
    links = [urlsplit(target) for target in targets(page) if urlsplit(target).scheme]
    assert [
        link.geturl()
        for link in links
        if link.scheme != "https"
        or not re.fullmatch(r"([\w-]+\.)+[a-z]+", link.netloc)
        or link.query
    ] == []


def test_what_counts_as_an_anchor(tmp_path):
    """Headings lose their marks and punctuation; those in examples are none."""
    page = tmp_path / "page.md"
    page.write_text("# A `b`: c, d?\n\n```sh\n# no heading\n```\n\n## One-two 3\n")
    assert anchors(page) == {"a-b-c-d", "one-two-3"}


def test_the_readme_names_every_page():
    """Whoever starts at the README finds each page of the documentation."""
    linked = set(re.findall(r"\]\(docs/([\w/-]+)\.md", README.read_text()))
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.glob("**/*.md")}
    assert linked == pages - SHELLS - {"index"}


def test_the_landing_page_lists_every_page(llms):
    """Each page is in the site's contents once, and so in llms.txt."""
    listed = [name for names in llms.pages(DOCS).values() for name in names]
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.glob("**/*.md")]
    assert sorted(["index", *listed]) == sorted(pages)


@pytest.mark.parametrize("page", sorted(DOCS.glob("**/*.md")), ids=lambda page: page.stem)
def test_a_page_says_what_it_is_about(page, llms):
    """A page has a title and a first sentence, which llms.txt shows."""
    text = llms.text_of(DOCS, str(page.relative_to(DOCS).with_suffix("")))
    assert llms.title(text)
    assert 20 < len(llms.summary(text)) < 240


def test_llms_txt(llms):
    """It has the form that is published for it; the full text has the included programs too."""
    made = llms.files(DOCS)
    lines = made["llms.txt"].splitlines()
    assert lines[0].startswith("# ")
    assert lines[2].startswith("> ")
    entry = re.compile(r"- \[[^]]+\]\(_sources/[\w/-]+\.md\): \w.*|- \[[^]]+\]\(_sources/.*\): `.*")
    assert [
        line for line in lines[3:] if line and not entry.match(line) and line[:3] != "## "
    ] == []
    for program in (DOCS / "examples").glob("*.py"):
        assert program.read_text() in made["llms-full.txt"]
