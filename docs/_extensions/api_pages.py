"""Writes one page for every package: what it offers by name, then what its modules have beyond that."""

import ast
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from sphinx.application import Sphinx

import oodretrieval

SOURCE = Path(oodretrieval.__file__).parent
PAGES = Path(__file__).parents[1] / "api"


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the pages written before Sphinx looks for them."""
    app.connect("config-inited", lambda *_: write_pages())
    return {"parallel_read_safe": True}


def write_pages() -> None:
    """Write ``docs/api/<package>.rst`` for every top-level package and module, and their list."""
    PAGES.mkdir(exist_ok=True)
    tops = sorted(path for path in SOURCE.iterdir() if _is_public(path))
    for top in tops:
        _write(PAGES / f"{top.stem}.rst", page(top))
    _write(
        PAGES / "index.rst",
        "\n".join([*_title("API"), ".. toctree::", "", *(f"   {t.stem}" for t in tops), ""]),
    )


def page(top: Path) -> str:
    """The page of a top-level package or module."""
    lines = _title(f"oodretrieval.{top.stem}")
    for path in [top, *sorted(top.rglob("*.py"))] if top.is_dir() else [top]:
        if path.stem == "__init__":
            continue
        module = ".".join(("oodretrieval", *path.relative_to(SOURCE).with_suffix("").parts))
        offered = set(getattr(import_module(module.rpartition(".")[0]), "__all__", ()))
        own = [name for name in _public_names(path) if name not in offered]
        if path.is_dir() or (own and path.stem not in offered):
            lines += [*_section(path, top, module), f".. automodule:: {module}"]
            lines += _offered(module) if path.is_dir() else [f"   :members: {', '.join(own)}", ""]
    return "\n".join(lines)


def _is_public(path: Path) -> bool:
    return not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").is_file())


def _public_names(path: Path) -> list[str]:
    """Public classes, functions and constants with a text below them, that a module defines, in its order."""
    if path.is_dir():
        return []
    body = ast.parse(path.read_text(encoding="utf-8")).body
    defined = (_name(node, following) for node, following in pairwise([*body, ast.Pass()]))
    return [name for name in defined if name and not name.startswith("_")]


def _name(node: ast.stmt, following: ast.stmt) -> str:
    match node, following:
        case ((ast.ClassDef() | ast.FunctionDef()), _):
            return node.name
        case (
            ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)),
            ast.Expr(ast.Constant(str())),
        ):
            return name
    return ""


def _offered(package: str) -> list[str]:
    """All that a package offers, less what has its place on the page of another."""
    module = import_module(package)
    origins = {
        name: getattr(getattr(module, name), "__module__", None) for name in getattr(module, "__all__", ())
    }
    others = [
        name for name, origin in origins.items() if origin and not f"{origin}.".startswith(f"{package}.")
    ]
    return ["   :members:", *([f"   :exclude-members: {', '.join(others)}"] if others else []), ""]


def _section(path: Path, top: Path, module: str) -> list[str]:
    return [] if path == top else [module, "-" * len(module), ""]


def _title(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
