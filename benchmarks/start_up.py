"""CPU time until a script has said what it is, or that a name is misspelt, next to importing numpy, pandas and pyarrow.

    python benchmarks/start_up.py

Prints, per script, the median over some runs of the CPU seconds (user and system) of `-h`, `print_config` and three
refusals, divided by those of `python -c "import numpy, pandas, pyarrow"` in the same round. Asked: at most 2.5.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

SCRIPTS = Path(__file__).parents[1] / "scripts"
BASE = [sys.executable, "-c", "import numpy, pandas, pyarrow"]
REFUSED = {
    "misspelt setting": ["with", "args.datset=camvid_val"],
    "wrong type": ["with", "args.gpu=first"],
    "misspelt network": ["with", "args.model_name=deeplabv3plus_camvit"],
}
CALLS = {"-h": ["-h"], "print_config": ["print_config"], **REFUSED}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(f"| script | {' | '.join(CALLS)} |")
    print("|---|" + "---|" * len(CALLS))
    worst = 0.0
    for script in sorted(SCRIPTS.glob("*.py")):
        ratios = {
            name: ratio([sys.executable, str(script), *rest], chosen.rounds) for name, rest in CALLS.items()
        }
        worst = max(worst, *ratios.values())
        print(f"| {script.name} | {' | '.join(f'{value:.2f}' for value in ratios.values())} |", flush=True)
    print(f"\nlargest ratio {worst:.2f} (asked: at most 2.5); {chosen.rounds} rounds, medians")


def ratio(command: list[str], rounds: int) -> float:
    """CPU time of a command over that of the imports, the median of some rounds."""
    return median(cpu_seconds(command) / cpu_seconds(BASE) for _ in range(rounds))


def cpu_seconds(command: list[str]) -> float:
    """User and system time of a finished command."""
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


if __name__ == "__main__":
    main()
