"""How far a long reading has come: a moving line on a terminal, elsewhere a plain one at times."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from deepidv_async import TokenBucket, Workflow, WorkflowSession
from deepidv_async.cli._reading import Batch
from deepidv_async.cli._terminal import Terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Progress", "showing"]

# Seconds between two plain lines: a log of an hour has some hundred of them.
_EVERY: Final = 30.0


class Progress:
    """Counts what has come, and estimates what is to come.

    The API tells no totals. A workflow counts as one part of the whole; how much of it is read is
    told by the times of its sessions, which lie between the beginning of the run and the workflow's
    own beginning, if the list is newest first.

    Args:
        terminal: where it is told.
        limiter: whose quota is told.
        workflows: all that are read.
        done: how many of them were read by an earlier run.
        sessions: how many sessions came with these.

    Attributes:
        sessions: how many have come, those of earlier runs counted.
    """

    def __init__(
        self,
        terminal: Terminal,
        limiter: TokenBucket,
        workflows: Sequence[Workflow],
        *,
        done: int = 0,
        sessions: int = 0,
    ) -> None:
        self.sessions: int = sessions
        self._terminal = terminal
        self._limiter = limiter
        self._quota = limiter.stats().quota_left
        self._workflows = workflows
        self._done = done
        self._part = 0.0
        self._first: datetime | None = None
        self._began_at = time.monotonic()
        self._began_with = (done, sessions)
        self._next_line = self._began_at + _EVERY

    def count(self, batch: Batch[WorkflowSession]) -> None:
        """Take one page, of the workflow that is next."""
        # Not when the line is drawn, which happens in a thread of rich's.
        self._quota = self._limiter.stats().quota_left
        self.sessions += len(batch.records)
        made = [session.created_at for session in batch.records if session.created_at is not None]
        if made:
            self._first = self._first or made[0]
            self._part = max(self._part, self._share(made[-1]))
        if batch.last:
            self._done, self._part, self._first = self._done + 1, 0.0, None
        if not self._terminal.watched and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _EVERY
            self._terminal.note(self.line())

    def _share(self, made: datetime) -> float:
        """Tell how much of the workflow lies before a session that was made then."""
        begun = self._workflows[self._done].created_at
        if begun is None or self._first is None or not begun < self._first:
            return 0.0
        return min(1.0, max(0.0, (self._first - made) / (self._first - begun)))

    def seconds_left(self) -> float | None:
        """Estimate how long the rest will take; `None` while nothing is known."""
        done = self._done + self._part - self._began_with[0]
        left = len(self._workflows) - self._done - self._part
        return (time.monotonic() - self._began_at) * left / done if done > 0 else None

    def line(self) -> str:
        """Give the figures in one line."""
        seconds = max(time.monotonic() - self._began_at, 1e-9)
        left = self.seconds_left()
        eta = "-" if left is None else str(timedelta(seconds=round(left)))
        figures = [
            f"{self._done}/{len(self._workflows)} workflows",
            f"{self.sessions:,} sessions",
            f"{(self.sessions - self._began_with[1]) / seconds:,.0f}/s",
            f"ETA {eta}",
            "" if self._quota is None else f"quota left {self._quota:,.0f}",
        ]
        return "  ".join(filter(None, figures))

    def draw(self) -> "RenderableType":
        """Give the line as it is seen on a terminal, with a bar."""
        from rich.progress_bar import ProgressBar  # noqa: PLC0415 - on use
        from rich.table import Table  # noqa: PLC0415 - on use

        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        total = max(len(self._workflows), 1)
        grid.add_row(ProgressBar(total, self._done + self._part), self.line())
        return grid


@contextmanager
def showing(progress: Progress, terminal: Terminal) -> Generator[None, None, None]:
    """Keep the figures on standard error while the block runs, if somebody looks at it."""
    if not terminal.watched:
        yield
        return
    with terminal.watch(progress.draw):
        yield
