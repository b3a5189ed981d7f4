"""The files of an export: whatever a run leaves behind, the next one ends with the same bytes."""

import contextlib
import importlib
import json
import os
import stat
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepidv_async import ConfigurationError, WorkflowSession
from deepidv_async.cli import _checkpoint
from deepidv_async.cli._ids import IdSet
from deepidv_async.cli._reading import Batch
from deepidv_async.cli._store import Place, Store

OPTIONS = {"base_url": "https://api.example", "output": "jsonl"}
PREAMBLE = b"id\n"


class EndedError(Exception):
    """A run that ended."""


def _pages(workflows):
    """Make the batches of some workflows, given how many sessions each of their pages has."""
    for name, sizes in enumerate(workflows):
        for page, size in enumerate(sizes):
            # The same in each workflow: ids are told apart within one only.
            ids = [f"{page}.{number}" for number in range(size)]
            last = page == len(sizes) - 1
            yield name, page, ids, None if last else f"cursor {page + 1}"


def _run(path, workflows, pages=None):
    """Export what is missing, as the command does; end after so many pages."""
    with Store(path, PREAMBLE) as store:
        if not store.resume(OPTIONS):
            store.begin(OPTIONS, [str(name) for name in range(len(workflows))])
        ids = store.ids
        place = (store.place.workflow, int((store.place.next_token or "0").split()[-1]))
        for name, page, names, token in _pages(workflows):
            if (name, page) < place:
                continue
            if pages == 0:
                raise EndedError
            pages = None if pages is None else pages - 1
            digests = b"".join(ids.add(each) for each in names)
            assert len(digests) == 16 * len(names), "an id is taken for one that was there"
            if token is None:
                ids = IdSet()
            records = [WorkflowSession(each) for each in names]
            data = "".join(f"{name}.{each}\n" for each in names).encode()
            store.add(Batch(records, token, digests=digests), data, {"page": page})
        assert store.complete
        store.finish()


def _expected(workflows):
    lines = (f"{name}.{each}\n" for name, _, ids, _ in _pages(workflows) for each in ids)
    return PREAMBLE + "".join(lines).encode()


LAYOUTS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), max_size=3)
ENDS = st.lists(
    st.tuples(st.integers(0, 4), st.binary(max_size=9), st.integers(0, 400)), max_size=4
)


