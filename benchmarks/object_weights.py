"""What each part of a region's score is worth, on the regions that eval_discovery described in a workspace.

    python scripts/eval_discovery.py with args.dataset=road_anomaly_21 args.model_name=deeplabv3plus_camvid
    python benchmarks/object_weights.py --scene deeplabv3plus_camvid road_anomaly_21 [--scene MODEL DATASET …]

Each row changes one thing. For each scene: area under the found curve, and objects touched / found / outlined after
five looks an image; then the mean over the scenes, each of the same weight, and the worst area. The
last table shows for each scene the row that the others would have chosen by their mean area. Images without
regions in the workspace are left out. ``--every`` takes every n-th image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from command_line import command_line
from object_candidates import shares_text

from oodretrieval.evaluation import DiscoveryCurve, unknown_objects
from oodretrieval.evaluation.discovery import Matches, curve_of_matches
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.datasets import dataset_in_use
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.regions import (
    Choice,
    RegionReference,
    ScoreWeights,
)
from oodretrieval.regions.scoring import CONTRAST
from oodretrieval.results.tables import markdown_head, markdown_row
from oodretrieval.stages.select.region_choice import chosen_regions, in_order, matches_of_regions
from oodretrieval.stores import SELECT_SCORE, Stored, Workspace, stored_prediction
from oodretrieval.stores.regions import StoredRegions, read_regions, regions_path

SHARES = ("touched", "found", "outlined")
WINDOWS = (
    (1.5, 0.0, 0.0),
    (1.0, 0.5, 0.0),
    (0.75, 0.75, 0.0),
    (0.5, 1.0, 0.0),
    (0.0, 1.5, 0.0),
    (0.75, 0.75, 0.25),
    (0.75, 0.75, 0.5),
    (1.0, 1.0, 0.25),
)
"""Weights of the distances to known segments and to known windows, and of the contrast of the latter."""


@dataclass(frozen=True, eq=False)
class Image:
    """The regions of an image, and how all of them lie on its objects."""

    regions: StoredRegions
    matches: Matches


def main() -> None:
    """Print the table."""
    parser = command_line(__doc__)
    parser.add_argument("--scene", nargs=2, action="append", required=True, metavar=("MODEL", "DATASET"))
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    configuration = load_configuration()
    workspace = Workspace(options.workspace or configuration.workspace)
    scenes, names = [], [name for _, name in options.scene]
    for model, name in options.scene:
        dataset = dataset_in_use(configuration, name, CommonSettings())
        assert dataset.label_set is not None, f"{name} has no truth"
        unknown = dataset.label_set.unknown_ids
        ids = dataset.ids[:: options.every]
        scenes.append(list(filter(None, (_image(workspace, Stored(model, name), i, unknown) for i in ids))))
    head = [f"{n}: {len(s)} images" for n, s in zip(names, scenes, strict=True)]
    first = "area, and touched / found / outlined after 5 looks an image"
    print(markdown_head(first, *head, "mean", "worst"))
    measured: dict[str, list[DiscoveryCurve]] = {}
    for way, (weights, choice) in ways().items():
        curves = [_curve(scene, weights, choice) for scene in scenes]
        mean = {share: float(np.mean([curve.per_image[5][share] for curve in curves])) for share in SHARES}
        cells = [f"{curve.area:.3f}, {shares_text(curve.per_image[5])}" for curve in curves]
        measured[way] = curves
        areas = [curve.area for curve in curves]
        middle = f"{np.mean(areas):.3f}, {shares_text(mean)}"
        print(markdown_row(way, *cells, middle, f"{min(areas):.3f}"), flush=True)

    print()
    print(
        markdown_head(
            "scene", "chosen by the others", "area", "after 5 looks an image", "area of the default"
        )
    )
    for place, name in enumerate(names):
        best = max(measured, key=lambda way: _mean_of_others(measured[way], place))
        here, usual = measured[best][place], measured["**default**"][place]
        after = shares_text(here.per_image[5])
        print(markdown_row(name, best, f"{here.area:.3f}", after, f"{usual.area:.3f}"))


def _mean_of_others(curves: Sequence[DiscoveryCurve], place: int) -> float:
    return float(np.mean([curve.area for other, curve in enumerate(curves) if other != place] or [0.0]))


def ways() -> dict[str, tuple[ScoreWeights, Choice]]:
    """Name → weights and choice."""
    default, choice = ScoreWeights(), Choice()

    def weighing(changed: Mapping[str, float]) -> ScoreWeights:
        return replace(default, evidence={**default.evidence, **changed})

    without = {f"without {name}": weighing({name: 0.0}) for name in default.evidence}
    apart = {name: weight for name, weight in default.evidence.items() if not name.startswith("energy")}
    entropy = {"entropy": 1.0, "entropy_contrast": 0.25, **apart}
    windows = {
        f"distance {known:g}, windows {window:g}, their contrast {contrast:g}": weighing(
            {"distance": known, "window_distance": window, "local_window_distance_contrast": contrast}
        )
        for known, window, contrast in WINDOWS
    }
    return {
        "**default**": (default, choice),
        "without contrast of large regions": (replace(default, contrast=0.0), choice),
        "sides -1": (replace(default, sides=-1.0), choice),
        "how far down: 0": (replace(default, middle=0.0), choice),
        "how far down: 0.5": (replace(default, middle=0.5), choice),
        "how far down: 1.25": (replace(default, middle=1.25), choice),
        **{name: (weights, choice) for name, weights in windows.items()},
        "energy 0.5": (weighing({"energy": 0.5}), choice),
        "entropy instead of energy": (replace(default, evidence=entropy), choice),
        "taller than wide 0.3": (weighing({"height": 0.3, "width": -0.3}), choice),
        "contrast of distance, all sizes, 0.25": (weighing({CONTRAST: 0.25}), choice),
        "contrast of distance, all sizes, 0.5": (weighing({CONTRAST: 0.5}), choice),
        "size 0": (default, replace(choice, size_power=0.0)),
        "size 0.3": (default, replace(choice, size_power=0.3)),
        **{name: (weights, choice) for name, weights in without.items()},
        "without perimeter": (replace(default, perimeter=0.0), choice),
        "without log_share": (replace(default, log_share=0.0), choice),
        "threshold 0": (default, replace(choice, threshold=0.0)),
        "threshold 1": (default, replace(choice, threshold=1.0)),
        "threshold 3": (default, replace(choice, threshold=3.0)),
        "nothing shared": (default, replace(choice, shared=0.0)),
        "shared 0.7": (default, replace(choice, shared=0.7)),
        "nothing taken by better ones of the image": (default, replace(choice, crowding=0.0)),
        "at most 8 an image": (default, replace(choice, limit=8)),
        "at most 8 an image, threshold 1": (default, replace(choice, limit=8, threshold=1.0)),
    }


def _image(workspace: Workspace, stored: Stored, image_id: str, unknown: frozenset[int]) -> Image | None:
    path = regions_path(workspace, stored, "regions", image_id)
    if not path.is_file():
        return None
    labels = stored_prediction(workspace, stored, image_id).labels
    if labels is None:
        return None
    regions = read_regions(path)
    return Image(regions, matches_of_regions(regions.tree, unknown_objects(labels, unknown).masks))


def _curve(scene: Sequence[Image], weights: ScoreWeights, choice: Choice) -> DiscoveryCurve:
    reference = RegionReference.of([image.regions.columns for image in scene], weights.standardised)
    chosen = [chosen_regions(image.regions, "", reference, weights, choice) for image in scene]
    scores = in_order(chosen, choice)[SELECT_SCORE].to_numpy(np.float64)
    kept = [found.rows["segment_id"].to_numpy() - 1 for found in chosen]
    matches = [
        Matches(image.matches.covered[rows], image.matches.iou[rows])
        for image, rows in zip(scene, kept, strict=True)
    ]
    return curve_of_matches(matches, np.split(scores, np.cumsum([len(rows) for rows in kept])[:-1]))


if __name__ == "__main__":
    main()
