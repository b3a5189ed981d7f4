"""Text from the server is data: on a terminal, in JSON and in a spreadsheet."""

import csv
import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deepidv_async.cli._text import json_text, printable, spreadsheet_cell

ANY_TEXT = st.text(st.characters(codec=None), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Théa Zając 永", "Théa Zając 永"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("one\r\ntwo\t", r"one\r\ntwo\t"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("\u202egpj.exe\u2066", r"\u202egpj.exe\u2066"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text, shown):
    """Letters of any script pass; controls, direction marks and lone surrogates are escapes."""
    assert printable(text) == shown


@settings(max_examples=100)
@given(ANY_TEXT)
def test_printable_text_is_printable(text):
    """Whatever comes in: one line, nothing invisible, nothing lost from readable text."""
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


@settings(max_examples=100)
@example(value="\x7f", ascii_only=True)
@example(value="\U000e0041\ud800\u202e", ascii_only=False)
@given(value=JSON, ascii_only=st.booleans())
def test_json_keeps_everything(value, ascii_only):
    """Reading the line gives the value back, and the line can be looked at on a terminal."""
    line = json_text(value, ascii_only=ascii_only)
    assert json.loads(line) == value
    assert line.isprintable()
    assert line.isascii() or not ascii_only


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("https://example.org")',
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "  =1+1",
        "\t=1",
        "\r=1",
        "\n=1",
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
        "-",
    ],
)
def test_a_formula_becomes_text(text):
    """What a spreadsheet would run gets an apostrophe in front."""
    assert spreadsheet_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["", "lease-204", "a=b", "2026-05-06T07:08:09Z", '{"a":1}', "é"])
def test_other_cells_stay(text):
    """Ordinary text is not touched."""
    assert spreadsheet_cell(text) == text


@settings(max_examples=100)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_cells_survive_the_file(texts):
    """A CSV reader gets each cell as it was made: no formula, no control character."""
    cells = [spreadsheet_cell(text) for text in texts]
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(cells)
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [cells]
    for cell in cells:
        assert not cell.lstrip().startswith(tuple("=+-@"))
        assert all(char in "\n\t" or not "\x00" <= char < " " for char in cell)
