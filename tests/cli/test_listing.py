"""Listing: the records, all of them, in four formats."""

import csv
import io
import json

import pytest

from deepidv_async.cli import _listing, _reading
from deepidv_async.simulator import Fault

HOSTILE = '=1+1 [red]\x1b[2J\u202e"é'


def _ids(result):
    return [json.loads(line)["id"] for line in result.stdout.splitlines()]


def _paths(api):
    return [f"{entry.path}?{entry.query}".removesuffix("?") for entry in api.simulator.journal]


@pytest.mark.parametrize("version", ["legacy", "v1"])
def test_every_record_once(run, api, version):
    """Both lists of both generations come whole, in the server's order."""
    workflows = run("workflows", "--api-version", version)
    assert (workflows.exit_code, workflows.stderr) == (0, "")
    assert _ids(workflows) == list(api.simulator.workflow_ids)
    for name in api.simulator.workflow_ids:
        sessions = run("sessions", name, "--api-version", version)
        assert (sessions.exit_code, sessions.stderr) == (0, "")
        assert _ids(sessions) == list(api.simulator.session_ids(name))


def test_settings_come_from_the_environment(run, api, monkeypatch):
    """The client's variables work here as anywhere; `/v1` at the end of the URL means v1."""
    monkeypatch.setenv("DEEPIDV_API_VERSION", "v1")
    assert run("workflows").exit_code == 0
    monkeypatch.delenv("DEEPIDV_API_VERSION")
    assert run("workflows", "--base-url", f"{api.base_url}/v1").exit_code == 0
    assert _paths(api) == ["/v1/workflows", "/v1/workflows"]


@pytest.mark.parametrize(
    ("arguments", "queries"),
    [
        ([], ["limit=500"]),
        (["--limit", "30"], ["limit=30"]),
        (["--limit", "501"], ["limit=500"]),
        (["--page-size", "60"], ["limit=60", "limit=60&next_token"]),
        (["--page-size", "60", "--limit", "60"], ["limit=60"]),
    ],
)
def test_no_more_requests_than_needed(run, api, workflow_id, arguments, queries):
    """Requests are what the quota counts: pages are as large as they may be."""
    result = run("sessions", workflow_id, "--api-version", "v1", *arguments)
    assert result.exit_code == 0
    asked = [
        entry.query.replace(f"workflow_id={workflow_id}&", "") for entry in api.simulator.journal
    ]
    assert [query.partition("=ey")[0] for query in asked] == queries


@pytest.mark.parametrize("output", ["jsonl", "json", "csv", "table"])
@pytest.mark.parametrize("version", ["legacy", "v1"])
def test_limit(run, api, workflow_id, version, output):
    """`--limit` holds in every format and generation."""
    result = run("sessions", workflow_id, "--api-version", version, "-o", output, "--limit", "7")
    assert result.exit_code == 0
    first = api.simulator.session_ids(workflow_id)[:8]
    assert [name in result.stdout for name in first] == [True] * 7 + [False]


def test_a_period(run, api, workflow_id):
    """`--since` and `--until` reach the server in UTC, whatever zone they are given in."""
    made = [
        json.loads(line)["created_at"] for line in run("sessions", workflow_id).stdout.splitlines()
    ]
    until, since = made[10], made[20]
    result = run("sessions", workflow_id, "--api-version", "v1", "--since", since, "--until", until)
    assert _ids(result) == list(api.simulator.session_ids(workflow_id))[10:21]
    run("sessions", workflow_id, "--api-version", "v1", "--since", "2026-05-06T02:00:00+02:00")
    assert "start_date=2026-05-06T00%3A00%3A00.000Z" in _paths(api)[-1]


