"""The page about messages has each one that the library can print, and no other."""

import ast
import re
from pathlib import Path

import pytest

import deepidv_async

PACKAGE = Path(deepidv_async.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"

# Not read: code that is generated, patterns, and what a simulated server or person says.
SILENT = {
    *("_hooks.py", "observe/_otel.py", "testing/_failures.py", "testing/plugin.py"),
    *("simulator/_endpoints.py", "simulator/_listing.py", "simulator/_people.py"),
    *("simulator/_records.py", "simulator/_replies.py"),
}
# These describe options, draw, or tell findings with their advice: only what they refuse is read.
SHOWING = {
    f"cli/_{name}.py"
    for name in (
        *("app", "commands", "console", "demo", "demo_count", "demo_view", "doctor"),
        *("doctor_calls", "doctor_redis", "limits_view", "options", "probe", "progress"),
        *("reading", "sim", "stats_view"),
    )
}
# These stand in modules that are not read, and are messages nevertheless.
ALSO = {
    "deepidv_async.testing.plugin needs pytest: pip install pytest",
    "Failure(…): must be an exception or one of ….",
    "plan() takes statuses, names, bodies, exceptions, Fault(...) and Failure(...), not ….",
}
# Pieces of longer messages that say nothing alone, and texts that nobody is told.
PIECES = {
    *(" or a bare array", "an object with a list in ……", "another path of the same host"),
    *("… bytes, content type …", "between … and …", "no content type", "Second test workflow"),
    *("missing authentication token", "the pool was closed"),
    *(" (request id …)", " [after … attempts]", "… workflows, … sessions", "an object of type …"),
    # Caught where they are raised.
    *("the form has no keys yet", "it is not for want of keys", "keys that are data"),
    *("a required field is missing", "a time without a zone", "a time outside of the calendar"),
    *("not a list of strings", "not an object of booleans", "a count below zero"),
    *("not a number of zero or more", "not an object", "not a string"),
    *("where … is documented (…).", " and … more", "… … more", "HTTP …. …", "… At ….……"),
    *("zero or more", "more than zero", "… or more", "a whole number", "no message (…)"),
    *(
        "the same command",
        "the same command without --restart",
        "workflow …, which is not there any more",
    ),
    ", … of them without a creation time",
    *("… of …", "…, … left", "nobody uses it", "… of …/s"),  # cells of a table
    *("…, … bytes", "[the API key]", "… (… left)", "unexpected end of data"),
}
# Types, lists of names, patterns and what `repr` gives.
NO_MESSAGE = re.compile(
    r" \| |\\b|^\w[\w.]*\[[\w.]+[],]|^([A-Z]\w+ ?)+$|^<|^…\(|^(Page|Journal|VirtualClock)\(…"
)


def template(node):
    """Give the text of a string with `…` for what is filled in, or nothing."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(p.value if isinstance(p, ast.Constant) else "…" for p in parts)
        case _:
            return ""


def texts(source):
    """Give the strings of a module that are sentences: no docstrings, types or lists of names."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    skipped = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    skipped |= {id(v) for node in nodes if isinstance(node, ast.JoinedStr) for v in node.values}
    found = {template(node) for node in nodes if id(node) not in skipped}
    return {text for text in found if len(text.split()) > 2 and not NO_MESSAGE.search(text)}


def refusals(source):
    """Give the sentences that a module raises, or tells as errors."""
    return {
        text
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Raise)
        or (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "error")
        for text in texts(ast.unparse(node))
    }


def said():
    """Give each message of the package, with a module that has it."""
    names = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    found = {
        text: name
        for name, path in names.items()
        if name not in SILENT
        for text in (refusals if name in SHOWING else texts)(path.read_text())
    }
    return {text: name for text, name in found.items() if text not in PIECES}


def listed():
    """Give the messages that the page explains."""
    terms = re.findall(r"^(`.+`)\n: ", PAGE.read_text(), re.MULTILINE)
    # A message may hold a word in backticks itself.
    return [text for term in terms for text in term[1:-1].split("` `")]


def test_every_message_is_explained():
    """Whoever searches the page for a message finds it, in the words of the source."""
    explained = set(listed())
    assert {text: name for text, name in said().items() if text not in explained} == {}


def test_no_message_is_made_up():
    """What the page explains is in the source, once on the page."""
    known = said().keys() | ALSO
    assert [text for text in listed() if text not in known] == []
    assert sorted(listed()) == sorted(set(listed()))


def test_the_messages_in_modules_that_are_not_read():
    """Those that are listed by hand are there."""
    found = set()
    for name in SILENT:
        found |= texts((PACKAGE / name).read_text())
    assert found >= ALSO


def test_nothing_is_excused_in_vain():
    """A piece that left the source leaves the list too."""
    everything = set()
    for path in PACKAGE.rglob("*.py"):
        everything |= texts(path.read_text())
    assert sorted(PIECES - everything) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('raise E("It is so and so.")', {"It is so and so."}),
        ('raise E(f"{a} is not {b!r}.")', {"… is not …."}),
        ('"""Some words of it."""', set()),
        ('X: T = "int | str | None"', set()),
    ],
)
def test_what_counts_as_a_message(source, found):
    """Sentences do, with what is filled in left open; docstrings and types do not."""
    assert texts(source) == found


def test_what_counts_as_a_refusal():
    """What is raised or told as an error does, and no text of help beside it."""
    source = """
option(help="This is some help.")
def f():
    terminal.error(f"Cannot do {it} so.")
    raise E("It is so and so.") from None
"""
    assert refusals(source) == {"Cannot do … so.", "It is so and so."}


def test_modules_that_show_are_there():
    """A module that was renamed is read in full again."""
    assert sorted(name for name in SHOWING if not (PACKAGE / name).exists()) == []
