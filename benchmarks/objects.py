"""Objects instead of fragments: what region proposals contain, and how soon a person who looks at them finds objects.

    python benchmarks/objects.py --data data --cache objects_cache --every 4 --output docs/objects_tables.md

``--data`` holds ``camvid`` (``train``, ``val``, ``labels32`` with ``classes.json``), ``road_anomaly_21`` and
``fishyscapes_static`` (``images``, ``labels``); of CamVid's drives each ``--every``-th frame is taken. Logits of
deeplabv3plus_camvid and features of an ImageNet network are computed once and kept in ``--cache``. Of a scene nothing
is learned but what its images show without truth; the known features that distances are measured to come from
CamVid's other drives. The network was trained on CamVid's drives: only the anomaly sets are scenes it never saw.

Table 1: the oracle (METRICS.md, section 12), by source. Table 2: the discovery curve. Table 3: what each part is worth.
"""

import argparse
import json
import runpy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.segmentation import felzenszwalb

from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import LITE_MEAN, LITE_STD
from oodretrieval.evaluation import DiscoveryCurve, unknown_objects
from oodretrieval.evaluation.discovery import Matches, curve_of_matches, match
from oodretrieval.masks import RunLengthMask, decode_mask, encode_mask
from oodretrieval.models import load_model
from oodretrieval.models.backbones import Backbone
from oodretrieval.models.test_time import low_resolution_logits
from oodretrieval.novelty.neighbours import FeatureBank
from oodretrieval.regions import (
    Choice,
    RegionReference,
    RegionTree,
    ScoreWeights,
    best_cut,
    choose_regions,
    pool_features,
    propose_regions,
    region_terms,
    score_regions,
)

ROOT = Path(__file__).resolve().parent.parent
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
FELZENSZWALB = (50, 100, 200, 400)
CELLS = 150
LOOKS = (1, 2, 5, 10)


