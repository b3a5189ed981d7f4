"""The JSON parser: strict, and the same with and without the extra `speed`."""

import json
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deepidv_async import _json
from deepidv_async._json import find_fast_parser

DIGITS = st.text("0123456789", min_size=1, max_size=25)
NUMBERS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "-"]),
        st.integers(0, 10**25).map(str) | DIGITS,
        st.just("") | DIGITS.map(".{}".format),
        st.just("") | st.builds("{}{}".format, st.sampled_from(["e", "E-", "e+"]), DIGITS),
    ),
).map(str.encode)
TEXT = st.text(st.characters(), max_size=6) | st.sampled_from(["id", "\ud83d", "\udc00", "\x00"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.builds(
    lambda value, indent, ascii_only: json.dumps(
        value, indent=indent, ensure_ascii=ascii_only
    ).encode(errors="surrogatepass"),
    VALUES,
    st.none() | st.integers(0, 2),
    st.booleans(),
)
PIECES = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b" ", b"\n", b"\x0b", b"\x0c", b"\0"),
        *(b'"a":', b'{"a":1,"b":2,"a":3}', b"null", b"true", b"NaN", b"-Infinity", b"'a'", b"//"),
        *(b"\\u00e9", b"\\ud83d", b"\\ude00", b"\\x", b"\\/", b"\x1f", b"\x7f", b"\xc3\xa9"),
        *(b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf"),
        *(b"-0", b"-0.0", b"01", b"1.", b".5", b"+1", b"1e400", b"-1e999", b"1e-999", b"0e999"),
        *(b"18446744073709551616", b"-9223372036854775809", b"9" * 30, b"1" * 400, b"\xc2\xa0"),
        *(b"1" * 400 + b".0", b"9" * 4300, b"9" * 4301, b"1.7976931348623159e308", b"5e-324"),
    ]
)
SOUP = st.lists(PIECES | NUMBERS | st.binary(max_size=3), max_size=8).map(b"".join)


@st.composite
def _damaged(draw):
    body = bytearray(draw(DOCUMENTS))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        body[start : start + draw(st.integers(0, 4))] = draw(PIECES | st.binary(max_size=3))
    return bytes(body)


@pytest.fixture(scope="module", autouse=True)
def parser():
    """Both parsers are compared in each test: once is enough."""


def result_of(parse, body):
    """What comes out, types and order and all: `repr` tells 1 from 1.0 and 0.0 from -0.0."""
    value, problem = parse(body)
    return problem or repr(value)


def same_with_and_without(body):
    assert result_of(_json.parse_json, body) == result_of(_json._parse_strictly, body)


@given(DOCUMENTS | NUMBERS)
@settings(max_examples=300)
@example(b"-0")
@example(b"18446744073709551616")
@example(b'{"a":1,"b":2,"a":3}')
def test_a_document_is_read_alike(body):
    """Integers of any size, duplicate names, half surrogates: the extra changes no value."""
    same_with_and_without(body)


@given(_damaged() | SOUP | st.binary(max_size=12) | st.binary(max_size=6).map(b'"%b"'.__mod__))
@settings(max_examples=600)
@example(b'\xef\xbb\xbf{"a":"\\ud800"}')
@example(b"1e999")
@example(b'"\xed\xa0\x80"')
def test_a_damaged_document_is_judged_alike(body):
    """Whatever is wrong with the bytes, the extra accepts no more, and the words are the same."""
    same_with_and_without(body)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_what_is_nested_too_deeply_is_judged_alike(opening, closing, monkeypatch):
    """At the very depth where the interpreter's stack ends both parsers refuse."""

    def problems(depths):
        bodies = [opening * depth + b"1" + closing * depth for depth in depths]
        return [_json.parse_json(body)[1] for body in bodies]

    read, refused = 1, 200_000
    while refused - read > 1:
        middle = (read + refused) // 2
        read, refused = (middle, refused) if problems([middle]) == [None] else (read, middle)
    depths = range(read - 20, read + 20)
    found = problems(depths)
    monkeypatch.setattr(_json, "find_fast_parser", lambda: None)
    assert problems(depths) == found
    assert set(found) == {None, "it is nested too deeply"}


def test_the_extra_is_found_where_it_is_installed():
    """The suite has the extra, so that its tests test it."""
    assert find_fast_parser() is find_fast_parser()
    assert find_fast_parser()(b'[1,"a"]') == [1, "a"]


def test_the_extra_is_not_needed(monkeypatch):
    """Without it there is no fast parser, and no error."""
    monkeypatch.setitem(sys.modules, "msgspec.json", None)
    assert find_fast_parser.__wrapped__() is None


def test_what_the_fast_parser_refuses_is_read_again(monkeypatch):
    """Its refusal is not the last word, whatever the error."""

    def refuse(_):
        raise MemoryError

    monkeypatch.setattr(_json, "find_fast_parser", lambda: refuse)
    assert _json.parse_json(b"[1]") == ([1], None)
    assert _json.parse_json(b"[1") == (None, "it is cut off")
