"""`deepidv-async doctor`: what stands between this machine and the API, check by check."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import attrs

from deepidv_async import APIVersion, AsyncDeepIDV, ConfigurationError, TokenBucket
from deepidv_async.cli._connection import closing, make_client, make_limit
from deepidv_async.cli._doctor_calls import CALLS, Meter, findings_of_calls
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._finding import Finding, State, fail, good, skip
from deepidv_async.cli._keys import read_key
from deepidv_async.cli._options import Connection, OutputFormat
from deepidv_async.cli._probe import Probe
from deepidv_async.cli._terminal import Terminal
from deepidv_async.cli._text import printable

if TYPE_CHECKING:
    from deepidv_async.cli._redis import RedisServer

__all__ = ["run_doctor"]

# Seconds that each step may take unless --timeout says otherwise.
_PATIENCE: Final = 5.0
# Stands for the key while the other settings are checked; nothing is ever sent with it.
_NO_KEY: Final = "none"


def run_doctor(connection: Connection, terminal: Terminal, output: OutputFormat | None) -> ExitCode:
    """Make all checks, and tell each as it comes.

    Args:
        connection: the options.
        terminal: where it is told.
        output: `json` for one object at the end; otherwise lines for people.

    Returns:
        `OK` if no check failed, else the code of the first that did.
    """
    doctor = _Doctor(connection, terminal)
    as_json = output is OutputFormat.JSON
    tell = _ignore if as_json else _teller(terminal)
    asyncio.run(doctor.run(tell))
    failed = [finding for finding in doctor.findings if finding.state == "fail"]
    if as_json:
        whole = {
            "healthy": not failed,
            "requests": doctor.requests,
            "checks": [finding.to_dict() for finding in doctor.findings],
        }
        terminal.data(json.dumps(whole, indent=2) + "\n")
        terminal.flush()
    else:
        terminal.note(
            f"{len(failed)} of {len(doctor.findings)} checks failed; "
            f"{doctor.requests} requests were sent, {doctor.keyed} of them with the key."
        )
    return failed[0].code if failed else ExitCode.OK


@attrs.define
class _Doctor:
    """One examination.

    Attributes:
        findings: one for each check, in their order.
        requests: how many were sent.
        keyed: those of them that carried the key, and count for its quota.
        limit_name: name of the shared limit, as far as it is known.
    """

    connection: Connection
    terminal: Terminal
    findings: list[Finding] = attrs.field(factory=list[Finding])
    requests: int = 0
    keyed: int = 0
    limit_name: str | None = None

    async def run(self, tell: Callable[[Finding], None]) -> None:
        """Make all checks, and hand each finding to `tell` as it comes."""
        async with aclosing(self._examine()) as findings:
            async for finding in findings:
                self.findings.append(finding)
                tell(finding)

    async def _examine(self) -> AsyncGenerator[Finding, None]:
        try:
            alone = TokenBucket(make_limit(self.connection))
            client = make_client(self.connection, self.terminal, _NO_KEY, (), alone)
            server = self._server()
        except ConfigurationError as error:
            yield fail("settings", str(error), None, ExitCode.USAGE)
            return
        yield good("settings", f"{client.base_url}, generation {client.api_version}.")
        meter = Meter()
        pair = None
        try:
            pair = self._make_pair(meter, client)
        except ConfigurationError as error:
            yield fail("key", str(error), None, ExitCode.USAGE)
        else:
            where = self.connection.api_key_file or "DEEPIDV_API_KEY"
            yield good("key", f"Present and well-formed, from {where}.")
        if server is not None:
            from deepidv_async.cli._doctor_redis import finding_of_redis  # noqa: PLC0415 - on use

            yield await finding_of_redis(server, self.limit_name, self._bound)
        probe = Probe(client.base_url, self._bound)
        async with aclosing(probe.findings()) as findings:
            reached = True
            async for finding in findings:
                reached = reached and finding.state != "fail"
                yield finding
        self.requests = probe.requests
        if pair is None or not reached:
            for name in CALLS:
                yield skip(name, "There is no key." if pair is None else "No way to the host.")
            return
        async with closing(pair[0]), pair[1]:
            for finding in await findings_of_calls(*pair, meter, self._bound):
                yield finding
        self.keyed = meter.requests
        self.requests += meter.requests

    @property
    def _bound(self) -> float:
        return self.connection.timeout or _PATIENCE

    def _server(self) -> "RedisServer | None":
        """Give the server of the shared limit, if there is one.

        Raises:
            ConfigurationError: its URL is malformed.
            ImportError: the extra `redis` is not installed.
        """
        if not self.connection.redis:
            return None
        from deepidv_async.cli._redis import RedisServer  # noqa: PLC0415 - on use

        self.limit_name = self.connection.redis_name
        return RedisServer.of(self.connection.redis)

    def _make_pair(self, meter: Meter, client: AsyncDeepIDV) -> tuple[AsyncDeepIDV, AsyncDeepIDV]:
        """Make a client of the generation in use, and one of the other.

        Raises:
            ConfigurationError: there is no key, or a malformed one.
        """
        key = read_key(self.connection.api_key_file)
        mine = make_client(self.connection, self.terminal, key, [meter])
        if self.connection.redis:
            from deepidv_async.cli._redis import name_of  # noqa: PLC0415 - on use

            self.limit_name = name_of(self.connection.redis_name, key)
        version: APIVersion = "legacy" if client.api_version == "v1" else "v1"
        swapped = self.connection._replace(api_version=version, base_url=client.base_url)
        return mine, make_client(swapped, self.terminal, key, [meter], mine.rate_limiter)


def _ignore(_: Finding) -> None:
    """Tell nothing yet."""


def _teller(terminal: Terminal) -> Callable[[Finding], None]:
    from rich.table import Table  # noqa: PLC0415 - rich, on use
    from rich.text import Text  # noqa: PLC0415 - rich, on use

    styles: dict[State, str] = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "dim"}

    def tell(finding: Finding) -> None:
        line = Table.grid(padding=(0, 2))
        line.add_column(min_width=4, no_wrap=True)
        line.add_column(min_width=10, no_wrap=True)
        line.add_column(overflow="fold")
        state = Text(finding.state, style=styles[finding.state])
        said = " ".join(filter(None, (finding.detail, finding.advice)))
        line.add_row(state, finding.name, Text(printable(said)))
        terminal.show(line)
        terminal.flush()

    return tell
