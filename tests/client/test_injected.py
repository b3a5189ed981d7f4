"""An `http_client` of the user's own: any transport, any hook, its own loop."""

import asyncio

import httpx
import httpx2
import pytest

from deepidv_async import (
    APIConnectionError,
    APITimeoutError,
    AsyncDeepIDV,
    ConfigurationError,
    ResponseDecodeError,
    RetryPolicy,
    TokenBucket,
)
from deepidv_async import _sender as sender_module
from raw_server import http_answer, raw_server
from support import KEY, make_client, workflows_body

both = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda each: each.__name__)


def answering(body, library=httpx):
    return library.MockTransport(lambda request: library.Response(200, json=body))


@both
@pytest.mark.asyncio
async def test_a_mock_transport(library):
    """A response that was never a stream is taken as it is."""
    transport = answering(workflows_body("a", "b"), library)
    async with library.AsyncClient(transport=transport) as mine:
        async with make_client(http_client=mine) as client:
            assert [workflow.id for workflow in await client.list_workflows()] == ["a", "b"]


@both
@pytest.mark.asyncio
async def test_a_hook_that_reads_the_response(library):
    """A response hook may read the body before the client does, compressed or not."""
    seen = []

    async def hook(response):
        seen.append(await response.aread())

    async def answer(server, head):
        return http_answer(b'{"workflows": [{"id": "wf_1"}]}')

    async with raw_server(answer) as server:
        async with library.AsyncClient(event_hooks={"response": [hook]}) as mine:
            async with make_client(http_client=mine, base_url=server.base_url) as client:
                assert len(await client.list_workflows()) == 1
    assert len(seen) == 1


@pytest.mark.asyncio
async def test_a_body_that_was_read_already_is_capped_too(monkeypatch):
    """The cap holds for what somebody else has read into memory."""
    monkeypatch.setattr(sender_module, "MAX_INFLATED", 10)
    async with httpx.AsyncClient(transport=answering(workflows_body("a"))) as mine:
        async with make_client(http_client=mine) as client:
            with pytest.raises(ResponseDecodeError, match="larger than 10 bytes"):
                await client.list_workflows()


def test_a_pool_of_a_loop_that_is_gone():
    """An injected client that belongs to a closed loop is named as the cause."""

    def explode(request):
        raise RuntimeError("Event loop is closed")

    async def main():
        async with httpx.AsyncClient(transport=httpx.MockTransport(explode)) as mine:
            async with make_client(http_client=mine) as client:
                with pytest.raises(APIConnectionError, match="one for each loop") as caught:
                    await client.list_workflows()
                assert len(caught.value.attempts) == 1

    asyncio.run(main())


def test_a_class_is_no_limiter():
    """Passing `TokenBucket` instead of an instance of it is refused at once."""
    with pytest.raises(ConfigurationError, match="rate_limit"):
        AsyncDeepIDV(KEY, rate_limit=TokenBucket, retry=RetryPolicy())


@both
@pytest.mark.asyncio
async def test_what_an_injected_client_adds(library):
    """Its cookies, query and headers go out with each request, also those it gets later."""
    seen = []

    def answer(request):
        assert request.content == b""
        seen.append((request.url.query, dict(request.headers)))
        return library.Response(200, json=workflows_body("a"))

    transport = library.MockTransport(answer)
    async with library.AsyncClient(transport=transport, headers={"x-tenant": "one"}) as mine:
        async with make_client(http_client=mine) as client:
            await client.list_workflows()
            mine.headers["x-tenant"] = "two"
            await client.list_workflows()
            mine.params = {"trace": "1"}
            mine.cookies.set("session", "abc")
            await client.list_workflows()
    queries, headers = zip(*seen, strict=True)
    assert queries == (b"", b"", b"trace=1")
    assert [each["x-tenant"] for each in headers] == ["one", "two", "two"]
    assert [each.get("cookie") for each in headers] == [None, None, "session=abc"]
    for each in headers:
        assert each["host"] == "api.deepidv.com"
        assert each["x-api-key"] == KEY
        assert each["accept-encoding"] == "gzip, deflate"


@pytest.mark.asyncio
async def test_a_call_that_is_closed():
    """A coroutine that is closed instead of cancelled ends its attempt too, and gives back all."""
    ended = asyncio.Event()

    class Never(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.set()

    async with httpx.AsyncClient(transport=Never()) as mine:
        async with make_client(http_client=mine) as client:
            call = client.list_workflows()
            call.send(None)
            call.close()
            assert ended.is_set()
            assert client._pipeline.transport.session().gate.free == 32


@pytest.mark.asyncio
async def test_a_failure_that_comes_with_a_cancellation():
    """A cancelled caller hears of the cancellation, and the failure is not left unheard."""

    def explode(request):
        asyncio.get_running_loop().call_soon(call.cancel)
        raise httpx.ConnectError("gone")

    async with httpx.AsyncClient(transport=httpx.MockTransport(explode)) as mine:
        async with make_client(http_client=mine) as client:
            call = asyncio.create_task(client.list_workflows())
            with pytest.raises(asyncio.CancelledError):
                await call


@both
@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("ConnectError", APIConnectionError, "Cannot connect"),
        ("ProxyError", APIConnectionError, "Cannot connect"),
        ("ReadTimeout", APITimeoutError, "timeout.read"),
        ("PoolTimeout", APITimeoutError, "timeout.pool"),
        ("LocalProtocolError", APIConnectionError, "could not be sent"),
        ("RemoteProtocolError", APIConnectionError, "broke before the answer"),
        ("InvalidURL", APIConnectionError, "not because of the network"),
    ],
)
@pytest.mark.asyncio
async def test_errors_of_either_library(library, kind, error, said):
    """What either library raises becomes the same error of ours, without its own as context."""

    def explode(request):
        raise getattr(library, kind)("mine")

    async with library.AsyncClient(transport=library.MockTransport(explode)) as mine:
        async with make_client(http_client=mine, retry=RetryPolicy(max_retries=0)) as client:
            with pytest.raises(error, match=said) as caught:
                await client.list_workflows()
    assert caught.value.__cause__ is caught.value.__context__ is None


@both
@pytest.mark.asyncio
async def test_a_subclass_of_either_client(library):
    """A client of a class that was derived is known by the class it was derived from."""
    derived = type("Traced", (library.AsyncClient,), {})
    async with derived(transport=answering(workflows_body("a"), library)) as mine:
        async with make_client(http_client=mine) as client:
            assert len(await client.list_workflows()) == 1


def test_what_is_no_client():
    """Something else is refused at once, by its type's name."""
    for wrong in (object(), httpx.Client(), "client", type("AsyncClient", (), {})()):
        with pytest.raises(ConfigurationError, match=type(wrong).__name__):
            make_client(http_client=wrong)
