"""Makes llms.txt and llms-full.txt, the site's table of contents and text for language models.

A page's title and first sentence stand in its source; the order is that of the landing page.
"""

import re
from pathlib import Path

__all__ = ["files", "pages", "summary", "title"]

_TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INCLUDE = re.compile(r"^```\{(?:include|literalinclude)\} (\S+)\n(?::.*\n)*```\n", re.MULTILINE)


def pages(docs: Path) -> dict[str, list[str]]:
    """Give the pages, without `.md`, under the captions of the landing page."""
    found: dict[str, list[str]] = {}
    for tree in _TOCTREE.findall((docs / "index.md").read_text()):
        caption = re.search(r"^:caption: (.+)$", tree, re.MULTILINE)
        names = [line for line in tree.splitlines() if line and not line.startswith(":")]
        found[caption[1] if caption else ""] = names
    return found


def text_of(docs: Path, page: str) -> str:
    """Give a page's source, with what it includes in place."""
    path = docs / f"{page}.md"

    def included(match: re.Match[str]) -> str:
        text = (path.parent / match[1]).read_text()
        return f"```python\n{text}```\n" if match[1].endswith(".py") else text

    return _INCLUDE.sub(included, path.read_text())


def title(text: str) -> str:
    """Give a page's title."""
    return text.partition("\n")[0].removeprefix("# ").strip()


def summary(text: str) -> str:
    """Give the first sentence of a page, on one line and without links."""
    paragraph = next(
        (part for part in text.split("\n\n")[1:] if re.match(r"[A-Za-z`\[]", part)), ""
    )
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " ".join(paragraph.split()))
    return re.split(r"(?<=[\w`][.:?])\s(?=[A-Z`])", plain)[0]


def files(docs: Path) -> dict[str, str]:
    """Give both files by their names."""
    landing = text_of(docs, "index")
    head = f"# {title(landing)}\n\n> {summary(landing)}\n"
    contents, everything = [head], [head]
    for caption, names in pages(docs).items():
        contents.append(f"\n## {caption}\n\n")
        for name in names:
            text = text_of(docs, name)
            contents.append(f"- [{title(text)}](_sources/{name}.md): {summary(text)}\n")
            everything.append(f"\n{text}")
    return {"llms.txt": "".join(contents), "llms-full.txt": "".join(everything)}
