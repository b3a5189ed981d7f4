"""Errors: the documented bodies, word for word, and the gateway's own."""

import pytest

from deepidv_async.simulator import Fault, Simulator

pytestmark = pytest.mark.asyncio

LEGACY, V1 = "/workflow", "/v1/workflows"
UNPAID = "Insufficient funds or subscription."
UNAUTHORIZED = {"detail": "Invalid or missing API key"}
FORBIDDEN = {"message": "Forbidden"}


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (LEGACY, 400, {"error": "Invalid Input."}),
        (LEGACY, 401, {"error": "Invalid API key."}),
        (LEGACY, 402, {"error": UNPAID}),
        (LEGACY, 403, {"error": "API key is missing."}),
        (LEGACY, 429, {"error": "Rate limit exceeded."}),
        (LEGACY, 500, {"error": "Something went wrong."}),
        (V1, 401, UNAUTHORIZED),
        (V1, 402, UNPAID),
        (V1, 429, {"message": "Too Many Requests"}),
        (V1, 413, {"message": "Request Too Long"}),
        (V1, 504, {"message": "Endpoint request timed out"}),
    ],
)
async def test_published_bodies(ask, path, status, body):
    """A planned status comes with the body that is published for it, the 402 as plain text."""
    async with ask() as http:
        http.simulator.plan(Fault(status))
        answer = await http.get(path)
        plain = isinstance(body, str)
        assert answer.status_code == status
        assert (answer.text if plain else answer.json()) == body
        kind = "text/plain; charset=utf-8" if plain else "application/json"
        assert answer.headers["content-type"] == kind


@pytest.mark.parametrize("path", [LEGACY, V1])
@pytest.mark.parametrize("status", [403, 404, 405, 500, 503])
async def test_the_rest_keeps_to_the_published_shape(ask, path, status):
    """Where no wording is published the body is `{"error": text}`."""
    async with ask() as http:
        http.simulator.plan(Fault(status))
        answer = await http.get(path)
        assert answer.status_code == status
        assert list(answer.json()) == ["error"]
        assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        (LEGACY, "", (403, {"error": "API key is missing."}, "missing-key")),
        (LEGACY, "wrong", (401, {"error": "Invalid API key."}, "invalid-key")),
        (V1, "", (401, UNAUTHORIZED, "missing-key")),
        (V1, "wrong", (401, UNAUTHORIZED, "invalid-key")),
        (LEGACY, "broke", (402, {"error": UNPAID}, "unpaid")),
        (V1, "broke", (402, UNPAID, "unpaid")),
    ],
)
async def test_keys_are_judged(ask, path, key, expected):
    """A missing key, a wrong one, and one that is not paid for, in each generation's words."""
    simulator = Simulator(api_key={"right": "live", "broke": "unpaid"})
    async with ask(simulator, key=key) as http:
        answer = await http.get(path)
        plain = answer.headers["content-type"].startswith("text/plain")
        body = answer.text if plain else answer.json()
        reason = next(iter(simulator.journal)).reason
        assert (answer.status_code, body, reason) == expected


@pytest.mark.parametrize("path", [LEGACY, V1])
@pytest.mark.parametrize("key", ["", "wrong"])
async def test_the_gateway_judges_keys_in_its_own_words(ask, path, key):
    """With `errors="gateway"` a missing and a wrong key are both `Forbidden`."""
    async with ask(errors="gateway", key=key) as http:
        answer = await http.get(path)
        assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
        assert answer.headers["x-amzn-errortype"] == "ForbiddenException"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "POST", "PUT", "DELETE", "BREW"])
async def test_other_methods(ask, method):
    """The application answers 405 and says what is allowed; the gateway knows no such path."""
    async with ask() as http:
        answer = await http.request(method, LEGACY)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
        http.simulator.errors = "gateway"
        refused = await http.request(method, LEGACY)
        assert refused.status_code == 403
        if method == "HEAD":
            assert answer.content == refused.content == b""
            assert int(answer.headers["content-length"]) > 0
        else:
            assert refused.json() == {"message": "Missing Authentication Token"}


async def test_a_sandbox_key_may_not_write(ask):
    """Another method than GET with a sandbox key gets the published 403."""
    async with ask(api_key={"box": "sandbox"}) as http:
        answer = await http.post("/v1/sessions", json={})
        assert answer.status_code == 403
        assert answer.json() == {
            "error": "This is a sandbox API key. Use a live API key to create or modify resources."
        }
        assert (await http.post("/workflow", json={})).status_code == 405


@pytest.mark.parametrize(
    "path", ["/", "", "/nope", "/workflow/", "/workflow/a/b", "/v1", "//workflow"]
)
async def test_unknown_paths(ask, path):
    """A path that is not served looks like an error of authentication, as at the gateway."""
    async with ask() as http:
        answer = await http.get(f"http://simulator{path}")
        assert answer.status_code == 403
        assert answer.json() == {"message": "Missing Authentication Token"}


async def test_workflows_that_are_not_there(ask):
    """An unknown workflow is 404, another organization's 403, a malformed id 400."""
    async with ask() as http:
        other = http.simulator.other_workflow_ids[0]
        for path in ("/workflow/{}", "/v1/sessions?workflow_id={}"):
            found = [
                (await http.get(path.format(key))).status_code
                for key in ("nope", other, "%00", "%20", "x" * 300)
            ]
            assert found == [404, 403, 400, 400, 400]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "next_token=x", "start_date=x", "end_date=x"]
)
async def test_a_refused_query_says_which_part(ask, query):
    """The current API's 400 holds `message` and a list of `hints` with the path."""
    async with ask() as http:
        answer = await http.get(
            f"/v1/sessions?workflow_id={http.simulator.workflow_ids[0]}&{query}"
        )
        assert answer.status_code == 400
        assert list(answer.json()) == ["message", "hints"]
        assert answer.json()["hints"][0]["path"] == [query.partition("=")[0]]


async def test_a_body_that_is_too_large(ask):
    """More than 10 MB is the gateway's 413; a smaller body on a GET changes nothing."""
    async with ask() as http:
        head = {"content-length": str(10 * 1024 * 1024 + 1)}
        assert (await http.get(LEGACY, headers=head)).status_code == 413
        assert (await http.request("GET", LEGACY, content=b"x" * 1000)).status_code == 200
        assert (await http.get(LEGACY, headers={"content-length": "many"})).status_code == 200
