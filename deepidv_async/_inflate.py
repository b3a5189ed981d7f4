"""Reads a body in pieces, inflates it, and stops at a cap before memory does.

httpx 0.28 inflates each piece whole before anyone can look at it: a gzip body of 194 kB read
with a cap of 1 MB was measured to peak at 448 MB. Here `zlib` itself is told where to stop.
"""

import zlib
from typing import Final, Protocol

__all__ = ["MAX_INFLATED", "MAX_RAW", "Inflater"]

# API Gateway passes on answers of at most 10 MB. The legacy lists come in one piece, so the
# caps leave room for a gateway that allows more.
MAX_RAW: Final = 32 * 1024 * 1024
MAX_INFLATED: Final = 64 * 1024 * 1024

_GZIP: Final = 16 + zlib.MAX_WBITS
_DEFLATE: Final = zlib.MAX_WBITS
_RAW_DEFLATE: Final = -zlib.MAX_WBITS
_ZLIB_HEADER: Final = 2
# Enough to read what an error page says, and little beside the cap.
_MAX_HEAD: Final = 64 * 1024


class _Decoder(Protocol):
    """What is used of a `zlib` decompression object, whose class has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Inflater:
    """Collects one body.

    Args:
        encoding: the `Content-Encoding` header; empty or `identity` for none.
        max_raw: cap on the bytes as they came.
        max_inflated: cap on the bytes after inflating.

    Attributes:
        flaw: why the body cannot be read, `None` as long as it can. What was read before
            stays available, but nothing more is taken; of a body that inflates beyond the cap
            only the first 64 KiB stay.
    """

    def __init__(
        self, encoding: str, *, max_raw: int = MAX_RAW, max_inflated: int = MAX_INFLATED
    ) -> None:
        self.flaw: str | None = None
        self._encoding = encoding.strip().lower()
        self._max_raw = max_raw
        self._max_inflated = max_inflated
        self._raw = 0
        self._head: bytes = b""
        self._parts: list[bytes] = []
        self._size = 0
        self._decoder = self._make_decoder()

    def _make_decoder(self) -> _Decoder | None:
        match self._encoding:
            case "" | "identity":
                return None
            case "gzip" | "x-gzip":
                return zlib.decompressobj(_GZIP)
            case "deflate":
                return zlib.decompressobj(_DEFLATE)
            case _:
                self.flaw = "its content encoding was not asked for (only gzip and deflate are)"
                return None

    def feed(self, piece: bytes) -> bool:
        """Take the next piece; false when no more should be read."""
        if self.flaw is not None:
            return False
        taken = piece[: self._max_raw - self._raw]
        self._raw += len(taken)
        if len(taken) < len(piece):
            self.flaw = f"it is larger than {self._max_raw} bytes"
        if self._decoder is None:
            self._keep(taken)
        else:
            self._inflate(self._decoder, taken)
        return self.flaw is None

    def _inflate(self, decoder: _Decoder, piece: bytes) -> None:
        # Some servers send deflate without the zlib wrapper that the standard asks for. Its two
        # bytes tell, so a first byte that comes alone is kept until the next one.
        piece, self._head = self._head + piece, b""
        if self._raw < _ZLIB_HEADER:
            self._head = piece
            return
        try:
            inflated = decoder.decompress(piece, self._max_inflated + 1 - self._size)
        except zlib.error:
            if self._encoding == "deflate" and self._raw == len(piece):
                self._encoding = "raw deflate"
                self._decoder = zlib.decompressobj(_RAW_DEFLATE)
                self._inflate(self._decoder, piece)
            else:
                self.flaw = "its compression is broken"
            return
        self._keep(inflated)
        # `zlib` copies all that it has set aside at each further call: 31 MB in small pieces
        # were measured to cost 1.4 s. So the first byte behind the end is the last one taken.
        if decoder.unused_data and self.flaw is None:
            self.flaw = "something follows the end of its compressed form"

    def _keep(self, piece: bytes) -> None:
        self._parts.append(piece)
        self._size += len(piece)
        if self._size > self._max_inflated:
            self.flaw = f"it inflates to more than {self._max_inflated} bytes"
            self._parts = [_head(self._parts)]

    def finish(self) -> bytes:
        """Give the whole body once the last piece is fed; look at `flaw` before using it."""
        decoder = self._decoder
        if self.flaw is None and decoder is not None and self._raw and not decoder.eof:
            self.flaw = "its compressed form ends too early"
        body = b"".join(self._parts)
        self._parts.clear()
        return body


def _head(parts: list[bytes]) -> bytes:
    head = b""
    for part in parts:
        head += part[: _MAX_HEAD - len(head)]
    return head
