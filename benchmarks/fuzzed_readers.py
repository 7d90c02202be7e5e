"""Every reader of files from elsewhere, with whole files of its kind."""

import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.numpy import save as save_tensors

from oodretrieval.datasets.anomalies import AnomalySet
from oodretrieval.datasets.exported import ExportedLabels
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.images import read_image, read_label_image
from oodretrieval.models.checkpoints import read_state
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Catalogue, CatalogueWriter, PublishedPredictions
from oodretrieval.stores.tag_journal import FOLDER, JOURNAL, TagJournal
from oodretrieval.stores.tags import CandidateKey, TagTable


@dataclass(frozen=True)
class Reader:
    """One reader, and whole files to begin with.

    Attributes:
        seeds: Contents of whole files.
        read: Content, and a folder for it → whatever is read.
    """

    seeds: tuple[bytes, ...]
    read: Callable[[bytes, Path], Any]


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
