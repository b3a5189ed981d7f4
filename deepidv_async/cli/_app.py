"""The commands, their options and their help. What they do stands in the modules beside."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click

from deepidv_async import AsyncDeepIDV, Workflow, WorkflowSession, __version__
from deepidv_async.cli._demo import run_demo
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._listing import Records, print_records
from deepidv_async.cli._options import (
    Connection,
    client_options,
    output_options,
    parse_instant,
    terminal_options,
)
from deepidv_async.cli._output import OutputFormat
from deepidv_async.cli._sim import serve_simulator, simulator_options
from deepidv_async.cli._terminal import Terminal

__all__ = ["cli", "run"]

_PROGRAM: Final = "deepidv-async"
# The fewest requests for a list: they are what the daily quota counts.
_PAGE_SIZE: Final = 500

_EPILOG: Final = """\
\b
Examples:
  deepidv-async demo
  export DEEPIDV_API_KEY=...        (or --api-key-file PATH)
  deepidv-async workflows
  deepidv-async sessions WORKFLOW_ID --api-version v1 --limit 100
  deepidv-async sessions WORKFLOW_ID -o csv > sessions.csv
  deepidv-async sessions WORKFLOW_ID -o jsonl | jq -r .status | sort | uniq -c

\b
Records go to standard output, everything else to standard error.

\b
Exit codes:
  0  done                            5  rate limited, or quota spent
  1  failed                          6  payment required
  2  wrong usage or configuration    7  unreachable, or timed out
  3  some records unreadable         8  not found
  4  key not accepted, or forbidden  130 interrupted, 141 output closed

\b
Shell completion (bash; likewise zsh_source and fish_source):
  eval "$(_DEEPIDV_ASYNC_COMPLETE=bash_source deepidv-async)"
"""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    try:
        code = cli.main(arguments, prog_name=_PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return ExitCode.INTERRUPTED
    return int(code or ExitCode.OK)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> ExitCode:
    """Look into the identity verifications of a DeepIDV organization.

    It lists workflows and the sessions sent under them, keeps the API's rate limit, and never
    takes the API key on the command line.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        return ExitCode.USAGE
    return ExitCode.OK


def _examples(*lines: str) -> str:
    # click keeps the lines of a paragraph that starts with a backspace.
    return "\n  ".join(("\b\nExamples:", *lines))


@cli.command(
    epilog=_examples(
        "deepidv-async workflows",
        "deepidv-async workflows -o csv > workflows.csv",
        "deepidv-async workflows -o jsonl | jq -r .id",
    )
)
@output_options
@client_options
@terminal_options
def workflows(
    *, connection: Connection, terminal: Terminal, output: OutputFormat | None, limit: int | None
) -> ExitCode:
    """List the organization's workflows, newest first."""
    return asyncio.run(
        print_records(
            connection.open(terminal),
            AsyncDeepIDV.iter_workflows,
            Workflow,
            terminal=terminal,
            output=output,
            limit=limit,
        )
    )


@cli.command(
    epilog=_examples(
        "deepidv-async sessions WORKFLOW_ID",
        "deepidv-async sessions WORKFLOW_ID -o csv > sessions.csv",
        "deepidv-async sessions WORKFLOW_ID --api-version v1 \\",
        "    --since 2026-05-01T00:00:00Z --limit 100",
    )
)
@click.argument("workflow_id")
@click.option(
    "--page-size",
    type=int,
    metavar="N",
    help="Sessions per request, 1 to 500 (v1 only). Default: 500, or what --limit needs.",
)
@click.option(
    "--since",
    type=parse_instant,
    metavar="TIME",
    help="Only sessions made at or after this instant, ISO 8601 with its zone (v1 only).",
)
@click.option(
    "--until",
    type=parse_instant,
    metavar="TIME",
    help="Only sessions made at or before this instant (v1 only).",
)
@output_options
@client_options
@terminal_options
def sessions(
    *,
    workflow_id: str,
    page_size: int | None,
    since: datetime | None,
    until: datetime | None,
    connection: Connection,
    terminal: Terminal,
    output: OutputFormat | None,
    limit: int | None,
) -> ExitCode:
    """List the sessions sent under a workflow, in the server's order.

    A table shows id, status, creation time and type. The other formats hold whole records,
    personal data included: jsonl and json without any loss, csv for spreadsheets, with nested
    fields as JSON.
    """

    def ask(client: AsyncDeepIDV) -> Records:
        size = page_size
        if size is None and client.api_version == "v1":
            size = min(limit or _PAGE_SIZE, _PAGE_SIZE)
        return client.iter_workflow_sessions(
            workflow_id, page_size=size, start_date=since, end_date=until
        )

    return asyncio.run(
        print_records(
            connection.open(terminal),
            ask,
            WorkflowSession,
            terminal=terminal,
            output=output,
            limit=limit,
        )
    )


@cli.command(
    epilog=_examples(
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
@simulator_options
@terminal_options
def sim(*, terminal: Terminal, **options: Any) -> ExitCode:
    """Serve a simulator of the API on this machine, until Ctrl-C.

    It prints the two settings that point a client at it; its key is no secret.
    """
    return serve_simulator(terminal, **options)


@cli.command()
@terminal_options
def demo(*, terminal: Terminal) -> ExitCode:
    """Show the client at work; needs no key and no network.

    It starts a simulator of the API on this machine, reads thousands of sessions from it in
    both generations, and compares what came with the simulator's own journal. Exit code 1 if
    they disagree, or if any request was answered 429.
    """
    return run_demo(terminal)
