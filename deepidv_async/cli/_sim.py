"""`deepidv-async sim`: the simulator in the foreground, and its options on the command line."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs
import click

from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._options import examples, terminal_options
from deepidv_async.cli._terminal import Terminal
from deepidv_async.simulator import Simulator, serve

__all__ = ["sim"]

Command: TypeAlias = Callable[..., Any]

_BODIES: Final = click.Choice(["documented", "sessions"])
_GENERATIONS: Final = click.Choice(["both", "legacy", "v1"])
# Each option is named after the argument of Simulator that it sets, and has its default.
_OPTIONS: Final[tuple[tuple[str, Any, str, str], ...]] = (
    ("workflows", int, "N", "Workflows of the organization."),
    ("sessions", int, "N", "Sessions of each workflow."),
    ("rate", float, "N", "Requests/s that are allowed; 0 for no limit."),
    ("burst", float, "N", "Requests that are allowed at once."),
    ("per_day", int, "N", "Requests per day that are allowed; 0 for no quota."),
    ("latency", float, "SECONDS", "From a request to its answer."),
    ("jitter", float, "SECONDS", "The most of a random addition to it."),
    ("seed", int, "N", "Of the data: the same seed makes the same."),
    ("legacy_body", _BODIES, "", "Form of the legacy list of sessions."),
    ("serves", _GENERATIONS, "", "Generations of the API that are there."),
)


def _simulator_options(function: Command) -> Command:
    """Give a command an option for each argument of `Simulator` that suits a command line."""
    fields = attrs.fields_dict(Simulator)
    for name, kind, metavar, text in reversed(_OPTIONS):
        function = click.option(
            f"--{name.replace('_', '-')}",
            type=kind,
            metavar=metavar or None,
            default=fields[name].default,
            show_default=True,
            help=text,
        )(function)
    return function


def _serve(
    terminal: Terminal,
    *,
    host: str,
    port: int,
    print_url: bool,
    rate: float,
    per_day: int,
    **options: Any,
) -> ExitCode:
    """Serve a simulator until Ctrl-C.

    Args:
        terminal: where its address is printed.
        host: a loopback address.
        port: 0 for any that is free.
        print_url: print the base URL alone.
        rate: requests/s of a key; 0 for no limit.
        per_day: requests of a key per day; 0 for no quota.
        options: more arguments of `Simulator`.

    Raises:
        ConfigurationError: the host is not this machine's own, or an option makes no sense.
        ImportError: the extra `simulator` is not installed.
    """
    simulator = Simulator(rate=rate or None, per_day=per_day or None, **options)

    def announce(base_url: str) -> None:
        lines = (
            [base_url]
            if print_url
            else [
                f"export DEEPIDV_BASE_URL={base_url}",
                f"export DEEPIDV_API_KEY={simulator.api_key}",
            ]
        )
        terminal.data("\n".join(lines) + "\n")
        terminal.flush()
        size = f"{simulator.workflows} workflows, {sum(simulator.sizes()):,} sessions"
        terminal.note(f"A simulator of the DeepIDV API: {size}. Ctrl-C ends it.")

    try:
        serve(simulator, host, port, on_ready=announce)
    except OSError as error:
        reason = error.strerror or str(error)
        terminal.error(f"Cannot listen on {host}, port {port}: {reason}. Choose another --port.")
        return ExitCode.FAILED
    return ExitCode.OK


@click.command(
    epilog=examples(
        "deepidv-async sim",
        "deepidv-async sim --port 0 --sessions 2000 --latency 0.05",
        "deepidv-async sim --rate 2 --burst 1",
    )
)
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    metavar="N",
    help="0 for any that is free.",
)
@click.option("--print-url", is_flag=True, help="Print the base URL alone, for scripts.")
@_simulator_options
@terminal_options
def sim(*, terminal: Terminal, **options: Any) -> ExitCode:
    """Serve a simulator of the API on this machine, until Ctrl-C.

    It prints the two settings that point a client at it; its key is no secret.
    """
    return _serve(terminal, **options)
