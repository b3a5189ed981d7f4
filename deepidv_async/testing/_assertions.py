"""What a test may want to be sure of, with messages that name the culprit."""

import base64
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

import attrs

from deepidv_async.limits import RateLimit
from deepidv_async.simulator import Entry
from deepidv_async.simulator._limits import DRIFT, refill

__all__ = ["assert_no_key", "assert_within_rate_limit"]

_AROUND: Final = 40
_MASK: Final = "[the API key]"


@attrs.frozen
class _Refusal:
    number: int
    entry: Entry
    tokens: float


def assert_within_rate_limit(
    journal: Iterable[Entry],
    limit: RateLimit = RateLimit(),  # noqa: B008 - frozen
) -> None:
    """Check that a server with that limit would have refused none of the requests that arrived.

    The requests are judged again by a token bucket that starts full: those with the right key
    for a call that is served. How they were answered does not matter, so a simulator without a
    limit (`rate=None`) shows what the code under test would do by itself. The daily quota is not
    looked at.

    Args:
        journal: of a simulator or of `FakeDeepIDV`, where one key was used.
        limit: the limit to judge by, `per_second` and `burst` of it.

    Raises:
        AssertionError: some would have been refused; it names the first of them, and tells by
            how much it came too early.
    """
    counted = [entry for entry in journal if _counts(entry)]
    refusals = _refusals(counted, limit)
    if not refusals:
        return
    first = refusals[0]
    early = (1 - first.tokens) / limit.per_second
    raise AssertionError(
        f"{len(refusals)} of {len(counted)} requests would have been refused by a limit of "
        f"{limit.per_second:g}/s with a burst of {limit.burst:g}. The first is request "
        f"{first.number}, {first.entry.method} {first.entry.path} at {first.entry.at:.3f} s: it "
        f"came {early:.3f} s too early, with {first.tokens:.2f} tokens in the bucket."
    )


def _counts(entry: Entry) -> bool:
    return entry.generation is not None and entry.key == "right" and entry.method == "GET"


def _refusals(counted: list[Entry], limit: RateLimit) -> list[_Refusal]:
    found: list[_Refusal] = []
    tokens, at = limit.burst, 0.0
    for number, entry in enumerate(counted, 1):
        tokens = refill(tokens, entry.at - at, limit.per_second, limit.burst)
        at = entry.at
        if tokens < 1 - DRIFT:
            found.append(_Refusal(number, entry, tokens))
        else:
            tokens -= 1
    return found


def assert_no_key(text: str | bytes, key: str) -> None:
    """Check that an API key is not in a text: not as it is, percent-encoded or in base64.

    Args:
        text: for example what was logged (`caplog.text`) or printed.
        key: the key.

    Raises:
        AssertionError: it is there; the message shows where, and the key in no form.
        ValueError: the key is empty, so that nothing could be told.
    """
    if not key:
        raise ValueError("assert_no_key() needs a key to look for.")
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    for form in (key, quote(key, safe=""), base64.b64encode(key.encode()).decode()):
        shown = shown.replace(form, _MASK)
    at = shown.find(_MASK)
    if at >= 0:
        around = shown[max(0, at - _AROUND) : at + len(_MASK) + _AROUND]
        raise AssertionError(f"The API key is in the text, at character {at}: {around!r}.")
