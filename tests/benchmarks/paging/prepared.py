"""A server of prepared bytes, in a process of its own: it costs the measured process nothing.

Every workflow has the same pages, cut out of one body; only the cursor differs.
"""

import asyncio
import contextlib
import json
import multiprocessing
import re

__all__ = ["serving"]

_TOKEN = re.compile(rb"next_token=(\d{8})")


def _session(number: int) -> dict[str, object]:
    """Make a session as the list shows it, without an analysis."""
    return {
        "id": f"ses_{number:08d}",
        "organization_id": "org_01HZX3V5Q2",
        "user_id": f"usr_{number % 977:06d}",
        "sender_user_id": "usr_000001",
        "external_id": f"customer-{number}",
        "created_at": "2026-05-06T07:08:09.123Z",
        "updated_at": "2026-05-06T07:20:00.456Z",
        "submitted_at": "2026-05-06T07:19:58.001Z",
        "status": ("PENDING", "SUBMITTED", "VERIFIED", "REJECTED")[number % 4],
        "type": "session",
        "session_progress": "COMPLETED",
        "workflow_id": "wf_01HZX3V5Q2",
        "workflow_steps": ["ID_VERIFICATION", "FACE_LIVENESS"],
        "location": "Berlin, DE",
        "uploads": {"id_front": True, "id_back": True, "selfie": number % 2 == 0},
    }


def _answers(size: int) -> list[bytes]:
    """Prepare the answers: one with a cursor (to be filled in) and the last."""
    sessions = json.dumps([_session(number) for number in range(size)], separators=(",", ":"))
    answers = []
    for token in ('"%08d"', "null"):
        body = f'{{"sessions":{sessions},"next_token":{token}}}'
        length = len(body) + (4 if token != "null" else 0)  # `%08d` grows to eight digits
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}"
        answers.append(f"{head}\r\n\r\n{body}".encode())
    return answers


class _Connection(asyncio.Protocol):
    def __init__(self, pages: int, delay: float, answers: list[bytes]) -> None:
        self._pages, self._delay = pages, delay
        self._head, self._tail = answers[0].split(b"%08d")
        self._last = answers[1]

    def connection_made(self, transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        # A request is small and alone on its connection: it comes in one piece.
        found = _TOKEN.search(data)
        page = int(found[1]) if found else 0
        loop = asyncio.get_running_loop()
        loop.call_later(self._delay, self._answer, page + 1)

    def _answer(self, following: int) -> None:
        more = following < self._pages
        self._transport.writelines(
            (self._head, b"%08d" % following, self._tail) if more else (self._last,)
        )


def _serve(pipe, pages: int, size: int, delay: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        answers = _answers(size)
        server = await loop.create_server(
            lambda: _Connection(pages, delay, answers), "127.0.0.1", 0, backlog=1024
        )
        pipe.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, pipe.recv)

    asyncio.run(main())


@contextlib.contextmanager
def serving(*, pages: int, size: int, delay: float = 0.0):
    """Serve workflows of so many pages of `size` sessions, each after `delay` seconds."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, pages, size, delay)
    )
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
        ours.send("stop")
    finally:
        process.join(5)
        process.terminate()
        process.join()
