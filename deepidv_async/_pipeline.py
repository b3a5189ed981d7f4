"""One call, from its spec to a decoded page: permit, place, attempt, verdict, wait."""

import asyncio
from typing import TYPE_CHECKING, TypeVar

import attrs

from deepidv_async._calls import Call
from deepidv_async._clock import Clock
from deepidv_async._config import Config
from deepidv_async._errors import APIConnectionError, DeadlineExceededError, ResponseDecodeError
from deepidv_async._feedback import obey_headers, tell_refusal
from deepidv_async._gate import Gate
from deepidv_async._models import ResponseInfo
from deepidv_async._observers import Observers
from deepidv_async._options import CallOptions
from deepidv_async._problems import Origin, status_error
from deepidv_async._redaction import Secret
from deepidv_async._retry import NOT_RETRYABLE, OUT_OF_BUDGET, Retry, RetryBudget, Stop, Verdict
from deepidv_async._status_errors import APIStatusError, QuotaExceededError, RateLimitError
from deepidv_async._structure import DecodedPage, PageShape, decode_page
from deepidv_async._transport import HTTPSession, Transport
from deepidv_async._trip import Outcome, Trip
from deepidv_async._wire import WireResponse
from deepidv_async.limits import Permit, RateLimiter, Talkative

if TYPE_CHECKING:
    from deepidv_async._narrator import Narrator

__all__ = ["Pipeline"]

T = TypeVar("T")


