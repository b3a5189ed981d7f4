"""What a script can tell from the exit code, and a person from the message."""

import functools
import inspect
import socket

import pytest

import deepidv_async
from deepidv_async import AsyncDeepIDV, RetryPolicy
from deepidv_async.cli import _app, _connection, _listing, _options, _sim
from deepidv_async.cli._exit import ExitCode
from deepidv_async.cli._failures import exit_code
from deepidv_async.simulator import Fault

CODES = {
    "DeepIDVError": 1,
    "ConfigurationError": 2,
    "UnsupportedByAPIVersionError": 2,
    "InvalidArgumentError": 2,
    "ClientClosedError": 1,
    "APIConnectionError": 7,
    "APITimeoutError": 7,
    "DeadlineExceededError": 7,
    "ResponseDecodeError": 1,
    "APIStatusError": 1,
    "BadRequestError": 1,
    "AuthenticationError": 4,
    "InsufficientFundsError": 6,
    "PermissionDeniedError": 4,
    "NotFoundError": 8,
    "EndpointNotServedError": 2,
    "RateLimitError": 5,
    "QuotaExceededError": 5,
    "ServerError": 1,
    "SharedLimitUnavailableError": 7,
}


def _errors():
    return {
        name: value
        for name in deepidv_async.__all__
        if inspect.isclass(value := getattr(deepidv_async, name))
        and issubclass(value, deepidv_async.DeepIDVError)
    }


@pytest.fixture
def no_retries(monkeypatch):
    """Let a fault that would be retried come through at once."""
    impatient = functools.partial(AsyncDeepIDV, retry=RetryPolicy(max_retries=0))
    monkeypatch.setattr(_connection, "AsyncDeepIDV", impatient)


def test_every_error_has_its_code():
    """The documented code of each error class; a new class has to be thought of here."""
    bare = {name: kind.__new__(kind) for name, kind in _errors().items()}
    assert {name: int(exit_code(error)) for name, error in bare.items()} == CODES


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (Fault(400), 1, "HTTP 400"),
        (Fault(401), 4, "DEEPIDV_API_KEY"),
        (Fault(402), 6, "Top up"),
        (Fault("forbidden"), 4, "DEEPIDV_API_KEY"),
        (Fault(403, body={"error": "Not your organization."}), 4, "Not your organization."),
        (Fault(404), 8, "deepidv-async workflows"),
        (Fault("not-served"), 2, "--api-version"),
        (Fault(429), 5, "HTTP 429"),
        (Fault("limit-exceeded"), 5, "quota"),
        (Fault(500), 1, "HTTP 500"),
        (Fault(504), 1, "HTTP 504"),
        (Fault(200, body="<html>"), 1, "$"),
        (Fault(200, body={"unexpected": []}), 1, "sessions"),
    ],
    ids=lambda value: value.answer if isinstance(value, Fault) else None,
)
def test_an_answer_of_the_api(run, api, workflow_id, no_retries, *, fault, code, said):
    """Each refusal ends with its code and at most two lines on stderr; stdout stays empty."""
    api.simulator.plan(fault)
    result = run("sessions", workflow_id, "--api-version", "v1")
    assert result.exit_code == code
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.startswith("Error: ")
    assert 1 <= result.stderr.count("\n") <= 2


