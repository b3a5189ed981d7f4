"""What the limiter's permit is told of a request, from what the HTTP library reports."""

from types import SimpleNamespace

import pytest

from deepidv_async._delivery import Delivery

pytestmark = pytest.mark.asyncio

GET = {"request": SimpleNamespace(method=b"GET")}
CONNECT = {"request": SimpleNamespace(method=b"CONNECT")}
TCP = "connection.connect_tcp.started"
STARTED = "http11.send_request_headers.started"
COMPLETE = "http11.send_request_headers.complete"


class Permit:
    """Writes down what it is told."""

    def __init__(self):
        self.news = []

    def written(self):
        self.news.append("written")

    def seen(self):
        self.news.append("seen")

    def unsent(self):
        self.news.append("unsent")


@pytest.fixture(params=[True, False], ids=["own", "injected"])
def traced(request):
    return request.param


async def told(*reports, traced, hand_over=True, end=None):
    """Play a request: hand it over, report, end; give what the permit was told."""
    permit = Permit()
    delivery = Delivery(permit, traced=traced)
    if hand_over:
        delivery.handed_over()
    for event, info in reports:
        await delivery.trace(event, info)
    if end == "answered":
        delivery.answered()
    elif end is not None:
        delivery.ended(**end)
    return permit.news


async def test_an_answer_was_seen(traced):
    """The head goes out, the answer comes: written, then seen."""
    reports = [(TCP, {}), (STARTED, GET), (COMPLETE, {})]
    assert await told(*reports, traced=traced, end="answered") == ["written", "seen"]


@pytest.mark.parametrize("protocol", ["http11", "http2"])
async def test_a_head_that_went_out_is_written(traced, protocol):
    """Both protocols' reports count, as soon as the head is out."""
    reports = [
        (f"{protocol}.send_request_headers.started", GET),
        (f"{protocol}.send_request_headers.complete", {}),
    ]
    assert await told(*reports, traced=traced) == ["written"]


async def test_cancelled_while_waiting_for_the_answer(traced):
    """A head that went out stays written, whatever is reported after it."""
    reports = [(STARTED, GET), (COMPLETE, {}), ("http11.receive_response_headers.started", GET)]
    assert set(await told(*reports, traced=traced, end={})) == {"written"}


async def test_a_head_on_its_way_may_have_arrived(traced):
    """Cut off while the head goes out, the server may have it: written."""
    assert await told((TCP, {}), (STARTED, GET), traced=traced, end={}) == ["written"]


async def test_a_connection_that_never_came(traced):
    """No connection, nothing sent, whatever was begun."""
    for reports in ([], [(TCP, {})], [(STARTED, GET)]):
        news = await told(*reports, traced=traced, end={"connected": False})
        assert news == ["unsent"]


async def test_cancelled_before_a_byte_went_out(traced):
    """Cancelled while connecting, a request whose library reports was not sent."""
    assert await told((TCP, {}), traced=traced, end={}) == ["unsent"]


async def test_cancelled_before_it_was_handed_over(traced):
    """A request that the library never had was not sent."""
    assert await told(traced=traced, hand_over=False, end={}) == ["unsent"]


async def test_a_silent_library_is_not_trusted():
    """Without any report a request that was handed over counts as written."""
    assert await told(traced=False, end={}) == ["written"]
    assert await told(traced=True, end={}) == ["unsent"]


async def test_the_head_for_a_proxy_is_not_the_request(traced):
    """A tunnel through a proxy is opened first; that head does not reach the API."""
    tunnel = [(STARTED, CONNECT), (COMPLETE, {})]
    assert await told(*tunnel, traced=traced) == []
    assert await told(*tunnel, traced=traced, end={}) == ["unsent"]
    both = [*tunnel, (STARTED, GET), (COMPLETE, {})]
    assert await told(*both, traced=traced) == ["written"]


async def test_other_reports_say_nothing(traced):
    """Names are matched whole: bodies and answers are not heads."""
    reports = [
        ("http11.send_request_body.started", GET),
        ("http11.send_request_body.complete", {}),
        ("http11.receive_response_headers.started", GET),
        ("http11.response_closed.complete", {}),
    ]
    assert await told(*reports, traced=traced) == []
