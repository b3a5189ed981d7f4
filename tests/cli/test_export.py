"""The export: every session of every workflow once, in each format, and nothing half done."""

import csv
import io
import json
import re

import pytest

from deepidv_async import WorkflowSession
from deepidv_async.cli import _progress
from deepidv_async.cli._cells import column_names
from deepidv_async.simulator import Fault

V1 = ["--api-version", "v1"]


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file in a folder of its own, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "sessions.jsonl"


def _owned(api):
    return [
        session
        for name in api.simulator.workflow_ids
        for session in api.simulator.session_ids(name)
    ]


def _ids(path):
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


def _left(path):
    return sorted(each.name for each in path.parent.iterdir())


@pytest.mark.parametrize("version", ["legacy", "v1"])
def test_every_session_once(run, api, path, version):
    """All sessions of all workflows, in order, each with its workflow; nothing else is left."""
    result = run("export", path.name, "--api-version", version)
    assert (result.exit_code, result.stdout) == (0, "")
    size = f"{path.stat().st_size:,}"
    assert result.stderr == f"240 sessions of 2 workflows are in sessions.jsonl ({size} bytes).\n"
    assert _ids(path) == _owned(api)
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    expected = [name for name in api.simulator.workflow_ids for _ in range(120)]
    assert [record["workflow_id"] for record in records] == expected
    assert _left(path) == ["sessions.jsonl"]


def test_the_records_are_those_of_the_listing(run, api, path):
    """`export` and `sessions --all` give the same lines, and rows."""
    for output in ("jsonl", "csv"):
        name = f"x.{output}"
        assert run("export", name, *V1).exit_code == 0
        listed = run("sessions", "--all", *V1, "-o", output).stdout
        assert path.with_name(name).read_text() == listed


def test_the_name_chooses_the_format(run, api, path):
    """A file that ends in `.csv` is CSV, whatever its case, unless `-o` says otherwise."""
    run("export", "a.CSV", *V1)
    run("export", "b.csv", *V1, "-o", "jsonl")
    run("export", "c.txt", *V1)
    starts = [path.with_name(name).read_text()[:3] for name in ("a.CSV", "b.csv", "c.txt")]
    assert starts == ["id,", '{"i', '{"i']


def test_flat_records(run, api, path):
    """Each line has the same columns; each value is text or null; nested parts are JSON text."""
    run("export", "a.jsonl", *V1)
    run("export", "b.jsonl", *V1, "-o", "flat")
    whole, flat = (
        [json.loads(line) for line in path.with_name(name).read_bytes().splitlines()]
        for name in ("a.jsonl", "b.jsonl")
    )
    times = set()
    for record, row in zip(whole, flat, strict=True):
        assert list(row) == column_names(WorkflowSession)
        assert {type(value) for value in row.values()} <= {str, type(None)}
        for name, value in row.items():
            if name.endswith("_at") and value is not None:
                times.add(re.sub(r"\d", "0", value))
            elif name in ("location", "meta_data", "analysis_data", "extra", "workflow_steps"):
                assert (None if value is None else json.loads(value)) == record[name]
            elif name != "uploads":
                assert value == record[name]
    assert times == {"0000-00-00T00:00:00.000000Z"}
    assert {type(record["location"]) for record in whole} == {dict, str, type(None)}


def test_hostile_records(run, api, path):
    """Formulas are neutralised in CSV, control characters escaped, half letters survive."""
    name = '=cmd|"x"!A1\x1b\ud800'
    body = json.dumps({"sessions": [{"id": "+1", "name": name}], "next_token": None})
    api.simulator.plan(
        *(
            fault
            for _ in range(3)
            for fault in (
                Fault(200, body={"workflows": [{"id": "wf_1"}]}),
                Fault(200, body=body, headers={"content-type": "application/json"}),
            )
        )
    )
    for output in ("csv", "jsonl", "flat"):
        assert run("export", f"x.{output}", "-o", output, *V1).exit_code == 0
    row = list(csv.reader(io.StringIO(path.with_name("x.csv").read_text())))[1]
    assert row[:2] == ["'+1", '\'=cmd|"x"!A1\\x1b\\ud800']
    for output in ("jsonl", "flat"):
        text = path.with_name(f"x.{output}").read_text()
        assert "\x1b" not in text
        assert json.loads(text)["name"] == name


