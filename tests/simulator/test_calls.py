"""The documented calls of both generations: names, casing, order, envelopes."""

import json

import httpx
import pytest

from deepidv_async.simulator import Simulator

pytestmark = pytest.mark.asyncio


async def test_legacy_workflows_as_documented(ask):
    """`GET /workflow`: `workflows` of id, name, createdAt, newest first, and nothing else."""
    async with ask(workflows=3) as http:
        answer = await http.get("/workflow")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == ["workflows"]
        records = answer.json()["workflows"]
        assert [list(record) for record in records] == [["id", "name", "createdAt"]] * 3
        assert [record["id"] for record in records] == list(http.simulator.workflow_ids)
        times = [record["createdAt"] for record in records]
        assert times == sorted(times, reverse=True)


async def test_legacy_sessions_in_the_documentations_own_body(ask):
    """The documented body of the session list is the workflow list's: kept to the letter."""
    async with ask(sessions=4) as http:
        key = http.simulator.workflow_ids[0]
        body = (await http.get(f"/workflow/{key}")).json()
        assert list(body) == ["workflows"]
        assert [list(record) for record in body["workflows"]] == [["id", "name", "createdAt"]] * 4
        assert tuple(each["id"] for each in body["workflows"]) == http.simulator.session_ids(key)


async def test_legacy_sessions_in_a_plausible_body(ask):
    """The other body: `sessions`, full records in camelCase, the same sessions."""
    async with ask(sessions=40, legacy_body="sessions") as http:
        key = http.simulator.workflow_ids[0]
        body = (await http.get(f"/workflow/{key}")).json()
        assert list(body) == ["sessions"]
        assert tuple(each["id"] for each in body["sessions"]) == http.simulator.session_ids(key)
        fields = {name for each in body["sessions"] for name in each}
        assert fields >= {"senderUserId", "createdAt", "sessionProgress", "metaData"}
        assert not any("_" in name for name in fields)


async def test_the_body_can_be_switched_while_it_runs(ask):
    """Both bodies tell of the same sessions at the same times."""
    async with ask(sessions=5) as http:
        path = f"/workflow/{http.simulator.workflow_ids[0]}"
        documented = (await http.get(path)).json()["workflows"]
        http.simulator.legacy_body = "sessions"
        plausible = (await http.get(path)).json()["sessions"]
        shared = [{name: each[name] for name in ("id", "createdAt")} for each in plausible]
        assert [{name: each[name] for name in ("id", "createdAt")} for each in documented] == shared


async def test_current_workflows_as_documented(ask):
    """`GET /v1/workflows`: summaries in snake_case with status and steps."""
    async with ask(workflows=40) as http:
        body = (await http.get("/v1/workflows")).json()
        assert list(body) == ["workflows"]
        names = ["id", "name", "status", "steps", "created_at"]
        assert [list(record) for record in body["workflows"]] == [names] * 40
        assert {record["status"] for record in body["workflows"]} == {"active", "inactive"}


async def test_current_sessions_page_by_page(ask):
    """`GET /v1/sessions`: `sessions` and `next_token`, followed until it is null."""
    async with ask(sessions=120) as http:
        key = http.simulator.workflow_ids[1]
        params, found, sizes = {"workflow_id": key}, [], []
        while True:
            body = (await http.get("/v1/sessions", params=params)).json()
            assert list(body) == ["sessions", "next_token"]
            found += [record["id"] for record in body["sessions"]]
            sizes.append(len(body["sessions"]))
            if body["next_token"] is None:
                break
            params["next_token"] = body["next_token"]
        assert sizes == [50, 50, 20]
        assert tuple(found) == http.simulator.session_ids(key)
        assert http.simulator.journal.items == 120


async def test_pages_follow_the_plan(ask):
    """`page_plan` makes short and empty pages, also when it is set while it runs."""
    async with ask(sessions=10) as http:
        http.simulator.page_plan = (4, 0, None)
        params, sizes = {"workflow_id": http.simulator.workflow_ids[0]}, []
        for _ in range(3):
            body = (await http.get("/v1/sessions", params=params)).json()
            sizes.append(len(body["sessions"]))
            params["next_token"] = body["next_token"]
        assert sizes == [4, 0, 6]
        assert params["next_token"] is None


async def test_the_other_modes(ask):
    """By external id, by organization, and by the key's own user."""
    async with ask(sessions=30) as http:

        async def records(**params):
            return (await http.get("/v1/sessions", params={"limit": 500, **params})).json()[
                "sessions"
            ]

        whole = await records(by_organization="true")
        times = [each["created_at"] for each in whole]
        assert len(whole) == 150
        assert times == sorted(times, reverse=True)
        mine = await records()
        assert len({each["sender_user_id"] for each in mine}) == 1
        assert [
            each for each in whole if each["sender_user_id"] == mine[0]["sender_user_id"]
        ] == mine
        wanted = next(each["external_id"] for each in whole if "external_id" in each)
        found = await records(external_id=wanted, workflow_id="ignored")
        assert found == [each for each in whole if each.get("external_id") == wanted]


async def test_health_needs_no_key(ask):
    """`GET /health` answers 200 whoever asks."""
    async with ask(key="") as http:
        assert (await http.get("/health")).status_code == 200


