"""Records as they are written: the same as `to_dict`, without its copies."""

import datetime as dt
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepidv_async import AsyncDeepIDV, SessionStatus, Workflow, WorkflowSession
from deepidv_async.cli._cells import plain, tsv_text
from deepidv_async.cli._text import json_text


@pytest.mark.asyncio
@pytest.mark.parametrize("version", ["legacy", "v1"])
async def test_records_of_the_api(api, version):
    """Every record of the simulator is written as its `to_dict` would be."""
    api.simulator.legacy_body = "sessions"
    async with AsyncDeepIDV(api_version=version, rate_limit=None) as client:
        records = await client.iter_workflows().collect()
        records += await client.iter_workflow_sessions(records[0].id).collect()
    assert len(records) == 122
    for record in records:
        assert json.loads(json_text(plain(record))) == record.to_dict()
        assert list(plain(record)) == list(record.to_dict())


def test_records_of_any_kind():
    """Times of other zones and values of enums too; nothing is copied, and `extra` is in order."""
    nested = {"a": [1]}
    zone = dt.timezone(dt.timedelta(hours=2))
    session = WorkflowSession(
        "ses_1",
        created_at=dt.datetime(2026, 5, 6, 1, tzinfo=zone),
        status=SessionStatus.VERIFIED,
        workflow_steps=("A",),
        meta_data=nested,
        extra={"z": 1, "a": {"z": 1, "a": 2}},
    )
    assert json.loads(json_text(plain(session))) == session.to_dict()
    assert json_text(plain(session)["extra"]) == '{"a":{"z":1,"a":2},"z":1}'
    assert plain(session)["created_at"] == "2026-05-05T23:00:00Z"
    assert plain(session)["meta_data"] is nested
    assert plain(Workflow("wf_1"))["name"] is None


@given(st.lists(st.lists(st.text(), min_size=1), max_size=4))
def test_tab_separated_values_can_be_read_back(rows):
    """Whatever is in a cell: one line for each row, one tab between two cells, nothing lost."""
    lines = tsv_text(rows).split("\n")
    assert lines.pop() == ""
    assert [[_unescaped(cell) for cell in line.split("\t")] for line in lines] == rows


def _unescaped(cell):
    return re.sub(
        r"\\(.)", lambda match: {"t": "\t", "n": "\n", "r": "\r"}.get(match[1], "\\"), cell
    )
