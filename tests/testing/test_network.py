"""The fake's network answers as the simulator's ASGI application does, request for request."""

import asyncio

import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import given

from deepidv_async.simulator import Fault, Simulator
from deepidv_async.testing import FakeDeepIDV

STAGES = ("", "/dev", "/v1")
METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
KEYS = (None, "", "sim-key", "wrong")
SERVED = ("/workflow", "/workflow/KNOWN", "/v1/workflows", "/v1/sessions", "/health")
# What is served, what almost is, and what has to stay encoded.
PIECES = (
    *("", "workflow", "workflows", "v1", "sessions", "health", "dev", "KNOWN", "nope"),
    *("a%2Fb", "%2e%2e", "%00", "caf%C3%A9", "wf+1", "x" * 300),
)
PATHS = st.sampled_from(SERVED) | st.lists(st.sampled_from(PIECES), max_size=4).map(
    lambda pieces: "/" + "/".join(pieces)
)
QUERIES = (
    *("", "limit=3", "limit=0", "workflow_id=KNOWN", "workflow_id=KNOWN&limit=2"),
    *("workflow_id=nope&workflow_id=KNOWN", "workflow_id=", "start_date=2026-05-01&limit=1"),
    *("by_organization=true&limit=4", "a=%26b&limit=1", "next_token=%7E", "limit"),
)
FAULTS = (None, Fault(503), Fault("usual", headers={"Retry-After": "3"}), Fault(200, body="text"))


async def both(stage, method, path, query, key, fault):
    """Send the same to both; give status, headers and body of each, and the journals."""
    told = []
    for kind in (FakeDeepIDV, Simulator):
        server = kind(seed=3, workflows=2, sessions=8, stage=stage)
        if fault is not None:
            server.plan(fault)
        if kind is FakeDeepIDV:
            network = server.http_client
        else:
            network = httpx.AsyncClient(transport=httpx.ASGITransport(app=server))
        known = server.workflow_ids[0]
        url = f"https://api.deepidv.com{path}?{query}".replace("KNOWN", known)
        headers = {} if key is None else {"x-api-key": key}
        async with network:
            answer = await network.request(method, url, headers=headers)
        told.append((answer.status_code, sorted(answer.headers.items()), answer.content))
        told.append([entry.to_dict() for entry in server.journal])
    return told


@given(
    stage=st.sampled_from(STAGES),
    inside=st.booleans(),
    path=PATHS,
    method=st.just("GET") | st.sampled_from(METHODS),
    query=st.sampled_from(QUERIES),
    key=st.just("sim-key") | st.sampled_from(KEYS),
    fault=st.sampled_from(FAULTS),
)
def test_the_same_as_over_asgi(stage, inside, path, method, query, key, fault):
    """Routes, ids, queries, keys, faults, headers and the journal are the same on both ways."""
    path = stage + path if inside else path
    fake, fake_journal, served, served_journal = asyncio.run(
        both(stage, method, path, query, key, fault)
    )
    assert fake == served
    assert fake_journal == served_journal


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("path", SERVED)
@pytest.mark.parametrize("query", QUERIES)
def test_every_call(stage, path, query):
    """Every documented call with each query: as over ASGI, and answered unless it is malformed."""
    fake, _, served, _ = asyncio.run(both(stage, "GET", stage + path, query, "sim-key", None))
    assert fake == served
    assert fake[0] in ((200,) if path != "/v1/sessions" else (200, 400, 404))


@pytest.mark.asyncio
async def test_large_bodies_come_in_pieces():
    """A body is read piece by piece, as from a connection, so that caps and breaks show."""
    fake = FakeDeepIDV(workflows=1, sessions=500)
    url = f"{fake.base_url}/v1/sessions?by_organization=true&limit=500"
    headers = {"x-api-key": fake.api_key}
    async with fake.http_client.stream("GET", url, headers=headers) as answer:
        pieces = [piece async for piece in answer.aiter_raw()]
    assert len(pieces) > 1
    assert sum(map(len, pieces)) == int(answer.headers["content-length"])


@pytest.mark.asyncio
async def test_a_large_upload_is_refused():
    """The announced length of a request counts, as at the gateway."""
    fake = FakeDeepIDV()
    headers = {"x-api-key": fake.api_key, "content-length": str(11 * 1024 * 1024)}
    answer = await fake.http_client.post(f"{fake.base_url}/workflow", headers=headers)
    assert answer.status_code == 413
