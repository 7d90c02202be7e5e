"""Every public function says what it takes, what it gives and what it raises."""

import ast
import re
from pathlib import Path

import pytest

import oodretrieval

ROOT = Path(oodretrieval.__file__).parent
SECTIONS = ("Args", "Returns", "Yields", "Raises", "Source", "Example", "Attributes")
COMMANDS = re.compile(
    r"(?:"
    r"add|apply|ask|bring|build|call|check|choose|close|commit|compare|compile|compute|copy|"
    r"count|create|cut|deliver|describe|do|drop|draw|embed|encode|evaluate|explore|fetch|fill|find|"
    r"finish|fit|forget|gather|get|give|go|grow|have|help|hide|import|inspect|join|"
    r"keep|learn|leave|let|load|log|make|mark|measure|minimise|move|normalise|note|open|"
    r"outline|paint|predict|print|project|put|raise|read|refuse|remove|render|rename|resize|"
    r"return|run|save|say|search|see|select|set|shade|shift|show|shrink|sort|split|"
    r"standardise|start|stop|store|take|train|translate|turn|undo|unite|update|upsample|widen|"
    r"write"
    r")\b",
    re.IGNORECASE,
)
"""A line that begins so says what is done, not what is given."""


def public(tree):
    """Public functions of a module and methods of its public classes, as (qualified name, node, class or None)."""
    found = []

    def walk(body, owner):
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                walk(node.body, node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                name = f"{owner.name}.{node.name}" if owner else node.name
                found.append((name, node, owner))

    walk(tree.body, None)
    return [each for each in found if not decorated(each[1], "overload", "setter")]


def decorated(node, *names):
    return any(ast.unparse(each).rpartition(".")[2] in names for each in node.decorator_list)


def parameters(node, owner):
    """Names of the arguments that a caller gives; those that begin with ``_`` are not used."""
    given = node.args
    names = [each.arg for each in (*given.posonlyargs, *given.args)]
    if owner and not decorated(node, "staticmethod"):
        names = names[1:]
    names += [each.arg for each in (given.vararg, *given.kwonlyargs, given.kwarg) if each]
    return [name for name in names if not name.startswith("_")]


def raised(node, caught=frozenset()):
    """Names of the errors that leave a function from its own ``raise``; an empty one where it is made elsewhere."""
    found = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        inside = isinstance(node, ast.Try) and child in node.body
        caught_here = caught | (handled(node) if inside else set())
        if isinstance(child, ast.Raise) and child.exc:
            error = child.exc.func if isinstance(child.exc, ast.Call) else child.exc
            name = ast.unparse(error).rpartition(".")[2]
            found |= {name if re.match("[A-Z]", name) else ""} - caught_here
        found |= raised(child, caught_here)
    return found - {"NotImplementedError"}


def handled(node):
    """Names of the errors that the handlers of a ``try`` catch."""
    kinds = (kind for handler in node.handlers if handler.type for kind in ast.walk(handler.type))
    return {
        ast.unparse(kind).rpartition(".")[2] for kind in kinds if isinstance(kind, ast.Name | ast.Attribute)
    }


def sections(text):
    """Sections of a docstring: name → its lines; what precedes them is ``""``."""
    found, current = {"": []}, ""
    for line in text.splitlines():
        if line.rstrip(":") in SECTIONS and line.endswith(":"):
            current = line.rstrip(":")
            found[current] = []
        else:
            found[current].append(line)
    return found


def items(lines):
    """Names that the lines of a section explain."""
    return [match[1].lstrip("*") for line in lines if (match := re.match(r" {4}(\*{0,2}\w+):", line))]


def missing(node, owner, inherited=frozenset()):
    """What a function's docstring does not say, in words.

    One parameter may be explained by the text, which then names it in double backticks; with none or such a one,
    what is returned may be what the first line begins with. A method that a base class explains needs one line, and
    so does "As :meth:`X.name`" for a method of the same name.
    """
    text = ast.get_docstring(node)
    if not text:
        return ["a docstring"]
    if node.name in inherited or re.match(rf"As :(?:func|meth):`[\w.]*\b{node.name}`", text):
        return []
    parts, names, found = sections(text), parameters(node, owner), []
    in_text = len(names) == 1 and f"``{names[0]}``" in "\n".join(parts[""])
    if not in_text and items(parts.get("Args", [])) != names:
        found.append(f"Args: {', '.join(names)}" if names else "no Args")
    gives = ast.unparse(node.returns) if node.returns else "None"
    short = not names or in_text
    said = {"Returns", "Yields"} & parts.keys() or (short and not COMMANDS.match(text))
    if gives not in ("None", "Never", "NoReturn") and not said:
        found.append("Returns")
    errors = raised(node)
    unnamed = [name for name in errors if name and name not in items(parts.get("Raises", []))]
    if unnamed or (errors and "Raises" not in parts):
        found.append(f"Raises: {', '.join(unnamed)}")
    return found


def explained_by_bases(owner, classes):
    """Names of the methods that the bases of a class in this package explain; ``classes`` are all, by name."""
    if owner is None:
        return set()
    found = set()
    for base in owner.bases:
        name = ast.unparse(base.value if isinstance(base, ast.Subscript) else base).rpartition(".")[2]
        if (known := classes.get(name)) is not None and known is not owner:
            methods = (node for node in known.body if isinstance(node, ast.FunctionDef))
            found |= {node.name for node in methods if ast.get_docstring(node)}
            found |= explained_by_bases(known, classes)
    return found


def test_every_public_function_is_explained():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}
    classes = {
        node.name: node
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    lacking = {
        f"{path.relative_to(ROOT)}: {name}": found
        for path, tree in trees.items()
        for name, node, owner in public(tree)
        if (found := missing(node, owner, explained_by_bases(owner, classes)))
    }
    assert lacking == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(): ...", ["a docstring"]),
        ('def f() -> int:\n    """Number of things."""', []),
        ('def f() -> int:\n    """Count the things."""', ["Returns"]),
        ('def f(x) -> int:\n    """Number of things in ``x``."""', []),
        ('def f(x) -> int:\n    """Number of things in it."""', ["Args: x", "Returns"]),
        ('def f(x, y):\n    """Put ``x`` into ``y``."""', ["Args: x, y"]),
        ('def f(x, *, y):\n    """Put.\n\n    Args:\n        x: One.\n        y: Two.\n    """', []),
        ('def f(x, y):\n    """Put.\n\n    Args:\n        y: Two.\n        x: One.\n    """', ["Args: x, y"]),
        ('def f():\n    """Stop."""\n    raise ValueError', ["Raises: ValueError"]),
        (
            'def f():\n    """Stop."""\n    try:\n        raise OSError()\n    except OSError:\n        pass',
            [],
        ),
        (
            'def f():\n    """Stop.\n\n    Raises:\n        OSError: Always.\n    """\n    raise OSError("x")',
            [],
        ),
        ('class A:\n    def f(self, x):\n        """Put it."""', ["Args: x"]),
        ('class A:\n    def f(self, x):\n        """As :meth:`B.f`."""', []),
    ],
)
def test_this_test_notices(source, expected):
    ((_, node, owner),) = public(ast.parse(source))
    assert missing(node, owner) == expected
