"""Bytes to JSON values: a strict parser that never quotes the document, and a fast one before it.

The strict parser, Python's own, decides what JSON is and words every error. Where the extra
`speed` is installed msgspec reads first, and whatever it refuses, rightly or not, is read again.
So the result is the same with and without the extra as long as msgspec accepts nothing that the
strict parser refuses and reads nothing differently; tests run both over documents of all kinds.
(orjson was measured too: it is no faster, and reads integers of more than 64 bits as floats.)
"""

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NoReturn

__all__ = ["find_fast_parser", "parse_json"]

_CUT_OFF: Final = "it is cut off"


class _NotStrictError(ValueError):
    """A number that Python's parser takes and JSON does not have."""


def _refuse_constant(_: str) -> NoReturn:
    raise _NotStrictError("it holds NaN or Infinity")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotStrictError("it holds a number that is too large for a float")
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def parse_json(body: bytes) -> tuple[Any, str | None]:
    """Parse a whole document; the second value tells why it is none."""
    fast = find_fast_parser()
    if fast is not None:
        try:
            return fast(body), None
        except Exception:  # noqa: BLE001, S110 - the strict parser decides and finds the words
            pass
    return _parse_strictly(body)


@cache
def find_fast_parser() -> Callable[[bytes], Any] | None:
    """Give msgspec's parser, `None` without the extra; its import takes some 10 ms, once."""
    try:
        from msgspec.json import Decoder  # noqa: PLC0415 - an extra is imported on use
    except ImportError:
        return None
    # Both parsers refuse what is nested deeper than the interpreter's stack allows, the strict
    # one up to two levels earlier than msgspec: some Python functions come before it. So the fast
    # one is called from deeper in the stack, by four levels or more on 3.11 to 3.13.
    return _Deeper(_Deeper(_Deeper(Decoder().decode)))


class _Deeper:
    """A parser that has a little less of the stack than its caller."""

    def __init__(self, parse: Callable[[bytes], Any]) -> None:
        self._parse = parse

    def __call__(self, body: bytes) -> Any:
        return self._parse(body)


def _parse_strictly(body: bytes) -> tuple[Any, str | None]:
    # The problem is returned and raised by the caller, outside of these `except` blocks: an
    # error raised within one keeps the parser's error, hence the document, as `__context__`.
    try:
        # A byte order mark is not allowed in JSON, yet some gateways and proxies add one.
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data"
        return None, _CUT_OFF if cut else f"it is not UTF-8 at byte {error.start}"
    try:
        return _DECODER.decode(text), None
    except json.JSONDecodeError as error:
        return None, _what_is_wrong(text.strip(), error)
    except _NotStrictError as error:
        return None, str(error)
    except ValueError:
        return None, "it holds an integer with more digits than Python's limit"
    except RecursionError:
        return None, "it is nested too deeply"


def _what_is_wrong(text: str, error: json.JSONDecodeError) -> str:
    if not text:
        return "the body is empty"
    if text.startswith("<"):
        return "it is HTML or XML, perhaps a page of a gateway or proxy"
    if text[0] not in "{[" or "\0" in text:
        return "it is plain text, or binary data"
    if error.msg == "Extra data":
        return f"it goes on after its end, at character {error.pos}"
    # Within a string the parser points at its start, anywhere else at where it stumbled.
    open_string = error.msg.startswith("Unterminated string")
    if open_string or text[-1] not in "}]" or error.pos >= len(error.doc.rstrip()):
        return _CUT_OFF
    return f"{error.msg}, at character {error.pos}"
