"""Scenes with unknown objects, described: regions, what their scores are made of, how they lie on true objects.

Everything that takes long is kept in a cache folder, one file a frame: a run that broke off goes on where it stopped.
Empty the folder after a change of network or proposals.
"""

import json
import runpy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkout import ROOT
from numpy.typing import NDArray
from PIL import Image
from skimage.segmentation import felzenszwalb

from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import LITE_MEAN, LITE_STD
from oodretrieval.evaluation import unknown_objects
from oodretrieval.evaluation.discovery import Matches, matches_of_areas
from oodretrieval.masks import RunLengthMask, decode_mask
from oodretrieval.models import load_model
from oodretrieval.models.backbones import Backbone
from oodretrieval.models.test_time import low_resolution_logits
from oodretrieval.novelty.neighbours import FeatureBank
from oodretrieval.regions import RegionTree, pool_features, propose_regions, region_terms
from oodretrieval.uncertainty import energy, normalised_entropy

UNKNOWN = [
    "Animal",
    "CartLuggagePram",
    "Child",
    "TrafficCone",
    "OtherMoving",
    "Pedestrian",
    "Bicyclist",
    "MotorcycleScooter",
]
VOID = ["Void", "Archway", "Bridge", "Tunnel", "Train"]
DRIVES = ("0006R0", "0016E5")
LONGEST = {"road_anomaly_21": 640, "fishyscapes_static": 1024}
LARGE = "fishyscapes_static"
FELZENSZWALB = (50, 100, 200, 400)
CELLS = 150
"""Known cells of each frame that distances are measured to."""
TREE = ("superpixels", "step", "size", "members", "spans", "parent", "source")


@dataclass(frozen=True, eq=False)
class Frame:
    """An image of a scene: what networks say of it, its true objects, and which of its pixels are known."""

    path: Path
    image: NDArray[np.uint8]
    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    objects: list[RunLengthMask]
    known: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Regions of a frame, what their scores are made of, and how they lie on its objects, as Felzenszwalb's do."""

    tree: RegionTree
    terms: dict[str, NDArray[np.float64]]
    matches: Matches
    plain: Matches


def described_scenes(
    data: Path, cache: Path, names: list[str], every: int, every_large: int
) -> dict[str, list[Candidates]]:
    """The candidates of each frame of some scenes.

    Args:
        data: Where the datasets lie.
        cache: Where results are kept.
        names: The scenes.
        every: Step between frames of a drive.
        every_large: Step between the large images of Fishyscapes; of RoadAnomaly21 all are taken.
    """
    cache.mkdir(parents=True, exist_ok=True)
    describe = _describer(cache)
    frames = {
        name: [_frame(describe, name, data, *paths) for paths in items]
        for name, items in _scenes(data, every, every_large).items()
        if name in (*DRIVES, *names)
    }
    return {name: list(_candidates(name, frames, cache)) for name in names}


def _scenes(data: Path, every: int, every_large: int) -> dict[str, list[tuple[Path, Path]]]:
    """Image and label file of each frame."""
    found: dict[str, list[tuple[Path, Path]]] = {}
    for drive in DRIVES:
        labels = sorted((data / "camvid/labels32").glob(f"{drive}*.png"))[::every]
        images = [
            next(p for p in (data / f"camvid/{s}" / label.name for s in ("train", "val")) if p.exists())
            for label in labels
        ]
        found[drive] = list(zip(images, labels, strict=True))
    for name in LONGEST:
        images = sorted((data / name / "images").iterdir())[:: every_large if name == LARGE else 1]
        found[name] = [(image, data / name / "labels" / f"{image.stem}.png") for image in images]
    return found