def test_filters(run, api, path):
    """The export has the filters of the listing, and says what was sifted here."""
    result = run("export", path.name, *V1, "--status", "PENDING")
    listed = run("sessions", "--all", *V1, "--status", "PENDING")
    assert path.read_text() == listed.stdout
    assert listed.stderr in result.stderr


@pytest.mark.parametrize("output", ["jsonl", "csv"])
@pytest.mark.parametrize("workflows", [0, 1])
def test_nothing_to_export(run, api, path, output, workflows):
    """No workflow, or none with a session: an empty file, or one with a header, and no error."""
    listed = {"workflows": [{"id": "wf_1"}] * workflows}
    api.simulator.plan(Fault(200, body=listed), Fault(200, body={"sessions": []}))
    assert run("export", path.name, "-o", output).exit_code == 0
    header = ",".join(column_names(WorkflowSession)) + "\n"
    assert path.read_text() == (header if output == "csv" else "")


def test_a_file_that_is_there(run, api, path):
    """It is replaced with `--force` only, and only when everything has come."""
    path.write_text("precious")
    refused = run("export", path.name)
    assert (refused.exit_code, len(api.simulator.journal)) == (2, 0)
    assert "--force" in refused.stderr
    assert _left(path) == ["sessions.jsonl"]
    api.simulator.plan(Fault("usual"), Fault(401))
    assert run("export", path.name, "--force").exit_code == 4
    assert path.read_text() == "precious"
    assert run("export", path.name, "--force").exit_code == 0
    assert _ids(path) == _owned(api)


def test_a_file_that_comes_in_the_meantime(run, api, path, monkeypatch):
    """Somebody else's file of that name is not replaced; what was read is kept."""
    count = _progress.Progress.count

    def meddle(progress, batch):
        path.write_text("precious")
        count(progress, batch)

    monkeypatch.setattr(_progress.Progress, "count", meddle)
    result = run("export", path.name)
    assert result.exit_code == 2
    assert "240 sessions are kept in sessions.jsonl.part" in result.stderr
    assert path.read_text() == "precious"
    assert run("export", path.name, "--force").exit_code == 0
    assert _ids(path) == _owned(api)


@pytest.mark.parametrize("name", ["missing/x.jsonl", "x" * 300])
def test_a_file_that_cannot_be_made(run, api, path, name):
    """It is found out before anything is asked for, and the message names the file."""
    result = run("export", name)
    assert (result.exit_code, len(api.simulator.journal)) == (1, 0)
    assert name in result.stderr


def test_unreadable_records(run, api, path):
    """What can be read is there; what cannot is named, and the code is 3."""
    unreadable = {"sessions": [{"id": "ses_1"}, {"id": 5}], "next_token": "more"}
    api.simulator.plan(
        Fault(200, body={"workflows": [{"id": "wf_1"}, {}]}),
        Fault(200, body=unreadable),
        Fault(200, body={"sessions": [{"id": "ses_2"}], "next_token": None}),
    )
    result = run("export", path.name, *V1)
    assert (result.exit_code, _ids(path)) == (3, ["ses_1", "ses_2"])
    assert "list of workflows, page 1 $.workflows[1]" in result.stderr
    assert "workflow wf_1, page 1 $.sessions[1]" in result.stderr


def test_a_workflow_that_is_gone(run, api, path):
    """Deleted after the list was read: the others come, and the code is 3, now and for ever."""
    listed = [{"id": name} for name in ("gone", *api.simulator.workflow_ids)]
    api.simulator.plan(Fault(200, body={"workflows": listed}))
    result = run("export", path.name, *V1)
    assert (result.exit_code, _ids(path)) == (3, _owned(api))
    assert "workflow gone, which is not there any more" in result.stderr


