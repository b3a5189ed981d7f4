"""The program: its commands by name, and its help.

Each command is imported when it is used, so that help, completion and a slip of the pen cost no
more than Python and click.
"""

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click
from click.shell_completion import CompletionItem

from deepidv_async import __version__
from deepidv_async.cli._exit import ExitCode

__all__ = ["COMMANDS", "cli", "run"]

_PROGRAM: Final = "deepidv-async"

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "workflows": ("_commands", "List the organization's workflows, newest first."),
    "sessions": ("_commands", "List sessions of one workflow, or of all, in the server's order."),
    "stats": ("_commands", "Count sessions by workflow, status and day."),
    "export": ("_commands", "Write all sessions of all workflows to a file."),
    "doctor": ("_commands", "Check key, network, host and limits, and say what to do."),
    "limits": ("_commands", "Show a limit that many processes share through Redis."),
    "sim": ("_sim", "Serve a simulator of the API on this machine, until Ctrl-C."),
    "demo": ("_commands", "Show the client at work; needs no key and no network."),
}
"""Name, module and first line of each command."""

_EPILOG: Final = """\
\b
Examples:
  deepidv-async demo
  export DEEPIDV_API_KEY=...        (or --api-key-file PATH)
  deepidv-async doctor
  deepidv-async workflows
  deepidv-async sessions WORKFLOW_ID --api-version v1 --limit 100
  deepidv-async sessions --all -o jsonl | jq -r .status | sort | uniq -c
  deepidv-async export sessions.csv

\b
Records go to standard output, everything else to standard error.

\b
Exit codes:
  0  done                            6  payment required
  1  failed                          7  unreachable, or timed out
  2  wrong usage or configuration    8  not found
  3  some records unreadable         130  interrupted
  4  key not accepted, or forbidden  141  output closed
  5  rate limited, or quota spent    143  terminated

\b
Shell completion (bash; likewise zsh_source and fish_source):
  eval "$(_DEEPIDV_ASYNC_COMPLETE=bash_source deepidv-async)"
"""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    stdout = sys.stdout
    try:
        return _run(arguments)
    except OSError as error:
        return _unprinted(error)
    except SystemExit:
        # click prints help and version itself, and ends with 1 where their reader has gone: then it
        # has put others in the place of the streams. Completion is all that ends like this else.
        if sys.stdout is stdout:
            raise
        return ExitCode.BROKEN_PIPE


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = cli.main(arguments, prog_name=_PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return ExitCode.INTERRUPTED
    return int(code or ExitCode.OK)


def _unprinted(error: OSError) -> int:
    """Tell that something of click's could not be printed; the commands tell it of theirs."""
    from deepidv_async.cli._failures import report  # noqa: PLC0415 - on use
    from deepidv_async.cli._terminal import Terminal, silence  # noqa: PLC0415 - on use

    silence()
    return report(Terminal(), error) or ExitCode.FAILED


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are used, and listed without that."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names, those first that a new user needs first."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; `None` if there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"deepidv_async.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in the help."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Give the names that begin like that, and the options of the program."""
        found = [
            CompletionItem(name, help=told)
            for name, (_, told) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> ExitCode:
    """Look into the identity verifications of a DeepIDV organization.

    It lists, counts and exports workflows and the sessions sent under them, keeps the API's rate
    limit, and never takes the API key on the command line.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        return ExitCode.USAGE
    return ExitCode.OK
