"""Options that commands share, and what becomes of the errors that a command raises.

Light on purpose: help and completion load this module and click, but neither the client nor rich.
"""

import functools
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

import click
from click.shell_completion import CompletionItem

from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._terminal import Terminal

__all__ = [
    "STATUSES",
    "Connection",
    "Filters",
    "OutputFormat",
    "client_options",
    "examples",
    "filter_options",
    "limit_option",
    "output_option",
    "page_size_option",
    "redis_options",
    "terminal_options",
]

Command: TypeAlias = Callable[..., Any]
Decorator: TypeAlias = Callable[[Command], Command]

# Those of SessionStatus, whose module would load attrs; any other value is taken as well.
STATUSES: Final = (
    "PENDING",
    "SUBMITTED",
    "VERIFIED",
    "REJECTED",
    "VOIDED",
    "EXPIRED",
    "FAILED",
)


class OutputFormat(StrEnum):
    """The formats of `--output`."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    FLAT = "flat"


class Connection(NamedTuple):
    """How to reach the API, as given on the command line; `None` leaves it to the client.

    Attributes:
        api_key_file: where the key is read from.
        base_url: where the API lives.
        api_version: which generation to speak.
        timeout: bound of each phase of an attempt, in seconds.
        deadline: bound of each page, waits and retries included, in seconds.
        rate: requests per second at most.
        per_day: requests per day at most; 0 for no limit.
        redis: URL of the server that keeps the limit for many processes; empty for none.
        redis_name: name of the limit there; `None` for the one that goes with the key.
        verbose: whether to tell every event.
    """

    api_key_file: str | None
    base_url: str | None
    api_version: Any
    timeout: float | None
    deadline: float | None
    rate: float | None
    per_day: int | None
    redis: str | None
    redis_name: str | None
    verbose: bool


class Filters(NamedTuple):
    """Which sessions are wanted, as given on the command line.

    Attributes:
        since: made at or after this instant (aware).
        until: made at or before this instant (aware).
        statuses: with one of these; empty for any.
    """

    since: datetime | None
    until: datetime | None
    statuses: tuple[str, ...]


def _parse_instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time.") from None
    if instant.tzinfo is None:
        raise click.BadParameter(
            f"{text!r} has no time zone, so the instant is not known: add Z or an offset, for "
            "example 2026-05-06T00:00:00Z or 2026-05-06T00:00:00+02:00."
        )
    return instant


def _complete_status(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    return [CompletionItem(status) for status in STATUSES if status.startswith(begun.upper())]


_KEY: Final[Decorator] = click.option(
    "--api-key-file",
    metavar="PATH",
    help="Read the API key from a file, or from standard input with -. "
    "Default: the environment's DEEPIDV_API_KEY.",
)
_REDIS: Final[tuple[Decorator, ...]] = (
    click.option(
        "--redis",
        metavar="URL",
        envvar="DEEPIDV_REDIS_URL",
        help="Share the limit through this Redis server. Default: DEEPIDV_REDIS_URL, which is the "
        "place for a URL with a password.",
    ),
    click.option(
        "--redis-name",
        metavar="NAME",
        help="Name of the limit there. Default: one that is made of the key.",
    ),
)
_CONNECTION: Final[tuple[Decorator, ...]] = (
    _KEY,
    click.option(
        "--base-url",
        metavar="URL",
        help="Where the API lives. Default: DEEPIDV_BASE_URL, else https://api.deepidv.com.",
    ),
    click.option(
        "--api-version",
        type=click.Choice(["legacy", "v1"]),
        help="Generation of the API. Default: DEEPIDV_API_VERSION, else legacy.",
    ),
    click.option(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help="Bound of each phase of an attempt: connect, read, write. Default: 5, 30, 30.",
    ),
    click.option(
        "--deadline",
        type=float,
        metavar="SECONDS",
        help="Bound of each page, waits and retries included. Default: none.",
    ),
    click.option(
        "--rate",
        type=float,
        metavar="N",
        help="Requests/s at most: less than 25 leaves room for others who use the key. "
        "Default: 25, as published.",
    ),
    click.option(
        "--per-day",
        type=click.IntRange(min=0),
        metavar="N",
        help="Requests per day at most; 0 for no limit. Default: 10000, as published.",
    ),
    *_REDIS,
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Tell every attempt, wait and retry on standard error.",
    ),
)
_FILTERS: Final[tuple[Decorator, ...]] = (
    click.option(
        "--since",
        type=_parse_instant,
        metavar="TIME",
        help="Only sessions made at or after this instant, ISO 8601 with its zone.",
    ),
    click.option(
        "--until",
        type=_parse_instant,
        metavar="TIME",
        help="Only sessions made at or before this instant.",
    ),
    click.option(
        "--status",
        "statuses",
        multiple=True,
        metavar="STATUS",
        shell_complete=_complete_status,
        help="Only sessions with this status, for example VERIFIED; may be repeated.",
    ),
)
_TERMINAL: Final[tuple[Decorator, ...]] = (
    click.option("-q", "--quiet", is_flag=True, help="Print data and errors only."),
    click.option("--no-color", is_flag=True, help="Print no colours; NO_COLOR says the same."),
)

limit_option: Final[Decorator] = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N records."
)
page_size_option: Final[Decorator] = click.option(
    "--page-size",
    type=int,
    metavar="N",
    help="Sessions per request, 1 to 500 (v1 only). Default: 500, or what is needed.",
)


def examples(*lines: str) -> str:
    """Write examples for the end of a command's help."""
    # click keeps the lines of a paragraph that starts with a backspace.
    return "\n  ".join(("\b\nExamples:", *lines))


