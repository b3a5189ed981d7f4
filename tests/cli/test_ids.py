"""The set of ids: exact, small, and the same after a resume."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from deepidv_async.cli._ids import IdSet


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_it_is_a_set(before, after):
    """An id is new once, also when its digest was restored, and any text can be one."""
    ids = IdSet()
    digests = [ids.add(name) for name in before]
    known = set()
    for name, digest in zip(before, digests, strict=True):
        assert bool(digest) == (name not in known)
        known.add(name)
    again = IdSet()
    again.restore(b"".join(digests))
    for name in after:
        assert bool(again.add(name)) == (name not in known)
        known.add(name)


def test_half_a_letter():
    """JSON can hold half of a surrogate pair, and so can an id."""
    ids = IdSet()
    assert ids.add("\ud800")
    assert not ids.add("\ud800")


def test_it_is_small():
    """17 bytes for an id and a little, where Python's own set takes over a hundred."""
    names = [f"{number:032x}" for number in range(50_000)]
    tracemalloc.start()
    ids = IdSet()
    for name in names:
        ids.add(name)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(names) < 24
