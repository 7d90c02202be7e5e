"""What knows no toolkit, and what stays light."""

import subprocess
import sys

import pytest

import oodretrieval.explorer


@pytest.mark.parametrize(
    "module",
    [
        "state",
        "categories",
        "actions",
        "prompt",
        "work",
        "projections",
        "crops",
        "worker_process",
        "settings",
    ],
)
def test_what_knows_no_toolkit(module):
    code = f"import sys, oodretrieval.explorer.{module}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_explorer_needs_neither_torch_nor_pyplot():
    code = "import sys; from oodretrieval.explorer import Explorer; import oodretrieval.explorer.desktop; "
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib.pyplot', 'PySide6')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_public_name():
    assert oodretrieval.explorer.__all__ == ["Explorer"]
    with pytest.raises(AttributeError, match="Explore"):
        oodretrieval.explorer.Explore  # noqa: B018
