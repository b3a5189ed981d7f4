"""What users' type checkers see: every public name has its promise, and the HTTP library stays out.

The promises themselves stand in `tests/typing`, where mypy and pyright read them.
"""

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import attrs
import pytest

import deepidv_async
import deepidv_async.limits
import deepidv_async.limits.redis
import deepidv_async.observe
import deepidv_async.simulator
import deepidv_async.testing

PROMISES = "\n".join(
    path.read_text() for path in sorted((Path(__file__).parents[1] / "typing").glob("*.py"))
)
ROOMS = [
    deepidv_async,
    deepidv_async.limits,
    deepidv_async.limits.redis,
    deepidv_async.observe,
    deepidv_async.simulator,
    deepidv_async.testing,
]
PUBLIC = {
    f"{room.__name__}.{name}": getattr(room, name)
    for room in ROOMS
    for name in room.__all__
    if name != "__version__"
}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}
# Called by other modules of this package only; no page speaks of them.
INSIDE = {"lose", "matches", "reply", "sizes", "verdict"}
# The alias for what `http_client` takes, as annotations spell it, and the libraries' own names.
HTTP_LIBRARY = re.compile(r"\b(HTTPClient|httpx2?|httpcore2?)\b")


def _ours(kind: type) -> Iterator[type]:
    return (each for each in kind.__mro__ if each.__module__.startswith("deepidv_async"))


def _members(kind: type) -> set[str]:
    """Give the public methods, properties and attributes that a class has from this package."""
    if issubclass(kind, Enum):
        return set()
    names = {name for each in _ours(kind) for name in [*vars(each), *inspect.get_annotations(each)]}
    if attrs.has(kind):
        names |= {field.name for field in attrs.fields(kind)}
    for each in _ours(kind):
        if "__init__" in vars(each) and not attrs.has(each):
            names |= set(re.findall(r"self\.(\w+)\s*(?::[^=\n]+)?=", inspect.getsource(each)))
    return {name for name in names if not name.startswith("_")}


def _annotations(kind: type) -> Iterator[tuple[str, str]]:
    """Give where each type stands that a class shows, and the type as text."""
    for each in _ours(kind):
        for name, said in inspect.get_annotations(each).items():
            if not name.startswith("_"):
                yield f"{each.__name__}.{name}", inspect.formatannotation(said)
        for name, value in vars(each).items():
            made_by_attrs = name == "__init__" and attrs.has(each)
            if (name.startswith("_") and name not in ("__init__", "__call__")) or made_by_attrs:
                continue
            function = value.fget if isinstance(value, property) else inspect.unwrap(value)
            function = getattr(function, "__func__", function)
            if inspect.isfunction(function):
                for argument, said in inspect.get_annotations(function).items():
                    where = f"{each.__name__}.{name}({argument})"
                    yield where, inspect.formatannotation(said)


def _told(member: str) -> bool:
    """Whether a promise reads the member of something, or sets it as an option."""
    return re.search(rf"\.{member}\b|\b{member}=", PROMISES) is not None


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_its_promise(name):
    """What a checker says of each exported name is written down, so a change of it is seen."""
    assert re.search(rf"\b{name.rpartition('.')[2]}\b", PROMISES.partition("import (")[2])


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_attribute_has_its_promise(name):
    """The same holds for what hangs on an exported class: methods, properties, attributes."""
    missing = {each for each in _members(CLASSES[name]) if not _told(each)}
    assert missing - INSIDE == set()


@pytest.mark.parametrize("name", PUBLIC)
def test_the_http_library_shows_in_no_public_type(name):
    """Another HTTP library can take over without a change for users but of `http_client`."""
    value = PUBLIC[name]
    if inspect.isclass(value):
        shown = dict(_annotations(value))
    else:
        said = inspect.get_annotations(inspect.unwrap(value)) if inspect.isfunction(value) else {}
        shown = {f"{name}({argument})": inspect.formatannotation(t) for argument, t in said.items()}
        shown |= {} if inspect.isfunction(value) else {name: repr(value)}
    leaks = {where: said for where, said in shown.items() if HTTP_LIBRARY.search(said)}
    assert {where for where in leaks if "http_client" not in where} == set()


def test_a_leak_would_be_seen():
    """The check above finds the one place where such a type is meant to be."""
    shown = dict(_annotations(deepidv_async.AsyncDeepIDV))
    assert HTTP_LIBRARY.search(shown["AsyncDeepIDV.__init__(http_client)"])
    assert shown["AsyncDeepIDV.list_workflows(return)"]
    fake = dict(_annotations(deepidv_async.testing.FakeDeepIDV))
    assert HTTP_LIBRARY.search(fake["FakeDeepIDV.http_client"])
