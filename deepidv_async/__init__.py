"""An asyncio client for the DeepIDV identity-verification API.

```python
from deepidv_async import AsyncDeepIDV

async with AsyncDeepIDV() as client:
    async for workflow in client.iter_workflows():
        print(workflow.id, workflow.name)
```
"""

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
    UnsupportedByAPIVersionError,
)
from deepidv_async._events import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    Event,
    LimiterEvent,
    LimiterWaited,
    PauseStarted,
    ProcessForked,
    QuotaSpent,
    QuotaWarning,
    RateLearned,
    RetryScheduled,
    SchemaDrift,
    Throttled,
)
from deepidv_async._fanout import WorkflowSessionsPage
from deepidv_async._history import Attempt, PartialPage, TimeSpent
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
from deepidv_async.limits import LimiterStats, Permit, Priority, RateLimit, RateLimiter, TokenBucket

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
