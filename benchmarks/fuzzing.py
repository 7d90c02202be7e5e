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

import io
import json
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import h5py
import numpy as np
import torch
from command_line import command_line
from PIL import Image
from safetensors.numpy import save as save_tensors

from oodretrieval.results.tables import markdown_head, markdown_row


def _counting_lines() -> AbstractContextManager[Any]:
    """What counts the lines of ours that an input reaches, where the command line asks for it."""
    if "atheris" not in sys.argv:
        return nullcontext()
    import atheris

    context: AbstractContextManager[Any] = atheris.instrument_imports(include=["oodretrieval"])
    return context


with _counting_lines():
    from oodretrieval.datasets.anomalies import AnomalySet
    from oodretrieval.datasets.exported import ExportedLabels
    from oodretrieval.errors import OODRetrievalError
    from oodretrieval.experiment.configuration import load_configuration
    from oodretrieval.experiment.settings import from_mapping
    from oodretrieval.images import read_image, read_label_image
    from oodretrieval.models.checkpoints import read_state
    from oodretrieval.stages.select.settings import EmbedSettings
    from oodretrieval.stores import Catalogue, CatalogueWriter, PublishedPredictions
    from oodretrieval.stores.tag_journal import FOLDER, JOURNAL, TagJournal
    from oodretrieval.stores.tags import CandidateKey, TagTable

SECONDS, BYTES = 10, 4 << 30
BATCH = 500
"""Inputs that one process reads."""
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 62, (1 << 64) - 1)


@dataclass(frozen=True)
class Reader:
    """One reader, and whole files to begin with.

    Attributes:
        seeds: Contents of whole files.
        read: Content, and a folder for it → whatever is read.
    """

    seeds: tuple[bytes, ...]
    read: Callable[[bytes, Path], Any]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A few random changes."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        if not data:
            return bytes(data)
        at = rng.randrange(len(data))
        match rng.randrange(8):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.randrange(256)
            case 2:
                size = rng.choice((1, 2, 4, 8))
                number = rng.choice(NUMBERS) & ((1 << 8 * size) - 1)
                data[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
            case 3:
                del data[at : at + rng.randint(1, 64)]
            case 4:
                data[at:at] = data[at : at + rng.randint(1, 64)]
            case 5:
                other = rng.randrange(len(data))
                data[at : at + 16] = data[other : other + rng.randint(1, 32)]
            case 6:
                data[at:at] = rng.randbytes(rng.randint(1, 16))
            case _:
                del data[rng.randrange(len(data) // 2, len(data)) :]
    return bytes(data)


def in_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes, Path], Any]:
    """A reader of one file."""

    def from_content(content: bytes, folder: Path) -> Any:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return from_content


def _pictures(*modes: str, kinds: tuple[str, ...]) -> tuple[bytes, ...]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    seeds = []
    for mode in modes:
        for kind in kinds:
            file = io.BytesIO()
            exif = Image.Exif()
            exif[0x0112] = 6
            Image.fromarray(pixels).convert(mode).save(file, kind, exif=exif)
            seeds.append(file.getvalue())
    return tuple(seeds)


def _hdf5() -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content.create_dataset("probabilities", data=np.full((6, 8, 2), 0.5, np.float32), compression="gzip")
        content["prediction"] = np.zeros((6, 8), np.uint8)
        content["ground_truths"] = np.ones((6, 8), np.uint8)
        content["image_path"] = np.array([b"a/b.png"])
    return file.getvalue()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.full((6, 8, 2), 0.5, np.float32))
    return file.getvalue()


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, rgb=np.ones((6, 8, 3), np.int16))
    return file.getvalue()


def _torch() -> bytes:
    file = io.BytesIO()
    torch.save({"state_dict": {"a.weight": torch.zeros(32, 32), "a.bias": torch.ones(3)}}, file)
    return file.getvalue()


def _first_published(folder: Path) -> Any:
    return PublishedPredictions(folder)[0]


def _overlay(content: bytes, folder: Path) -> Any:
    frames = folder / "leftImg8bit" / "a" / "b"
    if not frames.is_dir():
        frames.mkdir(parents=True)
        Image.new("RGB", (8, 6)).save(frames / "x_leftImg8bit.png")
        Image.new("L", (8, 6)).save(folder / "1_x_labels.png")
    (folder / "1_x_rgb.npz").write_bytes(content)
    return AnomalySet(folder, layout="fishyscapes")[0]


def _tags(content: bytes, folder: Path) -> Any:
    """Lines get their checksums again: what lies behind them is read, too."""
    lines = [line.partition(b" ")[2] for line in content.splitlines()]
    path = folder / FOLDER / JOURNAL
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines))
    return TagJournal(folder).read()


def _tag_lines() -> bytes:
    table = TagTable()
    keys = [CandidateKey("d", "a", 1), CandidateKey("d", "b", 2)]
    steps = [table.tagging(keys, "cone", "#0072B2"), table.tagging(keys[:1], "bin", "#112233")]
    return b"".join(b"00000000 " + json.dumps(step.to_plain()).encode() + b"\n" for step in steps)


