"""The fake as a whole: the API in process, its clients, its time, what it remembers."""

import asyncio
import inspect
import os
import time
import traceback

import attrs
import httpx
import httpx2
import pytest

from deepidv_async import (
    AsyncDeepIDV,
    AuthenticationError,
    ConfigurationError,
    DeadlineExceededError,
    EndpointNotServedError,
    QuotaExceededError,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    Timeouts,
)
from deepidv_async.simulator import Fault, Simulator
from deepidv_async.testing import FakeDeepIDV, VirtualClock, assert_within_rate_limit
from deepidv_async.testing._fake import ClientOptions

pytestmark = pytest.mark.asyncio

PATIENT = RetryPolicy(retry_after_cap=7200)


async def test_it_answers_with_data():
    """What is not planned is answered by the simulator: workflows and all sessions of each."""
    async with FakeDeepIDV(workflows=2, sessions=[70, 0]) as fake:
        busy, idle = fake.workflow_ids
        client = fake.client(api_version="v1")
        assert [workflow.id for workflow in await client.list_workflows()] == [busy, idle]
        sessions = await client.iter_workflow_sessions(busy).collect()
        assert [session.id for session in sessions] == list(fake.session_ids(busy))
        assert await client.iter_workflow_sessions(idle).collect() == []
    assert fake.journal.refused == 0


async def test_both_generations():
    """A client speaks the legacy generation by default, and the one that is served otherwise."""
    async with FakeDeepIDV() as fake, fake.client() as client:
        assert client.api_version == "legacy"
        await client.list_workflows()
        assert len(await client.list_workflow_sessions(fake.workflow_ids[0])) == 120
    assert {request.generation for request in fake.requests} == {"legacy"}
    async with FakeDeepIDV(serves="v1", stage="/dev") as fake:
        client = fake.client()
        assert (client.api_version, client.base_url) == ("v1", "https://api.deepidv.com/dev")
        await client.list_workflows()
        with pytest.raises(EndpointNotServedError):
            await fake.client(api_version="legacy").list_workflows()
    assert [request.path for request in fake.requests] == ["/dev/v1/workflows", "/dev/workflow"]


async def test_own_data():
    """A test can say which workflows and sessions there are."""
    async with FakeDeepIDV(workflows=0) as fake:
        tenants = fake.add_workflow(name="Tenants", id="wf_tenants")
        fake.add_session(tenants, id="ses_1", status="PENDING")
        fake.add_session(tenants, id="ses_2", status="VERIFIED", external_id="lease-204")
        client = fake.client(api_version="v1")
        (workflow,) = await client.list_workflows()
        newest, oldest = await client.list_workflow_sessions("wf_tenants")
    assert workflow.name == "Tenants"
    assert (newest.id, newest.external_id) == ("ses_2", "lease-204")
    assert newest.created_at > oldest.created_at
    assert (newest.submitted_at is None, oldest.submitted_at is None) == (False, True)


async def test_an_hour_of_waiting_takes_milliseconds():
    """`Retry-After`, back-off, a pause of the limiter and latency follow the virtual clock."""
    began = time.monotonic()
    async with FakeDeepIDV(latency=20) as fake:
        fake.plan(Fault(429, headers={"Retry-After": "3600"}), 503, "read-timeout")
        page = await fake.client(retry=PATIENT).list_workflows()
        assert page.response.attempts == 4
        assert 3600 + 20 * 3 + 30 < page.response.elapsed == fake.clock.now() < 3720
    assert time.monotonic() - began < 1


async def test_the_rate_limiter_keeps_virtual_time():
    """500 calls at once take what 25 a second take, not a moment of real time, and no 429."""
    began = time.monotonic()
    async with FakeDeepIDV() as fake:
        client = fake.client()
        await asyncio.gather(*(client.list_workflows() for _ in range(500)))
        assert fake.clock.now() == pytest.approx((500 - 35) / 25, abs=0.1)
    assert fake.journal.refused == 0
    assert_within_rate_limit(fake.journal)
    assert time.monotonic() - began < 5


async def test_a_deadline_keeps_virtual_time():
    """A call that hangs on the wire is ended at its deadline, on the clock of the client."""
    async with FakeDeepIDV(latency=300) as fake:
        client = fake.client(deadline=90, timeout=Timeouts(read=1000))
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError) as caught:
            await client.list_workflows()
        assert fake.clock.now() == 90
        assert caught.value.spent.on_wire == 90
        assert time.monotonic() - began < 1


