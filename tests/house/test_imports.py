"""Who may import whom, read from the source: the picture of the house that cannot go stale."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "deepidv_async"

# From the top down. A module may import those of its own floor and of the floors below it; a
# folder counts as one module. A new module finds its floor here first.
FLOORS: list[list[str]] = [
    ["__main__"],
    ["testing"],
    ["cli", "observe"],
    ["__init__"],
    ["_client"],
    ["_fanout", "_paging", "_prefetch"],
    ["_pipeline", "_narrator", "_trip", "_options", "_feedback", "_calls"],
    [
        *("_retry", "limits", "_transport", "_sender", "_pool", "_gate", "_binding", "_session"),
        *("_delivery", "_inflate", "_problems", "_wire", "_arguments"),
        *("_structure", "_pages", "_records", "_hooks", "_body", "_shape", "_values", "_json"),
    ],
    ["_models", "_config", "_events", "_limiter_events", "_observers", "_failures"],
    ["_status_errors", "_errors", "_history", "_redaction", "_clock", "_guard"],
]
FLOOR = {module: number for number, floor in enumerate(FLOORS) for module in floor}

# A library that is met in one place can be replaced in one place.
HOMES = {
    "httpx": {"_transport", "_sender", "_pool", "testing"},
    "httpx2": {"_sender"},
    "httpcore": {"_pool"},
    "certifi": {"_transport"},
    "ssl": {"_transport", "_pool", "cli"},  # the doctor looks at certificates
    "cattrs": {"_structure"},
    "msgspec": {"_json"},
    "click": {"cli"},
    "rich": {"cli"},
    "redis": {"cli"},  # the limiter takes any client
    "starlette": {"simulator"},
    "uvicorn": {"simulator"},
    "opentelemetry": {"observe"},
    "pytest": {"testing"},
    "respx": {"testing"},
}
EVERYWHERE = {"anyio", "attrs"}


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported(path: Path) -> set[str]:
    """Dotted names of all that a module imports, at its top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                names.update(alias.name for alias in node.names)
            case ast.ImportFrom(level=0, module=str(module)):
                # A name taken from a folder's __init__ may be a module of it.
                names.update(f"{module}.{alias.name}" for alias in node.names)
            case ast.ImportFrom():
                names.add(".")
    return names


IMPORTS = {path: _imported(path) for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = {_room(path) for path in IMPORTS}


def _rooms_imported(path: Path) -> set[str]:
    rooms = set()
    for name in IMPORTS[path]:
        first, _, rest = name.partition(".")
        if first == "deepidv_async":
            room = rest.partition(".")[0]
            rooms.add(room if room in MODULES else "__init__")
    return rooms


def _named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_imports_are_absolute():
    """A module is named the same way wherever it is imported, so that it can be searched for."""
    assert [_named(path) for path, names in IMPORTS.items() if "." in names] == []


def test_every_module_has_its_floor():
    """The simulator stands beside the house; every other module has exactly one floor."""
    listed = [module for floor in FLOORS for module in floor]
    assert sorted([*listed, "simulator"]) == sorted(MODULES)


def test_imports_run_downwards():
    """No module knows of one above it, so that each can be read with those below it only."""
    upwards = [
        f"{_named(path)} imports {room}"
        for path in IMPORTS
        if (mine := _room(path)) != "simulator"
        for room in _rooms_imported(path) - {"simulator"}
        if FLOOR[room] < FLOOR[mine]
    ]
    assert upwards == []


def test_imports_have_no_circle():
    """On one floor too, the modules can be put into an order."""
    graph: dict[str, set[str]] = {}
    for path in IMPORTS:
        graph.setdefault(_room(path), set()).update(_rooms_imported(path) - {_room(path)})
    assert list(TopologicalSorter(graph).static_order())


def test_the_simulator_knows_nothing_of_the_client():
    """A mistake that both share would cancel out; and only demo, helpers and users start it."""
    for path in IMPORTS:
        if _room(path) == "simulator":
            assert _rooms_imported(path) <= {"simulator", "_errors", "_clock"}, _named(path)
        elif "simulator" in _rooms_imported(path):
            assert _room(path) in ("cli", "testing"), _named(path)


def test_libraries_are_met_at_home_only():
    """Each library has one room; what the base install lacks has a room of its own."""
    own = {"deepidv_async", *EVERYWHERE, *sys.stdlib_module_names} - set(HOMES)
    strange = [
        f"{_named(path)} imports {name}"
        for path, names in IMPORTS.items()
        for name in names
        if (library := name.partition(".")[0]) not in own
        and _room(path) not in HOMES.get(library, ())
    ]
    assert strange == []


BARE = """
import sys
extras = "click msgspec rich starlette uvicorn opentelemetry pytest redis respx"
for extra in extras.split():
    sys.modules[extra] = None  # importing it now raises ImportError
import deepidv_async, deepidv_async.limits.redis, deepidv_async.testing
for name in deepidv_async.__all__:
    getattr(deepidv_async, name)
"""


def test_the_base_install_needs_no_extra():
    """`import deepidv_async` works with httpx, anyio, attrs and cattrs alone."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BARE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def _loaded_by(code: str) -> set[str]:
    """Names of the top-level modules that a new interpreter has loaded after `code`."""
    shown = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + shown],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_is_light():
    """`import deepidv_async` loads no HTTP library, no cattrs, no TLS and no event loop."""
    heavy = {"httpx", "httpcore", "cattrs", "ssl", "asyncio", "anyio", "attr", "rich", "click"}
    assert not heavy & _loaded_by("import deepidv_async")
    touched = _loaded_by("from deepidv_async import AsyncDeepIDV, RateLimit, DeepIDVError")
    assert not {"httpx", "httpcore", "cattrs", "rich", "click"} & touched


CONSTRUCTED = """
import asyncio, socket, ssl, sys, threading

def serve(listener):
    with listener.accept()[0] as connection:
        while not connection.recv(65536).endswith(b"\\r\\n\\r\\n"):
            pass
        body = b'{"workflows": [{"id": "a", "created_at": "2026-01-02T03:04:05Z"}]}'
        head = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n"
        connection.sendall(head % len(body) + body)

with socket.create_server(("127.0.0.1", 0)) as listener:
    threading.Thread(target=serve, args=(listener,)).start()
    from deepidv_async import AsyncDeepIDV
    made = []
    make = ssl.create_default_context
    ssl.create_default_context = lambda *args, **options: made.append(1) or make(*args, **options)
    client = AsyncDeepIDV("key", base_url="http://127.0.0.1:%d" % listener.getsockname()[1])
    assert not made

    async def main():
        before = set(sys.modules)
        async with client:
            assert len(await client.list_workflows()) == 1
        return set(sys.modules) - before

    print(*sorted(asyncio.run(main())))
    assert made == [1]
"""


def test_a_request_loads_nothing():
    """Making a client loads what its requests need, but makes no TLS context yet.

    Python's own codecs and its thread pool, which the first look-up of a host loads, are not ours.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CONSTRUCTED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    python = {"stringprep", "unicodedata", "concurrent.futures.thread"}
    late = [name for name in done.stdout.split() if not name.startswith("encodings")]
    assert sorted({*late} - python) == []
