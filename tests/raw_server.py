"""A bare HTTP/1.1 server on a loopback socket: tests decide every byte that it sends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["RawServer", "http_answer", "raw_server"]

Handler = Callable[["RawServer", str], Awaitable[bytes | None]]


def http_answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """Build a whole answer."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class RawServer:
    """What runs, and what it has seen.

    Attributes:
        base_url: where it listens.
        requests: the head of each request, in the order they came.
        connections: how many were opened.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self.base_url = ""
        self.requests: list[str] = []
        self.connections = 0

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._tasks)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests until a handler gives `None` or the peer leaves."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head.decode())
                answer = await self._handler(self, self.requests[-1])
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            # The peer has gone, or the server stops: streams log a task that ends cancelled.
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def stop(self) -> None:
        """End what is still being answered."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def raw_server(handler: Handler) -> AsyncIterator[RawServer]:
    """Serve on a free loopback port; `handler` gives the bytes of each answer."""
    running = RawServer(handler)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield running
    finally:
        server.close()
        await running.stop()
        await server.wait_closed()
