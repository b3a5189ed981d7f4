"""The pages' shell lines: commands of ours are run, everything else is checked by its name."""

import ast
import io
import re
import shlex
import tomllib
from pathlib import Path

import attrs
import pytest

from deepidv_async.cli import _sim, main
from deepidv_async.cli._app import COMMANDS as COMMAND_NAMES
from deepidv_async.simulator import running_simulator
from redis_server import running_redis

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SETTINGS = {"DEEPIDV_API_KEY", "DEEPIDV_BASE_URL", "DEEPIDV_API_VERSION", "DEEPIDV_REDIS_URL"}
# Programs that a reader has, or is told to install.
OTHERS = {"apt-get", "bash", "eval", "jq", "python3", "sort", "uniq"}


@attrs.frozen
class Command:
    """One simple command of a line.

    Attributes:
        program: its name, without a path.
        arguments: what follows.
        stdin: the file that `<` names.
    """

    program: str
    arguments: tuple[str, ...]
    stdin: str | None = None

    def __str__(self) -> str:
        return " ".join([self.program, *self.arguments, *(["<"] if self.stdin else [])])


def shell_lines(page):
    """Give the lines of all shell blocks, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def commands(line):
    """Take a line apart: at pipes and `&&`, with its redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&<>")
    lexer.whitespace_split = True
    found, words, stdin, target = [], [], None, ""
    for word in [*lexer, "&&"]:
        if target:
            stdin, target = (word if target == "<" else stdin), ""
        elif word in ("<", ">"):
            target = word
        elif word in ("|", "&&"):
            found.append(Command(Path(words[0]).name, tuple(words[1:]), stdin))
            words, stdin = [], None
        else:
            words.append(word)
    return found


# The same command on two pages is one command.
COMMANDS = sorted(
    {command for page in PAGES for line in shell_lines(page) for command in commands(line)},
    key=str,
)


@pytest.fixture(scope="module")
def api():
    """A simulator for all commands."""
    with running_simulator(workflows=2, sessions=10, rate=None) as served:
        yield served


@pytest.fixture
def connected(api, monkeypatch, tmp_path):
    """The settings and files that the pages tell a reader to have."""
    monkeypatch.setenv("DEEPIDV_API_KEY", api.api_key)
    monkeypatch.setenv("DEEPIDV_BASE_URL", api.base_url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key.txt").write_text(f"{api.api_key}\n")
    # The real one would serve until Ctrl-C.
    monkeypatch.setattr(
        _sim, "serve", lambda simulator, host, port, on_ready: on_ready(f"http://{host}:{port}")
    )
    return api


def run_ours(command, api, monkeypatch):
    """Run a command of ours in this process; give its exit code."""
    arguments = [
        word.replace("$WORKFLOW_ID", api.simulator.workflow_ids[0]) for word in command.arguments
    ]
    if arguments == ["demo"]:
        arguments.append("--help")  # it takes seconds, and has tests of its own
    if arguments[:1] == ["limits"]:
        with running_redis() as server:
            monkeypatch.setenv("DEEPIDV_REDIS_URL", server.url)
            main(["workflows"])  # a limit that nobody uses is not there
            return main(arguments)
    if command.stdin is not None:
        text = io.TextIOWrapper(io.BytesIO(Path(command.stdin).read_bytes()))
        monkeypatch.setattr("sys.stdin", text)
    return main(arguments)


def check_nox(arguments):
    """Check that the sessions after `-s` are in the noxfile."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    sessions = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list
    }
    _, _, behind = " ".join(arguments).partition("-s ")
    assert set(behind.partition(" -- ")[0].split()) <= sessions


def check_pip(arguments):
    """Check that it installs this tree, with extras that exist, or nox."""
    install, wanted = arguments
    assert install == "install"
    extras = re.fullmatch(r"nox|\.(?:\[([\w,]+)\])?", wanted)
    assert extras, wanted
    assert set((extras[1] or "cli").split(",")) <= EXTRAS.keys()


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_works(command, connected, monkeypatch):
    """What a reader copies from a shell block exists, and does what it should."""
    match command.program:
        case "deepidv-async":
            assert run_ours(command, connected, monkeypatch) == 0
        case "nox":
            check_nox(command.arguments)
        case "pip":
            check_pip(command.arguments)
        case "export":
            assert {word.partition("=")[0] for word in command.arguments} <= SETTINGS
        case other:
            assert other in OTHERS


def test_a_line_is_taken_apart():
    """Pipes, lists, comments and redirections are understood, or the check above sees nothing."""
    line = "a/b 'c d' < in > out | e && f  # g && h"
    assert commands(line) == [
        Command("b", ("c d",), "in"),
        Command("e", ()),
        Command("f", ()),
    ]


def test_there_is_something_to_check():
    """The commands of the command line are among those that are found."""
    ours = {command.arguments[:1] for command in COMMANDS if command.program == "deepidv-async"}
    assert {(name,) for name in COMMAND_NAMES} <= ours