def _catalogue_seed() -> bytes:
    """All files of a small catalogue, in a zip archive without compression."""
    import pandas as pd

    with tempfile.TemporaryDirectory() as folder:
        with CatalogueWriter(Path(folder), {"model": "m"}) as writer:
            rows = pd.DataFrame(
                {"dataset": ["d"] * 2, "image_id": ["a", "b"], "segment_id": [1, 2], "S": [3, 4]}
            )
            writer.add_part(rows, np.eye(2, dtype=np.float32), embedding="net")
            writer.commit()
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    archive.writestr(path.relative_to(folder).as_posix(), path.read_bytes())
        return file.getvalue()


class _OfCatalogue:
    """Damages one of the files of a catalogue at a time; the manifest without its checksum."""

    def __init__(self) -> None:
        with zipfile.ZipFile(io.BytesIO(_catalogue_seed())) as archive:
            self.files = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(self.files["manifest.json"])
        manifest.pop("checksum", None)
        self.files["manifest.json"] = json.dumps(manifest).encode()
        self.names = tuple(self.files)

    def reader(self) -> Reader:
        """The reader: a seed is the number of a file and its content."""
        return Reader(tuple(bytes([i]) + self.files[name] for i, name in enumerate(self.names)), self.read)

    def read(self, content: bytes, folder: Path) -> Any:
        """Read the catalogue with one other file."""
        for name, own in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(own)
        if content:
            (folder / self.names[content[0] % len(self.names)]).write_bytes(content[1:])
        catalogue = Catalogue.open(folder)
        return catalogue.segments, np.asarray(catalogue.vectors), catalogue.masks


def _settings(content: bytes, folder: Path) -> Any:
    try:
        values = json.loads(content)
    except ValueError:
        values = {
            "dataset": content.decode("utf-8", "replace"),
            "net": content,
            "min_pixels": list(content[:9]),
        }
    return from_mapping(EmbedSettings, values if isinstance(values, dict) else {"dataset": values})


_CONFIGURATION = b"""
from oodretrieval.entries import DatasetEntry
DATASETS = {"meadow": DatasetEntry("m", "C", {"root": "x"})}
MODELS = META_MODELS = {}
WORKSPACE = "work"
DATASET = TRAIN_DATASET = VAL_DATASET = "meadow"
MODEL = META_MODEL = EMBEDDING = ""
"""
_CLASSES = json.dumps(
    {
        "format_version": 1,
        "classes": {"0": {"name": "road", "colour": "#102030", "new": False}},
        "images": [{"id": "a", "image": "a.png", "labels": "labels/a.png"}],
        "ignore": 255,
    }
).encode()


def readers() -> dict[str, Reader]:
    """Every reader of files from elsewhere, by name."""
    colour = _pictures("RGB", "L", "P", "RGBA", kinds=("PNG", "TIFF")) + _pictures(
        "RGB", kinds=("JPEG", "WEBP")
    )
    tensors = save_tensors(
        {"a.weight": np.zeros((3, 2), np.float32), "a.bias": np.ones(3, np.float32)}, {"k": "v"}
    )
    return {
        "images": Reader(colour, in_file("x.png", read_image)),
        "label images": Reader(
            _pictures("L", "P", kinds=("PNG", "TIFF")), in_file("x.png", read_label_image)
        ),
        "weights, safetensors": Reader((tensors,), in_file("x.safetensors", read_state)),
        "weights, torch": Reader((_torch(),), in_file("x.pth", read_state)),
        "published predictions, HDF5": Reader(
            (_hdf5(),), in_file("input0.hdf5", lambda path: _first_published(path.parent))
        ),
        "published predictions, npy": Reader(
            (_npy(),), in_file("x.npy", lambda path: _first_published(path.parent))
        ),
        "overlays, npz": Reader((_npz(),), _overlay),
        "catalogues": _OfCatalogue().reader(),
        "tags": Reader((_tag_lines(),), _tags),
        "exported classes": Reader(
            (_CLASSES,), in_file("classes.json", lambda path: ExportedLabels(path.parent))
        ),
        "settings": Reader(
            (b'{"dataset": ["a"], "min_pixels": 3, "net": "x", "iou_threshold": 0.5}',), _settings
        ),
        "configuration": Reader((_CONFIGURATION,), in_file("configuration.py", load_configuration)),
    }


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


def input_of(reader: Reader, seed: int, number: int) -> bytes:
    """The input of a number, the same each time."""
    rng = random.Random(f"{seed} {number}")
    return damaged(rng.choice(reader.seeds), rng)


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


def guide(chosen: dict[str, Reader], inputs: int, seconds: int, log: Path | None) -> int:
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


if __name__ == "__main__":
    sys.exit(min(main(), 1))