@dataclass(frozen=True, eq=False)
class Frame:
    """An image of a scene, described: arrays of the cache, true objects, known cells of the features."""

    image: NDArray[np.uint8]
    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    objects: list[RunLengthMask]
    known: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Regions of a frame, what their scores are made of, and how they lie on its objects."""

    tree: RegionTree
    terms: dict[str, NDArray[np.float64]]
    matches: Matches


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--scenes", nargs="+", default=[*DRIVES, *LONGEST])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    describe = _describer(options.cache)
    scenes = {
        name: [_frame(describe, name, options.data, *paths) for paths in items]
        for name, items in _scenes(options.data, options.every).items()
        if name in (*DRIVES, *options.scenes)
    }
    candidates = {name: list(_candidates(name, scenes)) for name in options.scenes}
    text = "\n\n".join(
        [oracle_table(scenes, candidates), curve_table(candidates), ablation_table(candidates)]
    )
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    print(text)


def _scenes(data: Path, every: int) -> dict[str, list[tuple[Path, Path]]]:
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
        images = sorted((data / name / "images").iterdir())
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
    image, labels = (np.asarray(Image.open(path)) for path in (image_path, label_path))
    image = np.asarray(Image.open(image_path).convert("RGB"))
    unknown, void = {1}, {255}
    if scene in DRIVES:
        classes = json.loads((data / "camvid/labels32/classes.json").read_text(encoding="utf-8"))
        ids = {entry["name"]: int(key) for key, entry in classes.items()}
        unknown, void = {ids[name] for name in UNKNOWN}, {ids[name] for name in VOID}
    logits, features = describe(scene, image_path, image)
    known = ~np.isin(labels, [*unknown, *void])
    return Frame(image, logits, features, unknown_objects(labels, unknown).masks, known)


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


def _candidates(name: str, scenes: dict[str, list[Frame]]) -> Iterator[Candidates]:
    bank = _known_bank([frame for drive in DRIVES if drive != name for frame in scenes[drive]])
    for frame in scenes[name]:
        tree = propose_regions(frame.image, logits=frame.logits, features=frame.features)
        largest = frame.logits.max(axis=0)
        energy = -(largest + np.log(np.exp(frame.logits - largest).sum(axis=0)))
        softmax = np.exp(frame.logits + energy)
        entropy = -(softmax * np.log(softmax + np.finfo(np.float32).eps)).sum(axis=0)
        pooled = pool_features(tree, frame.features)
        distance = bank.log_distance(pooled, np.zeros(len(tree), np.int64))
        terms = region_terms(tree, {"energy": energy, "entropy": entropy}) | {"distance": distance}
        yield Candidates(tree, terms, _matches(tree, frame.objects))


def _matches(tree: RegionTree, objects: list[RunLengthMask]) -> Matches:
    """As :func:`oodretrieval.evaluation.discovery.match`, by superpixels instead of pixels: all regions at once."""
    full = tree.superpixels.repeat(tree.step, 0).repeat(tree.step, 1)[: tree.size[0], : tree.size[1]].ravel()
    number, shape = len(tree.superpixel_areas), (len(tree), len(objects))
    on = [np.bincount(full[decode_mask(mask).ravel()], minlength=number) for mask in objects]
    shared = tree.membership @ np.stack(on, axis=1) if on else np.zeros(shape)
    union = tree.areas[:, None] + np.array([mask.area for mask in objects]) - shared
    return Matches(shared / tree.areas[:, None], shared / union)


def oracle_table(scenes: dict[str, list[Frame]], candidates: dict[str, list[Candidates]]) -> str:
    """What proposals contain: regions of an image, objects with an IoU of 0.25 and 0.5."""
    rows = []
    for name in candidates:
        frames = scenes[name]
        objects = sum(len(frame.objects) for frame in frames)
        found = candidates[name]
        head = [f"{name}: {len(frames)} images, {objects} objects"]
        plain = [match(_felzenszwalb(frame), frame.objects) for frame in frames if frame.objects]
        rows.append([*head, "Felzenszwalb, four scales", *_oracle(plain)])
        for source in ("segments", "novelty", "appearance", "everything", "surprise", None):
            kept = [c.tree.source == source if source else np.ones(len(c.tree), bool) for c in found]
            chosen = [
                Matches(c.matches.covered[k], c.matches.iou[k]) for c, k in zip(found, kept, strict=True)
            ]
            rows.append([*head, source or "**all regions**", *_oracle(chosen)])
    return _table(["scene", "candidates", "regions an image", "IoU at least 0.25", "at least 0.5"], rows)


def _felzenszwalb(frame: Frame) -> list[RunLengthMask]:
    step = 2 if frame.image.size > 2_000_000 else 1
    masks = []
    for scale in FELZENSZWALB:
        labels = felzenszwalb(frame.image[::step, ::step], scale=scale, sigma=0.8, min_size=50)
        labels = labels.repeat(step, 0).repeat(step, 1)[: frame.image.shape[0], : frame.image.shape[1]]
        sizes = np.bincount(labels.ravel())
        masks += [encode_mask(labels == i) for i in np.flatnonzero(sizes >= 0.0004 * labels.size)]
    return masks


def _oracle(matches: list[Matches]) -> list[str]:
    best = np.concatenate([m.iou.max(axis=0, initial=0) for m in matches])
    count = np.mean([len(m.iou) for m in matches])
    return [f"{count:.0f}", f"{(best >= 0.25).mean():.0%}", f"{(best >= 0.5).mean():.0%}"]


Show = Callable[[Candidates, NDArray[np.float64]], NDArray[np.int64]]


def _curve(
    found: list[Candidates], weights: ScoreWeights, show: Show, source: str | None = None
) -> DiscoveryCurve:
    """The curve of one scene, compared with what its own regions show."""
    reference = RegionReference.of([c.terms for c in found], weights.standardised)
    matches, scores = [], []
    for c in found:
        score = score_regions(c.terms, reference, weights)
        if source:
            score = np.where(c.tree.source == source, score, -np.inf)
        kept = show(c, score)
        matches.append(Matches(c.matches.covered[kept], c.matches.iou[kept]))
        scores.append(score[kept])
    return curve_of_matches(matches, scores)


def _shown(choice: Choice | None = None) -> Show:
    return lambda c, score: choose_regions(c.tree, score, choice)


def _cut(c: Candidates, score: NDArray[np.float64]) -> NDArray[np.int64]:
    share = c.terms["share"]
    worth = np.where(share >= Choice().min_share, np.maximum(score - Choice().threshold, 0), 0)
    return best_cut(c.tree, worth * share)


def _every(c: Candidates, score: NDArray[np.float64]) -> NDArray[np.int64]:
    finite = np.flatnonzero(np.isfinite(score))
    return finite[np.argsort(-score[finite], kind="stable")]


def _at_random(c: Candidates, score: NDArray[np.float64]) -> NDArray[np.int64]:
    """As many as the default may show; their scores put them among those of other images."""
    return np.random.default_rng(len(score)).permutation(len(score))[: Choice().limit]


def curve_table(candidates: dict[str, list[Candidates]]) -> str:
    """Touched, found and outlined after 1, 2, 5 and 10 looks an image, and the area, of the default."""
    rows = []
    plain = ScoreWeights(perimeter=0.0, sides=0.0)
    for name, found in candidates.items():
        ways = {
            "**objects**": _curve(found, ScoreWeights(), _shown()),
            "predicted segments, same evidence": _curve(found, plain, _every, "segments"),
            "all regions at random": _curve(found, plain, _at_random),
        }
        for way, curve in ways.items():
            shares = [_shares(curve.per_image[looks]) for looks in LOOKS]
            rows.append([name, way, *shares, _shares(curve.in_all[100]), f"{curve.area:.3f}"])
    return _table(
        ["scene", "candidates", *(f"{n} looks an image" for n in LOOKS), "100 looks in all", "area"], rows
    )


def _shares(shares: Mapping[str, float]) -> str:
    return " / ".join(f"{share:.0%}" for share in shares.values())


def ablation_table(candidates: dict[str, list[Candidates]]) -> str:
    """The area under the curve per scene, their mean and the worst; and what is found after five looks an image."""
    default, choice = ScoreWeights(), Choice()
    evidence = dict(default.evidence)
    without = {f"without {name}": replace(default, evidence={**evidence, name: 0.0}) for name in evidence}
    ways: dict[str, tuple[ScoreWeights, Show, str | None]] = {
        "**default**": (default, _shown(), None),
        **{name: (weights, _shown(), None) for name, weights in without.items()},
        "without perimeter": (replace(default, perimeter=0.0), _shown(), None),
        "without sides": (replace(default, sides=0.0), _shown(), None),
        "entropy too": (
            replace(default, evidence={**evidence, "entropy": 0.3}),
            _shown(),
            None,
        ),
        "no preference for larger regions": (default, _shown(replace(choice, size_power=0.0)), None),
        "stronger preference": (default, _shown(replace(choice, size_power=0.5)), None),
        "smaller regions too": (default, _shown(replace(choice, min_share=0.0008)), None),
        "best cut by (score - threshold) area": (default, _cut, None),
        **{
            f"regions of {source} only": (default, _shown(), source)
            for source in ("appearance", "everything", "surprise", "novelty", "segments")
        },
    }
    rows = []
    for way, (weights, show, source) in ways.items():
        curves = [_curve(found, weights, show, source) for found in candidates.values()]
        areas = [curve.area for curve in curves]
        mean = {
            name: np.mean([c.per_image[5][name] for c in curves]) for name in ("touched", "found", "outlined")
        }
        rows.append(
            [way, *(f"{a:.3f}" for a in areas), f"{np.mean(areas):.3f}", f"{min(areas):.3f}", _shares(mean)]
        )
    return _table(
        ["area under the found curve", *candidates, "mean", "worst", "5 looks an image, mean"], rows
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    main()
