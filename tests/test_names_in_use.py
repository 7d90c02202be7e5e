"""What tests and benchmarks reach for: names that exist, that are public, and benchmarks nothing of the tests.

mypy checks the library alone; a name that moved would be missed here only where the line runs.
"""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    path.relative_to(ROOT).as_posix(): path
    for folder in ("tests", "benchmarks", "scripts", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
} | {"configuration.py": ROOT / "configuration.py"}
OF_OTHERS = {  # private by their spelling alone, or without a public way to do what a test must
    "_exit": "the end of a process without any clean-up, as os documents it",
    "_replace": "a method that named tuples document",
    "_process": "how matplotlib's own tests and guide hand an event to a canvas",
    "_predictors": "scikit-learn's trees: files are written that lead a reader astray",
    "_reset_state": "accelerate's state, shared by all accelerators of a process",
    "_preprocess_text": "the tokens that transformers' processor gives to OneFormer",
}
REACHING = {"setattr", "delattr", "getattr", "hasattr", "object"}
PRIVATE = re.compile(r"_(?!_)\w+")


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def is_ours(module):
    return bool(module) and module.split(".")[0] == "oodretrieval"


def resolved(name):
    """What ``oodretrieval.module.attribute`` stands for; an ImportError or AttributeError where there is nothing."""
    found = import_module("oodretrieval")
    for length, part in enumerate(name.split(".")[1:], 2):
        if not hasattr(found, part) and isinstance(found, ModuleType):
            import_module(".".join(name.split(".")[:length]))
        found = getattr(found, part)
    return found


@cache
def exists(name):
    try:
        resolved(name)
    except (ImportError, AttributeError):
        return False
    return True


def modules_named(tree):
    """Alias → module of ours that it stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.asname: a.name for a in node.names if a.asname and is_ours(a.name)}
        elif isinstance(node, ast.ImportFrom) and is_ours(node.module):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if exists(name) and isinstance(resolved(name), ModuleType):
                    found[alias.asname or alias.name] = name
    return found


def named(tree):
    """(line, dotted name of ours) that a file imports or takes from a module."""
    modules = modules_named(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and is_ours(node.module):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in modules:
            yield node.lineno, f"{modules[node.value.id]}.{node.attr}"


def private(tree):
    """(line, text) of every private name of something else that a file reaches for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from ((node.lineno, name) for name in names if PRIVATE.fullmatch(name))
        elif isinstance(node, ast.Attribute) and PRIVATE.fullmatch(node.attr):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not own and node.attr not in OF_OTHERS:
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Call) and called(node) in REACHING:
            for given in node.args:
                if isinstance(given, ast.Constant) and PRIVATE.fullmatch(str(given.value).split(".")[-1]):
                    yield node.lineno, given.value


def called(node):
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def test_names_of_ours_exist():
    in_use = ((file, *use) for file, path in FILES.items() for use in named(tree_of(path)))
    assert [f"{file}:{line}: {name}" for file, line, name in in_use if not exists(name)] == []


def test_nothing_private_is_reached():
    found = [
        f"{file}:{line}: {name}" for file, path in FILES.items() for line, name in private(tree_of(path))
    ]
    assert found == []


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith("tests/")])
def test_only_tests_take_from_tests(file):
    of_tests = {path.stem for path in (ROOT / "tests").rglob("*.py")} - {"__init__"}
    of_tests |= {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").is_file()}
    own = {path.stem for path in FILES[file].parent.glob("*.py")}
    tree = tree_of(FILES[file])
    taken = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert taken & ((of_tests - own) | {"tests"}) == set()
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert "tests" not in texts, "a path to the tests"


def test_the_law_sees_what_it_forbids():
    bad = ast.parse(
        "from oodretrieval.embedding import embed as e, _x\n"
        "from oodretrieval.nowhere import y\n"
        "e._hidden\ne.nothing_of_this_name\nthing.part._inside\n"
        'patch.setattr("oodretrieval.embedding.embed._hidden", 1)\nself._fine\ntuple_._replace()\n'
    )
    missing = [name for _, name in named(bad) if not exists(name)]
    assert missing == [
        "oodretrieval.embedding._x",
        "oodretrieval.nowhere.y",
        "oodretrieval.embedding.embed._hidden",
        "oodretrieval.embedding.embed.nothing_of_this_name",
    ]
    found = {name for _, name in private(bad)}
    assert found == {"_x", "oodretrieval.embedding.embed._hidden", "e._hidden", "thing.part._inside"}
