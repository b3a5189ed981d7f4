"""A pool of asyncio workers: one queue, one client, one limit, no work lost at a stop.

    export DEEPIDV_API_KEY=...
    python worker_pool.py jobs.txt results.jsonl

`jobs.txt` holds a workflow id per line; the job is to count the workflow's sessions by
status. A job is done when its line is in `results.jsonl`: started again, the pool
goes on with the others.

SIGTERM and Ctrl-C stop it: no job is begun any more, and those under way have `GRACE`
seconds to end. A second signal cuts them off. (asyncio catches signals on POSIX only.)
"""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TextIO

from deepidv_async import (
    AsyncDeepIDV,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    DeepIDVError,
    EndpointNotServedError,
    InsufficientFundsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
)

WORKERS = 16
GRACE = 20.0  # seconds; shorter than what the supervisor waits before it kills

# No other job can succeed either.
HOPELESS = (
    AuthenticationError,
    ConfigurationError,
    EndpointNotServedError,
    InsufficientFundsError,
    QuotaExceededError,
)
# This job cannot succeed, however often it is tried.
WRONG = (BadRequestError, InvalidArgumentError, NotFoundError, PermissionDeniedError)

log = logging.getLogger("my.workers")


class Pool:
    """Does jobs until there are none left, or until it is told to stop.

    Args:
        client: shared by all workers, and so are its connections and its limiter.
        results: where the results go.
    """

    def __init__(self, client: AsyncDeepIDV, results: TextIO) -> None:
        self.stopping = False
        self.failed = 0
        self._client = client
        self._results = results
        # A short queue: jobs stay where they come from until they are about to be done.
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(WORKERS)
        self._time_left = asyncio.timeout(None)

    async def run(self, jobs: list[str]) -> None:
        """Do the jobs.

        Raises:
            TimeoutError: it was told to stop, and jobs under way had to be cut off.
        """
        async with self._time_left, asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())
            for job in jobs:
                await self._queue.put(job)
                if self.stopping:
                    break
            for _ in range(WORKERS):
                await self._queue.put(None)

    def stop(self) -> None:
        """Begin no more jobs, and let those under way end."""
        if not self.stopping:
            self.stopping = True
            self._end_within(GRACE)

    def on_signal(self) -> None:
        """Stop at the first signal, and cut off the jobs under way at the second."""
        if self.stopping:
            self._end_within(0)
        self.stop()

    def _end_within(self, seconds: float) -> None:
        with contextlib.suppress(RuntimeError):  # all jobs have ended meanwhile
            self._time_left.reschedule(asyncio.get_running_loop().time() + seconds)

    async def _work(self) -> None:
        while (job := await self._queue.get()) is not None:
            if not self.stopping:
                await self._do(job)

    async def _do(self, workflow_id: str) -> None:
        try:
            found: Counter[str] = Counter()
            async for session in self._client.iter_workflow_sessions(workflow_id):
                found[session.status or "unknown"] += 1
        except HOPELESS as error:
            log.critical("stopping: %s", error)
            self.failed += 1
            self.stop()
        except WRONG as error:
            self._write({"workflow": workflow_id, "error": type(error).__name__})
        except DeepIDVError as error:
            # It was tried several times: the next run may have better luck.
            log.warning("left %s for later: %s", workflow_id, error)
            self.failed += 1
        else:
            self._write({"workflow": workflow_id, "sessions": found})

    def _write(self, result: dict[str, object]) -> None:
        # In one piece, so that a process that is killed leaves whole lines behind.
        self._results.write(json.dumps(result) + "\n")
        self._results.flush()


def unfinished(jobs: Path, results: Path) -> list[str]:
    """Give the jobs that have no result yet, in their order."""
    lines = results.read_text().splitlines() if results.exists() else []
    done = {json.loads(line)["workflow"] for line in lines}
    return [job for job in dict.fromkeys(jobs.read_text().split()) if job not in done]


async def main(jobs: Path, results: Path) -> int:
    """Do what is left, and give the process's exit code: 0 if no job has failed."""
    with results.open("a") as file:
        async with AsyncDeepIDV(deadline=60) as client:
            pool = Pool(client, file)
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, pool.on_signal)
            try:
                await pool.run(unfinished(jobs, results))
            except TimeoutError:
                log.warning("jobs under way took too long and were cut off")
    left = len(unfinished(jobs, results))
    log.info("stopped, %d jobs left" if pool.stopping else "done, %d jobs left", left)
    return 1 if pool.failed else 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request
    sys.exit(asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]))))
