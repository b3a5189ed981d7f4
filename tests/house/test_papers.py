"""The papers of the house: README, changelog, metadata, and what no file may hold."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import deepidv_async

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

INSTALL_AND_DEMO = (
    "python3 -m venv .venv && .venv/bin/pip install '.[cli,simulator]' "
    "&& .venv/bin/deepidv-async demo"
)
TEST = ".venv/bin/pip install nox && .venv/bin/nox -s tests"


def _files() -> list[Path]:
    """The text files of the project: all that git tracks or would, or an unpacked sdist's."""
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = done.stdout.splitlines() if done.returncode == 0 else []
    found = [ROOT / name for name in names] or [
        path
        for part in ("*.*", "deepidv_async/**/*.py", "docs/*.*", "tests/**/*.py")
        for path in ROOT.glob(part)
    ]
    return [path for path in found if path.is_file() and b"\0" not in path.read_bytes()]


@pytest.mark.parametrize("command", [INSTALL_AND_DEMO, TEST])
def test_the_two_commands(command):
    """README and CI both hold the commands, word for word, on one line."""
    assert command in (ROOT / "README.md").read_text().splitlines()
    assert command in (ROOT / ".ci" / "run").read_text()


def test_the_version_is_static():
    """The build back end reads the version from this very line, without git or imports."""
    text = (ROOT / "deepidv_async" / "__init__.py").read_text()
    assert re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE) == [deepidv_async.__version__]
    assert re.fullmatch(r"\d+\.\d+\.\d+", deepidv_async.__version__)


def test_the_changelog_knows_the_version():
    """Every version has its heading, the newest first."""
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", text, re.MULTILINE)
    assert versions[0] == deepidv_async.__version__
    assert versions == sorted(
        set(versions), key=lambda version: [int(part) for part in version.split(".")], reverse=True
    )


def test_the_base_install_is_light():
    """Four dependencies, and the one that httpx stands on; everything else is an extra."""
    names = {re.split(r"[<>=]", wanted)[0] for wanted in PROJECT["dependencies"]}
    assert names == {"anyio", "attrs", "cattrs", "httpcore", "httpx"}


def test_no_file_names_a_machine():
    """No registry's host and no path of anybody's machine: both are wrong anywhere else."""
    pattern = re.compile(
        r"\b(?:pypi|npmjs|debian|pythonhosted)\.(?:org|com)\b"
        r"|(?<![\w.*/-])/(?:home|root|Users|work)/\w"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_exceptions_to_the_checkers_give_a_reason():
    """`noqa`, `type: ignore` and `pragma` name their rule and say why."""
    # In pieces, so that the checkers do not take the pattern itself for such a mark.
    marks = re.compile(
        r"#\s*(?:noq"
        r"a(?!: [A-Z]+\d+(?:, [A-Z]+\d+)* - \w)"
        r"|typ"
        r"e: ignore(?!\[[a-z-]+(?:, [a-z-]+)*\]  # \w)"
        r"|pyrig"
        r"ht: ignore(?!\[\w+(?:, \w+)*\](?: -|  #) \w)"
        r"|pragm"
        r"a:(?! no (?:cover|branch) - \w))"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in _files()
        if path.suffix == ".py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if marks.search(line)
    ]
    assert found == []
