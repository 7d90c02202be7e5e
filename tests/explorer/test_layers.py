"""What knows no toolkit, and what stays light."""

import subprocess
import sys
from pathlib import Path

import pytest

import oodretrieval.explorer

FOLDER = Path(oodretrieval.explorer.__file__).parent
WITHOUT_TOOLKIT = [
    ".".join(path.relative_to(FOLDER).with_suffix("").parts)
    for path in sorted(FOLDER.rglob("*.py"))
    if path.stem not in ("__init__", "hosts") and path.parent.name not in ("desktop", "web")
]


def test_nothing_but_the_views_knows_a_toolkit():
    """The state, the commands and the table are the ground of every view."""
    assert {"state", "session", "commands.table", "commands.triggers"} <= set(WITHOUT_TOOLKIT)
    modules = ", ".join(f"oodretrieval.explorer.{module}" for module in WITHOUT_TOOLKIT)
    toolkits = ["matplotlib", "PySide6", "torch", "panel", "bokeh", "tornado"]
    code = f"import sys, {modules}; print([m for m in {toolkits} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_explorer_needs_neither_torch_nor_pyplot():
    code = "import sys; from oodretrieval.explorer import Explorer; import oodretrieval.explorer.desktop.window; "
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib.pyplot', 'PySide6')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_public_name():
    assert oodretrieval.explorer.__all__ == ["Explorer"]
    with pytest.raises(AttributeError, match="Explore"):
        oodretrieval.explorer.Explore  # noqa: B018
