"""The simulator's options: checked when they are set, also while it runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

import attrs

from deepidv_async._clock import Clock, SystemClock
from deepidv_async._errors import ConfigurationError
from deepidv_async.simulator._endpoints import LegacyBody

__all__ = ["Errors", "KeyKind", "Options", "Serves"]

KeyKind: TypeAlias = Literal["live", "sandbox", "other-organization", "unpaid"]
Serves: TypeAlias = Literal["both", "legacy", "v1"]
Errors: TypeAlias = Literal["documented", "gateway"]

_KINDS: frozenset[str] = frozenset({"live", "sandbox", "other-organization", "unpaid"})


def _default_keys() -> Mapping[str, KeyKind]:
    return {"sim-key": "live"}


def _keys(value: str | Iterable[str] | Mapping[str, KeyKind]) -> dict[str, KeyKind]:
    keys: dict[str, KeyKind] = {}
    if isinstance(value, Mapping):
        keys.update(cast("Mapping[str, KeyKind]", value))
    else:
        keys.update((key, "live") for key in ([value] if isinstance(value, str) else value))
    # The keys themselves stay out of the message: it may end up in a log.
    if not keys or not all(keys) or not _KINDS.issuperset(keys.values()):
        raise ConfigurationError(
            "Simulator(api_key=...) must be a key, several keys, or a mapping from keys to one "
            f"of {', '.join(sorted(_KINDS))}."
        )
    return keys


def _number(least: float, *, whole: bool = False, optional: bool = False) -> Any:
    """Make a check for a finite number of at least `least`."""
    kinds = (int,) if whole else (int, float)

    def check(_: object, field: "attrs.Attribute[Any]", value: Any) -> None:
        if value is None and optional:
            return
        number = isinstance(value, kinds) and not isinstance(value, bool)
        if not (number and least <= cast("float", value) < float("inf")):
            kind = "a whole number" if whole else "a number"
            raise ConfigurationError(
                f"Simulator({field.name}=...) must be {kind}, {least:g} or more; got {value!r}."
            )

    return check


def _one_of(*allowed: str) -> Any:
    """Make a check for one of some words."""

    def check(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
        if value not in allowed:
            words = " or ".join(map(repr, allowed))
            raise ConfigurationError(f"Simulator({field.name}=...) must be {words}; got {value!r}.")

    return check


def _sizes(value: int | Sequence[int]) -> int | tuple[int, ...]:
    return tuple(value) if isinstance(value, Sequence) else value


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_sizes(_: object, __: object, value: int | tuple[int, ...]) -> None:
    if not all(map(_is_size, value if isinstance(value, tuple) else (value,))):
        raise ConfigurationError(
            f"Simulator(sessions=...) must be a number of sessions, or one for each workflow; "
            f"got {value!r}."
        )


def _pages(plan: Sequence[int | None]) -> tuple[int | None, ...]:
    try:
        return tuple(plan)
    except TypeError:
        raise ConfigurationError(
            f"Simulator(page_plan=...) must be a list; got {plan!r}."
        ) from None


def _check_pages(_: object, __: object, plan: tuple[int | None, ...]) -> None:
    if not all(size is None or _is_size(size) for size in plan):
        raise ConfigurationError(
            f"Simulator(page_plan=...) must hold sizes of pages; got {plan!r}."
        )
    if plan and not any(size is None or size for size in plan):
        raise ConfigurationError("Simulator(page_plan=...): some page must hold a record.")


def _stage(value: str) -> str:
    return value.rstrip("/")


def _check_stage(_: object, __: object, stage: str) -> None:
    plain = all("!" <= char <= "~" and char not in "?#%{}" for char in stage)
    if stage and (not stage.startswith("/") or not plain or stage.split("/")[1] == "_sim"):
        raise ConfigurationError(f"Simulator(stage=...) must look like '/dev'; got {stage!r}.")


@attrs.define(kw_only=True, eq=False, repr=False, slots=False)
class Options:
    """What `Simulator` takes; see there."""

    seed: int = attrs.field(default=0, validator=_number(float("-inf"), whole=True))
    workflows: int = attrs.field(default=5, validator=_number(0, whole=True))
    sessions: int | Sequence[int] = attrs.field(
        default=120, converter=_sizes, validator=_check_sizes
    )
    keys: Mapping[str, KeyKind] = attrs.field(
        factory=_default_keys, converter=_keys, alias="api_key"
    )
    rate: float | None = attrs.field(default=25.0, validator=_number(0, optional=True))
    burst: float = attrs.field(default=35.0, validator=_number(1))
    per_day: int | None = attrs.field(
        default=10_000, validator=_number(0, whole=True, optional=True)
    )
    latency: float = attrs.field(default=0.0, validator=_number(0))
    jitter: float = attrs.field(default=0.0, validator=_number(0))
    legacy_body: LegacyBody = attrs.field(
        default="documented", validator=_one_of("documented", "sessions")
    )
    serves: Serves = attrs.field(default="both", validator=_one_of("both", "legacy", "v1"))
    errors: Errors = attrs.field(default="documented", validator=_one_of("documented", "gateway"))
    page_plan: Sequence[int | None] = attrs.field(
        default=(), converter=_pages, validator=_check_pages
    )
    stage: str = attrs.field(
        default="",
        converter=_stage,
        validator=_check_stage,
        on_setattr=attrs.setters.frozen,
    )
    clock: Clock = attrs.field(factory=SystemClock)

    def sizes(self) -> tuple[int, ...]:
        """Give the number of sessions of each workflow.

        Raises:
            ConfigurationError: there is not one number for each workflow.
        """
        if isinstance(self.sessions, int):
            return (self.sessions,) * self.workflows
        if len(self.sessions) != self.workflows:
            raise ConfigurationError(
                f"Simulator(sessions=...) is for {len(self.sessions)} workflows, but there are "
                f"{self.workflows}."
            )
        return tuple(self.sessions)
