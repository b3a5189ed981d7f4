"""What may be shown of bodies, of the server's words and of wrong arguments."""

import json
import pickle
import re
from collections import UserDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async._redaction import clean_text, outline, shown

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    ("value", "drawn"),
    [
        (None, "null"),
        (True, "bool"),
        (0, "number"),
        (1.5, "number"),
        ("", "str(0)"),
        ("Jane", "str(4)"),
        ([], "array(0)"),
        (["Jane"], ["str(4)"]),
        (["Jane", 1, None], ["str(4)", "… 2 more"]),
        ({}, {}),
        (
            {"id": "wf_1", "steps": [1, 2], "at": {"city": "Bern"}},
            {"id": "str(4)", "steps": ["number", "… 1 more"], "at": {"city": "str(4)"}},
        ),
        ([[[[[1]]]]], [[[["array(1)"]]]]),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, {"a": {"b": {"c": {"d": "object(1)"}}}}),
        (UserDict(a=1), {"a": "number"}),
        ((1, 2), ["number", "… 1 more"]),
        (object(), "object"),
    ],
)
def test_an_outline_keeps_names_and_sizes(value, drawn):
    """Names stay, values become type and length, four levels deep."""
    assert outline(value) == drawn


def test_an_outline_is_short():
    """Of many names the first twelve stand, and each is short and safe to print."""
    drawn = outline({f"n{number:02}": number for number in range(100)})
    assert len(drawn) == 13
    assert drawn["…"] == "88 more"
    assert "…" not in outline(dict.fromkeys("abcdefghijkl"))
    assert outline({"n" * 100: 1, "a\nb": 2}) == {"n" * 39 + "…": "number", "a b": "number"}


@given(JSON)
@settings(max_examples=80)
def test_an_outline_shows_no_value(value):
    """Whatever the body, its outline can be logged as JSON and pickled, and holds no value."""
    drawn = outline({"name": "Jane Doe", "deep": [{"name": "Jane Doe", "more": value}], "v": value})
    assert "Jane" not in json.dumps(drawn)
    assert pickle.loads(pickle.dumps(drawn)) == drawn


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("  Invalid Input.\n", "Invalid Input."),
        ("a\r\n\tb", "a b"),
        ("a\x00\x1b[31mb\x9b", "a [31mb"),
        ("a\u2028b\u2029c", "a b c"),
        ("user \u202eexe.txt", "user  exe.txt"),
        ("half \ud83d of a pair", "half   of a pair"),
        ("é 工作流 🙂", "é 工作流 🙂"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 19 + "…"),
    ],
    ids=ascii,
)
def test_a_text_becomes_a_line(text, line):
    """Control characters become blanks, and what is too long ends in an ellipsis."""
    assert clean_text(text, 20) == line


@given(st.text(st.characters(), max_size=400), st.integers(1, 50))
@settings(max_examples=100)
def test_any_text_is_made_safe(text, limit):
    """No text breaks out of its line, and none is longer than was asked for."""
    line = clean_text(text, limit)
    assert len(line) <= limit
    assert not UNSAFE.search(line)
    assert line == line.strip()
    line.encode()


def test_a_message_is_300_characters_at_most():
    """Where nothing else is asked for, a line is as long as a message may be."""
    assert len(clean_text("x" * 300)) == len(clean_text("x" * 301)) == 300
    assert clean_text("x" * 300) != clean_text("x" * 301)


def test_a_huge_text_is_cut_before_it_is_cleaned():
    """Cleaning looks at a few times the limit only, so that a body of megabytes costs nothing."""
    assert clean_text("\n" * 10_000_000 + "x", 100) == ""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "None"),
        (True, "True"),
        (-3, "-3"),
        (10**15 - 1, "999999999999999"),
        (10**15, "an object of type int"),
        (2.5, "2.5"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ("secret", "an object of type str"),
        (b"secret", "an object of type bytes"),
        (["secret"], "an object of type list"),
    ],
)
def test_an_argument_is_shown_only_if_it_is_a_number(value, told):
    """Texts in the wrong place may be keys or names, and huge numbers cannot be printed."""
    assert shown(value) == told


def test_a_number_too_large_to_print_is_told_by_its_type():
    """Python refuses to print an integer of 5,000 digits; the message does not fail over it."""
    assert shown(10**5000) == shown(-(10**5000)) == "an object of type int"