def test_a_generation_that_is_not_served(run, api, path):
    """This is no workflow that is gone: nothing is exported, and the cure is told."""
    api.simulator.plan(Fault("usual"), Fault("not-served", times=None))
    result = run("export", path.name, *V1)
    assert result.exit_code == 2
    assert "--api-version" in result.stderr
    assert not path.exists()


def test_a_list_that_shifts(run, api, path):
    """What comes again since the list has shifted is there once; a note says so."""
    api.simulator.plan(
        Fault(200, body={"workflows": [{"id": "wf_1"}]}),
        Fault(200, body={"sessions": [{"id": "ses_1"}, {"id": "ses_2"}], "next_token": "more"}),
        Fault(200, body={"sessions": [{"id": "ses_2"}, {"id": "ses_3"}], "next_token": None}),
    )
    result = run("export", path.name, *V1)
    assert _ids(path) == ["ses_1", "ses_2", "ses_3"]
    assert "1 came twice" in result.stderr


def test_a_cursor_that_cannot_be_read(run, api, path):
    """The page in front of it is not written: the next run fetches it again, with its way on."""
    broken = {"sessions": [{"id": "ses_1"}], "next_token": 5}
    listed = Fault(200, body={"workflows": [{"id": "wf_1"}]})
    api.simulator.plan(listed, Fault(200, body=broken))
    assert run("export", path.name, *V1).exit_code == 1
    whole = {"sessions": [{"id": "ses_1"}, {"id": "ses_2"}], "next_token": None}
    api.simulator.plan(listed, Fault(200, body=whole))
    assert run("export", path.name, *V1).exit_code == 0
    assert _ids(path) == ["ses_1", "ses_2"]


def test_bulk_calls(run, api, path, monkeypatch):
    """Exports wait in the lane that lets others of the process go first."""
    lanes = []
    acquire = _progress.TokenBucket.acquire

    async def watch(bucket, **options):
        lanes.append(options["priority"])
        return await acquire(bucket, **options)

    monkeypatch.setattr(_progress.TokenBucket, "acquire", watch)
    run("export", path.name)
    assert lanes == ["bulk"] * 3


def test_quiet(run, api, path):
    """`--quiet` leaves out what is no error."""
    result = run("export", path.name, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_lines_in_a_log(run, api, path, monkeypatch):
    """Without a terminal there is a plain line from time to time, with rate, ETA and quota."""
    monkeypatch.setattr(_progress, "_EVERY", 0.0)
    result = run("export", path.name, *V1, "--page-size", "60")
    lines = result.stderr.splitlines()
    line = r"\d/2 workflows  [\d,]+ sessions  [\d,]+/s  ETA (-|\d:\d\d:\d\d)  quota left 9,99\d"
    assert len(lines) == 5
    for told in lines[:4]:
        assert re.fullmatch(line, told)
    assert "240 sessions" in lines[3]
    assert "quota" not in run("export", "x", *V1, "--per-day", "0").stderr


def test_a_bar_on_a_terminal(on_screen, api, path):
    """On a terminal one line moves, within 80 columns, and nothing is left of it."""
    api.simulator.latency = 0.1
    code, screen = on_screen("export", path.name, *V1, "--page-size", "40")
    assert code == 0
    drawn = [line for line in re.split(r"[\r\n]+", screen.text) if "workflows  " in line]
    assert len({line.split("sessions")[0] for line in drawn}) > 3
    assert all(len(line) <= 80 for line in drawn)
    assert re.search(
        r"━* 1/2 workflows  \d+ sessions  \d+/s  ETA \d:\d\d:\d\d  quota left", screen.text
    )
    assert "\x1b[2K" in screen.raw
    assert screen.text.splitlines()[-1].startswith("240 sessions of 2 workflows are in")


def test_a_dumb_terminal(on_screen, api, path, monkeypatch):
    """Where lines cannot be drawn over, nothing moves."""
    monkeypatch.setenv("TERM", "dumb")
    _, screen = on_screen("export", path.name)
    assert "\x1b" not in screen.raw
    assert screen.text.count("\n") == 1
    assert path.exists()
