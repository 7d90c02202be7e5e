"""Kills, full disks and exhausted memory at random moments of all stages, each followed by the same command again.

    python benchmarks/faults.py --faults 500 --seed 0 --log faults.jsonl

A parent that has imported everything forks one stage after another on a miniature of a few images, in turn, on what an
undisturbed run of the stages before it left. A fault hits it: SIGKILL or SIGTERM at a random time, SIGKILL in the
middle of a random file operation, a disk that is full from a random file operation on, a limit on the size of files, or
no memory for more arrays. Then every file with a final name must be whole, the same stage without a fault must end
well, and what it leaves must be what it leaves undisturbed: every file byte for byte, but catalogues, whose parts may
be cut in another way, row for row and vector for vector. Prints the summary of docs/trust.md.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.update(  # a forked process has the parent's memory, but none of its threads
    {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")} | os.environ
)

import torch
from command_line import command_line
from fault_kinds import KINDS
from fault_trials import Trial

from oodretrieval.results.tables import markdown_lines
from oodretrieval.stores import blocks


def summary(faults: list[dict[str, Any]]) -> str:
    """Markdown: how many hit, by kind and stage, and how many were not survived."""
    hit = [fault for fault in faults if fault["hit"]]
    kinds = {kind: [fault for fault in hit if fault["kind"] == kind] for kind in KINDS} | {"all": hit}
    rows = [(kind, len(own), sum(bool(fault["problems"]) for fault in own)) for kind, own in kinds.items()]
    lines = [markdown_lines(["fault", "hit", "of these not survived"], rows)]
    counts = Counter(fault["in"].split()[0] for fault in hit)
    lines += ["", "Hit in: " + ", ".join(f"{stage} {count}" for stage, count in counts.most_common()) + "."]
    lines.append(f"Too late to hit: {len(faults) - len(hit)}.")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Do it and print; returns the number of faults that were not survived."""
    parser = command_line(__doc__)
    parser.add_argument("--faults", type=int, default=500, help="that hit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="one line of JSON a fault; goes on with what it holds")
    parser.add_argument("--quick", action="store_true", help="the cheapest stages alone")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    blocks.BLOCK = 2
    faults: list[dict[str, Any]] = []
    if options.log and options.log.is_file():
        faults = [json.loads(line) for line in options.log.read_text().splitlines()]
    with tempfile.TemporaryDirectory(prefix="faults ") as folder:
        trial = Trial(Path(folder), quick=options.quick, seed=options.seed, known=len(faults))
        seconds, operations = (
            sum(getattr(step, name) for step in trial.steps) for name in ("seconds", "operations")
        )
        print(f"{len(trial.steps)} stages, {seconds:.1f} s of CPU, {operations} file operations", flush=True)
        while sum(fault["hit"] for fault in faults) < options.faults:
            faults.append(trial.fault())
            if options.log:
                with options.log.open("a") as log:
                    log.write(json.dumps(faults[-1]) + "\n")
            if faults[-1]["problems"]:
                print(json.dumps(faults[-1], indent=1), flush=True)
    print(summary(faults))
    return sum(bool(fault["problems"]) for fault in faults)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
