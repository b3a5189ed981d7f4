"""The services of docs/examples, started as processes and called over HTTP."""

import asyncio
import importlib.util
import signal
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest

from deepidv_async.simulator import Fault, running_simulator
from deepidv_async.testing import FakeDeepIDV

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
WRONG_KEY = "canary-0123456789-key"
COMMANDS = {
    "fastapi": ["-m", "uvicorn", "fastapi_service:app", f"--app-dir={EXAMPLES}", "--port={port}"],
    "aiohttp": [str(EXAMPLES / "aiohttp_service.py")],
}


class Service:
    """A service that runs and can be called."""

    def __init__(self, program, port):
        self.program = program
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False)

    def is_up(self):
        assert self.program.process.poll() is None, self.program.process.communicate()
        try:
            return self.http.get("/no-such-page").status_code == 404
        except httpx.ConnectError:
            return False

    def problem(self, path):
        """Ask for something that fails, and give the problem that is the answer."""
        answer = self.http.get(path)
        assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
        problem = answer.json()
        assert set(problem) == {"title", "status", "detail"}
        assert problem["status"] == answer.status_code
        return answer, problem["detail"]

    def stop(self):
        self.program.interrupt()
        assert self.program.ended() in {0, -signal.SIGTERM}
        return self.program.said


@pytest.fixture(params=COMMANDS)
def serve(request, start, until):
    """Give a function that starts the service and waits until it answers."""
    services = []

    def serve(**environment):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        command = [part.format(port=port) for part in COMMANDS[request.param]]
        service = Service(start(*command, PORT=str(port), **environment), port)
        services.append(service)
        until(service.is_up)
        return service

    yield serve
    for service in services:
        service.http.close()


def test_lists(serve, api):
    """What the API has comes out, in either generation, with one failure on the way unnoticed."""
    service = serve(DEEPIDV_API_VERSION="v1")
    workflow_id = api.simulator.workflow_ids[0]
    found = service.http.get("/workflows").json()
    assert [each["id"] for each in found] == list(api.simulator.workflow_ids)
    api.simulator.plan(Fault(503, headers={"Retry-After": "0"}))
    found = service.http.get(f"/workflows/{workflow_id}/sessions").json()
    assert [each["id"] for each in found] == list(api.simulator.session_ids(workflow_id))
    assert api.simulator.journal.refused == 0
    service.stop()


def test_what_a_caller_sees_of_errors(serve, api):
    """Each failure is the status that a caller can act on, and `Retry-After` where it is known."""
    service = serve()
    answer, detail = service.problem("/workflows/no-such-workflow/sessions")
    assert (answer.status_code, detail) == (404, "This record does not exist.")
    answer, detail = service.problem("/workflows/%0A/sessions")
    assert (answer.status_code, detail) == (400, "The request cannot be made with this input.")

    api.simulator.plan(Fault(503, headers={"Retry-After": "100"}))
    answer, detail = service.problem("/workflows")
    assert answer.status_code == 503
    assert 90 <= int(answer.headers["retry-after"]) <= 100
    assert "busy" in detail

    api.simulator.plan(Fault(body={"nonsense": 1}))
    assert service.problem("/workflows")[0].status_code == 502

    # Our limit is not the caller's: a 429 of the API is no 429 of ours. It comes last, since the
    # client then lets nothing out before the time is over, and tells later callers the same.
    api.simulator.plan(Fault(429, headers={"Retry-After": "100"}))
    for _ in range(2):
        answer, detail = service.problem("/workflows")
        assert answer.status_code == 503
        assert 90 <= int(answer.headers["retry-after"]) <= 100
    said = service.stop()
    assert "HTTP 404 from list_workflow_sessions" in said
    assert api.api_key not in said


def test_a_key_that_is_not_accepted(serve):
    """It is our trouble: the caller sees a 500 without a word of keys, and our log says it all."""
    service = serve(DEEPIDV_API_KEY=WRONG_KEY)
    answer, detail = service.problem("/workflows")
    assert answer.status_code == 500
    assert detail == "Identity verification is not set up correctly. Please contact support."
    said = service.stop()
    assert "Check DEEPIDV_API_KEY" in said
    assert WRONG_KEY not in said + answer.text


@pytest.mark.asyncio
async def test_stopped_with_a_request_under_way(serve, api, until):
    """A service that is told to stop answers what it has begun, then leaves nothing open."""
    service = serve()
    api.simulator.latency = 0.5
    call = asyncio.create_task(asyncio.to_thread(service.http.get, "/workflows"))
    await asyncio.to_thread(until, lambda: len(api.simulator.journal) == 1)
    service.program.interrupt()
    assert len((await call).json()) == 3
    assert service.program.ended() in {0, -signal.SIGTERM}


@pytest.mark.parametrize("serve", ["aiohttp"], indirect=True)
def test_a_caller_who_hangs_up(serve, api, until):
    """The work for a caller who has gone is dropped, and the next one is served."""
    service = serve()
    api.simulator.plan(Fault(delay=20))
    with pytest.raises(httpx.ReadTimeout):
        service.http.get("/workflows", timeout=0.3)
    assert len(service.http.get("/workflows").json()) == 3
    began = time.monotonic()
    service.stop()
    assert time.monotonic() - began < 5  # else it waited for the answer that nobody wants


@pytest.mark.asyncio
async def test_the_service_s_own_tests_take_a_fake(monkeypatch):
    """What its first lines say of tests is so: the dependency can be replaced by a fake."""
    spec = importlib.util.spec_from_file_location("example", EXAMPLES / "fastapi_service.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "example", module)
    spec.loader.exec_module(module)
    async with FakeDeepIDV(workflows=2) as fake:
        module.app.dependency_overrides[module.get_idv] = lambda: fake.client()  # noqa: PLW0108 - else FastAPI reads the options as a query
        transport = httpx.ASGITransport(module.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            assert len((await http.get("/workflows")).json()) == 2
            fake.plan(402)
            assert (await http.get("/workflows")).status_code == 500


def test_a_host_without_the_generation(serve):
    """A setting of ours that is wrong is no 404 for the caller."""
    with running_simulator(serves="v1") as api:
        service = serve(DEEPIDV_BASE_URL=api.base_url)
        assert service.problem("/workflows")[0].status_code == 500
        assert "v1" in service.stop()
