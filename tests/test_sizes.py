"""Nothing grows so long that it must be searched: modules end within 300 lines, functions within 50."""

import ast
from pathlib import Path

import oodretrieval

MODULE, FUNCTION = 300, 50
ROOT = Path(oodretrieval.__file__).parents[1]
PATHS = [
    ROOT / "configuration.py",
    *(
        path
        for folder in ("oodretrieval", "scripts", "benchmarks", "docs")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ),
]


def too_long(source):
    """What of a module is too long, and how long it is; of a function, its docstring does not count."""
    found = {}
    lines = len(source.splitlines())
    if lines > MODULE:
        found["module"] = lines
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            described = ast.get_docstring(node, clean=False) is not None
            body = node.body[0] if described else None
            length = 1 + node.end_lineno - node.lineno
            length -= 1 + body.end_lineno - body.lineno if body is not None else 0
            if length > FUNCTION:
                found[node.name] = length
    return found


def test_modules_and_functions_are_short():
    found = {path: long for path in PATHS if (long := too_long(path.read_text(encoding="utf-8")))}
    assert found == {}


def test_this_test_notices():
    long = "def f():\n" + "    x = 1\n" * FUNCTION
    described = 'def g():\n    """Says.\n\n    More."""\n' + "    x = 1\n" * (FUNCTION - 1)
    assert too_long(long) == {"f": FUNCTION + 1}
    assert too_long(described) == {}
    assert too_long("x = 1\n" * (MODULE + 1)) == {"module": MODULE + 1}
