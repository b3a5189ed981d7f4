"""Bodies in pieces, compressed and capped."""

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepidv_async._inflate import MAX_INFLATED, MAX_RAW, Inflater

BODY = b'{"sessions": [], "next_token": null}' * 5


def raw_deflate(body):
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeezer.compress(body) + squeezer.flush()


ENCODERS = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    " GZip ": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
}
COMPRESSED = {name: encode for name, encode in ENCODERS.items() if encode is not bytes}


def read(encoding, pieces, **caps):
    inflater = Inflater(encoding, **caps)
    for piece in pieces:
        if not inflater.feed(piece):
            break
    body = inflater.finish()
    return body, inflater.flaw


def split(body, size):
    return [body[start : start + size] for start in range(0, len(body), size)]


@given(
    st.sampled_from(sorted(ENCODERS)),
    st.binary(max_size=300),
    st.lists(st.integers(0, 40), max_size=12),
)
@settings(max_examples=120)
def test_a_body_is_the_same_however_it_is_cut(encoding, body, sizes):
    """Each encoding gives the body back, wherever the network cuts it, empty pieces too."""
    rest = ENCODERS[encoding](body)
    pieces = []
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert read(encoding, [*pieces, rest]) == (body, None)


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_every_encoding_in_pieces_of_any_size(encoding, size):
    """Byte by byte or all at once: the same body. `deflate` may lack its wrapper."""
    assert read(encoding, split(ENCODERS[encoding](BODY), size)) == (BODY, None)


@pytest.mark.parametrize("encoding", ENCODERS)
def test_an_empty_body_is_whole(encoding):
    """No bytes at all are an empty body, also where the header announces compression."""
    assert read(encoding, []) == (b"", None)
    assert read(encoding, [b"", b""]) == (b"", None)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "nonsense"])
def test_an_encoding_that_was_not_asked_for(encoding):
    """What cannot be inflated under a cap is not guessed at."""
    inflater = Inflater(encoding)
    assert not inflater.feed(b"x")
    assert inflater.finish() == b""
    assert "not asked for" in inflater.flaw


@pytest.mark.parametrize("encoding", COMPRESSED)
@pytest.mark.parametrize("size", [1, 10_000])
def test_a_cut_body_is_not_whole(encoding, size):
    """A compressed body that ends too early says so, wherever it ends."""
    whole = COMPRESSED[encoding](BODY)
    for end in range(1, len(whole)):
        assert read(encoding, split(whole[:end], size))[1] == "its compressed form ends too early"


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_broken_compression(encoding):
    """Bytes that are no compressed form are a flaw, not an exception."""
    for pieces in ([b"\xff\xff\xff\xff"], [b"\xff", b"\xff\xff"], [b"\xff\xff", b"\xff\xff"]):
        assert read(encoding, pieces)[1] == "its compression is broken"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compression_that_breaks_later(encoding):
    """What was read before the break stays available; nothing is taken after it."""
    whole = ENCODERS[encoding](BODY)
    inflater = Inflater(encoding)
    assert inflater.feed(whole[:-4])
    assert not inflater.feed(b"\x00" * 4)  # both end in a check of the body
    assert not inflater.feed(whole[-4:])
    assert inflater.flaw == "its compression is broken"
    assert inflater.finish() == BODY


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_something_after_the_end(encoding):
    """Bytes behind the compressed form are not ignored: they may be half of the answer."""
    whole = COMPRESSED[encoding](BODY)
    for pieces in ([whole + b"x"], [whole, b"x"]):
        body, flaw = read(encoding, pieces)
        assert body == BODY
        assert flaw == "something follows the end of its compressed form"


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_nothing_is_taken_behind_the_end(encoding):
    """The first byte behind the end is a flaw at once: what follows is not collected."""
    inflater = Inflater(encoding)
    assert inflater.feed(COMPRESSED[encoding](BODY))
    assert inflater.feed(b"")
    assert not inflater.feed(b"x")
    assert inflater.flaw == "something follows the end of its compressed form"
    assert not inflater.feed(b"x")
    assert not Inflater(encoding).feed(COMPRESSED[encoding](BODY) + b"x")


def test_the_first_flaw_is_told():
    """A body that is too large says so, whatever its last piece holds behind the end."""
    whole = gzip.compress(BODY)
    piece = whole + b"x" * 9
    assert (
        read("gzip", [piece], max_raw=len(whole) + 1)[1]
        == f"it is larger than {len(whole) + 1} bytes"
    )


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_the_cap_on_raw_bytes(size):
    """Exactly the cap is fine; one more is a flaw, and the bytes up to the cap are kept."""
    assert read("", split(b"x" * 10, size), max_raw=10) == (b"x" * 10, None)
    body, flaw = read("", split(b"x" * 11, size), max_raw=10)
    assert (body, flaw) == (b"x" * 10, "it is larger than 10 bytes")


@pytest.mark.parametrize("size", [1, 10_000])
def test_the_cap_on_raw_bytes_of_a_compressed_body(size):
    """The cap counts the bytes as they came."""
    whole = gzip.compress(BODY)
    assert read("gzip", split(whole, size), max_raw=len(whole)) == (BODY, None)
    body, flaw = read("gzip", split(whole, size), max_raw=len(whole) - 1)
    assert body == BODY  # all but the checksum came
    assert flaw == f"it is larger than {len(whole) - 1} bytes"


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("size", [1, 10_000])
def test_the_cap_on_inflated_bytes(encoding, size):
    """Exactly the cap is fine; one more is a flaw."""
    pieces = split(ENCODERS[encoding](BODY), size)
    assert read(encoding, pieces, max_inflated=len(BODY)) == (BODY, None)
    body, flaw = read(encoding, pieces, max_inflated=len(BODY) - 1)
    assert flaw == f"it inflates to more than {len(BODY) - 1} bytes"
    assert body == BODY


def test_a_bomb_stays_small():
    """A small body that inflates to a huge one stops at the cap, before memory does."""
    bomb = gzip.compress(bytes(30_000_000))
    assert len(bomb) < 40_000
    tracemalloc.start()
    try:
        body, flaw = read("gzip", [bomb], max_inflated=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(body), flaw) == (65_536, "it inflates to more than 1000000 bytes")
    assert peak < 2_300_000


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_a_bomb_in_pieces_stops_at_the_cap(size):
    """What was inflated before counts, and what was collected is dropped but for its head."""
    text = bytes(range(256)) * 8000
    body, flaw = read("gzip", split(gzip.compress(text), size), max_inflated=1_000_000)
    assert body == text[:65_536]
    assert (len(body), flaw) == (65_536, "it inflates to more than 1000000 bytes")


def test_one_encoding_is_not_another():
    """The header says how to read, nothing is guessed but the wrapper of deflate."""
    assert read("gzip", [zlib.compress(BODY)]) == (b"", "its compression is broken")
    assert read("deflate", [gzip.compress(BODY)]) == (b"", "its compression is broken")


def test_the_caps_leave_room_for_the_gateway():
    """What API Gateway passes on, 10 MB, fits."""
    assert MAX_RAW > 10 * 1024 * 1024
    assert MAX_INFLATED >= MAX_RAW
