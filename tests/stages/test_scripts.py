"""The scripts that ship: what they say of themselves, and how they fail from the shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import run_in_process

import oodretrieval
from oodretrieval.experiment.configuration import VARIABLE

SCRIPTS = Path(oodretrieval.__file__).parents[1] / "scripts"
REAL = sorted(path for path in SCRIPTS.glob("*.py") if "run_script(" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", REAL, ids=lambda path: path.stem)
def test_real_scripts_explain_themselves(script, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("OODRETRIEVAL_WORKSPACE", str(tmp_path / "work"))
    code, explained, err = run_in_process(script, ["-h"], capsys)
    assert (code, err) == (0, "")
    assert f"python scripts/{script.name}" in explained
    code, printed, err = run_in_process(script, ["print_config", "with", "args.gpu=-1"], capsys)
    assert (code, err) == (0, "")
    lines = re.sub(r"\x1b\[\d+m", "", printed).splitlines()  # sacred paints what was changed
    names = printed_names(line for line in lines if line.startswith("    "))
    assert {"gpu", "num_cores", "workspace", "overwrite", "limit", "root"} <= set(names)
    described = explained.split("Settings (args.…):")[1]
    assert [name for name in names if f"\n  {name} " not in described] == [], "settings without a text"
    assert list(tmp_path.iterdir()) == []


def printed_names(lines):
    """Names of settings as sacred prints them; those of a group, which stand further in, with its name."""
    names, group = [], ""
    for line in lines:
        name = line.split()[0]
        if name.endswith(":"):
            group = name.removesuffix(":")
        names.append(f"{group}.{name}" if line.startswith("      ") else name.removesuffix(":"))
    return names


def test_a_reader_may_leave(tmp_path):
    """``-h | head``: whoever reads the output has gone before the script writes; nothing is said of it."""
    read, write = os.pipe()
    command = [sys.executable, SCRIPTS / "compute_metrics.py", "-h"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(read)
    os.close(write)
    assert process.communicate()[1] == "" and process.returncode == 0


def test_results_that_nobody_reads_do_not_end_a_run():
    """The end of what is evaluated is still saved; the exit code is the run's own."""
    code = "import sys, logging\nfrom oodretrieval.experiment.logs import *\nset_up_logs()\n"
    code += "with readers_may_leave():\n for i in range(3): logging.getLogger(OUTPUT).info('x' * 9000)\n"
    code += " logging.getLogger().info('saved')\n sys.exit(3)"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (3, "saved\n")


def test_a_real_script_from_the_shell(tmp_path):
    """Its own process, another working directory: exit code and one line on stderr."""
    command = [sys.executable, SCRIPTS / "compute_metrics.py", "with", "args.datset=x"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "did you mean 'args.dataset'" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert list(tmp_path.iterdir()) == []
