"""An asyncio client for the DeepIDV identity-verification API.

```python
from deepidv_async import AsyncDeepIDV

async with AsyncDeepIDV() as client:
    async for workflow in client.iter_workflows():
        print(workflow.id, workflow.name)
```
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from deepidv_async._client import AsyncDeepIDV
    from deepidv_async._clock import Clock, Timer
    from deepidv_async._config import APIVersion, Timeouts
    from deepidv_async._errors import (
        APIConnectionError,
        APITimeoutError,
        ClientClosedError,
        ConfigurationError,
        DeadlineExceededError,
        DeepIDVError,
        InvalidArgumentError,
        ResponseDecodeError,
        SharedLimitUnavailableError,
        UnsupportedByAPIVersionError,
    )
    from deepidv_async._events import (
        AttemptFinished,
        AttemptStarted,
        CallFinished,
        CallStarted,
        Event,
        LimiterWaited,
        ProcessForked,
        RetryScheduled,
        SchemaDrift,
        Throttled,
    )
    from deepidv_async._fanout import WorkflowSessionsPage
    from deepidv_async._history import Attempt, PartialPage, TimeSpent
    from deepidv_async._limiter_events import (
        LimiterEvent,
        PauseStarted,
        QuotaSpent,
        QuotaWarning,
        RateLearned,
        SharedLimitFound,
        SharedLimitLost,
    )
    from deepidv_async._models import (
        ResponseInfo,
        SessionProgress,
        SessionStatus,
        SessionType,
        Workflow,
        WorkflowSession,
    )
    from deepidv_async._observers import Observer
    from deepidv_async._paging import ItemIterator, Page, PageIterator
    from deepidv_async._retry import RetryPolicy
    from deepidv_async._status_errors import (
        APIStatusError,
        AuthenticationError,
        BadRequestError,
        EndpointNotServedError,
        InsufficientFundsError,
        NotFoundError,
        PermissionDeniedError,
        QuotaExceededError,
        RateLimitError,
        ServerError,
    )
    from deepidv_async.limits import (
        LimiterStats,
        Permit,
        Priority,
        RateLimit,
        RateLimiter,
        TokenBucket,
    )

__version__ = "0.1.0"
__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "APIVersion",
    "AsyncDeepIDV",
    "Attempt",
    "AttemptFinished",
    "AttemptStarted",
    "AuthenticationError",
    "BadRequestError",
    "CallFinished",
    "CallStarted",
    "ClientClosedError",
    "Clock",
    "ConfigurationError",
    "DeadlineExceededError",
    "DeepIDVError",
    "EndpointNotServedError",
    "Event",
    "InsufficientFundsError",
    "InvalidArgumentError",
    "ItemIterator",
    "LimiterEvent",
    "LimiterStats",
    "LimiterWaited",
    "NotFoundError",
    "Observer",
    "Page",
    "PageIterator",
    "PartialPage",
    "PauseStarted",
    "PermissionDeniedError",
    "Permit",
    "Priority",
    "ProcessForked",
    "QuotaExceededError",
    "QuotaSpent",
    "QuotaWarning",
    "RateLearned",
    "RateLimit",
    "RateLimitError",
    "RateLimiter",
    "ResponseDecodeError",
    "ResponseInfo",
    "RetryPolicy",
    "RetryScheduled",
    "SchemaDrift",
    "ServerError",
    "SessionProgress",
    "SessionStatus",
    "SessionType",
    "SharedLimitFound",
    "SharedLimitLost",
    "SharedLimitUnavailableError",
    "Throttled",
    "TimeSpent",
    "Timeouts",
    "Timer",
    "TokenBucket",
    "UnsupportedByAPIVersionError",
    "Workflow",
    "WorkflowSession",
    "WorkflowSessionsPage",
    "__version__",
]

# A program that only needs a name of ours pays for that name: importing all of it at once, with
# the event loop and attrs, would take longer than importing httpx. The HTTP library and cattrs
# come with the first client.
_HOMES = {
    "_client": "AsyncDeepIDV",
    "_clock": "Clock Timer",
    "_config": "APIVersion Timeouts",
    "_errors": (
        "APIConnectionError APITimeoutError ClientClosedError ConfigurationError "
        "DeadlineExceededError DeepIDVError InvalidArgumentError ResponseDecodeError "
        "SharedLimitUnavailableError UnsupportedByAPIVersionError"
    ),
    "_events": (
        "AttemptFinished AttemptStarted CallFinished CallStarted Event LimiterWaited "
        "ProcessForked RetryScheduled SchemaDrift Throttled"
    ),
    "_fanout": "WorkflowSessionsPage",
    "_history": "Attempt PartialPage TimeSpent",
    "_limiter_events": (
        "LimiterEvent PauseStarted QuotaSpent QuotaWarning RateLearned SharedLimitFound "
        "SharedLimitLost"
    ),
    "_models": "ResponseInfo SessionProgress SessionStatus SessionType Workflow WorkflowSession",
    "_observers": "Observer",
    "_paging": "ItemIterator Page PageIterator",
    "_retry": "RetryPolicy",
    "_status_errors": (
        "APIStatusError AuthenticationError BadRequestError EndpointNotServedError "
        "InsufficientFundsError NotFoundError PermissionDeniedError QuotaExceededError "
        "RateLimitError ServerError"
    ),
    "limits": "LimiterStats Permit Priority RateLimit RateLimiter TokenBucket",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


_ROOMS = ("limits", "observe", "simulator", "testing")


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