async def test_a_deadline_waits_for_work():
    """Calls that queue at the gate without waiting for time do not run into their deadline."""
    async with FakeDeepIDV(rate=None) as fake:
        client = fake.client(deadline=0.5, rate_limit=None, max_connections=1)
        await asyncio.gather(*(client.list_workflows() for _ in range(300)))
        assert fake.clock.now() == 0


async def test_the_server_has_a_limit():
    """A client without a limiter is refused, as by the real server."""
    async with FakeDeepIDV(burst=5) as fake:
        client = fake.client(rate_limit=None, retry=RetryPolicy(max_retries=0))
        results = await asyncio.gather(
            *(client.list_workflows() for _ in range(8)), return_exceptions=True
        )
    assert sum(isinstance(result, RateLimitError) for result in results) == 3
    assert fake.journal.refused == 3
    with pytest.raises(AssertionError, match="3 of 8 requests"):
        assert_within_rate_limit(fake.journal, RateLimit(burst=5))


async def test_the_quota_comes_back_at_midnight():
    """A spent quota fails at once; the next virtual day has a new one."""
    async with FakeDeepIDV(per_day=2) as fake:
        client = fake.client(rate_limit=RateLimit(per_day=2))
        for _ in range(2):
            await client.list_workflows()
        with pytest.raises(QuotaExceededError) as caught:
            await client.list_workflows()
        await fake.clock.sleep((caught.value.resets_at - fake.clock.wall()).total_seconds())
        await client.list_workflows()
    assert len(fake.requests) == 3


async def test_keys_are_checked():
    """A wrong key is a 401, as from the real API; what was sent is remembered without the key."""
    async with FakeDeepIDV() as fake:
        with pytest.raises(AuthenticationError):
            await fake.client("wrong-canary-key").list_workflows()
        await fake.client().list_workflows()
        assert [entry.key for entry in fake.journal] == ["wrong", "right"]
        shown = repr([fake, fake.requests, [attrs.asdict(sent) for sent in fake.requests]])
    assert "canary" not in shown
    assert fake.api_key not in shown
    assert "x-api-key" not in fake.requests[0].headers


async def test_requests_are_remembered():
    """What was sent can be asserted on: path, parameters, headers, answer, time."""
    async with FakeDeepIDV(workflows=1, latency=2) as fake:
        client = fake.client(api_version="v1")
        await client.list_workflow_sessions(fake.workflow_ids[0], page_size=7)
        await fake.client().list_workflow_sessions(fake.workflow_ids[0])
    first, second = fake.requests
    assert (first.method, first.path, first.status) == ("GET", "/v1/sessions", 200)
    assert first.params == {"workflow_id": fake.workflow_ids[0], "limit": "7"}
    assert first.headers["host"] == "api.deepidv.com"
    assert (first.failure, first.generation, first.at) == (None, "v1", 0)
    assert second.path == f"/workflow/{fake.workflow_ids[0]}"
    assert second.params == {"workflow_id": fake.workflow_ids[0]}
    assert (second.generation, second.at) == ("legacy", 2)


async def test_the_same_seed_gives_the_same():
    """A fake of one seed gives the same data, and the same times on its clock, every time."""

    async def run():
        async with FakeDeepIDV(seed=5, latency=1, jitter=1) as fake:
            client = fake.client(api_version="v1")
            pages = [await client.list_workflows() for _ in range(3)]
            return [page.items for page in pages], fake.clock.now(), list(fake.requests)

    assert await run() == await run()


async def test_reset():
    """After `reset` it is as new: data, plan, journal and memory; its clock goes on."""
    fake = FakeDeepIDV(latency=3)
    fake.add_workflow(name="gone")
    await fake.client().list_workflows()
    fake.plan(500)
    fake.reset(seed=9)
    assert (fake.seed, fake.faults_planned, fake.requests, len(fake.journal)) == (9, 0, [], 0)
    assert len(await fake.client().list_workflows()) == 5
    assert len(fake.requests) == 1
    assert fake.clock.now() == 6


