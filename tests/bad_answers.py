"""Answers of every kind that fails, with a planted key and a person in them."""

import json

from raw_server import http_answer
from support import KEY

PERSON = "Canary McPersonface"

ANSWERS = [
    http_answer(f'{{"error": "Invalid API key {KEY}"}}'.encode(), "401 Unauthorized"),
    http_answer(f'{{"{KEY}": "{KEY}"}}'.encode(), "400 Bad Request"),
    http_answer(f"no funds for {KEY}".encode(), "402 Payment Required"),
    http_answer(f'{{"message": "Forbidden {KEY}"}}'.encode(), "403 Forbidden"),
    http_answer(b"{}", "500 Internal Server Error"),
    http_answer(b"{}", "429 Too Many Requests", "retry-after: 100\r\n"),
    http_answer(b"", "302 Found", "location: https://evil.example/\r\n"),
    http_answer(f'{{"{KEY}": 1}}'.encode()),
    http_answer(f'{{"workflows": [{{"name": "{PERSON}"}}]}}'.encode()),
    http_answer(f'{{"workflows": [{{"id": "wf", "name": "{PERSON}"'.encode()),
    http_answer(b'{"workflows": []}', headers="content-encoding: br\r\n"),
    b"garbage\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
    None,
]

_HINT = {
    "code": "invalid_enum_value",
    "path": ["status"],
    "received": PERSON,
    "message": f"Invalid enum value, received '{PERSON}'",
}
# A server may put into its own words, and into bytes that nobody can read, whom it talks of. The
# program that catches the error may know; what is told to logs and traces must not.
INDISCREET = [
    http_answer(json.dumps({"message": PERSON, "hints": [_HINT, PERSON]}).encode(), "400 Bad"),
    http_answer(json.dumps({"error": {"code": PERSON, "message": PERSON}}).encode(), "409 No"),
    http_answer(f"{PERSON} is unknown".encode(), "404 Not Found"),
    http_answer(b"", "302 Found", f"location: https://evil.example/{PERSON}\r\n"),
    http_answer(b"{}", "503 Busy", f"retry-after: {PERSON}\r\nx-note: {PERSON}\r\n"),
    f"HTTP/1.1 200 OK\r\n{PERSON}\r\n\r\n".encode(),
    f"{PERSON}\r\n\r\n".encode(),
]
