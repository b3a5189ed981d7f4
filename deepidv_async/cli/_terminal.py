"""The terminal, or what stands in its place: two streams, colours, a counter while one waits.

Data goes to standard output and everything else to standard error, so that data can be piped.
Colours and moving lines are for people: they need a terminal that knows them.
"""

import io
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import NoReturn, TextIO

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from deepidv_async.cli._text import printable

__all__ = ["Terminal", "silence"]

# Nothing is cut off or wrapped where no terminal sets a width.
_UNBOUNDED = 100_000


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Raise as any stream does; rich would end the process with a code of its own."""
        raise BrokenPipeError


class _Nowhere(io.StringIO):
    """Stands for standard error where that is closed: what is told vanishes."""

    def write(self, text: str) -> int:
        return len(text)


class Terminal:
    """Where a command prints.

    Args:
        no_color: print no colours, whatever the terminal can. The environment's `NO_COLOR`
            says the same; `FORCE_COLOR` asks for them in a pipe, `TERM=dumb` has none.
        quiet: print no notes, only data and errors.

    Raises:
        click.ClickException: standard output is closed (`>&-`), so nothing can be printed.
    """

    def __init__(self, *, no_color: bool = False, quiet: bool = False) -> None:
        # Python has `None` for a stream that was closed before the program began. Without a
        # place for the data a command is not worth its requests; messages can be left out.
        if sys.stdout is None:
            raise click.ClickException("Standard output is closed: there is nowhere to print.")
        told: TextIO = _Nowhere() if sys.stderr is None else sys.stderr
        for stream in (sys.stdout, told):
            if isinstance(stream, io.TextIOWrapper):
                # A letter that the encoding lacks becomes an escape instead of an error.
                stream.reconfigure(errors="backslashreplace")
        self.plain: bool = no_color or bool(os.environ.get("NO_COLOR"))
        self.out: Console = self._console(sys.stdout)
        self.err: Console = self._console(told)
        self.quiet: bool = quiet

    def _console(self, stream: TextIO) -> Console:
        console = _Console(
            file=stream,
            color_system=None if self.plain else "auto",
            markup=False,
            highlight=False,
            emoji=False,
        )
        if not stream.isatty():
            console.width = _UNBOUNDED
        return console

    @property
    def utf8(self) -> bool:
        """Whether standard output can hold every letter."""
        return self.out.encoding.lower().replace("-", "") == "utf8"

    @property
    def shown(self) -> bool:
        """Whether a person looks at standard output, rather than a program or a file."""
        return sys.stdout.isatty()

    @property
    def animated(self) -> bool:
        """Whether lines of standard output can be drawn over."""
        return self.shown and not self.out.is_dumb_terminal

    def data(self, text: str) -> None:
        """Write `text` to standard output as it is."""
        sys.stdout.write(text)

    def show(self, what: RenderableType = "") -> None:
        """Draw something for people on standard output."""
        # What is wider than the terminal is wrapped by it rather than cut off.
        self.out.print(what, crop=False)

    def flush(self) -> None:
        """Hand over what was written: a reader at the other end of a pipe waits for it."""
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tell something on standard error that can be left out."""
        if not self.quiet:
            self.err.print(Text(printable(text)), soft_wrap=True)

    def error(self, text: str) -> None:
        """Tell on standard error what went wrong."""
        self.err.print(Text.assemble(("Error:", "red"), " ", printable(text)), soft_wrap=True)

    def log(self, text: str) -> None:
        """Tell a detail on standard error."""
        self.err.print(Text(printable(text), style="dim"), soft_wrap=True)

    @contextmanager
    def counter(
        self, noun: str, *, beside_data: bool
    ) -> Generator[Callable[[int], None], None, None]:
        """Show on standard error how many there are so far, while the block runs.

        Args:
            noun: what is counted.
            beside_data: whether data is written at the same time. On one screen the two
                would mix, so then nothing is shown.

        Yields:
            A function that takes the new number.
        """
        busy = beside_data and self.shown
        if self.quiet or busy or not self.err.file.isatty() or self.err.is_dumb_terminal:
            yield lambda _: None
            return
        line = Spinner("line", f"{noun} ...")
        with _live(self.err, lambda: line, transient=True):
            yield lambda count: line.update(text=f"{count:,} {noun} ...")

    @contextmanager
    def live(self, draw: Callable[[], RenderableType]) -> Generator[None, None, None]:
        """Keep on standard output what `draw` gives, drawn over and over while the block runs.

        Where lines cannot be drawn over, it is drawn once, at the end.
        """
        if self.animated:
            with _live(self.out, draw, transient=False):
                yield
        else:
            yield
            self.show(draw())


def _live(console: Console, draw: Callable[[], RenderableType], *, transient: bool) -> Live:
    return Live(
        console=console,
        get_renderable=draw,
        transient=transient,
        refresh_per_second=12,
        # rich would take both streams for this console while it draws: data for a file that is
        # written at the same time would end up on the terminal.
        redirect_stdout=False,
        redirect_stderr=False,
    )


def silence() -> None:
    """Let what is still to be written vanish: nobody reads it any more.

    Without this the interpreter would complain at its end that a stream cannot be flushed.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            with suppress(OSError):
                os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
