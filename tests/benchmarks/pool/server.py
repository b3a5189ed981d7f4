"""A server that costs next to nothing: prepared bytes, an optional latency, a count.

    python server.py MILLISECONDS

prints its port, answers every request after so many milliseconds, and tells at `GET /opened` how
many connections were opened so far. It ends with its standard input.
"""

import asyncio
import json
import sys

RECORDS = [{"id": f"wf_{number}", "name": f"Flow {number}"} for number in range(10)]


def answer(plain):
    """Give the bytes of an answer."""
    body = json.dumps(plain).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests have no body."""

    latency = 0.0
    opened = 0
    page = answer({"workflows": RECORDS})

    def connection_made(self, transport):
        Connection.opened += 1
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            if head.startswith(b"GET /opened"):
                self.transport.write(answer(Connection.opened))
            elif self.latency:
                asyncio.get_running_loop().call_later(self.latency, self.write)
            else:
                self.write()

    def write(self):
        if not self.transport.is_closing():
            self.transport.write(self.page)


async def main():
    """Serve until standard input ends."""
    Connection.latency = float(sys.argv[1]) / 1000
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = loop.create_future()
    loop.add_reader(sys.stdin, lambda: ended.done() or ended.set_result(None))
    await ended


if __name__ == "__main__":
    try:
        import uvloop

        uvloop.run(main())
    except ImportError:
        asyncio.run(main())
