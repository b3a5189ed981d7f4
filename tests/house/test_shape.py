"""The shape of the source: modules and functions that can be read in one go."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "deepidv_async"
SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}

LONGEST_MODULE = 300
LONGEST_FUNCTION = 40

# Each with the reason why it is better whole.
LONGER_MODULES: dict[str, str] = {}
LONGER_FUNCTIONS: dict[str, str] = {}


def _functions(path: Path) -> list[tuple[str, int]]:
    """Name and length of each function, its signature and docstring not counted."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            found.append((node.name, length))
    return found


def test_a_module_says_what_it_is():
    """Every module opens with a docstring whose first line stands alone."""
    unclear = []
    for name, path in SOURCES.items():
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        first, _, rest = text.partition("\n")
        if not first.endswith((".", ":", "?")) or not (not rest or rest.startswith("\n")):
            unclear.append(name)
    assert unclear == []


def test_a_module_is_one_noun():
    """A module that is longer than 300 lines is two modules, or has its reason above."""
    lengths = {name: len(path.read_text().splitlines()) for name, path in SOURCES.items()}
    longer = {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE}
    assert set(longer) == set(LONGER_MODULES), longer


def test_a_function_fits_a_screen():
    """At most 40 lines of code in a function; a longer one has its reason above."""
    longer = {
        f"{name}:{function}": lines
        for name, path in SOURCES.items()
        for function, lines in _functions(path)
        if lines > LONGEST_FUNCTION
    }
    assert set(longer) == set(LONGER_FUNCTIONS), longer


def test_exceptions_have_a_reason():
    """Whoever adds an exception says why the code is better whole."""
    reasons = [*LONGER_MODULES.values(), *LONGER_FUNCTIONS.values()]
    assert [reason for reason in reasons if len(reason.split()) < 5] == []
