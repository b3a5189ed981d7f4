"""The terminal, or what stands in its place: two streams, colours, a counter while one waits.

Data goes to standard output and everything else to standard error, so that data can be piped.
Colours and moving lines are for people: they need a terminal that knows them, and rich, which is
loaded (50 ms) when something is drawn and not before.
"""

import io
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

import click

from deepidv_async.cli._text import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Terminal", "silence"]

# With these rich takes a pipe for a terminal.
_ASK_FOR_COLOURS = ("FORCE_COLOR", "TTY_COMPATIBLE")


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
        self._told: TextIO = _Nowhere() if sys.stderr is None else sys.stderr
        for stream in (sys.stdout, self._told):
            if isinstance(stream, io.TextIOWrapper):
                # A letter that the encoding lacks becomes an escape instead of an error.
                stream.reconfigure(errors="backslashreplace")
        self.plain: bool = no_color or bool(os.environ.get("NO_COLOR"))
        self.quiet: bool = quiet

    def _console(self, stream: TextIO) -> "Console":
        from deepidv_async.cli._console import make_console  # noqa: PLC0415 - on use

        return make_console(stream, plain=self.plain)

    @cached_property
    def out(self) -> "Console":
        """Standard output as rich draws on it."""
        return self._console(sys.stdout)

    @cached_property
    def err(self) -> "Console":
        """Standard error as rich draws on it."""
        return self._console(self._told)

    @property
    def utf8(self) -> bool:
        """Whether standard output can hold every letter."""
        return (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"

    @property
    def shown(self) -> bool:
        """Whether a person looks at standard output, rather than a program or a file."""
        return sys.stdout.isatty()

    @property
    def animated(self) -> bool:
        """Whether lines of standard output can be drawn over."""
        return self.shown and not self.out.is_dumb_terminal

    @property
    def watched(self) -> bool:
        """Whether a person looks at standard error, and its lines can be drawn over."""
        return not self.quiet and self._told.isatty() and not self.err.is_dumb_terminal

    def data(self, text: str) -> None:
        """Write `text` to standard output as it is."""
        sys.stdout.write(text)

    def show(self, what: "RenderableType" = "") -> None:
        """Draw something for people on standard output."""
        # What is wider than the terminal is wrapped by it rather than cut off.
        self.out.print(what, crop=False)

    def flush(self) -> None:
        """Hand over what was written: a reader at the other end of a pipe waits for it."""
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tell something on standard error that can be left out."""
        if not self.quiet:
            self._tell(text)

    def error(self, text: str) -> None:
        """Tell on standard error what went wrong."""
        self._tell(text, head="Error:", head_style="red")

    def log(self, text: str) -> None:
        """Tell a detail on standard error."""
        self._tell(text, style="dim")

    def _tell(self, text: str, *, head: str = "", head_style: str = "", style: str = "") -> None:
        if self._told.isatty() or any(map(os.environ.get, _ASK_FOR_COLOURS)):
            from deepidv_async.cli._console import styled  # noqa: PLC0415 - on use

            self.err.print(styled(head, head_style, printable(text), style), soft_wrap=True)
        else:
            self._told.write(f"{head} {printable(text)}\n" if head else f"{printable(text)}\n")
            self._told.flush()

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
        if (beside_data and self.shown) or not self.watched:
            yield lambda _: None
            return
        from deepidv_async.cli._console import Counter  # noqa: PLC0415 - on use

        line = Counter(noun)
        with self.watch(lambda: line.drawn):
            yield line.count

    @contextmanager
    def watch(self, draw: "Callable[[], RenderableType]") -> Generator[None, None, None]:
        """Keep on standard error what `draw` gives while the block runs; then it vanishes.

        Only for a standard error that is `watched`.
        """
        from deepidv_async.cli._console import keep_drawn  # noqa: PLC0415 - on use

        with keep_drawn(self.err, draw, transient=True):
            yield

    @contextmanager
    def live(self, draw: "Callable[[], RenderableType]") -> Generator[None, None, None]:
        """Keep on standard output what `draw` gives, drawn over and over while the block runs.

        Where lines cannot be drawn over, it is drawn once, at the end.
        """
        if self.animated:
            from deepidv_async.cli._console import keep_drawn  # noqa: PLC0415 - on use

            with keep_drawn(self.out, draw, transient=False):
                yield
        else:
            yield
            self.show(draw())


def silence() -> None:
    """Let what cannot be written any more vanish: its reader has gone, or its disk is full.

    Without this the interpreter would complain at its end that a stream cannot be flushed, and
    end with 120 whatever the code was.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            with suppress(OSError):
                os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
