"""The project's chores, each in an environment of its own: `nox -s NAME`, all names: `nox -l`.

Every session works on the installed package, never on the tree: `PYTHONSAFEPATH` keeps the
working directory off the import path, so a file that the wheel lacks is missed by the tests.
"""

import filecmp
import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests"]
nox.options.error_on_external_run = True
# With CI=true nox would fail `matrix` on a machine that lacks one of its interpreters.
nox.options.error_on_missing_interpreters = False

PYTHONS = [
    classifier.rpartition(" ")[2]
    for classifier in nox.project.load_toml("pyproject.toml")["project"]["classifiers"]
    if classifier.startswith("Programming Language :: Python :: 3.")
]
PACKAGE = "deepidv_async"
EXTRAS = ".[cli,simulator,speed,otel,redis]"
BENCH = ".[simulator,speed,redis]"
ENV = {"PYTHONSAFEPATH": "1", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; whole runs must also cover every branch of the package."""
    session.install(EXTRAS, "--group", "test")
    if session.posargs:
        session.run("python", "-m", "pytest", *session.posargs, env=ENV)
        return
    env = ENV | {"COVERAGE_FILE": str(Path.cwd() / ".coverage")}
    session.run("coverage", "erase", env=env, log=False)
    session.run("coverage", "run", "-m", "pytest", env=env)
    # Silent unless it fails, so that pytest's own summary closes the output.
    session.run("coverage", "combine", env=env, silent=True, log=False)
    least = []
    if not any(map(shutil.which, ("redis-server", "valkey-server"))):
        session.warn("no redis-server: the tests that start one were skipped")
        least = ["--fail-under=97"]
    session.run("coverage", "report", *least, env=env, silent=True, log=False)


@nox.session(python=PYTHONS)
def matrix(session: nox.Session) -> None:
    """Run the tests on every supported Python; those that this machine lacks are skipped."""
    session.install(EXTRAS, "--group", "test")
    session.run("python", "-m", "pytest", "-q", *session.posargs, env=ENV)


@nox.session
def httpx2(session: nox.Session) -> None:
    """Run the tests with clients that send through an injected httpx2.AsyncClient.

    What makes no client has nothing to change, and is left out: decoding, limits and the papers;
    so is what starts programs, which make their own.
    """
    session.install(EXTRAS, "--group", "test")
    folders = ("cli", "client", "house/test_examples.py", "observe", "simulator", "testing", "unit")
    chosen = session.posargs or [f"tests/{folder}" for folder in folders]
    env = ENV | {"PYTHONPATH": "tests"}
    session.run("python", "-m", "pytest", "-q", "-p", "httpx2_mode", *chosen, env=env)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest dependencies that pyproject.toml admits."""
    session.install("uv")
    extras = [f"--extra={extra}" for extra in ("cli", "simulator", "speed", "otel", "redis")]
    wanted = [*extras, "--group=test"]
    session.run("uv", "pip", "install", "--resolution=lowest-direct", "-rpyproject.toml", *wanted)
    # pip builds the package: uv would take a wheel from its cache as long as pyproject.toml
    # is unchanged.
    session.install("--no-deps", ".")
    # Before 4.16 anyio leaves the socket of a cancelled connect to the garbage collector.
    lenient = "-Wignore:unclosed:ResourceWarning"
    session.run("python", "-m", "pytest", "-q", lenient, *session.posargs, env=ENV)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and spelling."""
    session.install("--group", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types: mypy and pyright, strict, and that the public surface is typed whole."""
    session.install(EXTRAS, "--group", "typing")
    session.run("mypy")
    session.run("pyright", env=ENV)
    # It judges the installed package, so it must not find the tree.
    promises = Path("tests/typing/base.py").resolve()
    bare = _make_bare(session, ".")
    session.chdir(session.create_tmp())
    session.run("pyright", "--ignoreexternal", "--verifytypes", PACKAGE, env=ENV)
    # And as users have it who install no extra: httpx2, which `http_client` also takes, is missing.
    session.run("mypy", "--strict", "--python-executable", bare, str(promises))
    session.run("pyright", "--pythonpath", bare, str(promises), env=ENV)


def _make_bare(session: nox.Session, package: str) -> str:
    """Make an environment with the package and its base dependencies only; give its Python."""
    bare = Path(session.create_tmp(), "bare").resolve()
    session.run("python", "-m", "venv", "--clear", str(bare))
    python = str(bare / ("Scripts" if os.name == "nt" else "bin") / "python")
    session.run(python, "-m", "pip", "install", "-q", package, external=True)
    return python


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken reference is an error."""
    session.install(EXTRAS, "--group", "docs")
    target = Path(session.create_tmp(), "html")
    session.run(
        *("sphinx-build", "-E", "-n", "-W", "--keep-going", "-q", "-b", "html"),
        *("docs", str(target)),
        env=ENV,
    )
    session.log(f"read it at {target.resolve().relative_to(Path.cwd())}/index.html")


@nox.session
def package(session: nox.Session) -> None:
    """Build twice, compare, check the metadata, and import the wheel without any extra."""
    session.install("--group", "package")
    folders = [Path(session.create_tmp(), name) for name in ("first", "second")]
    for folder in folders:
        for old in folder.glob("*"):
            old.unlink()
        session.run("python", "-m", "build", "--outdir", str(folder), silent=True)
    built = sorted(path.name for path in folders[0].iterdir())
    _, differ, missing = filecmp.cmpfiles(*folders, built, shallow=False)
    if differ or missing or len(built) != 2:  # noqa: PLR2004 - one sdist, one wheel
        session.error(f"not reproducible: built {built}, differ {differ}, missing {missing}")
    files = [str(folders[0] / name) for name in built]
    wheel = next(name for name in files if name.endswith(".whl"))
    session.run("twine", "check", "--strict", *files)
    session.run("check-wheel-contents", "--toplevel", PACKAGE, wheel)
    _try_alone(session, wheel)


def _try_alone(session: nox.Session, wheel: str) -> None:
    """Install the wheel with its base dependencies only and use it."""
    python = _make_bare(session, wheel)
    session.run(python, "-m", "pip", "check", external=True)
    session.run(python, "-W", "error", "-c", _ALONE, external=True, env=ENV)


_ALONE = f"""
import importlib.metadata, importlib.util, {PACKAGE}, {PACKAGE}.testing
assert importlib.metadata.version("deepidv-async") == {PACKAGE}.__version__
assert [name for name in {PACKAGE}.__all__ if not hasattr({PACKAGE}, name)] == []
extras = "click", "httpx2", "msgspec", "opentelemetry", "redis", "rich", "starlette", "uvicorn"
for extra in extras:
    assert importlib.util.find_spec(extra) is None, extra
"""


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demo, which needs no key and no network."""
    session.install(EXTRAS)
    session.run("deepidv-async", "demo", *session.posargs, env=ENV)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure beside others: all topics, or `-- TOPIC [options]` for one of the folders."""
    folders = sorted(path.parent for path in Path("tests/benchmarks").glob("*/__main__.py"))
    topic, *options = session.posargs or ("",)
    if topic and topic not in {folder.name for folder in folders}:
        session.error(f"no such topic: {topic}; there are {', '.join(f.name for f in folders)}")
    chosen = [folder for folder in folders if topic in ("", folder.name)]
    session.install(BENCH, *(f"-r{folder / 'requirements.txt'}" for folder in chosen))
    for folder in chosen:
        session.run("python", str(folder), *options)