async def test_any_httpx_code_can_use_it():
    """Its HTTP client serves code that does not use this library."""
    async with FakeDeepIDV(workflows=1) as fake:
        headers = {"x-api-key": fake.api_key}
        answer = await fake.http_client.get(f"{fake.base_url}/workflow", headers=headers)
    assert answer.status_code == 200
    assert len(answer.json()["workflows"]) == 1


async def test_code_that_makes_its_own_client():
    """In `patched` every new client talks to the fake, and waits on its clock."""
    before = AsyncDeepIDV.__init__
    with FakeDeepIDV(latency=10) as fake:
        with fake.patched() as same:
            assert same is fake
            async with AsyncDeepIDV() as client:  # the environment has a key now
                await client.list_workflows()
            async with AsyncDeepIDV(api_version="v1", http_client=httpx.AsyncClient()) as client:
                await client.with_options(deadline=60).list_workflows()
            async with AsyncDeepIDV(http_client=httpx2.AsyncClient()) as client:
                await client.list_workflows()
            assert fake.clock.now() == 30
            own = VirtualClock()
            page = await AsyncDeepIDV(clock=own).list_workflows()
            assert page.response.elapsed == own.now()
    assert len(fake.requests) == 4
    assert AsyncDeepIDV.__init__ is before
    assert "DEEPIDV_API_KEY" not in os.environ


async def test_own_settings_are_kept_when_patched(monkeypatch):
    """A key of the code under test is checked, the environment's is not used."""
    monkeypatch.setenv("DEEPIDV_API_KEY", "of-the-developer")
    with FakeDeepIDV(api_key="of-the-app") as fake, fake.patched():
        assert os.environ["DEEPIDV_API_KEY"] == "of-the-app"
        await AsyncDeepIDV("of-the-app").list_workflows()
        with pytest.raises(AuthenticationError):
            await AsyncDeepIDV(api_key="of-nobody").list_workflows()
    assert os.environ["DEEPIDV_API_KEY"] == "of-the-developer"


async def test_a_proxy_is_not_asked(monkeypatch):
    """What the environment says of proxies is for the network, of which the fake needs none."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    async with FakeDeepIDV() as fake:
        await fake.client(retry=RetryPolicy(max_retries=0)).list_workflows()


async def test_two_fakes():
    """A client of one fake is its own, also while the other is patched in."""
    with FakeDeepIDV() as one, FakeDeepIDV() as two, one.patched():
        await two.client().list_workflows()
        with two.patched():
            await AsyncDeepIDV().list_workflows()
        await AsyncDeepIDV().list_workflows()
    assert (len(one.requests), len(two.requests)) == (1, 2)


@pytest.mark.parametrize("given", [("canary key\n",), {"api_key": "canary key\n"}])
async def test_a_patched_constructor_hides_the_key(given):
    """A traceback with locals shows no key, as without the fake."""
    with FakeDeepIDV() as fake, fake.patched():
        try:
            AsyncDeepIDV(*given) if isinstance(given, tuple) else AsyncDeepIDV(**given)
        except ConfigurationError as error:
            lines = traceback.TracebackException.from_exception(error, capture_locals=True)
            frames = [frame for frame in lines.stack if frame.filename != __file__]
            shown = str([frame.locals for frame in frames])
        else:
            pytest.fail("the key is malformed")
    assert "canary" not in shown
    assert "_fake.py" in str(frames)


async def test_the_options_are_the_simulators():
    """Every option of `Simulator` is one of the fake's, and it has one more."""
    options = {
        kind: {field.alias for field in attrs.fields(kind) if field.init}
        for kind in (FakeDeepIDV, Simulator)
    }
    assert options[FakeDeepIDV] == options[Simulator] | {"assert_all_used"}


async def test_the_options_of_its_clients():
    """`client` hands on every option of the constructor but those that make it the fake's."""
    arguments = set(inspect.signature(AsyncDeepIDV).parameters)
    assert set(ClientOptions.__annotations__) == arguments - {
        "api_key",
        "base_url",
        "http_client",
        "clock",
    }


async def test_a_fake_on_two_loops():
    """Code that runs `asyncio.run` several times can use one fake, and one client."""

    def run():
        fake = FakeDeepIDV(latency=1)
        client = fake.client()
        for _ in range(2):
            asyncio.run(client.list_workflows())
        return fake

    fake = await asyncio.to_thread(run)
    assert (len(fake.requests), fake.clock.now()) == (2, 2)
