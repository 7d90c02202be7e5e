"""Names in docstrings and signatures: short roles find what they name, array types are as short as in the source."""

import re
from importlib import import_module
from typing import Any

from docutils.nodes import Element
from numpy.typing import ArrayLike
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import stringify_annotation

ARRAY = re.compile(r"~?numpy\.ndarray\[tuple\[(?:~?typing\.)?Any, \.\.\.\], ~?numpy\.dtype\[(.+?)\]\]")
ARRAY_LIKE = {stringify_annotation(ArrayLike, mode) for mode in ("smart", "fully-qualified")}


def setup(app: Sphinx) -> dict[str, bool]:
    """After napoleon read a docstring, and where a name has no entry."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", leave_out_aliases)
    app.connect("autodoc-process-docstring", keep_colons, priority=900)
    app.connect("autodoc-process-docstring", shorten_types, priority=900)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("missing-reference", find_name)
    return {"parallel_read_safe": True}


def leave_out_aliases(
    _app: Sphinx, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """The text that Python gives the fields of a named tuple says nothing."""
    lines[:] = [line for line in lines if not re.fullmatch(r"Alias for field number \d+", line)]


def keep_colons(_app: Sphinx, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Put back what napoleon took for a type: it is what a text says before its first colon, as ours hold no types."""
    for mark, text in ((":type: ", ""), (":rtype: ", ":returns: ")):
        taken = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
        place = next((i for i, line in enumerate(lines) if line.strip() and line.startswith(text)), None)
        if len(taken) == 1 and place is not None:
            lines[place] = f"{text}{taken[0]}: {lines[place].removeprefix(text)}"
            lines[:] = [line for line in lines if not line.startswith(mark)]


def shorten_types(_app: Sphinx, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Types of attributes; a name that ends in ``_`` (``numpy.str_``) would be taken for a link."""
    lines[:] = [
        re.sub(r"_\b(?!\w)", r"\\_", _short(line)) if line.startswith(":vartype") else line for line in lines
    ]


def shorten_signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    _obj: Any,
    _options: Any,
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """Arguments and what is returned."""
    return signature and _short(signature), returned and _short(returned)


def find_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """What a role names by its last part, in its own package; or plain text, where it exists and has no entry."""
    if node.get("refdomain") != "py":
        return None
    module, around, target = (node.get(key) or "" for key in ("py:module", "py:class", "reftarget"))
    package = ".".join(module.split(".")[:2])
    domain: Any = env.domains["py"]
    found = domain.find_obj(env, None, None, target, None, searchmode=1)
    near = [name for name, entry in found if f"{name}.".startswith(f"{package}.") and not entry.aliased]
    if package and len(near) == 1:
        name = near[0]
        node["refexplicit"], node["reftarget"] = True, name
        return env.domains["py"].resolve_xref(
            env, node["refdoc"], app.builder, node["reftype"], name, node, content
        )
    places = (target, f"{module}.{target}", f"{module}.{around}.{target}")
    return content if any(_exists(place) for place in places) else None


def _exists(dotted: str) -> bool:
    """Whether an object of the package, or a field of its class, has this name."""
    parts = dotted.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        if parts[0] != "oodretrieval":
            return False
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if part in getattr(found, "__annotations__", {}):
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def _short(text: str) -> str:
    for long in ARRAY_LIKE:
        text = text.replace(long, "ArrayLike")
    return ARRAY.sub(r"NDArray[\1]", text)