def test_a_host_that_nobody_serves(run, api, no_retries):
    """Refused connections end with 7."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = run("workflows", "--base-url", f"http://127.0.0.1:{port}")
    assert result.exit_code == 7
    assert f"127.0.0.1:{port}" in result.stderr


@pytest.mark.parametrize("option", ["--timeout", "--deadline"])
def test_a_host_that_does_not_answer(run, api, no_retries, option):
    """`--timeout` and `--deadline` reach the client, and end with 7."""
    api.simulator.plan(Fault(delay=30))
    result = run("workflows", option, "0.05")
    assert result.exit_code == 7
    assert "0.05 s" in result.stderr


_BACKWARDS = ["--since", "2026-05-06T00:00:01Z", "--until", "2026-05-06T00:00:00Z"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["workflows", "--nonsense"],
        ["workflows", "-o", "xml"],
        ["workflows", "--limit", "0"],
        ["workflows", "--timeout", "-1"],
        ["workflows", "--timeout", "nan"],
        ["workflows", "--deadline", "0"],
        ["workflows", "--api-version", "v2"],
        ["workflows", "--base-url", "http://api.example"],
        ["workflows", "--base-url", "nowhere"],
        ["workflows", "--quiet", "--verbose"],
        ["sessions"],
        ["sessions", ""],
        ["sessions", "."],
        ["sessions", "a/b"],
        ["sessions", "wf_1", "--all"],
        ["sessions", "wf_1", "--page-size", "10"],
        ["sessions", "--all", "--page-size", "10"],
        ["sessions", "wf_1", "--rate", "0"],
        ["sessions", "wf_1", "--per-day", "-1"],
        ["sessions", "wf_1", "-o", "flat"],
        ["sessions", "wf_1", *_BACKWARDS],
        ["sessions", "wf_1", "--api-version", "v1", *_BACKWARDS],
        ["sessions", "wf_1", "--api-version", "v1", "--page-size", "0"],
        ["sessions", "wf_1", "--api-version", "v1", "--page-size", "501"],
        ["sessions", "wf_1", "--api-version", "v1", "--since", "2026-05-06"],
        ["sessions", "wf_1", "--api-version", "v1", "--since", "yesterday"],
        ["sim", "--host", "192.0.2.1"],
        ["sim", "--workflows", "-1"],
        ["sim", "--port", "65536"],
        ["demo", "extra"],
        ["stats", "--page-size", "10"],
        ["stats", "-o", "csv"],
        ["stats", *_BACKWARDS],
        ["export"],
        ["export", "/"],
        ["export", "/dev/null"],
        ["export", "nowhere.jsonl", "--page-size", "10"],
        ["export", "nowhere.jsonl", *_BACKWARDS],
        ["export", "nowhere.jsonl", "-o", "table"],
        ["doctor", "extra"],
        ["workflows", "--redis", "localhost:6379"],
        ["workflows", "--redis", "redis://localhost", "--redis-name", "{}"],
        ["limits"],
        ["limits", "--redis", "redis://localhost:x"],
        ["limits", "--redis", "redis://localhost?nonsense=1"],
        ["limits", "--redis", "redis://localhost", "--watch", "0"],
        ["limits", "--redis", "redis://localhost", "--watch", "nan"],
        ["limits", "--redis", "redis://localhost", "-o", "csv"],
    ],
    ids=" ".join,
)
def test_wrong_usage(run, api, arguments):
    """What cannot work is refused with 2 before any request, with a word about it on stderr."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert len(api.simulator.journal) == 0


def test_no_command(run):
    """The program alone prints its help, as an error: nothing was done."""
    result = run()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Commands:" in result.stderr


def test_help_and_version(run):
    """Help tells every command and every exit code, and gives examples."""
    result = run("--help")
    assert (result.exit_code, result.stderr) == (0, "")
    for code in ExitCode:
        assert f" {int(code)} " in result.stdout
    for name, (_, told) in _app.COMMANDS.items():
        assert f"  {name} " in result.stdout
        page = run(name, "-h")
        assert (page.exit_code, page.stderr) == (0, "")
        assert page.stdout.isascii()
        assert f"\n  {told}\n" in page.stdout
        assert f"Examples:\n    deepidv-async {name}" in page.stdout
    assert "Examples:" in result.stdout
    assert "_DEEPIDV_ASYNC_COMPLETE" in result.stdout
    assert run("--version").stdout == f"deepidv-async {deepidv_async.__version__}\n"


def test_shell_completion(run, monkeypatch):
    """What the help says about completion works, for the program's own name."""
    monkeypatch.setenv("_DEEPIDV_ASYNC_COMPLETE", "zsh_source")
    result = run()
    assert result.exit_code == 0
    assert "#compdef deepidv-async" in result.stdout


def test_a_failed_write(run, api, monkeypatch):
    """A full disk is one line and 1, not a traceback."""
    monkeypatch.setattr(_options.Terminal, "flush", _no_space)
    result = run("workflows")
    assert result.exit_code == 1
    assert result.stderr == "Error: No space left on device\n"


def _no_space(self):
    raise OSError(28, "No space left on device")


def test_an_error_without_a_number(run, api, monkeypatch):
    """An operating system error that has a text only is told by it."""

    def fail(self):
        raise OSError("not quite right")

    monkeypatch.setattr(_options.Terminal, "flush", fail)
    assert run("workflows").stderr == "Error: not quite right\n"


@pytest.mark.parametrize(
    "mistake", [ZeroDivisionError(), ModuleNotFoundError("no", name="deepidv_async.lost")]
)
@pytest.mark.parametrize("command", ["workflows", "sim"])
def test_a_mistake_of_ours_is_not_hidden(run, api, monkeypatch, command, mistake):
    """Only expected errors become messages: a bug shows its traceback."""

    def fail(*_, **__):
        raise mistake

    monkeypatch.setattr(_options.Terminal, "flush", fail)
    monkeypatch.setattr(_sim, "serve", fail)
    with pytest.raises(type(mistake)):
        run(command)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (BrokenPipeError, 141),
        (KeyboardInterrupt, 130),
        (ImportError("needs something"), 2),
        (OSError(28, "No space left on device"), 1),
    ],
)
def test_what_a_command_raises(run, api, monkeypatch, raised, code):
    """Each end that is no error of the API has its code as well; the first two are silent."""

    async def fail(*_, **__):
        raise raised

    monkeypatch.setattr(_listing._Listing, "run", fail)
    result = run("workflows")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("Error: ") == (code < 100)


def test_an_interrupt_before_the_command(run, monkeypatch):
    """Ctrl-C while the options are read: click's way to say so becomes 130 as well."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_app.cli, "make_context", interrupted)
    result = run("workflows")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.strip() == ""
