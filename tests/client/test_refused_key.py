"""A refused constructor: whatever is wrong, the key does not show."""

import traceback
from pathlib import Path

import pytest

import deepidv_async
from deepidv_async import AsyncDeepIDV, ConfigurationError

KEY = "canary-0123456789-key"
PACKAGE = str(Path(deepidv_async.__file__).parent)


@pytest.mark.parametrize(
    ("key", "options"),
    [
        (f"{KEY}\n", {}),
        (f"{KEY} é", {}),
        (KEY, {"base_url": "http://api.example"}),
        (KEY, {"api_version": "v9"}),
        (KEY, {"max_connections": 0}),
        (KEY, {"deadline": -1}),
        (KEY, {"timeout": "x"}),
        (KEY, {"retry": 3}),
        (KEY, {"rate_limit": 3}),
        (KEY, {"observers": 3}),
        (KEY, {"http_client": 3}),
    ],
    ids=range(11),
)
def test_a_refused_constructor_hides_the_key(key, options):
    """No frame of ours shows the key, and the half-made client can be printed."""
    with pytest.raises(ConfigurationError) as caught:
        AsyncDeepIDV(key, **options)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame.locals for frame in told.stack if frame.filename.startswith(PACKAGE)]
    assert ours
    assert KEY not in repr(ours) + str(caught.value) + repr(caught.value.args)
