"""The simulator's uvicorn side: a server that minds its own business. Imported on use only."""

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

__all__ = ["LoopbackServer"]

# Longer than any pause of a test, so that idle connections are closed only on purpose.
_KEEP_ALIVE = 75


class _Config(uvicorn.Config):
    def configure_logging(self) -> None:
        """Leave logging as the program around has set it up."""


class LoopbackServer(uvicorn.Server):
    """A uvicorn server on a socket that listens already.

    It says when it is ready, and its end does not wait for clients.
    """

    def __init__(self, app: Any, on_ready: Callable[[], object]) -> None:
        super().__init__(
            _Config(
                app,
                http="h11",  # the same on every machine, whatever else is installed
                ws="none",
                lifespan="off",
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                workers=1,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and say so."""
        await super().startup(sockets)
        try:
            self._on_ready()
        except BaseException:
            await self.shutdown(sockets)
            raise

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut what is still connected, and end."""
        for server in self.servers:
            server.close()
        # uvicorn would wait for answers that are still to come; nobody else does.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)
