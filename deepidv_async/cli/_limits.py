"""`deepidv-async limits`: where a shared limit stands, once or over and over."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import attrs

from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._options import OutputFormat
from deepidv_async.cli._redis import RedisClient, RedisServer
from deepidv_async.cli._terminal import Terminal
from deepidv_async.limits.redis import SharedLimit, read_shared_limit

__all__ = ["PATIENCE", "Look", "print_limit"]

PATIENCE: Final = 5.0  # seconds that the server may take


@attrs.frozen
class Look:
    """What was seen of a limit.

    Attributes:
        name: of the limit.
        at: when (aware, UTC).
        state: where it stood; `None` if there was none.
    """

    name: str
    at: datetime
    state: SharedLimit | None

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON-ready data."""
        plain: dict[str, Any] = {"name": self.name, "at": self.at.isoformat()}
        if self.state is None:
            return plain | {"found": False}
        state = attrs.asdict(self.state) | {"since": self.state.since.isoformat()}
        return plain | {"found": True, "quota_left": self.quota_left} | state

    @property
    def quota_left(self) -> float | None:
        """Requests that are left of the day; `None` if there is no quota, or no limit."""
        state = self.state
        if state is None or state.quota is None:
            return None
        return 0.0 if state.quota_refused_for else max(0.0, state.quota - state.quota_used)

    def figures(self) -> dict[str, str]:
        """Give what a person looks for, in words."""
        state = self.state
        if state is None:
            return {"state": "nobody uses it"}
        rate, left = f"{state.per_second:.4g} of {state.published:.4g}/s", self.quota_left
        used = f"{state.quota_used:,.0f} today"
        return {
            "rate": rate,
            "tokens": f"{state.tokens:.1f} of {state.burst:.4g}",
            "open": f"{state.open:.1f}",
            "paused": f"{state.paused_for:.1f} s" if state.paused_for else "no",
            "429s": f"{state.refused:,}",
            "used": used if left is None else f"{used}, {left:,.0f} left",
            "processes": f"{sum(process.expires_in > 0 for process in state.processes):,}",
        }

    def line(self) -> str:
        """Give the figures in one line."""
        figures = "  ".join(f"{name} {value}" for name, value in self.figures().items())
        return f"{self.at:%H:%M:%S}  {figures}"


def print_limit(
    server: RedisServer,
    name: str,
    *,
    terminal: Terminal,
    output: OutputFormat | None,
    watch: float | None,
) -> ExitCode:
    """Print where a shared limit stands.

    Args:
        server: where it is kept.
        name: of the limit.
        terminal: where to.
        output: `table` or `json`; `None` for a table on a terminal and `json` elsewhere.
        watch: seconds between two looks, without end; `None` for one look.

    Returns:
        `OK`; `NOT_FOUND` if there is no such limit, of which a watch only takes note; why the
        server gives nothing.
    """
    chosen = OutputFormat.TABLE if terminal.shown else OutputFormat.JSON
    as_json = (output or chosen) is OutputFormat.JSON
    try:
        if watch is None:
            printer = partial(_print, server, terminal, as_json=as_json)
            return asyncio.run(_watch(server, name, None, printer))
        if as_json or not terminal.animated:
            return asyncio.run(_watch(server, name, watch, _line_writer(terminal, as_json=as_json)))
        return _draw(server, name, watch, terminal)
    except Exception as error:
        if (failure := server.failure(error)) is None:
            raise
        terminal.error(failure[0])
        return failure[1]


async def _watch(
    server: RedisServer, name: str, pause: float | None, take: Callable[[Look], ExitCode]
) -> ExitCode:
    """Look over and over, with a pause between; without one only once."""
    async with server.connected() as redis:
        while True:
            code = take(await _look(redis, name))
            if pause is None:
                return code
            await asyncio.sleep(pause)


async def _look(redis: RedisClient, name: str) -> Look:
    async with asyncio.timeout(PATIENCE):
        state = await read_shared_limit(redis, name)
    return Look(name, datetime.now(UTC), state)


def _print(server: RedisServer, terminal: Terminal, look: Look, *, as_json: bool) -> ExitCode:
    if look.state is None:
        terminal.error(
            f"There is no limit {look.name} on {server.where}: nobody has used it for a while. "
            "Its name is that of --redis-name, or made of the key."
        )
        return ExitCode.NOT_FOUND
    if as_json:
        terminal.data(json.dumps(look.to_dict(), indent=2) + "\n")
        terminal.flush()
    else:
        from deepidv_async.cli._limits_view import draw_look  # noqa: PLC0415 - rich, on use

        terminal.show(draw_look(look))
    return ExitCode.OK


def _line_writer(terminal: Terminal, *, as_json: bool) -> Callable[[Look], ExitCode]:
    def write(look: Look) -> ExitCode:
        terminal.data((json.dumps(look.to_dict()) if as_json else look.line()) + "\n")
        terminal.flush()
        return ExitCode.OK

    return write


def _draw(server: RedisServer, name: str, pause: float, terminal: Terminal) -> ExitCode:
    from deepidv_async.cli._limits_view import draw_look  # noqa: PLC0415 - rich, on use

    looks: list[Look] = []

    def take(look: Look) -> ExitCode:
        looks[:] = [look]
        return ExitCode.OK

    # What cannot be reached is told before anything is drawn.
    asyncio.run(_watch(server, name, None, take))
    with terminal.live(lambda: draw_look(looks[0])):
        return asyncio.run(_watch(server, name, pause, take))
