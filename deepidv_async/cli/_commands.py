"""The commands: their options and their help. What they do is imported when one of them runs."""

from pathlib import Path
from typing import Final

import click

from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._options import (
    Connection,
    Filters,
    OutputFormat,
    client_options,
    examples,
    filter_options,
    limit_option,
    output_option,
    page_size_option,
    redis_options,
    terminal_options,
)
from deepidv_async.cli._terminal import Terminal

__all__ = ["demo", "doctor", "export", "limits", "sessions", "stats", "workflows"]

_OFTENEST: Final = 0.1  # seconds between two looks of `limits`

_records_option = output_option(
    "table on a terminal, jsonl elsewhere",
    *(each for each in OutputFormat if each is not OutputFormat.FLAT),
)


@click.command(
    epilog=examples(
        "deepidv-async workflows",
        "deepidv-async workflows -o csv > workflows.csv",
        "deepidv-async workflows -o jsonl | jq -r .id",
    )
)
@_records_option
@limit_option
@client_options
@terminal_options
def workflows(
    *, connection: Connection, terminal: Terminal, output: OutputFormat | None, limit: int | None
) -> ExitCode:
    """List the organization's workflows, newest first."""
    from deepidv_async.cli._connection import open_client  # noqa: PLC0415 - on use
    from deepidv_async.cli._listing import print_workflows  # noqa: PLC0415 - on use

    return print_workflows(open_client(connection, terminal), terminal, output, limit)


@click.command(
    epilog=examples(
        "deepidv-async sessions WORKFLOW_ID",
        "deepidv-async sessions WORKFLOW_ID -o csv > sessions.csv",
        "deepidv-async sessions WORKFLOW_ID --since 2026-05-01T00:00:00Z --limit 100",
        "deepidv-async sessions --all --status REJECTED --status FAILED",
    )
)
@click.argument("workflow_id", required=False)
@click.option("--all", "whole", is_flag=True, help="The sessions of all workflows.")
@filter_options
@page_size_option
@_records_option
@limit_option
@client_options
@terminal_options
def sessions(
    *,
    workflow_id: str | None,
    whole: bool,
    filters: Filters,
    page_size: int | None,
    connection: Connection,
    terminal: Terminal,
    output: OutputFormat | None,
    limit: int | None,
) -> ExitCode:
    """List sessions of one workflow, or of all, in the server's order.

    A table shows id, status, creation time and type. The other formats hold whole records,
    personal data included: jsonl and json without any loss, csv and tsv for spreadsheets, with
    nested fields as JSON.

    What the API has no filter for is sifted here, after it was read, and a note says so: --status
    always, --since and --until in the legacy generation.
    """
    if (workflow_id is None) is not whole:
        raise click.UsageError("Give a WORKFLOW_ID, or --all for the sessions of all workflows.")
    from deepidv_async.cli._connection import open_client  # noqa: PLC0415 - on use
    from deepidv_async.cli._listing import print_sessions  # noqa: PLC0415 - on use
    from deepidv_async.cli._selection import Selection  # noqa: PLC0415 - on use

    return print_sessions(
        open_client(connection, terminal),
        workflow_id,
        Selection.of(filters),
        terminal=terminal,
        output=output,
        limit=limit,
        page_size=page_size,
    )


@click.command(
    epilog=examples(
        "deepidv-async stats",
        "deepidv-async stats --api-version v1 --since 2026-05-01T00:00:00Z",
        "deepidv-async stats -o json | jq .statuses",
    )
)
@filter_options
@page_size_option
@output_option("table on a terminal, json elsewhere", OutputFormat.TABLE, OutputFormat.JSON)
@client_options
@terminal_options
def stats(
    *,
    filters: Filters,
    page_size: int | None,
    connection: Connection,
    terminal: Terminal,
    output: OutputFormat | None,
) -> ExitCode:
    """Count sessions by workflow, status and day.

    The API tells no totals: all sessions are read, with as many requests as an export takes.
    """
    from deepidv_async.cli._connection import open_client  # noqa: PLC0415 - on use
    from deepidv_async.cli._selection import Selection  # noqa: PLC0415 - on use
    from deepidv_async.cli._stats import print_stats  # noqa: PLC0415 - on use

    return print_stats(
        open_client(connection, terminal),
        Selection.of(filters),
        terminal=terminal,
        output=output,
        page_size=page_size,
    )


