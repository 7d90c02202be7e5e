"""Files that libFuzzer chooses by the lines of ours that they reach, by atheris."""

import json
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fuzzed_readers import Reader
from fuzzing_batches import BYTES, SECONDS

from oodretrieval.errors import OODRetrievalError
from oodretrieval.results.tables import markdown_head, markdown_row


def guide(chosen: Mapping[str, Reader], inputs: int, seconds: int, log: Path | None) -> int:
    """Let libFuzzer try readers and print; returns the number of findings. Goes on with what ``log`` holds."""
    print(markdown_head("reader", "inputs", "reached", "finding"), flush=True)
    known = log.read_text().splitlines() if log and log.is_file() else []
    rows = {row["reader"]: row for row in map(json.loads, known)}
    for name, reader in chosen.items():
        if name not in rows:
            number, reached, found = guided(reader, inputs, seconds)
            finding = " ".join(found.split())
            rows[name] = {"reader": name, "inputs": number, "reached": reached, "finding": finding}
            if log:
                with log.open("a") as file:
                    file.write(json.dumps(rows[name]) + "\n")
        print(markdown_row(*rows[name].values()), flush=True)
    return sum(bool(rows[name]["finding"]) for name in chosen)


def guided(reader: Reader, inputs: int, seconds: int) -> tuple[int, int, str]:
    """Let libFuzzer look for inputs of a reader, in a process of its own.

    Args:
        reader: The reader.
        inputs: How many.
        seconds: At most; 0 is no limit.

    Returns:
        Inputs tried, lines and branches reached, and what was found, if anything.
    """
    import atheris

    with tempfile.TemporaryDirectory() as folder:
        corpus, place = Path(folder) / "corpus", Path(folder) / "place"
        corpus.mkdir()
        place.mkdir()
        for number, seed in enumerate(reader.seeds):
            (corpus / str(number)).write_bytes(seed)
        said = Path(folder) / "said"
        process = os.fork()
        if not process:
            for stream in (1, 2):
                os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
            warnings.simplefilter("ignore")

            def one(content: bytes) -> None:
                with suppress(OODRetrievalError):
                    reader.read(content, place)

            limits = [f"-runs={inputs}", f"-max_total_time={seconds}", f"-timeout={SECONDS}"]
            limits += [f"-rss_limit_mb={BYTES >> 20}", "-print_final_stats=1"]
            os.chdir(folder)
            atheris.Setup([sys.argv[0], *limits, str(corpus)], one)
            atheris.Fuzz()
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        text = said.read_text(errors="replace")
    tried_of = re.findall(r"^#(\d+)|number_of_executed_units: (\d+)", text, re.MULTILINE)
    reached = re.findall(r"cov: (\d+)", text)
    found = (
        ""
        if status == 0
        else (re.findall(r"(?:Uncaught Python exception|ERROR).*\n?.*", text) or [text[-300:]])[0]
    )
    return max((int(a or b) for a, b in tried_of), default=0), int((reached or [0])[-1]), found
