"""A request as it came in and the answer as it is to go out, without ASGI."""

from collections.abc import Mapping

import attrs

from deepidv_async.simulator._endpoints import Call
from deepidv_async.simulator._faults import Fault
from deepidv_async.simulator._replies import Reply

__all__ = ["Answer", "Arrival"]


@attrs.frozen
class Arrival:
    """A request as it came.

    Attributes:
        call: the documented call that its path means, `None` for a path that is not served.
        method: HTTP method.
        path: still percent-encoded.
        query: still percent-encoded.
        params: of path and query, decoded.
        key: from `x-api-key`, empty if none came.
        length: bytes of its body, as announced.
    """

    call: Call | None
    method: str
    path: str
    query: str
    params: Mapping[str, str]
    key: str = attrs.field(repr=False)
    length: int


@attrs.frozen
class Answer:
    """What to send, and when.

    Attributes:
        reply: status, headers and body.
        delay: seconds to wait first.
        request_id: for the gateway's headers.
        gateway_id: for the gateway's headers.
        fault: the planned fault that struck the request.
    """

    reply: Reply
    delay: float
    request_id: str
    gateway_id: str
    fault: Fault | None

    def headers(self) -> dict[str, str]:
        """Give the headers to send, with the gateway's."""
        reply = self.reply
        return {
            "content-type": reply.content_type,
            "content-length": str(len(reply.body)),
            "x-amzn-requestid": self.request_id,
            "x-amz-apigw-id": self.gateway_id,
            **{name.lower(): value for name, value in reply.headers.items()},
        }
