"""What the calls of the doctor tell: generations, the key, latency, the limiter, the quota."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from deepidv_async import (
    APIConnectionError,
    APIVersion,
    AsyncDeepIDV,
    AttemptFinished,
    AttemptStarted,
    AuthenticationError,
    DeadlineExceededError,
    DeepIDVError,
    EndpointNotServedError,
    Event,
    QuotaExceededError,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    TokenBucket,
)
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._failures import exit_code
from deepidv_async.cli._finding import Finding, fail, good, skip, warn

__all__ = ["CALLS", "Meter", "ask", "findings_of_calls"]

CALLS: Final = ("generation", "access", "latency", "limiter", "quota")
"""The names of the findings, in their order."""

# What AsyncDeepIDV(max_connections=...) is without being told.
_CONNECTIONS: Final = 32

Answers: TypeAlias = Mapping[APIVersion, int | DeepIDVError]


@attrs.define
class Meter:
    """Counts requests with the key, and measures the last of them; an observer.

    Attributes:
        requests: how many were sent.
        elapsed: seconds of the last one.
    """

    requests: int = 0
    elapsed: float = 0.0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        match event:
            case AttemptStarted():
                self.requests += 1
            case AttemptFinished(elapsed=elapsed):
                self.elapsed = elapsed
            case _:
                pass


async def ask(client: AsyncDeepIDV, bound: float) -> int | DeepIDVError:
    """List the workflows with one request; give their number, or why there is none."""
    once = client.with_options(retry=RetryPolicy(max_retries=0), timeout=bound)
    try:
        return len(await once.list_workflows())
    except DeepIDVError as error:
        return error


async def findings_of_calls(
    mine: AsyncDeepIDV, other: AsyncDeepIDV, meter: Meter, bound: float
) -> Sequence[Finding]:
    """Make the calls, two or three, and judge them.

    Args:
        mine: of the generation in use.
        other: of the other one, with the same limiter.
        meter: an observer of both.
        bound: seconds that each phase of a request may take.

    Returns:
        One finding for each of `CALLS`.
    """
    answers: Answers = {
        other.api_version: await ask(other, bound),
        mine.api_version: await ask(mine, bound),
    }
    fine = isinstance(answers[mine.api_version], int)
    if fine:
        # On a connection that is open already: that is what nearly all calls are made on.
        await ask(mine, bound)
    limiter = mine.rate_limiter
    assert isinstance(limiter, TokenBucket)  # noqa: S101 - the command line makes no other
    return (
        _generation(mine.api_version, answers),
        _access(mine.api_version, answers),
        _latency(meter.elapsed) if fine else skip("latency", "No call was answered well."),
        _limiter(
            limiter.limit,
            meter.elapsed if fine else 0.0,
            shared=type(limiter) is not TokenBucket,
        ),
        _quota(limiter, answers),
    )


def _generation(mine: APIVersion, answers: Answers) -> Finding:
    nothing = (APIConnectionError, DeadlineExceededError)
    if all(isinstance(answer, nothing) for answer in answers.values()):
        return skip("generation", "No call was answered.")
    if all(isinstance(answer, AuthenticationError) for answer in answers.values()):
        return skip("generation", "It cannot be told while the key is not accepted.")
    served = sorted(
        version
        for version, answer in answers.items()
        if not isinstance(answer, EndpointNotServedError)
    )
    if mine in served:
        return good("generation", f"The host serves {' and '.join(served)}; {mine} is in use.")
    if served:
        return fail(
            "generation",
            f"The host serves {served[0]} and not {mine}.",
            f"Use --api-version {served[0]}, or DEEPIDV_API_VERSION={served[0]}.",
            ExitCode.USAGE,
        )
    return fail(
        "generation",
        "The host serves neither generation.",
        "Check --base-url: it may need a stage, such as /dev.",
        ExitCode.USAGE,
    )


def _access(mine: APIVersion, answers: Answers) -> Finding:
    told = [answers[mine], *answers.values()]
    answer = next((each for each in told if not isinstance(each, EndpointNotServedError)), None)
    match answer:
        case None:
            return skip("access", "There is nothing that the key could open.")
        case int():
            return good("access", f"The key is accepted, and sees {answer:,} workflow(s).")
        case QuotaExceededError():
            return skip("access", "The quota is spent, see below.")
        case RateLimitError():
            return warn(
                "access",
                f"A single request was refused as too many: {answer}",
                "Give each program that uses the key its share of the rate: --rate.",
            )
        case _:
            return fail("access", str(answer), None, exit_code(answer))


def _latency(seconds: float) -> Finding:
    return good("latency", f"{seconds * 1000:,.0f} ms for a call on an open connection.")


def _limiter(limit: RateLimit, latency: float, *, shared: bool = False) -> Finding:
    """Compare rate x latency with what may be under way; see the limiter's page."""
    rate, hold = limit.per_second, limit.hold
    if latency / 2 > hold:
        return warn(
            "limiter",
            f"A request may take {latency / 2:.1f} s to the host, longer than the limiter's hold "
            f"of {hold:g} s: it may be refused.",
            f"In your programs: RateLimit(hold={latency:.1f}).",
        )
    if rate * min(latency, hold) > limit.burst - 1:
        reached = (limit.burst - 1) / latency
        return warn(
            "limiter",
            f"At this latency the limiter gets {reached:,.0f} requests/s of {rate:g} through: all "
            f"of the burst of {limit.burst:g} is under way then.",
            "Ask for less with --rate, or run it nearer to the host.",
        )
    if rate * latency > _CONNECTIONS:
        return warn(
            "limiter",
            f"At this latency {rate:g} requests/s need {rate * latency:,.0f} connections, and a "
            f"client opens {_CONNECTIONS}.",
            f"In your programs: AsyncDeepIDV(max_connections={rate * latency:.0f}).",
        )
    others = (
        "All processes that share the limit keep it together."
        if shared
        else "Each process counts for itself: where several use the key, share the limit (--redis) "
        "or give each a part of it (--rate)."
    )
    return good(
        "limiter",
        f"{rate:g} requests/s with a burst of {limit.burst:g}, {rate * latency:.1f} of them under "
        f"way at a time. {others}",
    )


def _quota(limiter: TokenBucket, answers: Answers) -> Finding:
    for answer in answers.values():
        if isinstance(answer, QuotaExceededError):
            return fail("quota", str(answer), None, ExitCode.RATE_LIMITED)
    stats = limiter.stats()
    if stats.quota_left is None:
        return good("quota", "No daily limit is kept.")
    resets = f"{stats.quota_resets_at:%Y-%m-%d %H:%M} UTC" if stats.quota_resets_at else "?"
    return good(
        "quota",
        f"Not spent. {limiter.limit.per_day:,} requests a day are published, and nobody tells what "
        f"is left; the reset is estimated at {resets}.",
    )
