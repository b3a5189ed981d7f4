"""A TCP proxy that breaks connections: what no HTTP server can be made to do.

It stands in front of a loopback server. Each connection takes its fault from `plan`, the first
one first, and when the plan is empty from `usual`; `seen` tells what became of each.
"""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import Final, Literal, Self

import attrs

__all__ = ["Fault", "FaultProxy", "Seen"]

Kind = Literal["none", "cut-head", "cut-body", "drop", "black-hole", "garbage", "hang-up"]
Ended = Literal["client", "server", "fault", "idle"]

# Linger for 0 seconds: closing sends RST instead of FIN.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


@attrs.frozen
class Fault:
    """What happens to one connection; without arguments, nothing.

    Args:
        kind: `cut-head` and `cut-body` end it after `at` bytes of an answer's head or body;
            `drop` ends it when a request comes, which goes nowhere; `black-hole` reads and
            never answers; `garbage` answers `data` and ends; `hang-up` ends it when it opens.
        at: see `kind`.
        skip: how many requests are served well before it strikes.
        reset: end by RST; else by FIN.
        data: see `kind`.
        delay: seconds before each answer.
        piece: bytes that are sent on at once, 0 for as they come.
        pause: seconds after each piece.
        idle: end after so many seconds without a byte from the client.
    """

    kind: Kind = "none"
    at: int = 0
    skip: int = attrs.field(default=0, kw_only=True)
    reset: bool = attrs.field(default=False, kw_only=True)
    data: bytes = attrs.field(default=b"\x16\x03\x01 no HTTP\r\n\r\n", kw_only=True)
    delay: float = attrs.field(default=0.0, kw_only=True)
    piece: int = attrs.field(default=0, kw_only=True)
    pause: float = attrs.field(default=0.0, kw_only=True)
    idle: float | None = attrs.field(default=None, kw_only=True)


@attrs.define
class Seen:
    """One connection: its fault, how many requests came, bytes sent back, who ended it."""

    fault: Fault
    requests: int = 0
    sent: int = 0
    ended: Ended | None = None


class FaultProxy:
    """`async with FaultProxy(port, Fault("cut-head", 9)) as proxy: ... proxy.base_url`."""

    host = "127.0.0.1"

    def __init__(self, target: int, *plan: Fault, usual: Fault = Fault()) -> None:
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self.plan, self.usual = deque(plan), usual
        self.seen: list[Seen] = []
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks)

    async def listen(self) -> None:
        """Take connections; after `refuse`, again on the same port."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Close the door: the system refuses whoever connects from now on."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        seen = Seen(self.plan.popleft() if self.plan else self.usual)
        self.seen.append(seen)
        # Streams log a task that ends cancelled; a server that is gone ends the link.
        with contextlib.suppress(asyncio.CancelledError, OSError):
            seen.ended = await _Link(seen, reader, writer).run(self.host, self._target)
        if seen.ended == "fault" and seen.fault.reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()
        writer.close()
        self._tasks.discard(task)


@attrs.define
class _Link:
    """A client's connection, and the one to the server behind it."""

    seen: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    answer: bytes = b"to no request"  # all of it so far; empty while one is awaited

    async def run(self, host: str, port: int) -> Ended:
        if self.seen.fault.kind == "hang-up":
            return "fault"
        reader, writer = await asyncio.open_connection(host, port)
        pumps = [asyncio.create_task(self._up(writer)), asyncio.create_task(self._down(reader))]
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            writer.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _up(self, server: asyncio.StreamWriter) -> Ended:
        fault = self.seen.fault
        try:
            while chunk := await asyncio.wait_for(self.reader.read(65_536), fault.idle):
                if self.answer:
                    self.seen.requests, self.answer = self.seen.requests + 1, b""
                if self._strikes("drop"):
                    return "fault"
                if self._strikes("garbage"):
                    await self._send(fault.data)
                    return "fault"
                if not self._strikes("black-hole"):
                    server.write(chunk)
        except TimeoutError:
            return "idle"
        except ConnectionError:
            pass
        return "client"

    async def _down(self, server: asyncio.StreamReader) -> Ended:
        while chunk := await server.read(65_536):
            if not self.answer:
                await asyncio.sleep(self.seen.fault.delay)
            room = self._room(chunk)
            self.answer += chunk
            await self._send(chunk[:room])
            if room is not None and room <= len(chunk):
                return "fault"
        return "server"

    def _strikes(self, kind: Kind) -> bool:
        return self.seen.fault.kind == kind and self.seen.requests > self.seen.fault.skip

    def _room(self, chunk: bytes) -> int | None:
        """How many bytes of a chunk may still go to the client; `None` for all."""
        if self._strikes("cut-head"):
            return self.seen.fault.at - len(self.answer)
        head, end, _ = (self.answer + chunk).partition(b"\r\n\r\n")
        if end and self._strikes("cut-body"):
            return len(head + end) + self.seen.fault.at - len(self.answer)
        return None

    async def _send(self, data: bytes) -> None:
        piece = self.seen.fault.piece or max(len(data), 1)
        for start in range(0, len(data), piece):
            self.writer.write(data[start : start + piece])
            self.seen.sent += len(data[start : start + piece])
            await asyncio.sleep(self.seen.fault.pause)
