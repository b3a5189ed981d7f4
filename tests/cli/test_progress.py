"""The figures of a long reading: what they are made of, and how the rest is estimated."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from deepidv_async import RateLimit, TokenBucket, Workflow, WorkflowSession
from deepidv_async.cli import _progress
from deepidv_async.cli._progress import Progress
from deepidv_async.cli._reading import Batch
from deepidv_async.cli._terminal import Terminal

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = [100.0]
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def _workflow(days):
    return Workflow("wf", created_at=None if days is None else NOW - timedelta(days=days))


def _batch(*days, last=False):
    records = [
        WorkflowSession(str(day), created_at=None if day is None else NOW - timedelta(days=day))
        for day in days
    ]
    return Batch(records, None if last else "more")


def _progress_of(*workflows, **options):
    return Progress(Terminal(quiet=True), TokenBucket(RateLimit()), workflows, **options)


def test_the_rest_is_estimated_by_time(clock):
    """A workflow that began 100 days ago and is read back to 25 days ago is a quarter done."""
    progress = _progress_of(_workflow(100), _workflow(100))
    assert progress.seconds_left() is None
    progress.count(_batch(0, 10, 25))
    clock[0] += 10
    assert progress.seconds_left() == pytest.approx(10 / 0.25 * 1.75)
    progress.count(_batch(100, last=True))
    assert progress.seconds_left() == pytest.approx(10)
    progress.count(_batch(0, last=True))
    assert progress.seconds_left() == 0


@pytest.mark.parametrize(
    ("workflow", "days"), [(None, (0, 9)), (9, (None, None)), (9, ()), (0, (5, 9)), (9, (5, 3))]
)
def test_where_times_tell_nothing(clock, workflow, days):
    """No times, or times in another order: only whole workflows count."""
    progress = _progress_of(_workflow(workflow), _workflow(9))
    progress.count(_batch(*days))
    clock[0] += 10
    assert progress.seconds_left() is None
    progress.count(_batch(last=True))
    assert progress.seconds_left() == pytest.approx(10)


def test_it_never_goes_back(clock):
    """A list that is not quite in order, or older than its workflow, is no less done for that."""
    progress = _progress_of(_workflow(10), _workflow(10))
    progress.count(_batch(0, 20))
    progress.count(_batch(1))
    clock[0] += 10
    assert progress.seconds_left() == pytest.approx(10)


def test_what_an_earlier_run_has_done(clock):
    """It is shown, but neither rate nor estimate count it."""
    progress = _progress_of(*[_workflow(None)] * 4, done=2, sessions=500)
    progress.count(_batch(*range(100), last=True))
    clock[0] += 20
    assert progress.line() == ("3/4 workflows  600 sessions  5/s  ETA 0:00:20  quota left 10,000")
