"""Damaged and hostile files for every reader of files from elsewhere.

    python benchmarks/fuzzing.py --inputs 100000 --seed 0 --log fuzzing.jsonl
    python benchmarks/fuzzing.py --engine atheris --inputs 100000 --log guided.jsonl

Whole files are damaged at random (flipped bits, other bytes, numbers at their limits, parts cut out, repeated or put
elsewhere, ends cut off); files that carry a checksum get the right one again, so that what lies behind is reached. A
reader may read such a file or refuse it with an error of ours. Anything else is a finding: an error of another kind, a
crash of the process, more than ten seconds of CPU, more than four gigabytes. Prints the table of docs/trust.md.

With ``--engine atheris`` (``pip install -c constraints.txt -e ".[fuzz]"``) libFuzzer chooses what to change by the
lines of ours that an input reaches.
"""

import json
import os
import sys
import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from command_line import command_line

from oodretrieval.results.tables import markdown_head, markdown_row


def _counting_lines() -> AbstractContextManager[Any]:
    """What counts the lines of ours that an input reaches, where the command line asks for it."""
    if "atheris" not in sys.argv:
        return nullcontext()
    import atheris

    context: AbstractContextManager[Any] = atheris.instrument_imports(include=["oodretrieval"])
    return context


with _counting_lines():
    from fuzzed_readers import Reader, readers
    from fuzzing_batches import batch
    from fuzzing_guided import guide

BATCH = 500
"""Inputs that one process reads."""


def damage_at_random(everything: Mapping[str, Reader], options: Namespace) -> int:
    """Let readers read damaged files and print; returns the number of findings. Goes on with what the log holds."""
    for reader in everything.values():  # damaged is only what was whole
        with tempfile.TemporaryDirectory() as folder:
            for seed in reader.seeds:
                reader.read(seed, Path(folder))
    counts: dict[str, Counter[str]] = {name: Counter() for name in options.readers or everything}
    if options.log and options.log.is_file():
        for line in options.log.read_text().splitlines():
            noted = json.loads(line)
            counts[noted["reader"]].update(noted["counts"])
    for name, found in counts.items():
        begin = time.monotonic()
        while (done := sum(found.values())) < options.inputs:
            number = min(BATCH, options.inputs - done)
            new, findings = batch(everything[name], options.seed, done, number)
            found.update(new)
            for finding in findings:
                print(f"{name} {finding}", flush=True)
            if options.log:
                with options.log.open("a") as log:
                    log.write(json.dumps({"reader": name, "counts": new, "findings": findings}) + "\n")
        print(f"{name}: {dict(found)}, {time.monotonic() - begin:.0f} s", flush=True)
    print(markdown_head("reader", "inputs", "read all the same", "refused", "findings"))
    for name, found in counts.items():
        counts_of = (found[kind] for kind in ("read", "refused", "finding"))
        print(markdown_row(name, sum(found.values()), *counts_of))
    return sum(found["finding"] for found in counts.values())


def main(arguments: list[str] | None = None) -> int:
    """Do it and print; returns the number of findings."""
    parser = command_line(__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader")
    parser.add_argument("--readers", nargs="*", help="names; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="one line of JSON a batch or reader; goes on with it")
    parser.add_argument("--engine", choices=("random", "atheris"), default="random")
    parser.add_argument("--seconds", type=int, default=0, help="at most for each reader, with atheris")
    options = parser.parse_args(arguments)
    everything = readers()
    if options.engine == "atheris":
        chosen = {name: everything[name] for name in options.readers or everything}
        return guide(chosen, options.inputs, options.seconds, options.log)
    return damage_at_random(everything, options)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