def test_csv_is_a_table_for_spreadsheets(run, api, workflow_id):
    """A header, a row per record, nested fields as JSON; the same records as jsonl."""
    lines = run("sessions", workflow_id, "--api-version", "v1").stdout.splitlines()
    text = run("sessions", workflow_id, "--api-version", "v1", "-o", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    for line, row in zip(lines, rows, strict=True):
        record = json.loads(line)
        assert list(record) == list(row)
        for name, value in record.items():
            assert row[name] == (
                value or "" if value is None or isinstance(value, str) else row[name]
            )
            if isinstance(value, list | dict):
                assert json.loads(row[name]) == value


def test_json_is_one_array(run, api, workflow_id):
    """`-o json` holds the records of `-o jsonl`, over several pages."""
    arguments = ["sessions", workflow_id, "--api-version", "v1", "--page-size", "50"]
    lines = run(*arguments).stdout.splitlines()
    assert json.loads(run(*arguments, "-o", "json").stdout) == [json.loads(line) for line in lines]


def test_a_table_in_a_pipe(run, api, workflow_id):
    """`-o table` without a terminal: no colours, nothing cut; no data about persons but ids."""
    result = run("sessions", workflow_id, "--api-version", "v1", "-o", "table")
    header, _, *rows = result.stdout.splitlines()
    assert header.split() == ["id", "status", "created", "(UTC)", "type"]
    assert [row.split()[0] for row in rows] == list(api.simulator.session_ids(workflow_id))
    assert "\x1b" not in result.stdout
    assert result.stderr == "120 sessions\n"


def test_a_long_line_in_a_pipe(run, api):
    """A record is a line, however long, whatever the shell says of its terminal."""
    api.simulator.plan(Fault(200, body={"workflows": [{"id": "wf_1", "name": "n" * 300}]}))
    result = run("workflows", "-o", "table", env={"COLUMNS": "40"})
    assert len(result.stdout.splitlines()) == 3
    assert "n" * 300 in result.stdout


@pytest.mark.parametrize(
    ("output", "text", "told"),
    [
        ("jsonl", "", ""),
        ("json", "[]\n", ""),
        ("csv", "id,name,created_at,status,steps,extra\n", ""),
        ("table", "", "0 workflows\n"),
    ],
)
def test_no_records(run, api, output, text, told):
    """An empty list is well-formed in every format, and no error."""
    api.simulator.plan(Fault(200, body={"workflows": []}))
    result = run("workflows", "-o", output)
    assert (result.exit_code, result.stdout, result.stderr) == (0, text, told)


def test_one_record(run, api):
    """Notes count in English, and `--quiet` leaves them out."""
    one = Fault(200, body={"workflows": [{"id": "wf_1"}]}, times=2)
    api.simulator.plan(one)
    assert run("workflows", "-o", "table").stderr == "1 workflow\n"
    assert run("workflows", "-o", "table", "--quiet").stderr == ""


def test_hostile_records(run, api):
    """Markup, escape sequences, direction marks and formulas of the server are text."""
    body = {"workflows": [{"id": HOSTILE, "name": HOSTILE, "status": HOSTILE}]}
    api.simulator.plan(Fault(200, body=body, times=None))
    table, lines, rows = (run("workflows", "-o", output) for output in ("table", "jsonl", "csv"))
    assert r"""=1+1 [red]\x1b[2J\u202e"é""" in table.stdout
    assert json.loads(lines.stdout)["name"] == HOSTILE
    assert list(csv.reader(io.StringIO(rows.stdout)))[1][1].startswith("'=1+1 [red]\\x1b[2J")
    for result in (table, lines, rows):
        assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("output", "shown"), [("jsonl", r"Th\u00e9a"), ("csv", r"Th\xe9a"), ("table", r"Th\xe9a")]
)
def test_a_terminal_without_the_letter(run, api, output, shown):
    """Where the encoding lacks a letter there is an escape, no error; JSON stays JSON."""
    api.simulator.plan(Fault(200, body={"workflows": [{"id": "wf_1", "name": "Théa"}]}))
    result = run("workflows", "-o", output, charset="ascii")
    assert result.exit_code == 0
    assert shown in result.stdout


