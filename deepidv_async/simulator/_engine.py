"""What the simulator knows and how it judges a request the moment it arrives.

A request meets, in this order: the limits of its key, a planned fault, path and method, the
key, the endpoint, the journal. All of that is one step without waiting, so that the order of
arrival is the order of judgement; only then comes the latency.
"""

import threading
from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Any, Final

import attrs

from deepidv_async._errors import ConfigurationError
from deepidv_async.simulator._endpoints import Asked, Call
from deepidv_async.simulator._exchange import Answer, Arrival
from deepidv_async.simulator._faults import Fault, FaultPlan
from deepidv_async.simulator._journal import Entry, Journal
from deepidv_async.simulator._limits import Limits
from deepidv_async.simulator._organization import (
    Organization,
    make_organization,
    sandbox_organization,
)
from deepidv_async.simulator._records import draw, draw_uuid
from deepidv_async.simulator._replies import GATEWAY, Reply, documented
from deepidv_async.simulator._settings import KeyKind, Options

__all__ = ["Engine"]

# The gateway's limit for a request.
_MAX_BODY: Final = 10 * 1024 * 1024
# What the gateway says by itself where it, and not the application, checks keys and methods.
_BY_GATEWAY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing-key": "forbidden",
        "invalid-key": "forbidden",
        "method-not-allowed": "not-served",
        "throttled": "too-many-requests",
    }
)


