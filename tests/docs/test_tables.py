"""The pages' tables say what the code does: classes, defaults, options, codes, fields."""

import ast
import builtins
import inspect
import json
import logging
import re
import tomllib
import typing
from pathlib import Path

import attrs
import click
import httpx
import pytest
from click.testing import CliRunner
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import deepidv_async
import deepidv_async.limits
import deepidv_async.limits.redis
import deepidv_async.observe
import deepidv_async.simulator
import deepidv_async.testing
from deepidv_async import (
    APIStatusError,
    APITimeoutError,
    AsyncDeepIDV,
    CallFinished,
    CallStarted,
    DeepIDVError,
    Event,
    RateLimit,
    RetryPolicy,
    RetryScheduled,
    Timeouts,
    TimeSpent,
)
from deepidv_async._failures import _TOLD, failure_of
from deepidv_async._retry import Retry
from deepidv_async.cli import _app
from deepidv_async.cli._exit import ExitCode
from deepidv_async.observe import OpenTelemetry
from deepidv_async.observe._error_log import _told
from deepidv_async.observe._event_log import _LINES
from deepidv_async.simulator import Fault, Simulator, running_simulator
from deepidv_async.simulator._control import control_routes
from deepidv_async.testing import Failure, FakeDeepIDV, plugin

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
OBSERVERS = DOCS / "observability.md"
PAGES = [README, *sorted(DOCS.glob("**/*.md"))]
MODULES = [
    deepidv_async,
    deepidv_async.limits,
    deepidv_async.limits.redis,
    deepidv_async.observe,
    deepidv_async.simulator,
    deepidv_async.testing,
]
# Names of the standard library, of aiohttp, httpx and redis-py that the pages mention.
FOREIGN = {"AppKey", "CancelledError", "MockTransport", "RedisCluster", "TaskGroup"}

COMMANDS = {name: _app.cli.get_command(None, name) for name in _app.COMMANDS}
ERRORS = {
    name: value
    for name in deepidv_async.__all__
    if inspect.isclass(value := getattr(deepidv_async, name)) and issubclass(value, DeepIDVError)
}


