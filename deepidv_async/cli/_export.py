"""`deepidv-async export`: all sessions of all workflows in one file, whatever happens on the way.

Pages are written in the order of the workflows and of the server's lists, each with a line in the
checkpoint, so that a run which goes on behind any of them ends with the same bytes as one that was
never interrupted.
"""

import asyncio

from deepidv_async import AsyncDeepIDV
from deepidv_async.cli._encoding import encoding_of
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._export_run import Export, Plan
from deepidv_async.cli._reading import Source
from deepidv_async.cli._store import Store
from deepidv_async.cli._terminal import Terminal

__all__ = ["Plan", "run_export"]


def run_export(client: AsyncDeepIDV, plan: Plan, terminal: Terminal) -> ExitCode:
    """Export, or go on with an export, and close the client.

    Args:
        client: made for this, with a `TokenBucket`.
        plan: what and where to.
        terminal: where it is told how it goes.

    Returns:
        `OK`; `PARTIAL` if some of the answers could not be read; otherwise why it ended.

    Raises:
        DeepIDVError: it was refused, and what is there stays as it is.
        OSError: the files cannot be opened.
    """
    encoding = encoding_of(plan.output)
    source = Source.of(client, plan.selection, page_size=plan.page_size)
    with Store(plan.path, encoding.preamble) as store:
        resumed = store.resume(plan.options(client), restart=plan.restart)
        if resumed and store.renamed:
            store.finish()
            terminal.note(f"{plan.path} was complete already.")
            return ExitCode.OK
        plan.check_path()
        return asyncio.run(Export(source, plan, terminal, store, encoding).run(resumed=resumed))
