"""Runs that are killed, or whose disk is full, at random moments: see benchmarks/faults.py, which does it at length."""

import subprocess
import sys
from pathlib import Path

import pytest
from workspace_contents import broken_files, contents

from oodretrieval.stores import Workspace, write_json

ROOT = Path(__file__).resolve().parents[1]


def faults(*arguments):
    command = [sys.executable, str(ROOT / "benchmarks" / "faults.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=3000, check=False)


pytestmark = pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")


def test_thirty_faults_are_survived():
    answer = faults("--faults", "30", "--quick", "--seed", "1")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "| all | 30 | 0 |" in answer.stdout


@pytest.mark.slow
def test_thirty_faults_of_all_stages_are_survived():
    answer = faults("--faults", "30", "--seed", "2")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "| all | 30 | 0 |" in answer.stdout


def test_a_run_that_loses_something_is_noticed(tmp_path):
    """The comparison itself: a file that differs, one that is missing, and one that is cut off are all found."""
    path = tmp_path / "workspace" / "x.json"
    write_json(path, {"a": 1})
    workspace = Workspace(tmp_path / "workspace")
    before = contents(workspace)
    assert broken_files(workspace.path) == []
    path.write_bytes(path.read_bytes().replace(b"1,", b"2,"))
    assert contents(workspace) != before
    assert "x.json" in broken_files(workspace.path)[0]
    path.unlink()
    assert contents(workspace) == {}
