"""What each part of a region's score is worth, on the regions that eval_discovery described in a workspace.

    python scripts/eval_discovery.py with args.dataset=road_anomaly_21 args.model_name=deeplabv3plus_camvid
    python benchmarks/object_weights.py --model deeplabv3plus_camvid --datasets road_anomaly_21

Each row changes one thing. For each dataset: area under the found curve, and objects touched / found / outlined after
five looks an image; then the mean over the datasets, each of the same weight, and the worst area. Images without
regions in the workspace are left out. ``--every`` takes every n-th image.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation import DiscoveryCurve, unknown_objects
from oodretrieval.evaluation.discovery import Matches, curve_of_matches
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.datasets import dataset_in_use
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.masks import RunLengthMask, decode_mask
from oodretrieval.regions import (
    Choice,
    RegionReference,
    RegionTree,
    ScoreWeights,
    choose_regions,
    score_regions,
)
from oodretrieval.stores import Stored, Workspace, stored_prediction
from oodretrieval.stores.regions import StoredRegions, read_regions, regions_path

SHARES = ("touched", "found", "outlined")


@dataclass(frozen=True, eq=False)
class Image:
    """The regions of an image, and how all of them lie on its objects."""

    regions: StoredRegions
    matches: Matches


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--datasets", nargs="+", required=True)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    configuration = load_configuration()
    workspace = Workspace(options.workspace or configuration.workspace)
    scenes = []
    for name in options.datasets:
        dataset = dataset_in_use(configuration, name, CommonSettings())
        assert dataset.label_set is not None, f"{name} has no truth"
        unknown = dataset.label_set.unknown_ids
        ids = dataset.ids[:: options.every]
        scenes.append(
            list(filter(None, (_image(workspace, Stored(options.model, name), i, unknown) for i in ids)))
        )
    head = [f"{n}: {len(s)} images" for n, s in zip(options.datasets, scenes, strict=True)]
    print(_row(["area, and touched / found / outlined after 5 looks an image", *head, "mean", "worst"]))
    print(_row(["---"] * (len(head) + 3)))
    for way, (weights, choice) in ways().items():
        curves = [_curve(scene, weights, choice) for scene in scenes]
        mean = {share: np.mean([curve.per_image[5][share] for curve in curves]) for share in SHARES}
        cells = [f"{curve.area:.3f}, {_shares(curve.per_image[5])}" for curve in curves]
        areas = [curve.area for curve in curves]
        print(_row([way, *cells, f"{np.mean(areas):.3f}, {_shares(mean)}", f"{min(areas):.3f}"]), flush=True)


def ways() -> dict[str, tuple[ScoreWeights, Choice]]:
    """Name → weights and choice."""
    default, choice = ScoreWeights(), Choice()
    evidence = dict(default.evidence)
    without = {f"without {name}": replace(default, evidence={**evidence, name: 0.0}) for name in evidence}
    earlier = replace(default, sides=-0.5, contrast=0.0), replace(choice, size_power=0.3)
    return {
        "**default**": (default, choice),
        "earlier weights: sides -0.5, size 0.3, no contrast": earlier,
        "without contrast of large regions": (replace(default, contrast=0.0), choice),
        "sides -0.5": (replace(default, sides=-0.5), choice),
        "sides -1": (replace(default, sides=-1.0), choice),
        "size 0": (default, replace(choice, size_power=0.0)),
        "size 0.3": (default, replace(choice, size_power=0.3)),
        **{name: (weights, choice) for name, weights in without.items()},
        "without perimeter": (replace(default, perimeter=0.0), choice),
        "without log_share": (replace(default, log_share=0.0), choice),
        "threshold 1": (default, replace(choice, threshold=1.0)),
        "threshold 3": (default, replace(choice, threshold=3.0)),
    }


def _image(workspace: Workspace, stored: Stored, image_id: str, unknown: frozenset[int]) -> Image | None:
    path = regions_path(workspace, stored, "regions", image_id)
    if not path.is_file():
        return None
    labels = stored_prediction(workspace, stored, image_id).labels
    if labels is None:
        return None
    regions = read_regions(path)
    return Image(regions, _matches(regions.tree, unknown_objects(labels, unknown).masks))


def _matches(tree: RegionTree, objects: Sequence[RunLengthMask]) -> Matches:
    """As ``evaluation.discovery.match``, of all regions at once."""
    number, superpixels = len(tree.superpixel_areas), tree.at_full_size
    on = [np.bincount(superpixels[decode_mask(mask)], minlength=number) for mask in objects]
    shared = tree.membership @ (np.stack(on, axis=1).astype(float) if on else np.zeros((number, 0)))
    union = tree.areas[:, None] + np.array([mask.area for mask in objects]) - shared
    return Matches(shared / tree.areas[:, None], shared / union)


def _curve(scene: Sequence[Image], weights: ScoreWeights, choice: Choice) -> DiscoveryCurve:
    reference = RegionReference.of([image.regions.columns for image in scene], weights.standardised)
    matches, scores = list[Matches](), list[NDArray[np.float64]]()
    for image in scene:
        score = score_regions(image.regions.columns, reference, weights)
        kept = choose_regions(image.regions.tree, score, choice)
        matches.append(Matches(image.matches.covered[kept], image.matches.iou[kept]))
        scores.append(score[kept])
    return curve_of_matches(matches, scores)


def _shares(shares: Mapping[str, float]) -> str:
    return " / ".join(f"{shares[name]:.0%}" for name in SHARES)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
