"""Planned faults: which of the coming requests are answered otherwise, and how."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import attrs

from deepidv_async._errors import ConfigurationError
from deepidv_async.simulator._journal import Generation
from deepidv_async.simulator._replies import TEXT, Reply, by_status, documented, json_reply

__all__ = ["Fault", "FaultPlan"]

_USUAL: Final = "usual"


def _check_answer(_: object, __: object, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ConfigurationError(f"Fault({value!r}): the answer is a status or a name.")
    if isinstance(value, int):
        if not 200 <= value <= 599:  # noqa: PLR2004 - the range of final HTTP statuses
            raise ConfigurationError(f"Fault({value}): a status lies between 200 and 599.")
    elif value != _USUAL:
        try:
            documented("legacy", value)
        except KeyError:
            raise ConfigurationError(
                f"Fault({value!r}): there is no answer of that name."
            ) from None


def _check_count(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    if value is None and field.name == "times":
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"Fault({field.name}=...) must be 1 or more; got {value!r}.")


def _check_delay(_: object, __: object, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 <= value < float("inf")):
        raise ConfigurationError(f"Fault(delay=...) must be in seconds, 0 or more; got {value!r}.")


def _check_headers(_: object, __: object, value: Any) -> None:
    for name, text in value.items():
        if not (isinstance(name, str) and isinstance(text, str) and f"{name}{text}".isprintable()):
            raise ConfigurationError(f"Fault(headers=...): {name!r} is no header.")
        if name.lower() in ("content-length", "transfer-encoding"):
            raise ConfigurationError(
                f"Fault(headers=...): {name!r} is the server's own; a wrong length takes a proxy "
                "that cuts connections."
            )


def _check_path(_: object, __: object, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"Fault(path=...) must be a pattern; got {value!r}.")


@attrs.frozen
class Fault:
    """What some of the coming requests are answered instead.

    Args:
        answer: a status from 200 to 599 (with the body that the request's generation documents
            for it), the name of an error (`"limit-exceeded"`, `"forbidden"`, `"null-message"`,
            `"timeout"`, `"unpaid"`, ...), or `"usual"`: the answer that it would have got
            anyway, only later or with other headers.
        body: sent instead of the documented body: a `str` as plain text, `bytes` as they are,
            anything else as JSON. `None` keeps the documented body.
        headers: set on the answer, for example `{"Retry-After": "2"}`.
        delay: seconds to wait before answering, on top of the simulator's latency.
        times: how often it strikes; `None` until it is cleared.
        every: strike every n-th matching request only.
        path: a pattern like `"/v1/sessions"` or `"/workflow/*"` on the path as it was sent;
            `None` matches all.

    A fault stands behind the limits: a request that finds no token is refused and the fault
    waits for the next one.

    Raises:
        ConfigurationError: a field makes no sense.
    """

    answer: int | str = attrs.field(default=_USUAL, validator=_check_answer)
    body: Any = attrs.field(default=None, kw_only=True, repr=False)
    headers: Mapping[str, str] = attrs.field(
        factory=dict[str, str], kw_only=True, validator=_check_headers
    )
    delay: float = attrs.field(default=0.0, kw_only=True, validator=_check_delay)
    times: int | None = attrs.field(default=1, kw_only=True, validator=_check_count)
    every: int = attrs.field(default=1, kw_only=True, validator=_check_count)
    path: str | None = attrs.field(default=None, kw_only=True, validator=_check_path)

    @property
    def lost(self) -> bool:
        """Whether the request never arrives; no answer of a server is that."""
        return False

    def matches(self, path: str) -> bool:
        """Tell whether it is meant for that path."""
        return self.path is None or fnmatchcase(path, self.path)

    def reply(self, generation: Generation | None, usual: Reply) -> Reply:
        """Give the answer that it puts in place of the usual one."""
        if self.answer == _USUAL and self.body is None:
            return attrs.evolve(usual, headers={**usual.headers, **self.headers})
        reply = self._base(generation, usual)
        reply = attrs.evolve(reply, reason="fault", items=0)
        if self.body is not None:
            reply = _with_body(reply, self.body)
        return attrs.evolve(reply, headers={**reply.headers, **self.headers})

    def _base(self, generation: Generation | None, usual: Reply) -> Reply:
        if self.answer == _USUAL:
            return usual
        if isinstance(self.answer, int):
            return by_status(generation, self.answer)
        return documented(generation, self.answer)


def _with_body(reply: Reply, body: object) -> Reply:
    match body:
        case bytes():
            return attrs.evolve(reply, body=body)
        case str():
            return attrs.evolve(reply, body=body.encode(), content_type=TEXT)
        case _:
            made = json_reply(reply.status, body)
            return attrs.evolve(reply, body=made.body, content_type=made.content_type)


@attrs.define(eq=False)
class _Planned:
    fault: Fault
    met: int = 0
    struck: int = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.struck >= self.fault.times


@attrs.define
class FaultPlan:
    """The faults that are still to come, in the order they were planned."""

    _planned: list[_Planned] = attrs.field(factory=list[_Planned])

    def __len__(self) -> int:
        return len(self._planned)

    def add(self, fault: Fault) -> None:
        """Plan one more."""
        self._planned.append(_Planned(fault))

    def take(self, path: str) -> Fault | None:
        """Find the fault that strikes a request on `path`, and count it as used."""
        for planned in self._planned:
            if planned.fault.matches(path):
                planned.met += 1
                if planned.met % planned.fault.every == 0:
                    planned.struck += 1
                    if planned.spent:
                        self._planned.remove(planned)
                    return planned.fault
        return None

    def next(self, path: str) -> Fault | None:
        """Find the fault that would strike a request on `path`, and count nothing."""
        for planned in self._planned:
            fault = planned.fault
            if fault.matches(path) and (planned.met + 1) % fault.every == 0:
                return fault
        return None

    def unused(self) -> list[tuple[Fault, int]]:
        """Give the faults that are to strike a number of times more, with that number."""
        return [
            (planned.fault, planned.fault.times - planned.struck)
            for planned in self._planned
            if planned.fault.times is not None
        ]

    def clear(self) -> None:
        """Let everything be answered as usual again."""
        self._planned.clear()
