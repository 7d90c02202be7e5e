"""What is said of pip-audit's answers: what it skipped is not checked."""

import json
import runpy
from pathlib import Path

import pytest

verdict = runpy.run_path(str(Path(__file__).resolve().parents[1] / ".ci" / "audit.py"))["verdict"]
FINE = {"name": "a", "version": "1", "vulns": []}
WEAK = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": []}]}
SKIPPED = {"name": "c", "skip_reason": "the service cannot be reached"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([FINE], 0, ["1 packages checked, 0 known weaknesses"]),
        ([FINE, WEAK], 1, ["b 2: CVE-1", "2 packages checked, 1 known weaknesses"]),
        ([FINE, SKIPPED], 0, ["1 packages checked", "NOT CHECKED: 1 of 2 packages, e.g. as the service"]),
        ([SKIPPED], 0, ["0 packages checked", "NOT CHECKED: 1 of 1 packages"]),
    ],
)
def test_skipped_is_not_checked(packages, code, said):
    found, text = verdict(json.dumps({"dependencies": packages, "fixes": []}))
    assert found == code
    assert [part for part in said if part not in text] == []
    assert ("NOT CHECKED" in text) is (SKIPPED in packages)


@pytest.mark.parametrize("answer", ["", "no JSON", "[]", "{}"])
def test_no_answer_is_not_checked(answer):
    assert verdict(answer) == (0, verdict("")[1])
    assert verdict(answer)[1].startswith("NOT CHECKED")
