"""Helpers for the tests of code that uses this library.

```python
from deepidv_async.testing import FakeDeepIDV

async with FakeDeepIDV(workflows=2) as fake:
    fake.plan(503)  # the next request fails, and is repeated without waiting
    assert len(await fake.client().list_workflows()) == 2
```

Nothing of it needs an extra. `deepidv_async.testing.plugin` has the same as pytest fixtures.
"""

from deepidv_async.testing._assertions import assert_no_key, assert_within_rate_limit
from deepidv_async.testing._clock import VirtualClock
from deepidv_async.testing._failures import Failure
from deepidv_async.testing._fake import FakeDeepIDV
from deepidv_async.testing._records import (
    make_session,
    make_workflow,
    sessions_body,
    workflows_body,
)
from deepidv_async.testing._respx import route_to_fake
from deepidv_async.testing._sent import SentRequest

__all__ = [
    "Failure",
    "FakeDeepIDV",
    "SentRequest",
    "VirtualClock",
    "assert_no_key",
    "assert_within_rate_limit",
    "make_session",
    "make_workflow",
    "route_to_fake",
    "sessions_body",
    "workflows_body",
]