def _add(options: tuple[Decorator, ...], function: Command) -> Command:
    for option in reversed(options):
        function = option(function)
    return function


def client_options(function: Command) -> Command:
    """Give a command the options of the client; it gets them as `connection`."""

    @functools.wraps(function)
    def gather(**given: Any) -> Any:
        taken = {name: given.pop(name) for name in Connection._fields}
        return function(connection=Connection(**taken), **given)

    return _add(_CONNECTION, gather)


def redis_options(function: Command) -> Command:
    """Give a command `--redis`, `--redis-name`, and the key that the name is made of."""
    return _add((*_REDIS, _KEY), function)


def filter_options(function: Command) -> Command:
    """Give a command the options that choose sessions; it gets them as `filters`."""

    @functools.wraps(function)
    def gather(**given: Any) -> Any:
        taken = {name: given.pop(name) for name in Filters._fields}
        return function(filters=Filters(**taken), **given)

    return _add(_FILTERS, gather)


def output_option(default: str, *formats: OutputFormat) -> Decorator:
    """Make `--output`, which a command gets as an `OutputFormat`, or `None` if not given.

    Args:
        default: which one is taken then, in words.
        formats: those that there are.
    """

    def convert(_: click.Context, __: click.Parameter, value: str | None) -> OutputFormat | None:
        return None if value is None else OutputFormat(value)

    return click.option(
        "-o",
        "--output",
        type=click.Choice([each.value for each in formats]),
        callback=convert,
        help=f"Format. Default: {default}.",
    )


def terminal_options(function: Command) -> Command:
    """Give a command its `terminal`, and turn what it raises into a message and a code."""

    @functools.wraps(function)
    def guard(quiet: bool, no_color: bool, **given: Any) -> ExitCode:
        terminal = Terminal(no_color=no_color, quiet=quiet)
        try:
            return ExitCode(function(terminal=terminal, **given))
        except click.ClickException:
            raise
        except (Exception, KeyboardInterrupt) as error:
            from deepidv_async.cli._failures import report  # noqa: PLC0415 - on use

            code = report(terminal, error)
            if code is None:
                raise
            return code

    return _add(_TERMINAL, guard)
