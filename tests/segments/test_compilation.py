"""Kernels are compiled once where they can be kept, and every time where they cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import oodretrieval

PACKAGE = Path(oodretrieval.__file__).parent
WORK = """
import numpy as np
from oodretrieval.segments import label_components
assert label_components(np.array([[7, 3, 7]])).tolist() == [[1, 2, 3]]
import oodretrieval.segments.labelling as labelling
stats = labelling.label_runs.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def copied(site):
    """The package elsewhere, without compiled kernels."""
    target = site / "oodretrieval"
    for path in ("__init__.py", "compilation", "errors.py", "labels.py", "segments"):
        source = PACKAGE / path
        if source.is_dir():
            shutil.copytree(source, target / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / path)
    return target


@pytest.fixture
def copy(tmp_path):
    """A copy of this test's own."""
    return copied(tmp_path / "site")


def run(copy, home, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "XDG"))}
    environment |= {
        "PYTHONPATH": str(copy.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        **variables,
    }
    result = subprocess.run(
        [sys.executable, "-c", WORK], capture_output=True, text=True, env=environment, cwd=home
    )
    assert result.returncode == 0, result.stderr
    return tuple(int(number) for number in result.stdout.split())


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The package elsewhere, after a first process; not to be changed."""
    folder = tmp_path_factory.mktemp("compiled")
    assert run(copied(folder / "site"), folder) == (0, 1)
    return folder / "site" / "oodretrieval"


@pytest.mark.slow
def test_the_second_process_finds_the_kernels_of_the_first(compiled, tmp_path):
    assert run(compiled, tmp_path) == (1, 0)
    assert list((compiled / "segments" / "__pycache__").glob("*.nbi"))


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["segments/pixels.py", "compilation/union_find.py"])
def test_a_change_of_any_kernel_is_noticed(compiled, tmp_path, changed):
    copy = shutil.copytree(compiled, tmp_path / "site" / "oodretrieval")
    with (copy / changed).open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    assert run(copy, tmp_path) == (0, 1)


@pytest.mark.slow
def test_a_folder_of_choice(copy, tmp_path):
    folder = tmp_path / "chosen"
    assert run(copy, tmp_path, NUMBA_CACHE_DIR=str(folder)) == (0, 1)
    assert list(folder.rglob("*.nbi"))


@pytest.mark.slow
def test_works_where_nothing_can_be_written(copy, tmp_path):
    # A file in the place of each folder: permissions do not stop the administrator, and tests may run as one.
    home = tmp_path / "home"
    home.mkdir()
    for package in ("compilation", "segments"):
        (copy / package / "__pycache__").write_text("")
    (home / ".cache").write_text("")
    (home / "Library").write_text("")
    for _ in range(2):
        assert run(copy, home, LOCALAPPDATA=str(home / ".cache"), NUMBA_CACHE_DIR="")[0] == 0


@pytest.mark.slow
def test_a_full_disk_at_the_first_call_is_no_error(copy, tmp_path):
    prepare = copy / "segments" / "__init__.py"
    broken = "import numba.core.caching as c, errno\n"
    broken += "def full(*_): raise OSError(errno.ENOSPC, 'No space left on device')\n"
    broken += "c.IndexDataCacheFile.save = full\n"
    prepare.write_text(broken + prepare.read_text(encoding="utf-8"), encoding="utf-8")
    assert run(copy, tmp_path)[0] == 0
