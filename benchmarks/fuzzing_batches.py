"""Damaged files read in processes of their own, which a reader may take with it."""

import os
import resource
import signal
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from fuzzed_readers import Reader
from fuzzing_damage import input_of

from oodretrieval.errors import OODRetrievalError

SECONDS, BYTES = 10, 4 << 30
"""Of CPU and memory: what takes more is a finding."""


def batch(reader: Reader, seed: int, start: int, count: int) -> tuple[Counter[str], list[str]]:
    """Read inputs in a process of its own; one that takes the process with it is a finding, and the rest go on."""
    counts: Counter[str] = Counter()
    findings: list[str] = []
    while count > 0:
        inward, outward = os.pipe()
        process = os.fork()
        if not process:
            os.close(inward)
            _child(reader, seed, start, count, outward)
        os.close(outward)
        with os.fdopen(inward) as answers:
            lines = answers.read().splitlines()
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        for line in lines:
            number, _, outcome = line.partition(" ")
            counts[outcome if outcome in ("read", "refused") else "finding"] += 1
            if outcome not in ("read", "refused"):
                findings.append(f"{number}: {outcome}")
        done = len(lines)
        if status:
            counts["finding"] += 1
            findings.append(f"{start + done}: ends the process with {status}")
            done += 1
        start, count = start + done, count - done
    return counts, findings


def _child(reader: Reader, seed: int, start: int, count: int, outward: int) -> None:
    try:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # what hangs in C cannot be interrupted otherwise
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, resource.RLIM_INFINITY))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        warnings.simplefilter("ignore")
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
            for number in range(start, start + count):
                outcome = tried(reader, input_of(reader, seed, number), Path(folder))
                os.write(outward, f"{number} {outcome.splitlines()[0]}\n".encode("utf-8", "replace"))
        os._exit(0)
    finally:
        os._exit(70)


def tried(reader: Reader, content: bytes, folder: Path) -> str:
    """What becomes of one input: ``read``, ``refused``, or what went wrong."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of CPU: a busy machine is not the reader's fault
    try:
        reader.read(content, folder)
    except OODRetrievalError:
        return "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "read"