def _describer(cache: Path) -> Callable[[str, Path, NDArray[np.uint8]], tuple[NDArray[Any], NDArray[Any]]]:
    """Logits and features of an image, from the cache where they are in it."""
    networks: list[torch.nn.Module] = []

    @torch.inference_mode()
    def describe(scene: str, path: Path, image: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
        kept = cache / f"{scene}_{path.stem}.npz"
        if not kept.exists():
            if not networks:
                entry = runpy.run_path(str(ROOT / "configuration.py"))["MODELS"]["deeplabv3plus_camvid"]
                networks.extend(
                    [
                        load_model(entry).eval(),
                        Backbone("tf_efficientnet_lite0", (16,), 16, "packaged").eval(),
                    ]
                )
            factor = min(1.0, LONGEST.get(scene, max(image.shape)) / max(image.shape))
            size = round(image.shape[1] * factor), round(image.shape[0] * factor)
            small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
            batch = image_tensor(small, LITE_MEAN, LITE_STD)[None]
            logits, features = low_resolution_logits(networks[0], batch)[0], networks[1](batch)[0][0]
            np.savez(
                kept, logits=logits.numpy().astype(np.float16), features=features.numpy().astype(np.float16)
            )
        stored = np.load(kept)
        return stored["logits"].astype(np.float32), stored["features"].astype(np.float32)

    return describe


def _frame(describe: Callable[..., Any], scene: str, data: Path, image_path: Path, label_path: Path) -> Frame:
    labels = np.asarray(Image.open(label_path))
    image = np.asarray(Image.open(image_path).convert("RGB"))
    unknown, void = {1}, {255}
    if scene in DRIVES:
        classes = json.loads((data / "camvid/labels32/classes.json").read_text(encoding="utf-8"))
        ids = {entry["name"]: int(key) for key, entry in classes.items()}
        unknown, void = {ids[name] for name in UNKNOWN}, {ids[name] for name in VOID}
    logits, features = describe(scene, image_path, image)
    known = ~np.isin(labels, [*unknown, *void])
    return Frame(image_path, image, logits, features, unknown_objects(labels, unknown).masks, known)


def _known_bank(frames: list[Frame]) -> FeatureBank:
    """Features of cells without an unknown or void pixel, some of each frame."""
    rng = np.random.default_rng(0)
    vectors = []
    for frame in frames:
        depth, height, width = frame.features.shape
        rows, columns = (
            np.arange(n) * m // n for n, m in zip(frame.known.shape, (height, width), strict=True)
        )
        other = np.zeros((height, width))
        np.add.at(other, (rows[:, None], columns[None]), ~frame.known)
        cells = frame.features.reshape(depth, -1).T[other.ravel() == 0]
        vectors.append(rng.permutation(cells)[:CELLS])
    pooled = np.concatenate(vectors)
    return FeatureBank.of(pooled, np.zeros(len(pooled), np.int64), np.arange(len(pooled)))


def _candidates(name: str, frames: dict[str, list[Frame]], cache: Path) -> Iterator[Candidates]:
    bank = _known_bank([frame for drive in DRIVES if drive != name for frame in frames[drive]])
    for frame in frames[name]:
        kept = cache / f"{name}_{frame.path.stem}_regions.npz"
        if not kept.exists():
            found = _describe_regions(frame, bank)
            tree = {key: getattr(found.tree, key) for key in TREE}
            arrays = {f"term_{key}": values for key, values in found.terms.items()}
            for key in ("matches", "plain"):
                arrays |= {
                    f"{key}_covered": getattr(found, key).covered,
                    f"{key}_iou": getattr(found, key).iou,
                }
            np.savez(kept, **tree, **arrays)  # type: ignore[arg-type]
        stored = np.load(kept)
        arguments: dict[str, Any] = {key: stored[key] for key in TREE}
        arguments |= {"step": int(stored["step"]), "size": tuple(stored["size"].tolist())}
        terms = {key.removeprefix("term_"): stored[key] for key in stored if key.startswith("term_")}
        both = (Matches(stored[f"{key}_covered"], stored[f"{key}_iou"]) for key in ("matches", "plain"))
        yield Candidates(RegionTree(**arguments), terms, *both)


def _describe_regions(frame: Frame, bank: FeatureBank) -> Candidates:
    tree = propose_regions(frame.image, logits=frame.logits, features=frame.features)
    heat = energy(frame.logits, axis=0)
    entropy = normalised_entropy(np.exp(frame.logits + heat), axis=0)
    cells = frame.features.reshape(len(frame.features), -1).T
    local = bank.log_distance(cells, np.zeros(len(cells), np.int64)).reshape(frame.features.shape[1:])
    distance = bank.log_distance(pool_features(tree, frame.features), np.zeros(len(tree), np.int64))
    maps = {"energy": heat, "entropy": entropy, "local_distance": local}
    terms = region_terms(tree, maps) | {"distance": distance}
    full = _enlarged(tree.superpixels, tree.step, tree.size)
    on = tree.sums(_pixels_on(full, frame.objects))
    return Candidates(tree, terms, _matches(on, tree.areas, frame.objects), _felzenszwalb(frame))


def _felzenszwalb(frame: Frame) -> Matches:
    """The same of a plain segmentation at four scales; of large images at half their size."""
    size = (frame.image.shape[0], frame.image.shape[1])
    step = 2 if frame.image.size > 2_000_000 else 1
    on, areas = [], []
    for scale in FELZENSZWALB:
        small = felzenszwalb(frame.image[::step, ::step], scale=scale, sigma=0.8, min_size=50)
        labels = _enlarged(small, step, size)
        on.append(_pixels_on(labels, frame.objects))
        areas.append(np.bincount(labels.ravel()))
    return _matches(np.concatenate(on), np.concatenate(areas), frame.objects)


def _enlarged(labels: NDArray[np.integer], step: int, size: tuple[int, int]) -> NDArray[np.integer]:
    return labels.repeat(step, 0).repeat(step, 1)[: size[0], : size[1]]


def _pixels_on(labels: NDArray[np.integer], objects: list[RunLengthMask]) -> NDArray[np.float64]:
    """Pixels of each label ``(n,)`` on each object."""
    number = int(labels.max()) + 1
    on = [np.bincount(labels[decode_mask(mask)], minlength=number) for mask in objects]
    return np.stack(on, axis=1).astype(np.float64) if on else np.zeros((number, 0))


def _matches(shared: NDArray[Any], areas: NDArray[Any], objects: list[RunLengthMask]) -> Matches:
    return matches_of_areas(shared, areas, [mask.area for mask in objects])


def shares_text(shares: Mapping[str, float]) -> str:
    """Objects touched, found and outlined, as cells of tables have them."""
    return " / ".join(f"{shares[name]:.0%}" for name in ("touched", "found", "outlined"))
