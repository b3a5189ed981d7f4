"""The figures of `stats` as they are drawn: bars in 80 columns."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from deepidv_async.cli._stats import Tally
from deepidv_async.cli._tables import bar, status_style
from deepidv_async.cli._terminal import Terminal
from deepidv_async.cli._text import printable

__all__ = ["show_tally"]

# Days that are drawn, counted from the last one that has sessions.
_DAYS: Final = 30
_NAME: Final = 34
_BAR: Final = 28


def show_tally(terminal: Terminal, tally: Tally) -> None:
    """Draw the figures."""
    statuses = tally.by_status.most_common()
    workflows = [
        (workflow.name or workflow.id, tally.statuses_of(workflow).total(), "")
        for workflow in tally.workflows
    ]
    terminal.show(
        Text(f"{tally.sessions:,} sessions of {len(workflows):,} workflows", style="bold")
    )
    _show(terminal, "By workflow", workflows, tally.sessions)
    _show(
        terminal,
        "By status",
        [(name, count, status_style(name)) for name, count in statuses],
        tally.sessions,
    )
    days = sorted(tally.by_day.items())
    earlier = sum(count for _, count in days[:-_DAYS])
    rows = [(day, count, "") for day, count in days[-_DAYS:]]
    _show(terminal, "By day (UTC)", rows, tally.sessions)
    for count, name in ((earlier, "earlier"), (tally.undated, "without a date")):
        if count:
            terminal.show(Text(f"  {count:,} {name}", style="dim"))


def _show(
    terminal: Terminal, heading: str, rows: Sequence[tuple[str, int, str]], total: int
) -> None:
    terminal.show(Text(f"\n{heading}", style="bold"))
    terminal.show(_bars(rows, total, utf8=terminal.utf8))


def _bars(rows: Iterable[tuple[str, int, str]], total: int, *, utf8: bool) -> Table:
    rows = list(rows)
    most = max((count for _, count, _ in rows), default=1) or 1
    grid = Table.grid(padding=(0, 1))
    grid.add_column(max_width=_NAME, overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True, style="dim")
    grid.add_column(no_wrap=True)
    for name, count, style in rows:
        share = f"{count / total:.1%}" if total else "-"
        drawn = bar(count / most, _BAR, utf8=utf8)
        grid.add_row(Text(f"  {printable(name)}", style=style), f"{count:,}", share, drawn)
    return grid
