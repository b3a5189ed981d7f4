"""The journal and the control endpoints: what a test in this or another process may know."""

import asyncio
import json

import pytest

from deepidv_async.simulator import Entry, Simulator
from deepidv_async.simulator._exchange import Arrival

pytestmark = pytest.mark.asyncio

CANARY = "canary-0123456789-key"


@pytest.mark.virtual_time
async def test_it_knows_what_arrived_when(ask):
    """Each request with its instant, as it came, and what became of it."""
    async with ask(sessions=3) as http:
        await http.get("/workflow")
        await asyncio.sleep(1.5)
        await http.get("/v1/sessions?workflow_id=a%2Fb&limit=5")
        entries = list(http.simulator.journal)
    first, second = entries
    assert first == Entry(
        at=0.0,
        generation="legacy",
        method="GET",
        path="/workflow",
        query="",
        status=200,
        reason="granted",
        key="right",
        items=5,
        request_id=first.request_id,
    )
    assert (second.at, second.generation, second.path) == (1.5, "v1", "/v1/sessions")
    assert (second.query, second.status) == ("workflow_id=a%2Fb&limit=5", 404)
    assert (second.reason, second.items) == ("not-found", 0)


@pytest.mark.virtual_time
async def test_instants_count_from_the_first_request(ask):
    """The first request since the start or a reset is at 0."""
    await asyncio.sleep(5)
    async with ask() as http:
        for _ in range(2):
            await asyncio.sleep(5)
            http.simulator.reset()
            await http.get("/workflow")
            assert http.simulator.journal.arrivals() == [0.0]


async def test_it_counts(ask):
    """Statuses, reasons, refusals, records: what a test asserts on."""
    async with ask(sessions=3, burst=2, rate=0) as http:
        for _ in range(3):
            await http.get("/workflow")
        await http.get("/nope")
        journal = http.simulator.journal
        assert (len(journal), journal.refused, journal.items) == (4, 1, 10)
        assert journal.statuses() == {200: 2, 429: 1, 403: 1}
        assert journal.reasons() == {"granted": 2, "throttled": 1, "not-served": 1}
        assert journal.arrivals() == sorted(journal.arrivals())
        assert repr(journal) == "Journal(4 requests, 1 refused)"


async def test_it_may_be_read_while_requests_arrive():
    """Reading takes what is there; what arrives meanwhile does not disturb the reader."""
    simulator = Simulator()
    journal = simulator.journal
    entry = Entry(0.0, None, "GET", "/", "", 200, "granted", "right", 0, "id")
    journal.add(entry)
    for _ in journal:
        journal.add(entry)
    assert len(journal) == 2


@pytest.mark.parametrize(("key", "state"), [("right", CANARY), ("wrong", "x"), ("missing", "")])
async def test_it_knows_whether_a_key_came_never_the_key(ask, key, state):
    """Whether a key came and was right stands in the journal; no key stands anywhere."""
    simulator = Simulator(api_key=CANARY)
    async with ask(simulator, key=state) as http:
        await http.get("/workflow")
        told = [(await http.get(path)).text for path in ("/_sim/journal", "/_sim/state")]
    entry = next(iter(simulator.journal))
    assert entry.key == key
    arrival = Arrival(None, "GET", "/", "", {}, CANARY, 0)
    records = simulator.journal, entry, arrival, simulator._limits
    shown = [repr(simulator), str(simulator), *map(repr, records), *told]
    assert not any(CANARY in text for text in shown)


async def test_reset_and_seed(ask):
    """Reset forgets requests, faults and limits; a seed changes the data as well."""
    async with ask(seed=1, burst=1, rate=0) as http:
        before = http.simulator.workflow_ids
        await http.get("/workflow")
        await http.post("/_sim/faults", json={"faults": [{"answer": 500}]})
        state = (await http.post("/_sim/reset")).json()
        assert (state["requests"], state["faults"], state["seed"]) == (0, 0, 1)
        assert http.simulator.workflow_ids == before
        assert (await http.get("/workflow")).status_code == 200
        state = (await http.post("/_sim/seed", json={"seed": 2})).json()
        assert state["seed"] == 2
        assert list(state["workflows"]) == list(http.simulator.workflow_ids) != list(before)
        http.simulator.reset(seed=1)
        assert http.simulator.workflow_ids == before


async def test_faults_over_http(ask):
    """Faults are planned and dropped from outside with the arguments of `Fault`."""
    async with ask() as http:
        faults = [{"answer": 503, "times": 2, "path": "/workflow"}, {"answer": "limit-exceeded"}]
        state = (await http.post("/_sim/faults", json={"faults": faults})).json()
        assert state["faults"] == 2
        found = [(await http.get("/workflow")).status_code for _ in range(4)]
        assert found == [503, 503, 429, 200]
        await http.post("/_sim/faults", json={"faults": faults})
        assert (await http.delete("/_sim/faults")).json()["faults"] == 0
        assert (await http.get("/workflow")).status_code == 200


async def test_pages_over_http(ask):
    """The plan of pages is set from outside."""
    async with ask(sessions=5) as http:
        answer = await http.post("/_sim/pages", json={"page_plan": [None, 0]})
        assert answer.json()["page_plan"] == [None, 0]
        assert http.simulator.page_plan == (None, 0)


async def test_journal_and_state_over_http(ask):
    """The journal and the figures are plain JSON."""
    async with ask(sessions=2) as http:
        await http.get("/workflow")
        journal = (await http.get("/_sim/journal")).json()
        assert (journal["refused"], journal["items"]) == (0, 5)
        assert journal["entries"] == [entry.to_dict() for entry in http.simulator.journal]
        state = (await http.get("/_sim/state")).json()
        assert state == {
            "seed": 0,
            "serves": "both",
            "legacy_body": "documented",
            "page_plan": [],
            "workflows": dict.fromkeys(http.simulator.workflow_ids, 2),
            "requests": 1,
            "refused": 0,
            "items": 5,
            "faults": 0,
        }


async def test_control_is_free(ask):
    """Control endpoints ask for no key, count against no limit and are not in the journal."""
    async with ask(burst=1, rate=0, per_day=1, key="") as http:
        for _ in range(5):
            assert (await http.get("/_sim/state")).status_code == 200
        assert len(http.simulator.journal) == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("seed", "{"),
        ("seed", "[]"),
        ("seed", "{}"),
        ("seed", '{"seed": "x"}'),
        ("faults", "null"),
        ("faults", '{"faults": [{"answer": 5}]}'),
        ("faults", '{"faults": [{"nonsense": 5}]}'),
        ("faults", '{"faults": [5]}'),
        ("pages", '{"page_plan": [0]}'),
        ("pages", '{"page_plan": 0}'),
    ],
)
async def test_a_control_body_that_makes_no_sense(ask, path, body):
    """It is refused with a text that says why, and changes nothing."""
    async with ask() as http:
        before = (await http.get("/_sim/state")).json()
        answer = await http.post(f"/_sim/{path}", content=body)
        assert answer.status_code == 400
        assert list(json.loads(answer.text)) == ["error"]
        assert (await http.get("/_sim/state")).json() == before


async def test_unknown_control_paths(ask):
    """What is not under control is not found, and does not reach the API's journal."""
    async with ask() as http:
        assert (await http.get("/_sim/nope")).status_code == 404
        assert (await http.get("/_sim/reset")).status_code == 405
        assert len(http.simulator.journal) == 0
