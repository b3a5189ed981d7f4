"""The part of the terminal that draws: consoles of rich, moving lines."""

from collections.abc import Callable
from typing import NoReturn, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

__all__ = ["Counter", "keep_drawn", "make_console", "styled"]

# Nothing is cut off or wrapped where no terminal sets a width.
_UNBOUNDED = 100_000


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Raise as any stream does; rich would end the process with a code of its own."""
        raise BrokenPipeError


def make_console(stream: TextIO, *, plain: bool) -> Console:
    """Make a console that prints what it is given and reads nothing into it.

    Args:
        stream: where it prints.
        plain: print no colours, whatever the stream can.
    """
    console = _Console(
        file=stream,
        color_system=None if plain else "auto",
        markup=False,
        highlight=False,
        emoji=False,
    )
    if not stream.isatty():
        console.width = _UNBOUNDED
    return console


def styled(head: str, head_style: str, text: str, style: str) -> Text:
    """Make one line of a word that stands out and a text."""
    line = Text(style=style)
    if head:
        line.append(head, head_style).append(" ")
    return line.append(text)


class Counter:
    """A moving line that tells how many there are so far.

    Args:
        noun: what is counted.
    """

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self.drawn: Spinner = Spinner("line", f"{noun} ...")

    def count(self, number: int) -> None:
        """Take the new number."""
        self.drawn.update(text=f"{number:,} {self._noun} ...")


def keep_drawn(console: Console, draw: Callable[[], RenderableType], *, transient: bool) -> Live:
    """Give a context manager that draws what `draw` gives over and over.

    Args:
        console: where.
        draw: gives what is to be seen now.
        transient: whether it vanishes at the end.
    """
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
