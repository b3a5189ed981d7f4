"""Options: checked when they are set, at the start and while it runs."""

import pytest

from deepidv_async import ConfigurationError
from deepidv_async.simulator import Simulator

CANARY = "canary-0123456789-key"


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": 1.5},
        {"seed": "x"},
        {"workflows": -1},
        {"workflows": True},
        {"sessions": -1},
        {"sessions": (1, 2)},
        {"sessions": (1, 2, 3, 4, -5)},
        {"sessions": (1, 2, 3, 4, True)},
        {"sessions": 1.5},
        {"sessions": "12345"},
        {"api_key": ""},
        {"api_key": []},
        {"api_key": ["a", ""]},
        {"api_key": {"a": "nonsense"}},
        {"rate": -1},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"rate": "25"},
        {"burst": 0.5},
        {"burst": None},
        {"per_day": 1.5},
        {"per_day": -1},
        {"latency": -0.1},
        {"jitter": None},
        {"legacy_body": "workflows"},
        {"serves": "v2"},
        {"errors": "none"},
        {"page_plan": 3},
        {"page_plan": (0,)},
        {"page_plan": (0, 0)},
        {"page_plan": (-1, 2)},
        {"page_plan": ("x", 2)},
        {"stage": "dev"},
        {"stage": "/d v"},
        {"stage": "/d?v"},
        {"stage": "/{x}"},
        {"stage": "/_sim"},
        {"stage": "/_sim/x"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong):
    """Each wrong option is refused by its name when the simulator is made."""
    (name,) = wrong
    with pytest.raises(ConfigurationError, match=rf"Simulator\({name}=\.\.\.\)"):
        Simulator(**wrong)


def test_options_are_checked_while_it_runs():
    """Setting an option is checked as well; the stage stays what it was."""
    simulator = Simulator()
    with pytest.raises(ConfigurationError, match="latency"):
        simulator.latency = -1
    with pytest.raises(AttributeError):
        simulator.stage = "/dev"
    simulator.page_plan = [1, None]
    assert simulator.page_plan == (1, None)


def test_a_refused_key_is_not_shown():
    """The message about wrong keys holds no key."""
    with pytest.raises(ConfigurationError) as caught:
        Simulator(api_key={CANARY: "nonsense"})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("api_key", "first"),
    [("a", "a"), (["b", "c"], "b"), ({"d": "sandbox", "e": "live"}, "d")],
)
def test_one_key_or_several(api_key, first):
    """A key, several keys, or a mapping to what they are; the first is the one to hand out."""
    simulator = Simulator(api_key=api_key)
    assert simulator.api_key == first
    assert len(simulator.keys) == len(api_key)


def test_sizes_per_workflow():
    """One number holds for all workflows; a list names each."""
    assert repr(Simulator(workflows=3, sessions=[1, 2, 3])) == (
        "Simulator(seed=0, 3 workflows, 6 sessions, Journal(0 requests, 0 refused))"
    )
    assert Simulator(workflows=0).workflow_ids == ()


def test_a_change_of_size_takes_effect_with_reset():
    """`workflows` and `sessions` may be changed; the data is made anew at the reset."""
    simulator = Simulator(workflows=1, sessions=1)
    simulator.workflows, simulator.sessions = 2, 4
    assert len(simulator.workflow_ids) == 1
    simulator.reset()
    assert [len(simulator.session_ids(each)) for each in simulator.workflow_ids] == [4, 4]
