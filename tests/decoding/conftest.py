"""Every test of decoding runs twice: with the extra `speed` and without."""

import pytest

from deepidv_async import _json


@pytest.fixture(scope="module", autouse=True, params=["speed", "no extra"])
def parser(request):
    """The parser that reads bodies."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "no extra":
            patch.setattr(_json, "find_fast_parser", lambda: None)
        yield request.param
