"""`stats`: the figures are those of the listing, drawn for people and as JSON for programs."""

import json
import re
from collections import Counter

import pytest

from deepidv_async.simulator import Fault

V1 = ["--api-version", "v1"]


@pytest.fixture
def listed(run, api):
    """All sessions, as `sessions --all` gives them."""
    return [json.loads(line) for line in run("sessions", "--all", *V1).stdout.splitlines()]


def test_json(run, api, listed):
    """In a pipe: one object, whose figures are those of the records."""
    result = run("stats", *V1)
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert told["sessions"] == len(listed) == 240
    assert told["statuses"] == Counter(record["status"] for record in listed)
    assert told["days"] == Counter(record["created_at"][:10] for record in listed)
    assert list(told["days"]) == sorted(told["days"])
    assert told["undated"] == 0
    assert [workflow["id"] for workflow in told["workflows"]] == list(api.simulator.workflow_ids)
    for workflow in told["workflows"]:
        own = [record for record in listed if record["workflow_id"] == workflow["id"]]
        assert workflow["sessions"] == len(own)
        assert workflow["statuses"] == Counter(record["status"] for record in own)


def test_a_drawing_on_a_terminal(on_screen, api, listed):
    """On a terminal: three groups of bars in 80 columns, the longest for the largest figure."""
    code, screen = on_screen("stats", *V1)
    assert code == 0
    text = screen.text[screen.text.index("240 sessions of 2 workflows") :]
    assert re.findall(r"\nBy (\w+)", text) == ["workflow", "status", "day"]
    statuses = Counter(record["status"] for record in listed)
    for status, count in statuses.items():
        assert re.search(rf"  {status} +{count} +{count / 240:.1%} ━", text)
    most = statuses.most_common(1)[0][0]
    assert re.search(rf"  {most} .* {'━' * 28}\n", text)
    for day, count in Counter(record["created_at"][:10] for record in listed).items():
        assert re.search(rf"  {day} +{count} ", text)
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    assert "\x1b[32m  VERIFIED" in screen.raw


def test_a_terminal_without_line_drawing(run, api):
    """Where the encoding is not UTF-8 the bars are ASCII."""
    result = run("stats", *V1, "-o", "table", charset="ascii")
    assert result.stdout.isascii()
    assert " ----" in result.stdout


def test_many_days(run, api):
    """The last 30 days are drawn, and those before them counted."""
    days = [f"2026-0{month}-{day:02}" for month in (1, 2) for day in range(1, 26)]
    sessions = [{"id": day, "created_at": f"{day}T12:00:00Z"} for day in days]
    api.simulator.plan(
        Fault(200, body={"workflows": [{"id": "wf_1"}]}),
        Fault(200, body={"sessions": [*sessions, {"id": "x"}], "next_token": None}),
    )
    text = run("stats", *V1, "-o", "table").stdout
    assert re.findall(r"  (2026-\d\d-\d\d) ", text) == days[-30:]
    assert "  20 earlier\n  1 without a date\n" in text
    assert re.search(r"  wf_1 +51 100.0%", text)


def test_nothing_to_count(run, api):
    """No workflow at all is no error."""
    api.simulator.plan(Fault(200, body={"workflows": []}, times=2))
    assert run("stats", "-o", "table").stdout.startswith("0 sessions of 0 workflows\n")
    assert json.loads(run("stats").stdout)["sessions"] == 0


def test_workflows_without_sessions(run, api):
    """They are there, with 0."""
    api.simulator.plan(
        Fault(200, body={"workflows": [{"id": "wf_1"}]}), Fault(200, body={"sessions": []})
    )
    assert re.search(r"  wf_1 0 - *\n", run("stats", "-o", "table").stdout)


def test_filters(run, api, listed):
    """The filters of the listing hold, and what is sifted here is told."""
    result = run("stats", *V1, "--status", "VERIFIED", "--since", listed[60]["created_at"])
    told = json.loads(result.stdout)
    wanted = [
        record
        for record in listed
        if record["status"] == "VERIFIED" and record["created_at"] >= listed[60]["created_at"]
    ]
    assert told["sessions"] == len(wanted)
    assert "no filter for --status: " in result.stderr


def test_unreadable(run, api):
    """What could be read is counted, what could not is named, and the code is 3."""
    api.simulator.plan(
        Fault(200, body={"workflows": [{"id": "wf_1"}, {}]}),
        Fault(200, body={"sessions": [{"id": "ses_1"}, {}]}),
    )
    result = run("stats")
    assert (result.exit_code, json.loads(result.stdout)["sessions"]) == (3, 1)
    assert "$.workflows[1].id; workflow wf_1, page 1 $.sessions[1].id." in result.stderr


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault(401), 4), (Fault(200, body={"sessions": [], "next_token": 5}), 1)]
)
def test_a_failure_on_the_way(run, api, fault, code):
    """Figures of a part would be wrong figures: there are none."""
    api.simulator.plan(Fault("usual"), fault)
    result = run("stats", *V1)
    assert (result.exit_code, result.stdout) == (code, "")


def test_names_that_are_hostile(run, api):
    """What the server calls a workflow or a status moves no cursor."""
    name = "a\x1b[2J\u202e"
    listed = Fault(200, body={"workflows": [{"id": "wf_1", "name": name}]})
    session = Fault(200, body={"sessions": [{"id": "ses_1", "status": name}]})
    api.simulator.plan(listed, session, listed, session)
    for output in ("table", "json"):
        text = run("stats", "-o", output).stdout
        assert "\x1b" not in text
        assert "\u202e" not in text
