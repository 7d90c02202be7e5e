"""Writes one page for every script, with its settings and their defaults, from the dataclasses that define them."""

import ast
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any
from unittest.mock import patch

from sphinx.application import Sphinx

from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.descriptions import default_values, descriptions

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "settings"


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the pages written before Sphinx looks for them."""
    app.connect("config-inited", lambda *_: write_pages())
    return {"parallel_read_safe": True}


def write_pages() -> None:
    """Write ``docs/settings/<script>.md`` for every script, and their list; only what changed is touched."""
    PAGES.mkdir(exist_ok=True)
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    for script in scripts:
        _write(PAGES / f"{script.stem}.md", page(script))
    entries = "\n".join(script.stem for script in scripts)
    _write(PAGES / "index.md", INDEX.format(entries=entries))


INDEX = """# Settings of every script

Generated from the dataclasses that define them. On the command line:
`python scripts/<script>.py with args.<name>=<value>`.

```{{toctree}}
:maxdepth: 1

{entries}
```
"""


def page(script: Path) -> str:
    """The page of a script: what its docstring says, and a table of its settings."""
    doc = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    settings = default_settings(script)
    lines = ["| `args.…` | default | meaning |", "|---|---|---|"]
    values = default_values(settings)
    for name, text in descriptions(type(settings)).items():
        default = f"`{values[name]!r}`" if name in values else ""
        lines.append(f"| `{name}` | {default} | {_cell(text)} |")
    return "\n".join([f"# {script.name}", "", *map(_paragraph, doc.split("\n\n")), *lines, ""])


def _paragraph(text: str) -> str:
    """A paragraph of a script's docstring; what is to be typed stands in a block."""
    typed = text.lstrip("\n").startswith((" ", "python "))
    return f"```sh\n{dedent(text).strip()}\n```\n" if typed else f"{text}\n"


def _cell(text: str) -> str:
    """Plain words in a table of Markdown."""
    outside = re.sub(r"(`+.+?`+)|([*<])", lambda found: found[1] or f"\\{found[2]}", text)
    return outside.replace("|", "&#124;")


def default_settings(script: Path) -> Any:
    """The settings that a script runs with where the command line says nothing."""
    found: list[Callable[..., Any]] = []
    with patch(
        "oodretrieval.experiment.script.run_script", lambda defaults, *_, **__: found.append(defaults)
    ):
        runpy.run_path(str(script), run_name="__main__")
    return found[0](load_configuration(ROOT / "configuration.py"))


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