@given(workflows=LAYOUTS, ends=ENDS)
def test_any_end_of_a_run(workflows, ends):
    """Ended behind any page, and any part of the journal not on the disk: the same bytes result.

    The tail of the part file stands for a page that was written without its line.
    """
    # Waiting for the disk would take most of the time, and shows nothing here.
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(os, "fsync"):
        path = Path(folder, "x.jsonl")
        part, journal = path.with_name("x.jsonl.part"), path.with_name("x.jsonl.checkpoint")
        for pages, tail, cut in ends:
            with contextlib.suppress(EndedError):
                _run(path, workflows, pages)
            if path.exists():
                break
            with part.open("ab") as file:
                file.write(tail)
            lines = journal.read_bytes()
            # The first line is on the disk before anything else is written.
            journal.write_bytes(lines[: max(lines.index(b"\n") + 1, len(lines) - cut)])
        if not path.exists():
            _run(path, workflows)
        assert path.read_bytes() == _expected(workflows)
        assert [each.name for each in path.parent.iterdir()] == ["x.jsonl"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.jsonl"


@pytest.fixture
def begun(path):
    """An export that ended behind its second page, of a workflow with three."""
    with pytest.raises(EndedError):
        _run(path, [[2, 2, 2]], 2)
    return path


def _journal(path):
    return path.with_name("x.jsonl.checkpoint")


def _part(path):
    return path.with_name("x.jsonl.part")


def test_what_is_known_after_an_end(begun):
    """Place, ids and the limiter's snapshot of the last page are there again."""
    with Store(begun, PREAMBLE) as store:
        assert store.resume(OPTIONS)
        assert store.place == Place(0, "cursor 2", 3 + 4 * 6, 4)
        assert store.limiter == {"page": 1}
        assert store.workflow_ids == ["0"]
        assert not store.complete
        assert not store.ids.add("1.1")
        assert store.ids.add("2.0")


def test_a_line_that_was_cut_off(begun):
    """It is taken away, so that the lines behind it can be read."""
    _journal(begun).write_bytes(_journal(begun).read_bytes()[:-7])
    with pytest.raises(EndedError):
        _run(begun, [[2, 2, 2]], 1)
    with Store(begun, PREAMBLE) as store:
        store.resume(OPTIONS)
        assert store.place.sessions == 4


def test_going_back_to_the_beginning_of_a_workflow(path):
    """What `rewind` forgets is not known by the next run either."""
    workflows = [[1], [2, 2, 2]]
    with pytest.raises(EndedError):
        _run(path, workflows, 3)
    with Store(path, PREAMBLE) as store:
        store.resume(OPTIONS)
        store.rewind()
        assert store.place == Place(1, None, 3 + 6, 1)
        assert store.ids.add("0.0")
    _run(path, workflows)
    assert path.read_bytes() == _expected(workflows)


def test_the_order_of_the_disk(begun, monkeypatch):
    """A page is on the disk before the line that promises it, and both before the new name."""
    steps = []
    sync, replace, unlink = os.fsync, Path.replace, Path.unlink

    def note_sync(handle):
        folder = begun.parent
        names = {path.stat().st_ino: path.name for path in (folder, *folder.iterdir())}
        steps.append(names[os.fstat(handle).st_ino])
        sync(handle)

    def note_replace(path, target):
        steps.append(f"{path.name} -> {target.name}")
        return replace(path, target)

    def note_unlink(path, **options):
        steps.append(f"{path.name} unlinked")
        unlink(path, **options)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    monkeypatch.setattr(Path, "unlink", note_unlink)
    _run(begun, [[2, 2, 2]])
    assert steps == [
        "x.jsonl.part",
        "x.jsonl.checkpoint",
        "x.jsonl.part -> x.jsonl",
        begun.parent.name,
        "x.jsonl.checkpoint unlinked",
    ]


def test_for_its_owner_only(begun):
    """The files hold personal data: nobody else may read them, whole or not."""
    for file in (_part(begun), _journal(begun)):
        assert file.stat().st_mode & 0o777 == 0o600
    _run(begun, [[2, 2, 2]])
    assert begun.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("other", [{"output": "csv"}, {"base_url": "https://other.example"}])
def test_another_export_is_refused(begun, other):
    """What was left by other options is neither used nor touched; the message names them."""
    before = _part(begun).read_bytes(), _journal(begun).read_bytes()
    with pytest.raises(ConfigurationError, match=rf"\({next(iter(other))}\).*--restart"):
        with Store(begun, PREAMBLE) as store:
            store.resume(OPTIONS | other)
    assert (_part(begun).read_bytes(), _journal(begun).read_bytes()) == before


def test_two_at_the_same_time_are_refused(begun):
    """While one process writes, another one cannot: both would write the same part."""
    with Store(begun, PREAMBLE), pytest.raises(ConfigurationError, match="Another export"):
        Store(begun, PREAMBLE)


@pytest.mark.parametrize("again", [False, True], ids=["gone", "another"])
def test_a_lock_that_comes_late(path, monkeypatch, again):
    """The other export ends between opening and locking: what is locked has no name any more."""
    other = _checkpoint.Checkpoint(_journal(path))
    lock = _checkpoint._lock

    def late(file, name):
        other.remove()
        if again:
            name.touch()
        lock(file, name)

    monkeypatch.setattr(_checkpoint, "_lock", late)
    with pytest.raises(ConfigurationError, match="Another export"):
        Store(path, PREAMBLE)


def test_new_files_are_on_the_disk_by_name(path, monkeypatch):
    """A loss of power cannot leave one of the two files without the other."""
    folders = []
    sync = os.fsync

    def note(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            folders.append({file.name for file in path.parent.iterdir()})
        sync(handle)

    monkeypatch.setattr(os, "fsync", note)
    with Store(path, PREAMBLE) as store:
        store.begin(OPTIONS, ["0"])
        assert folders == [{_part(path).name, _journal(path).name}]


def test_a_system_that_removes_no_open_file(begun, monkeypatch):
    """Windows refuses to take away a file that is open: it is closed first there."""
    unlink, opened = Path.unlink, []
    make = _checkpoint.open_private

    def note(path):
        opened.append(make(path))
        return opened[-1]

    def refuse(path, **options):
        if not opened[0].closed:
            raise PermissionError
        unlink(path, **options)

    monkeypatch.setattr(_checkpoint, "open_private", note)
    monkeypatch.setattr(Path, "unlink", refuse)
    _run(begun, [[2, 2, 2]])
    assert begun.read_bytes() == _expected([[2, 2, 2]])
    assert not _journal(begun).exists()


def test_a_system_without_locks(begun, monkeypatch):
    """Windows has no `flock`: there it works without."""
    real = importlib.import_module

    def without(name):
        if name == "fcntl":
            raise ImportError
        return real(name)

    monkeypatch.setattr(_checkpoint.importlib, "import_module", without)
    _run(begun, [[2, 2, 2]])
    assert begun.read_bytes() == _expected([[2, 2, 2]])


@pytest.mark.parametrize(
    "content", ["# Notes\n", "{}\n", '{"export": {}}\n', '{"export": {\n', "no line"]
)
@pytest.mark.parametrize("restart", [False, True])
def test_a_file_of_somebody_else(path, content, *, restart):
    """A file that only has the name of a checkpoint is left alone, by `--restart` too."""
    _journal(path).write_text(content)
    with pytest.raises(ConfigurationError, match="not the checkpoint"):
        with Store(path, PREAMBLE) as store:
            store.resume(OPTIONS, restart=restart)
    assert _journal(path).read_text() == content


@pytest.mark.parametrize("content", ["", '{"exp', '{"export": {"base_'])
def test_a_journal_that_never_began(path, content):
    """A first line that was cut off means that nothing was written."""
    _journal(path).write_text(content)
    _run(path, [[1]])
    assert path.read_bytes() == _expected([[1]])


def test_a_part_without_its_checkpoint(path):
    """Nobody knows what it is: it is not overwritten."""
    _part(path).write_text("precious")
    with pytest.raises(ConfigurationError, match="without its checkpoint"):
        with Store(path, PREAMBLE) as store:
            store.resume(OPTIONS)
    assert [each.name for each in path.parent.iterdir()] == ["x.jsonl.part"]


def test_a_part_that_is_too_short(begun):
    """Pages that the checkpoint promises are missing: the rest would not fit behind them."""
    _part(begun).write_bytes(_part(begun).read_bytes()[:-1])
    with pytest.raises(ConfigurationError, match="less than its checkpoint says"):
        with Store(begun, PREAMBLE) as store:
            store.resume(OPTIONS)


def test_an_end_between_the_last_two_steps(path, monkeypatch):
    """Renamed, but the checkpoint is still there: the next run only takes it away."""
    monkeypatch.setattr(_checkpoint.Checkpoint, "remove", _checkpoint.Checkpoint.close)
    _run(path, [[1], [2]])
    monkeypatch.undo()
    assert _journal(path).exists()
    with Store(path, PREAMBLE) as store:
        store.resume(OPTIONS)
        assert store.renamed
        store.finish()
    assert path.read_bytes() == _expected([[1], [2]])
    assert not _journal(path).exists()


def test_the_checkpoint_holds_no_record(begun):
    """Digests of ids, cursors and counts: nothing of a session can be read from it."""
    text = _journal(begun).read_text()
    assert "0.0.0" not in text
    assert "0.0" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["sessions"] for line in lines[1:]] == [2, 4]


def test_a_folder_that_cannot_be_synced(begun, monkeypatch):
    """Where a folder cannot be opened, the renaming alone has to do."""
    real = os.open

    def refuse(path, flags, mode=0o777):
        if Path(path).is_dir():
            raise PermissionError
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    _run(begun, [[2, 2, 2]])
    assert begun.exists()
