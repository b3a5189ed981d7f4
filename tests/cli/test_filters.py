"""Which sessions are listed: of one workflow or of all, of a period, of a status."""

import csv
import io
import json
import re

import pytest

from deepidv_async import SessionStatus
from deepidv_async.cli._options import STATUSES, _complete_status
from deepidv_async.simulator import Fault


def _records(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def _ids(result):
    return [record["id"] for record in _records(result)]


@pytest.fixture
def whole_legacy(api):
    """The simulator with sessions whole in the legacy generation, too."""
    api.simulator.legacy_body = "sessions"
    return api


@pytest.mark.parametrize("version", ["legacy", "v1"])
def test_all_workflows(run, api, version):
    """`--all` gives the sessions of every workflow, each with its workflow, in order."""
    result = run("sessions", "--all", "--api-version", version)
    assert (result.exit_code, result.stderr) == (0, "")
    expected = [
        (name, session)
        for name in api.simulator.workflow_ids
        for session in api.simulator.session_ids(name)
    ]
    found = [(record["workflow_id"], record["id"]) for record in _records(result)]
    assert found == expected


def test_all_workflows_in_a_table(on_screen, api):
    """Instead of the type there is the workflow's name, and 80 columns hold it."""
    code, screen = on_screen("sessions", "--all", "--api-version", "v1", "--limit", "121")
    assert code == 0
    assert re.search(r"id +status +created \(UTC\) +workflow *\n", screen.text)
    assert re.search(r"2026-05-31 \d\d:\d\d +Tenant +\n +onboarding 1 *\n", screen.text)
    assert re.search(r"2026-06-01 \d\d:\d\d +Age check 2 *\n121 sessions\n$", screen.text)
    assert all(len(line) <= 80 for line in screen.text.splitlines())


def test_a_list_of_workflows_with_pages(run, api):
    """No paging is documented for it; should there be any, it is followed."""
    pages = [
        Fault(200, body={"workflows": [{"id": name}], "next_token": token})
        for name, token in (("wf_1", "more"), ("wf_2", None))
    ]
    api.simulator.plan(*pages)
    assert _ids(run("workflows", "--api-version", "v1")) == ["wf_1", "wf_2"]
    api.simulator.plan(*pages, *(Fault(200, body={"sessions": [], "next_token": None}),) * 2)
    assert run("sessions", "--all", "--api-version", "v1").exit_code == 0
    assert [entry.query for entry in api.simulator.journal][-2:] == [
        "workflow_id=wf_1&limit=500",
        "workflow_id=wf_2&limit=500",
    ]


def test_a_workflow_without_a_name(run, api):
    """Its id stands for it."""
    api.simulator.plan(
        Fault(200, body={"workflows": [{"id": "wf_1"}]}),
        Fault(200, body={"sessions": [{"id": "ses_1"}]}),
    )
    result = run("sessions", "--all", "-o", "table")
    assert result.stdout.splitlines()[-1].split() == ["ses_1", "-", "-", "wf_1"]


def test_a_limit_over_all_workflows(run, api):
    """`--limit` counts over the workflows, and nothing is asked for that is not needed."""
    result = run("sessions", "--all", "--limit", "120")
    assert len(_records(result)) == 120
    assert len(api.simulator.journal) == 2


@pytest.mark.parametrize("version", ["legacy", "v1"])
def test_a_period_in_both_generations(run, whole_legacy, workflow_id, version):
    """The same sessions come, whoever sifts: the v1 server, or this side, which says so."""
    everything = _records(run("sessions", workflow_id, "--api-version", "v1"))
    until, since = everything[10]["created_at"], everything[20]["created_at"]
    period = ["--since", since, "--until", until]
    result = run("sessions", workflow_id, "--api-version", version, *period)
    assert _ids(result) == [record["id"] for record in everything[10:21]]
    sifted_here = (
        "The legacy API has no filter for --since, --until: 120 sessions were read, and 11 kept.\n"
    )
    assert result.stderr == (sifted_here if version == "legacy" else "")


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_half_a_period(run, whole_legacy, workflow_id, option):
    """One end alone holds, too, and the instant itself belongs to the period."""
    everything = _records(run("sessions", workflow_id))
    instant = everything[30]["created_at"]
    result = run("sessions", workflow_id, option, instant)
    assert _records(result) == (everything[:31] if option == "--since" else everything[30:])


@pytest.mark.parametrize("version", ["legacy", "v1"])
def test_statuses(run, whole_legacy, workflow_id, version):
    """`--status` may be repeated, has no case, and is sifted here in both generations."""
    everything = _records(run("sessions", workflow_id, "--api-version", version))
    wanted = [record for record in everything if record["status"] in ("REJECTED", "PENDING")]
    arguments = ["--status", "rejected", "--status", "PENDING", "--api-version", version]
    result = run("sessions", workflow_id, *arguments)
    assert 0 < len(wanted) < 120
    assert _records(result) == wanted
    assert f"The {version} API has no filter for --status: 120 sessions were read" in result.stderr


def test_a_limit_of_what_is_sifted(run, api, workflow_id):
    """With a filter of this side `--limit` counts what is kept, and pages stay large."""
    arguments = ["--status", "VERIFIED", "--limit", "3", "--api-version", "v1"]
    result = run("sessions", workflow_id, *arguments)
    assert [record["status"] for record in _records(result)] == ["VERIFIED"] * 3
    (asked,) = api.simulator.journal
    assert "limit=500" in asked.query


def test_a_status_that_is_not_published(run, api, workflow_id):
    """The set is open: it is looked for, and a slip of the pen is told."""
    api.simulator.plan(Fault(200, body={"sessions": [{"id": "ses_1", "status": "On_Hold"}]}))
    result = run("sessions", workflow_id, "--status", "on_hold")
    assert _ids(result) == ["ses_1"]
    assert "ON_HOLD is no published status" in result.stderr


def test_what_has_no_date_or_status(run, api, workflow_id):
    """A session without a creation time may lie in the period; one without a status has none."""
    body = {"sessions": [{"id": "ses_1"}, {"id": "ses_2", "createdAt": "2020-01-01T00:00:00Z"}]}
    api.simulator.plan(Fault(200, body=body, times=2))
    result = run("sessions", workflow_id, "--since", "2026-01-01T00:00:00Z")
    assert _ids(result) == ["ses_1"]
    assert "and 1 kept, 1 of them without a creation time." in result.stderr
    assert _ids(run("sessions", workflow_id, "--status", "PENDING")) == []


def test_a_session_that_comes_twice(run, api, workflow_id):
    """A newest-first list shifts while it is paged: what comes again is left out."""
    api.simulator.plan(
        Fault(200, body={"sessions": [{"id": "ses_1"}, {"id": "ses_2"}], "next_token": "more"}),
        Fault(200, body={"sessions": [{"id": "ses_2"}, {"id": "ses_3"}], "next_token": None}),
    )
    result = run("sessions", workflow_id, "--api-version", "v1")
    assert _ids(result) == ["ses_1", "ses_2", "ses_3"]


def test_unreadable_among_all_workflows(run, api):
    """What cannot be read is named with its workflow; the list of workflows counts as well."""
    api.simulator.plan(
        Fault(200, body={"workflows": [{"id": "wf_1"}, {}]}),
        Fault(200, body={"sessions": [{"id": "ses_1"}, {}]}),
    )
    result = run("sessions", "--all")
    assert (result.exit_code, _ids(result)) == (3, ["ses_1"])
    assert "list of workflows, page 1 $.workflows[1]" in result.stderr
    assert "workflow wf_1, page 1 $.sessions[1]" in result.stderr


def test_a_broken_list_of_workflows(run, api):
    """A list whose end cannot be found is a failure, not a shorter list."""
    body = {"workflows": [{"id": "wf_1"}], "next_token": 5}
    api.simulator.plan(Fault(200, body=body, times=2))
    for command in (["sessions", "--all"], ["workflows"]):
        result = run(*command, "--api-version", "v1")
        assert result.exit_code == 1
        assert "next_token" in result.stderr


def test_tab_separated_values(run, api, workflow_id):
    """`tsv` has the cells of `csv`, one line per record, whatever is in a cell."""
    body = {"workflows": [{"id": "wf\t1", "name": "two\nlines\\", "status": "=1+1"}]}
    api.simulator.plan(Fault(200, body=body))
    line = run("workflows", "-o", "tsv").stdout.splitlines()[1].split("\t")
    assert line[:4] == ["wf\\t1", "two\\nlines\\\\", "", "'=1+1"]
    arguments = ["sessions", workflow_id, "--api-version", "v1"]
    rows = [line.split("\t") for line in run(*arguments, "-o", "tsv").stdout.splitlines()]
    text = run(*arguments, "-o", "csv").stdout
    cells = [[cell.replace("\\", "\\\\") for cell in row] for row in csv.reader(io.StringIO(text))]
    assert rows == cells


def test_a_slower_rate(run, api, workflow_id):
    """`--rate` leaves room for others who use the key."""
    run("sessions", workflow_id, "--api-version", "v1", "--page-size", "60", "--rate", "5")
    first, second = api.simulator.journal.arrivals()
    assert second - first > 0.15


def test_a_smaller_quota(run, api, workflow_id):
    """`--per-day` ends a command at once when its own count is spent; 0 is for no limit."""
    arguments = ["sessions", workflow_id, "--api-version", "v1", "--page-size", "60"]
    assert run(*arguments, "--per-day", "1").exit_code == 5
    assert run(*arguments, "--per-day", "0").exit_code == 0


def test_completion_of_statuses():
    """The published statuses are offered, as `SessionStatus` has them."""
    assert tuple(SessionStatus) == STATUSES
    assert [item.value for item in _complete_status(None, None, "ve")] == ["VERIFIED"]
