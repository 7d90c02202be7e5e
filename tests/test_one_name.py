"""One name is one thing: no two public functions or classes of the library are called alike."""

import ast
from collections import defaultdict
from pathlib import Path

import oodretrieval

ROOT = Path(oodretrieval.__file__).parent


def defined(sources):
    """Name → modules that define a public function or class of that name."""
    found = defaultdict(list)
    for module, source in sources.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(module)
    return found


def test_no_two_things_have_one_name():
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(ROOT.rglob("*.py"))
    }
    assert {name: modules for name, modules in defined(sources).items() if len(modules) > 1} == {}


def test_this_test_notices():
    assert defined({"a.py": "def f(): ...\ndef _g(): ...", "b.py": "class f: ..."})["f"] == ["a.py", "b.py"]
