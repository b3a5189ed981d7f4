"""A shared limit as it is drawn: its figures, and a line for each process."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deepidv_async.cli._limits import Look
from deepidv_async.cli._tables import make_table
from deepidv_async.cli._text import printable
from deepidv_async.limits.redis import SharedProcess

__all__ = ["draw_look"]


def draw_look(look: Look) -> RenderableType:
    """Draw where a limit stands."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in ({"limit": printable(look.name)} | look.figures()).items():
        grid.add_row(name, Text(value, style="yellow" if _warns(name, value) else ""))
    if look.state is None or not look.state.processes:
        return grid
    return Group(grid, Text(), _processes(look.state.processes))


def _warns(name: str, value: str) -> bool:
    return name == "paused" and value != "no"


def _processes(processes: tuple[SharedProcess, ...]) -> Table:
    table = make_table()
    table.add_column("process", overflow="fold")
    table.add_column("open", justify="right", no_wrap=True)
    table.add_column("waiting", justify="right", no_wrap=True)
    table.add_column("heard of", justify="right", no_wrap=True)
    for process in processes:
        waits = process.waiting_for
        gone = process.expires_in <= 0
        table.add_row(
            printable(process.id),
            f"{process.open:.1f}",
            "-" if waits is None else f"{waits:.2f} s",
            "gone" if gone else "now",
            style="dim" if gone else "",
        )
    return table
