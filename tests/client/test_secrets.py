"""The key canary: one planted key, searched for in everything a run with failures leaves."""

import asyncio
import copy
import io
import logging
import pickle
import traceback

import httpx
import pytest
import respx

from bad_answers import ANSWERS, PERSON
from deepidv_async import (
    APIConnectionError,
    APIStatusError,
    AsyncDeepIDV,
    DeadlineExceededError,
    DeepIDVError,
    RetryPolicy,
)
from raw_server import http_answer, raw_server
from support import BASE, KEY, make_client, sessions_body

pytestmark = pytest.mark.asyncio


@pytest.fixture
def everything_logged(monkeypatch):
    """Collect every log record of every logger, at DEBUG."""
    for name in ("httpx", "httpcore"):  # an example of the docs quiets them
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


async def failure_of(call):
    """Await a call in a frame of its own: the tests' own locals hold the key, of course."""
    try:
        await call
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked into
        return error
    return None


def everything_of(error):
    """All that a program may print or store of an error."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = ["".join(frames.format()), repr(error), str(error), repr(vars(error))]
    if isinstance(error, DeepIDVError):
        shown += [repr(error.to_dict()), repr(error.args), repr(copy.copy(error))]
        # Readable records of a partial page are the caller's data; the rest must be clean.
        bare = copy.copy(error)
        if getattr(bare, "partial", None) is not None:
            bare.partial = None
        shown.append(pickle.dumps(bare).decode("latin-1"))
    return "\n".join(shown)


async def test_the_key_is_nowhere(everything_logged):
    """Neither key nor personal data shows in logs, errors, tracebacks with locals, pickles."""
    shown = []
    events = []
    answers = iter(ANSWERS)

    async def answer(server, head):
        assert KEY in head
        return next(answers)

    def broken_observer(event):
        events.append(event)
        raise RuntimeError("observer")

    async with raw_server(answer) as server:
        client = make_client(
            base_url=server.base_url,
            retry=RetryPolicy(max_retries=0),
            observers=[broken_observer],
            rate_limit=None,
            timeout=0.3,
        )
        async with client:
            for _ in ANSWERS:
                error = await failure_of(client.list_workflows())
                shown.append(everything_of(error))
            shown += [repr(client), str(client), repr(vars(client)), repr(client.rate_limiter)]
            shown.append(repr(vars(client._pipeline)))
            shown.append(repr(vars(client._pipeline.transport)))
        for hide in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="not pickled or copied"):
                hide(client)
    assert len(shown) == len(ANSWERS) + 6
    shown += [repr(events), everything_logged.getvalue()]
    assert "httpcore" in shown[-1]
    for text in shown:
        assert KEY not in text
        assert PERSON not in text


@pytest.mark.parametrize(
    "answer",
    [
        http_answer(b"{}", "500 Internal Server Error", f"x-amzn-requestid: {KEY}\r\n"),
        http_answer(b"{}", "301 Moved", f"location: https://{KEY}.example/{KEY}\r\n"),
        http_answer(b"{", headers=f"content-encoding: {KEY}\r\nx-request-id: {KEY}\r\n"),
        f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode(),
    ],
)
async def test_a_server_that_echoes_the_key_in_its_headers(answer):
    """Not even a server that sends the key back brings it into our errors and events."""
    events = []

    async def echo(server, head):
        return answer

    async with raw_server(echo) as server:
        async with make_client(
            base_url=server.base_url, retry=RetryPolicy(max_retries=0), observers=[events.append]
        ) as client:
            error = await failure_of(client.list_workflows())
    assert isinstance(error, DeepIDVError)
    assert KEY not in everything_of(error)
    assert KEY not in repr(events)


@respx.mock
async def test_a_long_key_as_a_fields_name():
    """Names of fields are cut when they are told; the key is taken out before."""
    key = KEY + "-" + "k" * 60
    record = {"id": "wf", key: 1}
    respx.get(f"{BASE}/workflow").mock(
        side_effect=[
            httpx.Response(200, json={key: []}),
            httpx.Response(200, json={"workflows": [record], key: 1}),
        ]
    )
    events = []
    async with make_client(api_key=key, observers=[events.append]) as client:
        error = await failure_of(client.list_workflows())
        await client.list_workflows()
    assert isinstance(error, DeepIDVError)
    assert KEY not in str(error) + repr(error) + repr(error.to_dict())
    assert KEY not in repr(events)


async def test_the_key_is_not_in_a_cancelled_calls_traceback():
    """What a cancelled or timed-out call leaves behind holds no request either."""

    async def answer(server, head):
        await asyncio.sleep(60)

    async with raw_server(answer) as server, make_client(base_url=server.base_url) as client:
        by_asyncio = await failure_of(asyncio.wait_for(client.list_workflows(), 0.1))
        by_deadline = await failure_of(client.with_options(deadline=0.1).list_workflows())
    for error in (by_asyncio, by_deadline):
        assert isinstance(error, TimeoutError)
        assert KEY not in everything_of(error)


@pytest.mark.parametrize("injected", [True, False])
@respx.mock
async def test_a_redirect_is_an_error_and_the_key_stays_home(injected):
    """A redirect to another host is not followed, whatever an injected client is set to."""
    respx.get(f"{BASE}/workflow").respond(307, headers={"location": "https://evil.example/x"})
    evil = respx.get("https://evil.example/x").respond(json={"workflows": []})
    async with httpx.AsyncClient(follow_redirects=True) as other:
        async with make_client(http_client=other if injected else None) as client:
            with pytest.raises(APIStatusError, match=r"redirects GET to evil\.example") as caught:
                await client.list_workflows()
    assert caught.value.status == 307
    assert not evil.called


@respx.mock
async def test_personal_data_is_in_no_repr():
    """Pages, records and iterators show ids and states, never names or findings."""
    body = sessions_body("s1")
    body["sessions"][0] |= {
        "meta_data": {"applicant": PERSON},
        "analysis_data": {"name": PERSON},
        "nickname": PERSON,
        "location": PERSON,
    }
    respx.get(url__startswith=f"{BASE}/v1/sessions").respond(json=body)
    async with make_client(api_version="v1") as client:
        items = client.iter_workflow_sessions("wf_1")
        page = await client.list_workflow_sessions("wf_1")
        assert page[0].extra["nickname"] == PERSON
        for each in (page, page[0], page.items, items, items.pages(), page.response):
            assert PERSON not in repr(each)
            assert PERSON not in str(each)


async def test_a_failing_http_client_keeps_the_key_to_itself():
    """An error of an injected client's own code is told by class and text, without the key."""

    def explode(request):
        raise KeyError(request.headers["x-api-key"])

    transport = httpx.MockTransport(explode)
    async with httpx.AsyncClient(transport=transport) as injected:
        async with AsyncDeepIDV(KEY, http_client=injected) as client:
            error = await failure_of(client.list_workflows())
    assert isinstance(error, APIConnectionError)
    assert "KeyError" in str(error)
    assert KEY not in everything_of(error)


@pytest.mark.parametrize("injected", [False, True], ids=["own pool", "injected client"])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_cancelled_call_shows_nothing(injected, times):
    """The frames that a cancellation came through held the request: its traceback has none."""
    reached = asyncio.Event()

    async def never(server, head):
        reached.set()
        await asyncio.sleep(60)

    async with raw_server(never) as server, httpx.AsyncClient() as theirs:
        options = {"http_client": theirs} if injected else {}
        async with make_client(base_url=server.base_url, **options) as client:
            call = asyncio.create_task(client.list_workflows())
            await reached.wait()
            for _ in range(times):
                call.cancel()
                await asyncio.sleep(0)
            try:
                await call
            except asyncio.CancelledError as error:
                shown = everything_of(error)
            with pytest.raises(DeadlineExceededError) as late:
                await client.with_options(deadline=0.05).list_workflows()
    assert KEY not in shown
    assert "handle_async_request" not in shown
    assert KEY not in everything_of(late.value)