UNREADABLE = {"sessions": [{"id": "ses_1"}, {"id": 5}, "x"], "next_token": "more"}


def test_unreadable_records(run, api, workflow_id):
    """The readable records are printed, of this page and those behind; the code is 3."""
    api.simulator.plan(
        Fault(200, body=UNREADABLE), Fault(200, body={"sessions": [{"id": "ses_2"}]})
    )
    result = run("sessions", workflow_id, "--api-version", "v1")
    assert result.exit_code == 3
    assert _ids(result) == ["ses_1", "ses_2"]
    assert "page 1 $.sessions[1]" in result.stderr
    assert "page 1 $.sessions[2]" in result.stderr
    assert result.stderr.count("\n") == 1


def test_many_unreadable_records(run, api, workflow_id):
    """Some places are named, the others counted."""
    api.simulator.plan(Fault(200, body={"sessions": [{"id": "ses_1"}, *([{}] * 100)]}))
    result = run("sessions", workflow_id)
    assert result.exit_code == 3
    assert "and 97 more" in result.stderr


BROKEN = {"sessions": [{"id": "ses_1"}, {"id": 5}], "next_token": 5}


def test_a_broken_cursor(run, api, workflow_id):
    """Where there is no way to the next page, what could be read is printed, and it failed."""
    api.simulator.plan(Fault(200, body=BROKEN, times=3))
    result = run("sessions", workflow_id, "--api-version", "v1")
    assert result.exit_code == 1
    assert _ids(result) == ["ses_1"]
    assert "page 1 $.sessions[1]" in result.stderr
    assert "$.next_token" in result.stderr
    assert len(api.simulator.journal) == 1


def test_a_broken_cursor_behind_the_limit(run, api, workflow_id):
    """Who wants no more than what came does not miss the way on."""
    api.simulator.plan(Fault(200, body=BROKEN))
    result = run("sessions", workflow_id, "--api-version", "v1", "--limit", "1")
    assert result.exit_code == 3
    assert _ids(result) == ["ses_1"]


@pytest.mark.parametrize("output", ["jsonl", "json", "csv", "table"])
def test_a_failure_on_the_way(run, api, workflow_id, output):
    """What came before the failure is printed, well-formed; the failure's code is the result."""
    api.simulator.plan(Fault(200, body=UNREADABLE), Fault(401))
    result = run("sessions", workflow_id, "--api-version", "v1", "-o", output)
    assert result.exit_code == 4
    assert "ses_1" in result.stdout
    assert "page 1 $.sessions[1]" in result.stderr
    assert "HTTP 401" in result.stderr
    if output == "json":
        assert [record["id"] for record in json.loads(result.stdout)] == ["ses_1"]


@pytest.mark.parametrize("output", ["jsonl", "csv", "json"])
def test_pages_are_handed_over_as_they_come(run, api, workflow_id, output, monkeypatch):
    """After each page its records are on their way, before the next page is asked for."""
    flushed, asked = [], []
    next_batch, flush = _reading.next_batch, _listing.Terminal.flush

    async def watch(pages, where):
        asked.append(len(flushed))
        return await next_batch(pages, where)

    def count(terminal):
        flushed.append(terminal)
        flush(terminal)

    monkeypatch.setattr(_reading, "next_batch", watch)
    monkeypatch.setattr(_listing.Terminal, "flush", count)
    run("sessions", workflow_id, "--api-version", "v1", "--page-size", "50", "-o", output)
    assert asked == [0, 1, 2]


def test_a_program_started_often_begins_without_a_burst(run, api, workflow_id):
    """Requests come at the published rate from the first: each start would have 35 for free."""
    run("sessions", workflow_id, "--api-version", "v1", "--page-size", "20")
    arrivals = api.simulator.journal.arrivals()
    assert len(arrivals) == 6
    # Five times 40 ms; on a busy machine the first may be noted late, and some together.
    assert arrivals[-1] - arrivals[0] > 0.1
