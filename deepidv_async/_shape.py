"""What a list should look like, and the words for what differs.

A difference that hides nothing is drift, and counted; one that might is a fault, and refused.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeAlias, TypeVar

import attrs

from deepidv_async._redaction import clean_text

__all__ = ["Fault", "PageShape", "Scrub", "count_drift", "field_name"]

T = TypeVar("T")
Scrub: TypeAlias = Callable[[str], str]

_MAX_NAME: Final = 40
_MAX_DRIFT_KEYS: Final = 100


@attrs.frozen
class PageShape(Generic[T]):
    """What a documented body of a list looks like.

    Attributes:
        model: class of the records.
        envelopes: accepted names of the list, in order of preference.
        bare_array: whether the list may come without an envelope.
        paged: whether the body carries `next_token`.
        token_optional: whether a paged body may leave `next_token` out without counting as
            drift.
    """

    model: type[T]
    envelopes: tuple[str, ...]
    bare_array: bool = False
    paged: bool = False
    token_optional: bool = False


@attrs.frozen
class Fault:
    """Why a page is refused although its records can be looked at.

    Attributes:
        path: JSON path of what is wrong.
        message: what is wrong, one sentence.
    """

    path: str
    message: str


def field_name(name: str, scrub: Scrub = str) -> str:
    """Make a name that the server chose fit for a message, a drift key or a metric's label."""
    return clean_text(scrub(name), _MAX_NAME)


def count_drift(drift: dict[str, int], key: str, times: int = 1) -> None:
    """Count one kind of drift; beyond 100 kinds they are counted together.

    An object whose keys are data (ids, say) must not become as many labels of a metric.
    """
    if key not in drift and len(drift) >= _MAX_DRIFT_KEYS:
        key = "other:…"
    drift[key] = drift.get(key, 0) + times
