"""The API key on its way in: checked, hidden, and never shown by an error about it."""

import copy
import pickle
import traceback
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import deepidv_async
from deepidv_async._config import resolve_config
from deepidv_async._errors import ConfigurationError
from deepidv_async._redaction import MASK, Secret

PACKAGE = str(Path(deepidv_async.__file__).parent)
CANARY = "canary0123456789"
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)


def refusal(*arguments):
    with pytest.raises(ConfigurationError) as caught:
        resolve_config(*arguments)
    return caught.value


def shown_by(error):
    """Everything that a program may print or store of an error, locals of our frames included."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame.locals for frame in told.stack if frame.filename.startswith(PACKAGE)]
    assert ours
    chained = [error.__cause__, error.__context__]
    return repr([ours, chained, str(error), repr(error), error.args, vars(error), error.to_dict()])


MALFORMED = [
    f"{CANARY}\n",
    f"\n{CANARY}",
    f"{CANARY} ",
    f"{CANARY}\r\nx-evil: 1",
    f"a b{CANARY}",
    f"{CANARY}\t",
    f"{CANARY}\x00",
    f"{CANARY}\x7f",
    f"{CANARY}é",
    f"{CANARY}\u200b",
    f"{CANARY}\ud800",
    CANARY * 40,
]


@pytest.mark.parametrize("key", MALFORMED, ids=range(len(MALFORMED)))
@pytest.mark.parametrize("source", ["argument", "hidden", "environment"])
def test_a_malformed_key_is_refused_unseen(monkeypatch, key, source):
    """A key that no header can carry is refused, and no part of the error shows it."""
    argument = {"argument": key, "hidden": Secret(key), "environment": None}[source]
    if source == "environment" and ("\x00" in key or "\ud800" in key):
        monkeypatch.setattr("os.environ", {"DEEPIDV_API_KEY": key})  # the real one refuses these
    elif source == "environment":
        monkeypatch.setenv("DEEPIDV_API_KEY", key)
    error = refusal(argument, None, None)
    assert error.message.startswith("The API key is malformed")
    assert "strip()" in error.message
    assert CANARY not in shown_by(error)


@pytest.mark.parametrize("key", [CANARY.encode(), [CANARY], {"key": CANARY}, 12345, True, Secret])
def test_a_key_of_another_type_is_refused_unseen(key):
    """A key that is not text is named by its type only."""
    error = refusal(key, None, None)
    assert error.message == f"The API key must be a str, not {type(key).__name__}."
    assert CANARY not in shown_by(error)


@pytest.mark.parametrize("key", [None, "", Secret("")])
def test_no_key_says_where_one_comes_from(key):
    """Without a key there is no client; the error names the argument and the variable."""
    error = refusal(key, None, None)
    assert "api_key=" in error.message
    assert "DEEPIDV_API_KEY" in error.message


def test_an_empty_argument_does_not_fall_back(monkeypatch):
    """An empty key that was passed is a mistake, whatever the environment has."""
    monkeypatch.setenv("DEEPIDV_API_KEY", CANARY)
    assert refusal("", None, None).message.startswith("No API key")


@pytest.mark.parametrize(
    ("base_url", "api_version"),
    [("http://api.example", None), ("nonsense", None), (None, "v9"), ("https://x/v1", "legacy")],
)
@pytest.mark.parametrize("from_environment", [True, False])
def test_a_good_key_does_not_show_when_something_else_is_wrong(
    monkeypatch, base_url, api_version, from_environment
):
    """Locals of our frames hide the key, and the environment, whatever setting is refused."""
    if from_environment:
        monkeypatch.setenv("DEEPIDV_API_KEY", CANARY)
    error = refusal(None if from_environment else CANARY, base_url, api_version)
    assert CANARY not in shown_by(error)


@given(PRINTABLE.filter(lambda key: len(key) <= 512))
@example("!~")
@settings(max_examples=50)
def test_any_printable_ascii_is_a_key(key):
    """The vendor promises no format, so none is asked for."""
    config = resolve_config(key, None, None)
    assert config.api_key.reveal() == key


@given(st.text(min_size=1))
@settings(max_examples=80)
def test_any_other_text_is_refused(key):
    """Exactly the texts that no header carries unchanged are refused."""
    good = len(key) <= 512 and all("!" <= char <= "~" for char in key)
    try:
        resolve_config(key, None, None)
    except ConfigurationError:
        assert not good
    else:
        assert good


def test_the_longest_key():
    """512 characters are a key, one more is a pasted file."""
    assert resolve_config("k" * 512, None, None).api_key.reveal() == "k" * 512
    refusal("k" * 513, None, None)


def test_a_secret_is_not_shown():
    """No way of printing a secret, alone or inside the settings, shows it."""
    secret = Secret(CANARY)
    config = resolve_config(CANARY, None, None)
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}", repr(config)):
        assert CANARY not in text
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_stored(protocol):
    """A pickle is a file that somebody reads: a secret, and what holds one, refuses it."""
    for each in (Secret(CANARY), resolve_config(CANARY, None, None)):
        with pytest.raises(TypeError, match="not pickled or copied") as caught:
            pickle.dumps(each, protocol)
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_a_secret_is_not_copied(copier):
    """Copies would spread the key through objects that are not looked after."""
    with pytest.raises(TypeError, match="not pickled or copied"):
        copier(Secret(CANARY))


@given(st.text(), st.text(), PRINTABLE.filter(lambda key: len(key) > len(MASK)))
@settings(max_examples=50)
def test_an_echo_is_scrubbed(before, after, key):
    """Wherever a server repeats the key, a mask stands in its place; other text stays."""
    scrub = Secret(key).scrub
    assert MASK in scrub(f"{before}{key}{after}")
    assert scrub(f"<{key}>") == f"<{MASK}>"
    assert scrub("nothing to hide") == "nothing to hide" or key in "nothing to hide"
