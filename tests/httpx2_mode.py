"""A plugin of pytest that runs the tests over httpx2: `nox -s httpx2`, or `pytest -p httpx2_mode`.

The tests stay as they are. Where one makes an `AsyncDeepIDV` without `http_client`, the client is
given an `httpx2.AsyncClient` as a user would give it, which is closed with it. Tests about the
client's own pool are marked `own_pool`, with their reason, and left out.
"""

import ssl

import certifi
import httpx2
import pytest
import respx.mocks

from deepidv_async._transport import Transport


def pytest_configure():
    """Give clients one of httpx2 from now on, and let respx catch what that sends."""
    # Made once: each would take 20 ms.
    context = ssl.create_default_context(cafile=certifi.where())
    init, aclose = Transport.__init__, Transport.aclose

    def with_httpx2(self, config, *, max_connections, http_client, observers):
        self.lent = None
        if http_client is None:
            limits = httpx2.Limits(
                max_connections=max_connections, max_keepalive_connections=max_connections
            )
            http_client = self.lent = httpx2.AsyncClient(verify=context, limits=limits)
        options = {"http_client": http_client, "observers": observers}
        init(self, config, max_connections=max_connections, **options)

    async def close_both(self):
        await aclose(self)
        if self.lent is not None:
            await self.lent.aclose()

    def own_pool(self, context):
        raise AssertionError("a client made a pool of its own: it was to send through httpx2")

    Transport.__init__, Transport.aclose = with_httpx2, close_both
    Transport._make = own_pool
    core = respx.mocks.HTTPCoreMocker
    core.add_targets(*[name.replace("httpcore.", "httpcore2.") for name in core.targets])


def pytest_collection_modifyitems(config, items):
    """Leave out the tests that cannot hold for a client that was injected."""
    own = [item for item in items if item.get_closest_marker("own_pool")]
    if unsaid := [item.nodeid for item in own if not item.get_closest_marker("own_pool").args]:
        raise pytest.UsageError(f"own_pool needs a reason: {', '.join(unsaid)}")
    config.hook.pytest_deselected(items=own)
    items[:] = [item for item in items if item not in own]
