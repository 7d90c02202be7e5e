"""Known weaknesses of the installed packages, as pip-audit finds them; what it could not check is said.

    python .ci/audit.py

pip-audit leaves out packages that its service does not know or that it cannot reach, and still says that all is well.
Exit codes: 0 nothing known of those that were checked, 1 a known weakness.
"""

import json
import subprocess
import sys


def verdict(answer: str) -> tuple[int, str]:
    """What pip-audit's JSON says.

    Args:
        answer: Its standard output; empty, or no JSON, where it did not get that far.

    Returns:
        Exit code, and lines for people.
    """
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return 0, "NOT CHECKED: pip-audit gave no answer, probably as its service cannot be reached from here"
    weak = [(each, found) for each in packages for found in each.get("vulns", [])]
    skipped = [each for each in packages if "skip_reason" in each]
    lines = [f"{each['name']} {each['version']}: {found['id']}" for each, found in weak]
    lines += [f"{len(packages) - len(skipped)} packages checked, {len(weak)} known weaknesses"]
    if skipped:
        names = ", ".join(sorted(each["name"] for each in skipped))
        lines.append(
            f"NOT CHECKED: {len(skipped)} of {len(packages)} packages, e.g. as {skipped[0]['skip_reason']}"
        )
        lines.append(f"  {names}")
    return int(bool(weak)), "\n".join(lines)


def main() -> int:
    """Ask, and print."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--timeout",
        "10",
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    code, text = verdict(found.stdout)
    print(text)
    if not found.stdout.strip():
        print(f"  {(found.stderr.strip().splitlines() or [''])[-1][:300]}")
    return code


if __name__ == "__main__":
    sys.exit(main())
