"""The nightly reconciliation of docs/examples: killed, refused, and always going on."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deepidv_async.simulator import Fault

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "nightly_reconciliation.py"
V1 = {"DEEPIDV_API_VERSION": "v1"}


@pytest.fixture
def night(start):
    """Give a function that starts the job."""
    return lambda **environment: start(str(EXAMPLE), "ours.sqlite", "state.json", **environment)


@pytest.fixture
def state(tmp_path):
    """Give a function that reads the state, changed by `change` if that is given."""
    path = tmp_path / "state.json"

    def state(change=None):
        found = json.loads(path.read_text())
        if change is not None:
            change(found)
            path.write_text(json.dumps(found))
        return found

    return state


@pytest.fixture
def ours(tmp_path):
    """Give a function that reads what the job has recorded."""

    def read():
        with closing(sqlite3.connect(tmp_path / "ours.sqlite")) as database:
            return sorted(database.execute("SELECT workflow_id, id FROM sessions"))

    return read


def theirs(api):
    return sorted(
        (workflow_id, session_id)
        for workflow_id in api.simulator.workflow_ids
        for session_id in api.simulator.session_ids(workflow_id)
    )


def counted(state):
    return sum(count for _, count in state["limiter"]["quota"]["slots"])


@pytest.mark.parametrize("version", ["legacy", "v1"])
def test_three_nights(night, api, ours, state, version):
    """All sessions are recorded; a later night tells what is new, and counts its requests too."""
    for told in ("120 new, 0 changed", "0 new, 0 changed"):
        program = night(DEEPIDV_API_VERSION=version)
        assert program.ended() == 0, program.said
        assert told in program.said
        assert ours() == theirs(api)
        assert state()["left"] is None
    api.simulator.add_session(api.simulator.workflow_ids[1])
    program = night(DEEPIDV_API_VERSION=version)
    assert program.ended() == 0
    assert "1 new, 0 changed" in program.said
    assert counted(state()) == len(api.simulator.journal) == 12


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_again_and_again(night, api, ours, state, until, number):
    """Each run goes on where the one before stood: no session is missing, no page asked in vain."""
    api.simulator.page_plan = [5, 8, 0, 3]
    api.simulator.reset()
    assert night(**V1).ended() == 0
    (whole, pages) = ours(), len(api.simulator.journal)
    state(lambda plain: plain.clear())

    api.simulator.reset()
    api.simulator.latency = 0.03
    killed = 0
    for stop_after in (2, 12, 22):
        program = night(**V1)
        until(lambda stop_after=stop_after: len(api.simulator.journal) >= stop_after)
        program.interrupt(number)
        assert program.ended() == (130 if number == signal.SIGINT else -number), program.said
        killed += 1
        assert state()["limiter"]
    assert state()["left"]
    assert night(**V1).ended() == 0
    assert ours() == whole == theirs(api)
    # Only the page that a kill came upon is asked for again.
    assert len(api.simulator.journal) <= pages + killed
    assert state()["left"] is None


def test_the_day_is_spent(night, api, ours, state):
    """The day's count outlives the run: what is left of the quota is used, and no more."""
    assert night().ended() == 0
    before = len(api.simulator.journal)

    def nearly(plain):
        plain["limiter"]["quota"]["slots"][0][1] = 9_998

    state(nearly)
    program = night()
    assert program.ended() == 75
    assert "daily quota is spent" in program.said
    assert len(api.simulator.journal) == before + 2
    assert len(state()["left"]) == 2
    # Tomorrow it goes on with the workflow that it could not ask for.
    state(lambda plain: plain["limiter"]["quota"].update(slots=[]))
    assert night().ended() == 0
    assert len(api.simulator.journal) == before + 4


def test_the_server_says_that_the_day_is_spent(night, api, state):
    """Its word counts more than ours, and the next run remembers it without asking."""
    api.simulator.per_day = 2
    assert night().ended() == 75
    asked = len(api.simulator.journal)
    assert night().ended() == 75
    assert len(api.simulator.journal) == asked
    assert state()["left"]


@pytest.mark.parametrize("fault", [Fault(503, headers={"Retry-After": "100"}), Fault(401)])
def test_an_error_in_the_middle(night, api, ours, state, fault):
    """The run ends with an error that says what to do, and the next one goes on."""
    first, second, third = api.simulator.workflow_ids
    api.simulator.plan(Fault(times=2), fault)
    program = night()
    assert program.ended() == 1
    assert state()["left"] == [second, third]
    assert {workflow_id for workflow_id, _ in ours()} == {first}
    assert counted(state()) == 3
    assert night().ended() == 0
    assert ours() == theirs(api)
    assert len(api.simulator.journal) == 5


def test_what_does_not_stop_it(night, api, ours, state):
    """A token that is too old, a workflow that is gone and a broken record cost only themselves."""
    first, second, third = api.simulator.workflow_ids
    assert night(**V1).ended() == 0

    def old(plain):
        plain.update(left=[first, "gone", second, third], next_token="too-old")

    state(old)
    broken = {"sessions": [{"id": "whole"}, {"name": "without an id"}], "next_token": None}
    program = night(**V1)
    assert program.ended() == 0, program.said
    assert "workflow gone is left out" in program.said
    assert "read from its start" in program.said
    api.simulator.plan(Fault(), Fault(body=broken))
    program = night(**V1)
    assert program.ended() == 0, program.said
    assert f"a session of workflow {first} is left out" in program.said
    assert "1 new, 0 changed" in program.said
    assert ours() == sorted([*theirs(api), (first, "whole")])


def test_a_key_that_is_not_accepted(night, api, state):
    """The job ends at once and says what to do."""
    program = night(DEEPIDV_API_KEY="canary-0123456789-key")
    assert program.ended() == 1
    assert "Check DEEPIDV_API_KEY" in program.said
    assert "canary" not in program.said + json.dumps(state())
