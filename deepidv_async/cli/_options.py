"""Options that commands share, and what becomes of the errors that a command raises."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

import attrs
import click

from deepidv_async import (
    APIVersion,
    AsyncDeepIDV,
    AttemptStarted,
    ConfigurationError,
    DeepIDVError,
    Event,
    RateLimit,
    Timeouts,
)
from deepidv_async.cli._exit import ExitCode, exit_code, hint
from deepidv_async.cli._keys import read_key
from deepidv_async.cli._output import OutputFormat
from deepidv_async.cli._terminal import Terminal, silence

__all__ = ["Connection", "client_options", "output_options", "parse_instant", "terminal_options"]

Command: TypeAlias = Callable[..., Any]


@attrs.frozen
class Connection:
    """How to reach the API, as given on the command line; `None` leaves it to the client.

    Attributes:
        api_key_file: where the key is read from.
        base_url: where the API lives.
        api_version: which generation to speak.
        timeout: bound of each phase of an attempt, in seconds.
        deadline: bound of each page, waits and retries included, in seconds.
        verbose: whether to tell every event.
    """

    api_key_file: str | None
    base_url: str | None
    api_version: APIVersion | None
    timeout: float | None
    deadline: float | None
    verbose: bool

    def open(self, terminal: Terminal) -> AsyncDeepIDV:
        """Make the client.

        Raises:
            ConfigurationError: there is no key, or an option is malformed or contradicts
                another.
        """
        if self.verbose and terminal.quiet:
            raise ConfigurationError("--quiet and --verbose contradict each other.")
        return AsyncDeepIDV(
            read_key(self.api_key_file),
            base_url=self.base_url,
            api_version=self.api_version,
            timeout=Timeouts() if self.timeout is None else self.timeout,
            deadline=self.deadline,
            # A program that is started again and again must not begin with a burst each time.
            rate_limit=RateLimit(initial=1),
            observers=[functools.partial(_tell, terminal)] if self.verbose else [],
        )


def _tell(terminal: Terminal, event: Event) -> None:
    if not isinstance(event, AttemptStarted):
        told = " ".join(f"{name}={_figure(value)}" for name, value in _fields(event))
        terminal.log(f"{type(event).__name__} {told}")


def _fields(event: Event) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in attrs.asdict(event).items() if value is not None]


def _figure(value: Any) -> str:
    match value:
        case float():
            return f"{value:.3f}s"
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            return ",".join(f"{name}:{_figure(part)}" for name, part in pairs)
        case _:
            return str(value)


def parse_instant(text: str) -> datetime:
    """Read an instant in ISO 8601 with its zone.

    Raises:
        click.BadParameter: it is none, or has no zone.
    """
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


_CONNECTION: Final = (
    click.option(
        "--api-key-file",
        metavar="PATH",
        help="Read the API key from a file, or from standard input with -. "
        "Default: the environment's DEEPIDV_API_KEY.",
    ),
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
        "-v",
        "--verbose",
        is_flag=True,
        help="Tell every attempt, wait and retry on standard error.",
    ),
)
_OUTPUT: Final = (
    click.option(
        "-o",
        "--output",
        type=click.Choice([output.value for output in OutputFormat]),
        help="Format of the records. Default: table on a terminal, jsonl elsewhere.",
    ),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N records."),
)
_TERMINAL: Final = (
    click.option("-q", "--quiet", is_flag=True, help="Print data and errors only."),
    click.option("--no-color", is_flag=True, help="Print no colours; NO_COLOR says the same."),
)


def _add(options: tuple[Callable[[Command], Command], ...], function: Command) -> Command:
    for option in reversed(options):
        function = option(function)
    return function


def client_options(function: Command) -> Command:
    """Give a command the options of the client; it gets them as `connection`."""

    @functools.wraps(function)
    def gather(**given: Any) -> Any:
        names = [field.name for field in attrs.fields(Connection)]
        connection = Connection(**{name: given.pop(name) for name in names})
        return function(connection=connection, **given)

    return _add(_CONNECTION, gather)


def output_options(function: Command) -> Command:
    """Give a command `--output`, which it gets as an `OutputFormat` or `None`, and `--limit`."""

    @functools.wraps(function)
    def gather(output: str | None, **given: Any) -> Any:
        return function(output=OutputFormat(output) if output else None, **given)

    return _add(_OUTPUT, gather)


def terminal_options(function: Command) -> Command:
    """Give a command its `terminal`, and turn what it raises into a message and a code."""

    @functools.wraps(function)
    def guard(quiet: bool, no_color: bool, **given: Any) -> ExitCode:
        terminal = Terminal(no_color=no_color, quiet=quiet)
        try:
            return ExitCode(function(terminal=terminal, **given))
        except DeepIDVError as error:
            terminal.error(str(error))
            if (cure := hint(error)) is not None:
                terminal.note(cure)
            return exit_code(error)
        except ImportError as missing:
            terminal.error(str(missing))
            return ExitCode.USAGE
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
        except BrokenPipeError:
            silence()
            return ExitCode.BROKEN_PIPE
        except OSError as error:
            terminal.error(error.strerror or str(error))
            return ExitCode.FAILED

    return _add(_TERMINAL, guard)