@click.command(
    epilog=examples(
        "deepidv-async export sessions.jsonl",
        "deepidv-async export sessions.csv --api-version v1 --since 2026-05-01T00:00:00Z",
        "deepidv-async export sessions.ndjson -o flat --rate 10",
    )
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@output_option(
    "csv if FILE ends so, else jsonl", OutputFormat.JSONL, OutputFormat.CSV, OutputFormat.FLAT
)
@click.option("--force", is_flag=True, help="Replace FILE, when all is there.")
@click.option("--restart", is_flag=True, help="Drop what an interrupted run has left.")
@filter_options
@page_size_option
@client_options
@terminal_options
def export(
    *,
    file: Path,
    output: OutputFormat | None,
    force: bool,
    restart: bool,
    filters: Filters,
    page_size: int | None,
    connection: Connection,
    terminal: Terminal,
) -> ExitCode:
    """Write all sessions of all workflows to a file.

    However a run ends, nothing is lost: what has come is kept in FILE.part, FILE.checkpoint says
    how far it is, and the same command goes on behind it. FILE itself appears when all is there,
    with the same bytes as if nothing had happened, readable for its owner only.

    jsonl holds whole records; csv is for spreadsheets; flat is for programs that want a table:
    JSON lines with the same columns in each, nested fields as JSON text.
    """
    from deepidv_async.cli._connection import open_client  # noqa: PLC0415 - on use
    from deepidv_async.cli._export import Plan, run_export  # noqa: PLC0415 - on use
    from deepidv_async.cli._selection import Selection  # noqa: PLC0415 - on use

    by_name = OutputFormat.CSV if file.suffix.lower() == ".csv" else OutputFormat.JSONL
    plan = Plan(
        path=file,
        output=output or by_name,
        selection=Selection.of(filters),
        page_size=page_size,
        force=force,
        restart=restart,
    )
    return run_export(open_client(connection, terminal), plan, terminal)


@click.command(
    epilog=examples(
        "deepidv-async doctor",
        "deepidv-async doctor --base-url https://api.deepidv.com/dev --api-version v1",
        "deepidv-async doctor -o json | jq .checks",
    )
)
@output_option("lines for people", OutputFormat.TABLE, OutputFormat.JSON)
@client_options
@terminal_options
def doctor(*, connection: Connection, terminal: Terminal, output: OutputFormat | None) -> ExitCode:
    """Check key, network, host and limits, and say what to do.

    It sends four requests at most, three of them with the key, and says how many it was. The key
    is never shown.
    """
    from deepidv_async.cli._doctor import run_doctor  # noqa: PLC0415 - on use

    return run_doctor(connection, terminal, output)


@click.command(
    epilog=examples(
        "deepidv-async limits --redis redis://localhost",
        "deepidv-async limits --watch 1",
        "deepidv-async limits -o json | jq .quota_left",
    )
)
@output_option("table on a terminal, json elsewhere", OutputFormat.TABLE, OutputFormat.JSON)
@click.option("--watch", type=float, metavar="SECONDS", help="Look again after so long, always.")
@redis_options
@terminal_options
def limits(
    *,
    redis: str | None,
    redis_name: str | None,
    api_key_file: str | None,
    terminal: Terminal,
    output: OutputFormat | None,
    watch: float | None,
) -> ExitCode:
    """Show a limit that many processes share through Redis.

    It takes no part in the limit, and sends nothing to the API. A process that sends nothing is
    forgotten after some seconds.
    """
    if not redis:
        raise click.UsageError("Name the server: --redis URL, or DEEPIDV_REDIS_URL.")
    if watch is not None and not _OFTENEST <= watch < float("inf"):
        raise click.UsageError(f"--watch takes {_OFTENEST:g} seconds or more.")
    from deepidv_async.cli._keys import read_key  # noqa: PLC0415 - on use
    from deepidv_async.cli._limits import print_limit  # noqa: PLC0415 - on use
    from deepidv_async.cli._redis import RedisServer, name_of  # noqa: PLC0415 - on use

    server = RedisServer.of(redis)
    name = redis_name or name_of(None, read_key(api_key_file))
    return print_limit(server, name, terminal=terminal, output=output, watch=watch)


@click.command(epilog=examples("deepidv-async demo", "deepidv-async demo > demo.txt"))
@terminal_options
def demo(*, terminal: Terminal) -> ExitCode:
    """Show the client at work; needs no key and no network.

    It starts a simulator of the API on this machine, reads thousands of sessions from it in
    both generations, and compares what came with the simulator's own journal. Exit code 1 if
    they disagree, or if any request was answered 429.
    """
    from deepidv_async.cli._demo import run_demo  # noqa: PLC0415 - on use

    return run_demo(terminal)
