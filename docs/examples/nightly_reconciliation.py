"""A nightly job that compares our records with DeepIDV's, and goes on where it stopped.

    export DEEPIDV_API_KEY=...
    python nightly_reconciliation.py ours.sqlite state.json

It may be stopped at any moment, by `kill -9` too. What it has read is in the database,
page by page; where it stands is in the state file, which is replaced as a whole. The
database is written first: a page that is read twice changes nothing, one that is left
out would be missed by nobody.

The state also keeps the limiter's count of the day, so that a run that starts again
does not spend the daily quota twice. One that meets its end exits with 75 (try again
later).
"""

import asyncio
import json
import logging
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from deepidv_async import (
    AsyncDeepIDV,
    BadRequestError,
    DeepIDVError,
    InvalidArgumentError,
    NotFoundError,
    QuotaExceededError,
    RateLimit,
    ResponseDecodeError,
    TokenBucket,
    WorkflowSession,
)

log = logging.getLogger("my.nightly")


class State:
    """Where the run stands.

    Attributes:
        left: workflows still to be read, the one under way first; `None` between runs.
        next_token: the page of it that comes next.
        limiter: what the limiter knew, its count of the day above all.
    """

    def __init__(self, path: Path) -> None:
        plain: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self.left: list[str] | None = plain.get("left")
        self.next_token: str | None = plain.get("next_token")
        self.limiter: dict[str, Any] | None = plain.get("limiter")
        self._path = path

    def save(self) -> None:
        """Replace the file at once: a crash leaves the old state or the new one."""
        plain = {
            "left": self.left,
            "next_token": self.next_token,
            "limiter": self.limiter,
        }
        beside = self._path.with_suffix(".new")
        with beside.open("w") as file:
            json.dump(plain, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


class Records:
    """Our own records: what we knew of each session last time."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute(
            "CREATE TABLE IF NOT EXISTS sessions (id PRIMARY KEY, workflow_id, status)"
        )

    def reconcile(
        self, workflow_id: str, sessions: Sequence[WorkflowSession]
    ) -> Counter[str]:
        """Take a page over, and count what was new or had another status."""
        changes: Counter[str] = Counter()
        with self._database:
            for session in sessions:
                row = (session.id, workflow_id, session.status)
                known = self._database.execute(
                    "SELECT id, workflow_id, status FROM sessions WHERE id = ?", row[:1]
                ).fetchone()
                if known != row:
                    changes["new" if known is None else "changed"] += 1
                    self._database.execute(
                        "REPLACE INTO sessions VALUES (?, ?, ?)", row
                    )
        return changes


class Run:
    """Reads all sessions of all workflows, a page at a time."""

    def __init__(self, client: AsyncDeepIDV, bucket: TokenBucket, state: State) -> None:
        # In the limiter's queue this job lets the web services on this client go first.
        self._client = client.with_options(priority="bulk")
        self._bucket = bucket
        self._state = state
        # As much as a page holds, for fewest requests. The legacy API has no pages.
        self._page_size = 500 if client.api_version == "v1" else None

    async def reconcile(self, records: Records) -> Counter[str]:
        """Do what is left of the run, or a whole one, and count the changes."""
        try:
            return await self._reconcile(records)
        finally:
            self._save()

    async def _reconcile(self, records: Records) -> Counter[str]:
        state = self._state
        if state.left is None:
            state.left = [each.id async for each in self._client.iter_workflows()]
            self._save()
        changes: Counter[str] = Counter()
        while state.left:
            sessions, next_token = await self._next_page(state.left[0])
            changes += records.reconcile(state.left[0], sessions)
            state.next_token = next_token
            if next_token is None:
                del state.left[0]
            self._save()
        state.left = None
        return changes

    async def _next_page(
        self, workflow_id: str
    ) -> tuple[Sequence[WorkflowSession], str | None]:
        try:
            page = await self._client.list_workflow_sessions(
                workflow_id,
                page_size=self._page_size,
                next_token=self._state.next_token,
            )
        except NotFoundError as error:
            log.warning("workflow %s is left out: %s", workflow_id, error)
            return (), None
        except ResponseDecodeError as error:
            if error.partial is None or not error.skippable:
                raise
            # One record that nobody can read must not stop this job every night.
            log.warning("a session of workflow %s is left out: %s", workflow_id, error)
            return error.partial.items, error.partial.next_token
        except BadRequestError:
            if self._state.next_token is None:
                raise
            # Nobody says how long tokens are good: read the workflow from its start.
            log.info("workflow %s is read from its start", workflow_id)
            self._state.next_token = None
            return await self._next_page(workflow_id)
        return page.items, page.next_token

    def _save(self) -> None:
        self._state.limiter = self._bucket.snapshot()
        self._state.save()


def make_bucket(state: State) -> TokenBucket:
    """Make a limiter that knows what was spent today."""
    bucket = TokenBucket(RateLimit())
    if state.limiter is not None:
        try:
            bucket.restore(state.limiter)
        except InvalidArgumentError as error:
            log.warning("the day's count starts at zero: %s", error)
    return bucket


async def main(database: Path, state_file: Path) -> int:
    """Do a run, and give the process's exit code."""
    state = State(state_file)
    bucket = make_bucket(state)
    with closing(sqlite3.connect(database)) as connection:
        async with AsyncDeepIDV(rate_limit=bucket, deadline=300) as client:
            try:
                changes = await Run(client, bucket, state).reconcile(
                    Records(connection)
                )
            except QuotaExceededError as error:
                log.warning("%s", error)
                return 75
            except DeepIDVError as error:
                log.critical("%s", error)
                return 1
    log.info("%d new, %d changed", changes["new"], changes["changed"])
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request
    try:
        sys.exit(asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]))))
    except KeyboardInterrupt:
        sys.exit(130)
