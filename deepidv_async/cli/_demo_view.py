"""The demo as it is shown: 80 columns, moving on a terminal, plain lines elsewhere."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deepidv_async.cli._demo_count import Audit, Meter, Reading, Stream, busiest_second
from deepidv_async.cli._tables import make_table, status_style
from deepidv_async.cli._terminal import Terminal
from deepidv_async.cli._text import printable
from deepidv_async.simulator import RunningSimulator, Simulator

__all__ = [
    "progress",
    "show_audits",
    "show_intro",
    "show_limiter",
    "show_statuses",
    "show_verdict",
    "show_way_on",
]

_WIDTH: Final = 80
_CARD: Final = 26
_STROKES: Final = 6
_CALLS: Final = {
    "legacy": "GET /workflow, GET /workflow/{id}",
    "v1": "GET /v1/workflows, GET /v1/sessions",
}
_WAY_ON: Final = """\
export DEEPIDV_API_KEY=...      # Admin Console, Settings, API Keys
deepidv-async workflows
deepidv-async sessions WORKFLOW_ID

from deepidv_async import AsyncDeepIDV

async with AsyncDeepIDV() as client:
    async for workflow in client.iter_workflows():
        async for session in client.iter_workflow_sessions(workflow.id):
            print(session.id, session.status)"""


def _heading(text: str, aside: str = "") -> Text:
    return Text.assemble("\n", (text, "bold"), (f"  {aside}" if aside else "", "dim"))


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 2), expand=False)


def show_intro(terminal: Terminal, api: RunningSimulator) -> None:
    """Say what is about to happen."""
    terminal.out.width = min(terminal.out.width, _WIDTH)
    simulator = api.simulator
    terminal.show(_heading("deepidv-async demo", "no key, no network"))
    terminal.show(
        _indented(
            f"A simulator of the API listens on {api.base_url}: "
            f"{simulator.workflows} workflows, {sum(simulator.sizes()):,} sessions, and the "
            f"published limit of {simulator.rate:g} requests/s with a burst of "
            f"{simulator.burst:g}. The client reads all of it over HTTP, all workflows at the "
            "same time, in both generations of the API."
        )
    )


@contextmanager
def progress(terminal: Terminal, reading: Reading, meter: Meter) -> Generator[None, None, None]:
    """Show how far the reading has come: moving while the block runs, or once at its end."""
    version = reading.api_version
    terminal.show(_heading(version, _CALLS[version]))
    with terminal.live(lambda: _indented(_draw(reading, meter, bars=terminal.animated))):
        yield


def _draw(reading: Reading, meter: Meter, *, bars: bool) -> RenderableType:
    grid = Table.grid(padding=(0, 2), expand=bars)
    grid.add_column(min_width=22)
    if bars:
        grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    for stream in reading.streams:
        bar = [ProgressBar(stream.expected, stream.count)] if bars else []
        count = f"{stream.count:,} / {stream.expected:,}"
        grid.add_row(Text(printable(stream.workflow.name or "-")), *bar, count)
    told = f"{reading.count:,} sessions"
    if reading.seconds:
        told += f" in {reading.seconds:.1f} s"
    told += f"; so far {meter.requests} requests, {meter.waits} held back by the limiter"
    return Group(grid, Text(told, style="dim"))


def show_statuses(terminal: Terminal, reading: Reading) -> None:
    """Show a small table for each workflow: how many sessions have which status."""
    terminal.show(_heading("Sessions by status"))
    columns = max(1, terminal.out.width // _CARD)
    stroke = "\N{BOX DRAWINGS HEAVY HORIZONTAL}" if terminal.utf8 else "-"
    cards = [_card(stream, stroke) for stream in reading.streams]
    for first in range(0, len(cards), columns):
        grid = Table.grid(padding=(0, 2))
        grid.add_row(*cards[first : first + columns])
        if first:
            terminal.show()
        terminal.show(_indented(grid))


def _card(stream: Stream, stroke: str) -> RenderableType:
    tally = stream.tally()
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=9)
    table.add_column(justify="right", min_width=5)
    table.add_column(min_width=_STROKES, style="dim")
    for status, count in tally:
        bar = stroke * round(_STROKES * count / tally[0][1])
        table.add_row(Text(printable(status), style=status_style(status)), f"{count:,}", bar)
    return Group(Text(printable(stream.workflow.name or "-"), style="bold"), table)


def show_limiter(terminal: Terminal, meter: Meter, simulator: Simulator) -> None:
    """Show what the limiter did, with the arrivals as the simulator saw them."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=12)
    grid.add_column(justify="right")
    grid.add_column(style="dim")
    most = busiest_second(simulator.journal.arrivals())
    mean = meter.waited / max(meter.waits, 1)
    grid.add_row("requests", f"{meter.requests}", f"{most} of them in the busiest second")
    waits = f"{mean:.2f} s on average, {meter.longest:.2f} s at most"
    grid.add_row("held back", f"{meter.waits}", waits)
    grid.add_row("429s", f"{simulator.journal.refused}", "refused by the simulator")
    terminal.show(_heading("What the limiter did"))
    terminal.show(_indented(grid))


def show_audits(
    terminal: Terminal, audits: Sequence[Audit], meter: Meter, simulator: Simulator, *, same: bool
) -> None:
    """Show the client's count beside the simulator's."""
    table = make_table()
    table.add_column("", no_wrap=True)
    for name in ("read", "sent", "lost", "twice"):
        table.add_column(name, justify="right")
    for one in audits:
        figures = (one.read, one.sent, one.lost, one.twice)
        table.add_row(f"{one.api_version} sessions", *(f"{figure:,}" for figure in figures))
    table.add_row("requests", f"{meter.requests}", f"{len(simulator.journal)}", "", "")
    terminal.show(
        _heading(
            "Compared with the simulator's journal", "read by the client, sent by the simulator"
        )
    )
    terminal.show(_indented(table))
    gave = "the same" if same else "DIFFERENT"
    terminal.show(_indented(f"Both generations gave {gave} sessions and statuses."))


def show_verdict(terminal: Terminal, *, agreed: bool, refused: int) -> None:
    """Say in one line how it went."""
    if agreed and not refused:
        line = Text("Nothing lost, nothing twice, 429s: 0", style="bold green")
    else:
        count = "the counts agree" if agreed else "the counts DISAGREE"
        line = Text(f"Failed: {count}, 429s: {refused}", style="bold red")
    terminal.show()
    terminal.show(_indented(line))


def show_way_on(terminal: Terminal) -> None:
    """Tell how to point the same code at the real API."""
    terminal.show(_heading("The same with the real API"))
    terminal.show(_indented(_WAY_ON))
    terminal.show()