def table(page, first):
    """Read the table whose header begins with the cell `first`: its rows, as lists of cells."""
    lines = page.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def codes(cell):
    """Give what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def first_codes(page, first):
    """Give what stands in backticks in the first column of a table."""
    return [name for row in table(page, first) for name in codes(row[0])]


def instance(kind):
    if issubclass(kind, APIStatusError):
        return kind("said", status=400)
    return kind("said", phase="read") if kind is APITimeoutError else kind("said")


@pytest.mark.parametrize("page", [README, DOCS / "errors.md"], ids=lambda page: page.name)
def test_every_error_has_a_row(page):
    """Both tables of errors name each class that can be raised, once."""
    assert sorted(first_codes(page, "Error")) == sorted(ERRORS.keys() - {"DeepIDVError"})


def test_the_errors_that_are_repeated():
    """The table says of each class whether the client tries again, and the policy agrees."""
    said = {codes(row[0])[0]: row[-1] for row in table(DOCS / "errors.md", "Error")}
    found = {
        name: "yes" if isinstance(RetryPolicy().verdict(instance(ERRORS[name]), 1), Retry) else "no"
        for name in said
    }
    assert said == found


def test_the_tree_of_errors():
    """The drawn tree is that of the classes."""
    drawing = re.search(
        r"```text\n(DeepIDVError\n.*?)```", (DOCS / "errors.md").read_text(), re.DOTALL
    )
    drawn, path = {}, []
    for line in drawing[1].splitlines():
        name = re.search(r"\w+", line)
        depth = name.start() // 4
        path[depth:] = [name[0]]
        drawn[name[0]] = path[depth - 1] if depth else "Exception"
    assert drawn == {name: kind.__bases__[0].__name__ for name, kind in ERRORS.items()}


def test_the_settings_of_the_client():
    """The table of settings has every argument of the constructor, with its default."""
    rows = {codes(row[0])[0]: row[2] for row in table(DOCS / "configuration.md", "Argument")}
    arguments = inspect.signature(AsyncDeepIDV).parameters
    # The clock is for tests, and stands on the page about them.
    assert rows.keys() == arguments.keys() - {"clock"}
    assert rows["max_connections"] == str(arguments["max_connections"].default)
    (timeouts,) = re.findall(r"Timeouts\(.*?\)", rows["timeout"])
    stated = dict(re.findall(r"(\w+)=(\d+)", timeouts))
    assert {name: float(value) for name, value in stated.items()} == attrs.asdict(Timeouts())


def test_the_phases_of_a_timeout():
    """The table of phases has the defaults of `Timeouts`."""
    rows = table(DOCS / "configuration.md", "Phase")
    assert {codes(row[0])[0]: float(row[1]) for row in rows} == attrs.asdict(Timeouts())


@pytest.mark.parametrize(
    ("page", "first", "model"),
    [
        ("retries.md", "Argument", RetryPolicy),
        ("rate-limits.md", "Argument", RateLimit),
        ("testing.md", "Option", Simulator),
    ],
)
def test_defaults(page, first, model):
    """A table of arguments has each one that users set, with its default."""
    stated = {
        codes(row[0])[0]: ast.literal_eval(codes(row[1])[0]) for row in table(DOCS / page, first)
    }
    made = model()
    names = {field.alias: field.name for field in attrs.fields(model) if field.init}
    real = {alias: getattr(made, name) for alias, name in names.items()}
    if model is Simulator:
        real["api_key"] = made.api_key
    # These two are for tests.
    assert stated == {name: real[name] for name in real.keys() - {"random", "clock"}}


def test_the_fixtures():
    """The table of fixtures has each one of the pytest plugin."""
    assert sorted(first_codes(DOCS / "testing.md", "Fixture")) == sorted(
        name for name in plugin.__all__ if name != "pytest_configure"
    )


def test_what_can_be_planned():
    """Each cell of the table of plans is something that a fake takes."""
    fake = FakeDeepIDV()
    known = {"Fault": Fault, "Failure": Failure, "httpx": httpx}
    plans = [codes(row[0])[0] for row in table(DOCS / "testing.md", "Planned")]
    for source in plans:
        fake.plan(eval(source, known))  # noqa: S307 - our own page
    assert fake.faults_planned == len(plans)


def test_where_the_time_of_a_call_goes():
    """The table of a deadline's account has the fields of `TimeSpent`."""
    names = [field.name for field in attrs.fields(TimeSpent)]
    assert first_codes(DOCS / "retries.md", "Part of `spent`") == names


def test_the_events():
    """The table of events has each one, with its fields."""
    rows = {codes(row[0])[0]: codes(row[2]) for row in table(DOCS / "events.md", "Event")}
    kinds = typing.get_args(Event)
    assert rows == {kind.__name__: [field.name for field in attrs.fields(kind)] for kind in kinds}


def test_the_levels_of_the_event_log():
    """The table of levels has each event, with the level that its records have."""
    said = {codes(row[0])[0]: row[1].split(";")[0] for row in table(OBSERVERS, "Logged event")}
    assert said == {kind.__name__: logging.getLevelName(_LINES[kind][0]) for kind in _LINES}


def test_the_keys_of_the_error_log():
    """The table of keys has all that a line can hold, those first that every line has."""
    spent = TimeSpent()
    optional, always = set(_TOLD), []
    for error in (LookupError(), *map(instance, ERRORS.values())):
        data = failure_of(error, ())
        always.append(_told(CallFinished("list_workflows", "E", 1, 0.1, spent, error=data)))
    keys = first_codes(OBSERVERS, "Key")
    common = ["time", *always[0]]
    assert keys[: len(common)] == common
    assert set(keys[len(common) :]) == optional - {*common}
    assert set().union(*always) | {"time"} == {*keys}