@attrs.define(kw_only=True, eq=False, repr=False, slots=False)
class Engine(Options):
    """The state behind the simulator, and the judgement of each request."""

    journal: Journal = attrs.field(init=False, factory=Journal)
    _limits: Limits = attrs.field(init=False, factory=Limits)
    _faults: FaultPlan = attrs.field(init=False, factory=FaultPlan)
    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock)
    _own: Organization = attrs.field(init=False)
    _other: Organization = attrs.field(init=False)
    _sandbox: Organization = attrs.field(init=False, factory=sandbox_organization)
    _noise: Random = attrs.field(init=False)
    _started: float | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.reset()

    def __repr__(self) -> str:
        size = f"{self.workflows} workflows, {sum(self.sizes())} sessions"
        return f"{type(self).__name__}(seed={self.seed}, {size}, {self.journal!r})"

    @property
    def api_key(self) -> str:
        """The first key that is accepted."""
        return next(iter(self.keys))

    @property
    def workflow_ids(self) -> tuple[str, ...]:
        """Ids of the workflows, newest first."""
        return tuple(record["id"] for record in self._own.workflows)

    @property
    def other_workflow_ids(self) -> tuple[str, ...]:
        """Ids of workflows that belong to another organization."""
        return tuple(record["id"] for record in self._other.workflows)

    @property
    def faults_planned(self) -> int:
        """How many planned faults have not struck for the last time."""
        return len(self._faults)

    def session_ids(self, workflow_id: str) -> tuple[str, ...]:
        """Give the ids of a workflow's sessions, newest first.

        Raises:
            KeyError: there is no such workflow.
        """
        with self._lock:
            return tuple(record["id"] for record in self._own.sessions(workflow_id))

    def add_workflow(self, **fields: Any) -> str:
        """Make one more workflow, without sessions: it comes first from now on.

        Args:
            fields: what to set in the record, in snake_case, for example `name="Tenants"`.

        Returns:
            The workflow's id.

        Raises:
            ConfigurationError: there is a workflow with that id.
        """
        with self._lock:
            return str(self._own.add_workflow(fields)["id"])

    def add_session(self, workflow_id: str, **fields: Any) -> str:
        """Send one more session under a workflow: it comes first from now on.

        Args:
            workflow_id: an id from `workflow_ids`.
            fields: what to set in the record, in snake_case, for example `status="PENDING"`.

        Returns:
            The session's id.

        Raises:
            KeyError: there is no such workflow.
        """
        with self._lock:
            return str(self._own.add_session(workflow_id, fields)["id"])

    def plan(self, *faults: Fault) -> None:
        """Plan faults; those planned first strike first.

        Raises:
            ConfigurationError: one of them is no `Fault`, or one that a server cannot have.
        """
        if any(type(fault) is not Fault for fault in faults):
            raise ConfigurationError(
                "The simulator plans Fault(...) only; FakeDeepIDV takes statuses, bodies, "
                "exceptions and failures of the connection too."
            )
        with self._lock:
            for fault in faults:
                self._faults.add(fault)

    def clear_faults(self) -> None:
        """Drop every planned fault."""
        with self._lock:
            self._faults.clear()

    def reset(self, *, seed: int | None = None) -> None:
        """Start afresh: data as made from the seed, full buckets, no faults, empty journal.

        Args:
            seed: a new one; `None` keeps the one in use.
        """
        with self._lock:
            if seed is not None:
                self.seed = seed
            self._own = make_organization("own", self.seed, self.sizes())
            self._other = make_organization("other", self.seed, (3,))
            self._noise = draw(self.seed, "noise")
            self._limits.clear()
            self._faults.clear()
            self.journal.clear()
            self._started = None

    def lose(self, path: str) -> Fault | None:
        """Take the fault that keeps a request on `path` from arriving, if that one is next."""
        path = path.removeprefix(self.stage)
        with self._lock:
            fault = self._faults.next(path)
            return self._faults.take(path) if fault and fault.lost else None

    def answer(self, arrival: Arrival) -> Answer:
        """Judge a request at the moment it arrives, and write it into the journal."""
        with self._lock:
            now = self.clock.now()
            if self._started is None:
                self._started = now
            if arrival.call and not self._is_served(arrival.call):
                arrival = attrs.evolve(arrival, call=None)
            kind = self.keys.get(arrival.key)
            reply, fault = self._judge(arrival, kind, now)
            request_id = draw_uuid(self._noise)
            self.journal.add(
                Entry(
                    at=max(0.0, now - self._started),
                    generation=arrival.call.generation if arrival.call else None,
                    method=arrival.method,
                    path=arrival.path,
                    query=arrival.query,
                    status=reply.status,
                    reason=reply.reason,
                    key="right" if kind else "wrong" if arrival.key else "missing",
                    items=reply.items,
                    request_id=request_id,
                )
            )
            delay = self.latency + self.jitter * self._noise.random()
            delay += fault.delay if fault else 0.0
            return Answer(reply, delay, request_id, f"{self._noise.getrandbits(60):015x}=", fault)

    def _judge(
        self, arrival: Arrival, kind: KeyKind | None, now: float
    ) -> tuple[Reply, Fault | None]:
        call = arrival.call
        if call and call.needs_key and kind and arrival.method == "GET":
            broken = self._limits.take(
                arrival.key,
                now=now,
                today=self.clock.wall().date(),
                rate=self.rate,
                burst=self.burst,
                per_day=self.per_day,
            )
            if broken == "throttled":
                return self._trouble(call, "throttled"), None
            if broken == "quota":
                return attrs.evolve(GATEWAY["limit-exceeded"], reason="quota"), None
        fault = self._faults.take(arrival.path.removeprefix(self.stage))
        usual = self._usual(arrival, kind)
        if fault is None:
            return usual, None
        return fault.reply(call.generation if call else None, usual), fault

    def _is_served(self, call: Call) -> bool:
        return call.generation is None or self.serves in ("both", call.generation)

    def _usual(self, arrival: Arrival, kind: KeyKind | None) -> Reply:
        """Give the answer that a request gets where neither limit nor fault is in its way."""
        call = arrival.call
        if call is None:
            return GATEWAY["not-served"]
        if arrival.length > _MAX_BODY:
            return GATEWAY["too-large"]
        if call.needs_key and kind is None:
            return self._trouble(call, "invalid-key" if arrival.key else "missing-key")
        if arrival.method != "GET":
            sandbox = kind == "sandbox" and call.generation == "v1"
            return self._trouble(call, "sandbox-write" if sandbox else "method-not-allowed")
        if call.needs_key and kind == "unpaid":
            return self._trouble(call, "unpaid")
        return call.endpoint(self._asked(arrival, kind))

    def _asked(self, arrival: Arrival, kind: KeyKind | None) -> Asked:
        seen, hidden = self._own, self._other
        if kind == "other-organization":
            seen, hidden = hidden, seen
        elif kind == "sandbox":
            seen = self._sandbox
        others = frozenset(str(record["id"]) for record in hidden.workflows)
        return Asked(arrival.params, seen, others, self.legacy_body, self.page_plan)

    def _trouble(self, call: Call, name: str) -> Reply:
        if self.errors == "gateway" and name in _BY_GATEWAY:
            return attrs.evolve(GATEWAY[_BY_GATEWAY[name]], reason=name)
        return documented(call.generation, name)
