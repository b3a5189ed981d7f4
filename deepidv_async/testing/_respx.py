"""For tests that mock httpx themselves: a route of a respx router that a fake answers."""

import re
from typing import TYPE_CHECKING

from deepidv_async._config import DEFAULT_BASE_URL
from deepidv_async.testing._fake import FakeDeepIDV
from deepidv_async.testing._network import InProcess

if TYPE_CHECKING:
    import respx

__all__ = ["route_to_fake"]


def route_to_fake(
    router: "respx.Router", fake: FakeDeepIDV, *, base_url: str = DEFAULT_BASE_URL
) -> "respx.Route":
    """Let a fake answer the calls of both generations that a respx router catches.

    For asynchronous code that uses httpx on its own, or clients that cannot be handed a fake.
    What was planned, the data, the limits and the journal are the fake's.

    Args:
        router: for example what `respx.mock` gives.
        fake: the fake.
        base_url: where the code under test believes the API to be.

    Returns:
        The route, for example for `route.call_count`.
    """
    base = re.escape(base_url.rstrip("/").removesuffix("/v1"))
    calls = r"/workflow(?:/[^/?]+)?|/v1/workflows|/v1/sessions"
    network = InProcess(fake, fake.requests.append)
    return router.route(url__regex=rf"^{base}(?:{calls})(?:\?.*)?$").mock(
        side_effect=network.handle_async_request
    )
