"""What opening a large catalogue takes: seconds and memory beyond the imports, and the first query after that.

    python benchmarks/catalogue.py [--rows 1000000] [--size 1280] [--parts 50] [--folder /tmp] [--keep folder]

Makes a catalogue of noise in a temporary folder (5.5 GB as it stands), which is removed afterwards, and opens it in a
fresh process: its table with 40 columns of measures, its vectors, and their lengths. Memory is the largest ever
resident; what is memory-mapped counts as far as it was read, so that the query is measured apart. With --keep the
catalogue stays in that folder, and a run that broke off goes on with the parts that are missing. One part is in memory
at a time.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
from command_line import command_line
from measuring import load

from oodretrieval.stores import CatalogueWriter
from oodretrieval.stores.catalogue import MANIFEST

OPEN = """
import re, sys, time
from pathlib import Path
import numpy as np
from oodretrieval.search import NearestNeighbours
from oodretrieval.stores import Catalogue
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
imported = peak()
start = time.perf_counter()
catalogue = Catalogue.open(sys.argv[1])
vectors = catalogue.vectors
mapped = time.perf_counter() - start
lengths = catalogue.lengths
kept = time.perf_counter() - start
table = catalogue.segments
opened = time.perf_counter() - start
memory = peak()
print(f"{len(table)} x {vectors.shape[1]}, {len(catalogue.manifest['parts'])} parts, {len(table.columns)} columns: "
      f"vectors mapped after {mapped:.2f} s, lengths read after {kept:.2f} s, table after {opened:.2f} s; "
      f"{memory - imported:.0f} MB beyond the {imported:.0f} MB of the imports")
start = time.perf_counter()
for metric in ("cosine", "centred_cosine"):
    start = time.perf_counter()
    index = NearestNeighbours(vectors, metric, norms=lengths)
    built = time.perf_counter() - start
    index.query(vectors[7], 50)
    first = time.perf_counter() - start
    start = time.perf_counter()
    index.query(vectors[len(vectors) // 2], 50)
    print(f"{metric}: index {built:.2f} s, first query {first - built:.2f} s, "
          f"second {time.perf_counter() - start:.2f} s")
"""


def make(folder: Path, rows: int, size: int, parts: int) -> None:
    """A catalogue of noise; every part has the same vectors, turned."""
    random = np.random.default_rng(0)
    number = rows // parts
    vectors = np.maximum(random.standard_normal((number, size), dtype=np.float32), 0)
    measures = {f"measure_{i}": random.random(number) for i in range(40)}
    with CatalogueWriter(folder, {"model": "noise"}) as writer:
        for part in range(parts):
            if part in writer.done:
                continue
            table = pd.DataFrame(
                {
                    "dataset": "noise",
                    "image_id": [f"{part:04d}/{i // 30:06d}" for i in range(number)],
                    "segment_id": np.arange(number),
                    **measures,
                }
            )
            writer.add_part(table, np.roll(vectors, part, axis=1), "noise", part)
        writer.commit()


def main() -> None:
    """Measure and say."""
    parser = command_line(__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=1280)
    parser.add_argument("--parts", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    needed = arguments.rows * (arguments.size * 4 + 400)
    where = arguments.keep or arguments.folder
    where.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(where).free < 1.2 * needed and not (where / MANIFEST).exists():
        sys.exit(f"{where} has too little room for {needed / 1e9:.1f} GB; choose another --folder")
    with ExitStack() as stack:
        folder = arguments.keep or stack.enter_context(tempfile.TemporaryDirectory(dir=where))
        start = time.perf_counter()
        make(Path(folder), arguments.rows, arguments.size, arguments.parts)
        print(f"written in {time.perf_counter() - start:.0f} s; load average {load()}", flush=True)
        for _ in range(2):
            result = subprocess.run(
                [sys.executable, "-c", OPEN, str(folder)], capture_output=True, text=True, check=False
            )
            print(result.stdout or result.stderr, flush=True)


if __name__ == "__main__":
    main()