async def test_answers_carry_the_gateways_headers(ask):
    """Each answer has a request id of its own, which the journal knows, and no Retry-After."""
    async with ask() as http:
        answers = [await http.get(path) for path in ("/workflow", "/workflow", "/nope")]
        ids = [answer.headers["x-amzn-requestid"] for answer in answers]
        assert len(set(ids)) == 3
        assert [entry.request_id for entry in http.simulator.journal] == ids
        assert all("x-amz-apigw-id" in answer.headers for answer in answers)
        assert not any("retry-after" in answer.headers for answer in answers)


async def test_the_same_seed_gives_the_same_bytes(ask):
    """Two simulators of one seed answer the same requests alike, headers and all."""
    async with ask(seed=4) as one, ask(seed=4) as two, ask(seed=5) as three:
        answers = [await http.get("/v1/workflows") for http in (one, two, three)]
    assert answers[0].content == answers[1].content != answers[2].content
    assert answers[0].headers == answers[1].headers != answers[2].headers


async def test_a_stage_is_a_prefix(ask):
    """Under a stage the paths without it are unknown; the control endpoints stay at the root."""
    async with ask(stage="/dev/") as http:
        found = [(await http.get(path)).status_code for path in ("/dev/workflow", "/workflow")]
        assert found == [200, 403]
        assert (await http.get("/_sim/state")).status_code == 200
        assert [entry.path for entry in http.simulator.journal] == ["/dev/workflow", "/workflow"]


@pytest.mark.parametrize(
    ("serves", "statuses"),
    [("both", [200, 200, 200]), ("legacy", [200, 403, 200]), ("v1", [403, 200, 200])],
)
async def test_a_generation_may_not_be_served(ask, serves, statuses):
    """The other generation's paths are unknown to the gateway; health is always there."""
    async with ask(serves=serves) as http:
        answers = [await http.get(path) for path in ("/workflow", "/v1/workflows", "/health")]
        assert [answer.status_code for answer in answers] == statuses
        for answer in answers:
            if answer.status_code == 403:
                assert answer.json() == {"message": "Missing Authentication Token"}
                assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("key", ["a/b", "?#%", "ünï", "a b", "..", "%2F"])
async def test_ids_are_read_as_they_were_meant(ask, key):
    """A percent-encoded id arrives whole, in the path and in the query."""
    async with ask(sessions=1) as http:
        own = http.simulator._own
        own._sizes[key] = 1
        own._sessions[key] = [{"id": "found", "created_at": "2026-01-01T00:00:00.000Z"}]
        quoted = httpx.URL(f"http://simulator/workflow/{_quote(key)}")
        assert (await http.get(quoted)).json()["workflows"][0]["id"] == "found"
        body = (await http.get("/v1/sessions", params={"workflow_id": key})).json()
        assert body["sessions"][0]["id"] == "found"


def _quote(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


async def test_a_sandbox_key_sees_canned_data(ask):
    """Two workflows in short form, the five test sessions on one page."""
    async with ask(api_key={"live": "live", "box": "sandbox"}, key="box") as http:
        workflows = (await http.get("/v1/workflows")).json()["workflows"]
        assert [list(record) for record in workflows] == [["id", "name", "created_at"]] * 2
        body = (await http.get("/v1/sessions", params={"workflow_id": "test_workflow"})).json()
        assert body["next_token"] is None
        assert [record["id"] for record in body["sessions"]] == [
            "test_verified",
            "test_rejected",
            "test_submitted",
            "test_pending",
            "test_voided",
        ]
        assert {record["location"] for record in body["sessions"]} == {"Canada"}


async def test_another_organizations_key_sees_its_own(ask):
    """Each organization sees its own workflows only."""
    keys = {"mine": "live", "theirs": "other-organization"}
    simulator = Simulator(api_key=keys, sessions=2)
    seen = {}
    for key in keys:
        async with ask(simulator, key=key) as http:
            body = (await http.get("/workflow")).json()
            seen[key] = tuple(record["id"] for record in body["workflows"])
            statuses = [
                (await http.get(f"/workflow/{each}")).status_code
                for each in (simulator.workflow_ids[0], simulator.other_workflow_ids[0])
            ]
            assert statuses == ([200, 403] if key == "mine" else [403, 200])
    assert seen == {"mine": simulator.workflow_ids, "theirs": simulator.other_workflow_ids}


async def test_a_lifespan_and_a_websocket(ask):
    """It starts and stops as any ASGI application, and closes a websocket that is tried."""
    simulator = Simulator()
    sent = []

    async def send(message):
        sent.append(message["type"])

    events = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive():
        return {"type": next(events)}

    await simulator({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)
    scope = {"type": "websocket", "path": "/workflow", "headers": [], "query_string": b""}
    await simulator(scope, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]


async def call(simulator, method, path):
    """Call the application as a server would that does not send `raw_path`."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"x-api-key", b"sim-key")],
    }
    sent = []

    async def send(message):
        sent.append(message)

    await simulator(scope, None, send)
    return sent[0]["status"], sent[1]["body"]


async def test_a_server_without_raw_path():
    """`raw_path` is optional in ASGI: the decoded path serves as well."""
    status, body = await call(Simulator(), "GET", "/workflow")
    assert (status, len(json.loads(body)["workflows"])) == (200, 5)


async def test_an_answer_to_head_has_no_body():
    """Nothing follows the head of an answer to HEAD, whatever its length says."""
    assert await call(Simulator(), "HEAD", "/workflow") == (405, b"")