def test_the_metrics_and_attributes():
    """The tables of attributes and metrics have what OpenTelemetry is told."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider(metric_readers=[reader])
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    observer = OpenTelemetry(tracer_provider=tracers, meter_provider=meters)
    observer(CallStarted("list_workflows", "v1", "/v1/workflows", "normal", call="1"))
    observer(RetryScheduled("list_workflows", 1, 0.5, "ServerError", call="1"))
    end = CallFinished("list_workflows", "ServerError", 2, 0.1, TimeSpent(), "v1", 503, call="1")
    observer(end)
    (span,) = exporter.get_finished_spans()
    assert sorted(first_codes(OBSERVERS, "Attribute")) == sorted(span.attributes)
    found = {
        metric.name: (metric.unit, sorted(metric.data.data_points[0].attributes))
        for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics
        for metric in scope.metrics
    }
    tracers.shutdown()
    meters.shutdown()
    assert found == {
        codes(row[0])[0]: (row[2].strip("`"), sorted(codes(row[3])))
        for row in table(OBSERVERS, "Metric")
    }


def test_the_commands():
    """The table of commands has each one, with its arguments."""
    said = {
        name: " ".join(
            [name, *(p.human_readable_name for p in c.params if isinstance(p, click.Argument))]
        )
        for name, c in COMMANDS.items()
    }
    assert sorted(first_codes(DOCS / "cli.md", "Command")) == sorted(said.values())


def test_the_options_of_the_listings():
    """The table of options has those of `workflows` and `sessions`, and no other."""
    options = {
        option
        for command in (COMMANDS["workflows"], COMMANDS["sessions"])
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    assert set(first_codes(DOCS / "cli.md", "Option")) == options


def test_the_options_of_the_export():
    """Its table has those that the listings have not, and `--output`, which has other formats."""
    own, shared = (
        {option for each in COMMANDS[name].params for option in each.opts if "-" in option}
        for name in ("export", "sessions")
    )
    said = set(first_codes(DOCS / "cli.md", "Option of `export`"))
    assert said == (own - shared) | {"-o", "--output"}
    formats = first_codes(DOCS / "cli.md", "Format")
    (output,) = [each for each in COMMANDS["export"].params if each.name == "output"]
    assert formats == list(output.type.choices)


def test_the_checks_of_the_doctor(monkeypatch):
    """The table of checks has each one, in their order."""
    monkeypatch.setenv("DEEPIDV_API_KEY", "sim-key")
    with running_simulator(workflows=1) as api:
        # Nobody listens there; a check that fails has its line, too.
        options = ["-q", "-o", "json", "--redis", "redis://127.0.0.1:1"]
        result = CliRunner().invoke(_app.cli, ["doctor", "--base-url", api.base_url, *options])
    names = [check["name"] for check in json.loads(result.output)["checks"]]
    assert first_codes(DOCS / "cli.md", "Check") == names


def test_the_exit_codes():
    """The table of exit codes has each one."""
    assert [int(row[0]) for row in table(DOCS / "cli.md", "Code")] == sorted(ExitCode)


def test_the_control_endpoints():
    """The table of control endpoints has each route of the simulator."""
    rows = table(DOCS / "testing.md", "Request")
    said = {tuple(codes(row[0])[0].split()) for row in rows}
    routes = control_routes(Simulator())
    assert said == {
        (method, f"/_sim{route.path}") for route in routes for method in route.methods - {"HEAD"}
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_exist(page):
    """A class or setting of the environment that a page names is there."""
    text = page.read_text()
    known = FOREIGN.union(dir(builtins), *(module.__all__ for module in MODULES))
    named = re.findall(r"`((?:[A-Z][a-z]+){2,}|API\w+)\b[^`]*`", text)
    assert [name for name in named if name not in known] == []
    settings = set(re.findall(r"(?<!_)DEEPIDV_\w+", text))
    ours = {"API_KEY", "BASE_URL", "API_VERSION", "REDIS_URL"}
    assert settings <= {f"DEEPIDV_{name}" for name in ours}


def test_the_extras():
    """The table of extras has each one of the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = first_codes(DOCS / "quickstart.md", "Extra")
    assert sorted(said) == sorted(project["optional-dependencies"])
