"""What the doctor finds: one line for each check, with what to do."""

from typing import Any, Literal, TypeAlias

import attrs

from deepidv_async.cli._exit import ExitCode

__all__ = ["Finding", "State", "fail", "good", "skip", "warn"]

State: TypeAlias = Literal["ok", "warn", "fail", "skip"]


@attrs.frozen
class Finding:
    """The result of one check.

    Attributes:
        name: of the check.
        state: how it came out; `skip` if it could not be made, or made no sense.
        detail: what was found.
        advice: what to do about it.
        code: what the command ends with because of it.
    """

    name: str
    state: State
    detail: str
    advice: str | None = None
    code: ExitCode = ExitCode.OK

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON-ready data."""
        plain = attrs.asdict(self)
        del plain["code"]
        return plain


def good(name: str, detail: str) -> Finding:
    """Make a finding of what is as it should be."""
    return Finding(name, "ok", detail)


def warn(name: str, detail: str, advice: str) -> Finding:
    """Make a finding of what works and might not for long, or not for all."""
    return Finding(name, "warn", detail, advice)


def fail(name: str, detail: str, advice: str | None, code: ExitCode) -> Finding:
    """Make a finding of what has to be changed."""
    return Finding(name, "fail", detail, advice, code)


def skip(name: str, why: str) -> Finding:
    """Make a finding of a check that was not made."""
    return Finding(name, "skip", why)