class Pipeline:
    """Runs calls; shared by a client and all its views.

    Args:
        config: host, key, generation.
        transport: sends one request.
        limiter: decides when; `None` for at once.
        observers: told of every step.
        clock: measures and waits.
    """

    def __init__(
        self,
        config: Config,
        transport: Transport,
        limiter: RateLimiter | None,
        observers: Observers,
        clock: Clock,
    ) -> None:
        self.config = config
        self.transport = transport
        self.limiter = limiter
        self._narrator = _narrator(observers) if observers else None
        self._clock = clock
        self._budget = RetryBudget()
        asked: object = limiter
        self._unsubscribe = (
            asked.subscribe(observers.emit) if observers and isinstance(asked, Talkative) else None
        )

    async def run(self, call: Call[T], options: CallOptions) -> tuple[DecodedPage[T], ResponseInfo]:
        """Run one call to its page.

        Raises:
            DeepIDVError: as the error tree draws it.
        """
        trip = Trip(call, options, self._clock.now)
        narrator = self._narrator
        if narrator is None:
            return await self._within_deadline(trip)
        try:
            narrator.call_started(trip)
            done = await self._within_deadline(trip)
        except BaseException as error:
            narrator.call_finished(trip, error)
            raise
        narrator.call_finished(trip, None)
        return done

    async def aclose(self) -> None:
        """Close the transport, and stop listening to a limiter that may live on."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        await self.transport.aclose()

    async def _within_deadline(self, trip: Trip[T]) -> tuple[DecodedPage[T], ResponseInfo]:
        if trip.options.deadline is None:
            return await self._repeat(trip)
        limit = asyncio.timeout(None)
        # Booked on our clock: asyncio's own deadline would count by the loop's.
        end = self._clock.call_later(trip.options.deadline, lambda: limit.reschedule(0))
        try:
            async with limit:
                return await self._repeat(trip)
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            end.cancel()
        raise trip.deadline_error("no answer in time")

    async def _repeat(self, trip: Trip[T]) -> tuple[DecodedPage[T], ResponseInfo]:
        while True:
            session = self.transport.session()
            if self.limiter is not None:
                trip.permit = await self._permit(trip, self.limiter)
            outcome = await self._attempt(trip, session)
            if isinstance(outcome, WireResponse):
                self._budget.earn()
                return self._decode(trip, outcome)
            await self._recover(trip, outcome)

    async def _permit(self, trip: Trip[T], limiter: RateLimiter) -> Permit:
        try:
            permit = await limiter.acquire(priority=trip.options.priority, deadline=trip.ends)
        except DeadlineExceededError as refusal:
            trip.limited += trip.lap()
            if trip.ends is None:  # a limiter of the user's own may have a bound of its own
                refusal.spent, refusal.attempts = trip.spent, tuple(trip.attempts)
                raise
            raise trip.deadline_error("the rate limiter cannot grant in time") from trip.last_error
        except APIStatusError as refusal:
            refusal.operation, refusal.attempts = trip.operation, tuple(trip.attempts)
            raise refusal from trip.last_error
        finally:
            waited = trip.lap()
            trip.limited += waited
        if self._narrator is not None:
            self._narrator.waited(trip, waited)
        return permit

    async def _attempt(self, trip: Trip[T], session: HTTPSession) -> Outcome:
        """Try once: gives the answer if it is one of success, else the error it means."""
        if not session.gate.enter_now():
            await self._wait_at(session.gate, trip)
        try:
            if self._narrator is not None:
                self._narrator.attempt_started(trip)
            outcome = await self._exchange(trip, session)
        except BaseException as cut_off:
            self._finish(trip, cut_off)
            raise
        finally:
            session.gate.leave()
        self._finish(trip, outcome)
        return outcome

    async def _wait_at(self, gate: Gate, trip: Trip[T]) -> None:
        try:
            await gate.enter(trip.options.priority)
        except BaseException:
            trip.permit.unsent()
            raise
        finally:
            trip.queued += trip.lap()

    def _finish(self, trip: Trip[T], outcome: Outcome | BaseException) -> None:
        elapsed = trip.lap()
        trip.on_wire += elapsed
        done = trip.remember(outcome, elapsed)
        if self._narrator is not None:
            self._narrator.attempt_finished(trip, done)

    async def _exchange(self, trip: Trip[T], session: HTTPSession) -> Outcome:
        request, permit = trip.call.request(self.config.base_url), trip.permit
        try:
            response = await self.transport.attempt(session, request, permit, trip.options.timeouts)
        except APIConnectionError as failure:
            return failure
        obey_headers(self.limiter, permit, response, self._clock)
        if response.ok:
            return response
        spec = trip.call.spec
        origin = Origin(
            operation=spec.operation,
            api_version=spec.api_version,
            names_workflow=trip.call.workflow_id is not None,
            base_url=self.config.base_url,
        )
        return status_error(
            request, response, origin, self._clock.wall(), self.config.api_key.scrub
        )

    async def _recover(self, trip: Trip[T], error: APIStatusError | APIConnectionError) -> None:
        """Wait until the next try may start.

        Raises:
            APIStatusError, APIConnectionError: `error`, if there will be no other try.
            DeadlineExceededError: the next try could not start in time.
        """
        if isinstance(error, RateLimitError):
            tell_refusal(self.limiter, trip.permit, error, self._clock)
            if self._narrator is not None and not isinstance(error, QuotaExceededError):
                self._narrator.throttled(trip, error.retry_after)
        decision = self._decide(trip, error)
        if isinstance(decision, Stop):
            error.attempts = tuple(trip.attempts)
            if decision is not NOT_RETRYABLE:
                error.add_note(f"Not repeated: {decision.reason}.")
            raise error
        trip.last_error = error
        trip.attempts[-1] = attrs.evolve(trip.attempts[-1], delay=decision.delay)
        if self._too_late(trip, decision):
            raise trip.deadline_error("the next try would start too late") from error
        if self._narrator is not None:
            self._narrator.retry_scheduled(trip, decision.delay, error)
        try:
            await self._clock.sleep(decision.delay)
        finally:
            trip.backing_off += trip.lap()

    def _decide(self, trip: Trip[T], error: APIStatusError | APIConnectionError) -> Verdict:
        decision = trip.options.retry.verdict(error, len(trip.attempts))
        # The limiter paces what follows a 429, and a retry that comes too late is not made.
        free = isinstance(error, RateLimitError) and self.limiter is not None
        if isinstance(decision, Stop) or free or self._too_late(trip, decision):
            return decision
        return decision if self._budget.spend(self._clock.now()) else OUT_OF_BUDGET

    def _too_late(self, trip: Trip[T], decision: Retry) -> bool:
        return trip.ends is not None and self._clock.now() + decision.delay >= trip.ends

    def _decode(self, trip: Trip[T], response: WireResponse) -> tuple[DecodedPage[T], ResponseInfo]:
        try:
            page = _page_of(response, trip.call.spec.shape, self.config.api_key)
        except ResponseDecodeError as error:
            error.status, error.request_id = response.status, response.request_id
            error.attempts = tuple(trip.attempts)
            # The frames that read the body hold it in their locals, and error trackers print
            # those: the traceback starts anew here.
            raise error.with_traceback(None) from None
        if self._narrator is not None:
            self._narrator.drifted(trip, page.drift)
        info = ResponseInfo(
            status=response.status,
            request_id=trip.attempts[-1].request_id,
            elapsed=trip.lapped - trip.started,
            attempts=len(trip.attempts),
        )
        return page, info


def _narrator(observers: Observers) -> "Narrator":
    from deepidv_async._narrator import Narrator  # noqa: PLC0415 - only who has observers pays

    return Narrator(observers)


def _page_of(response: WireResponse, shape: PageShape[T], key: Secret) -> DecodedPage[T]:
    if response.flaw is not None:
        raise ResponseDecodeError(f"The answer cannot be read: {response.flaw}.")
    return decode_page(response.body, shape, content_type=response.content_type, scrub=key.scrub)
