"""Objects instead of fragments: what region proposals contain, and how soon a person who looks at them finds objects.

    python benchmarks/objects.py --data data --cache objects_cache --every 4 --output docs/objects_tables.md

``--data`` holds ``camvid`` (``train``, ``val``, ``labels32`` with ``classes.json``), ``road_anomaly_21`` and
``fishyscapes_static`` (``images``, ``labels``); of CamVid's drives each ``--every``-th frame is taken,
of Fishyscapes' large images each ``--every-large``-th. Logits of
deeplabv3plus_camvid and features of an ImageNet network are computed once and kept in ``--cache``. Of a scene nothing
is learned but what its images show without truth; the known features that distances are measured to come from
CamVid's other drives. The network was trained on CamVid's drives: only the anomaly sets are scenes it never saw.

Broken off, it goes on where it stopped; scenes can be described side by side with ``--scenes``, then all together.

Table 1: the oracle (METRICS.md, section 12), by source. Table 2: the discovery curve. Table 3: what each part is worth.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from command_line import command_line
from numpy.typing import NDArray
from object_candidates import DRIVES, LONGEST, Candidates, described_scenes, shares_text

from oodretrieval.evaluation import DiscoveryCurve
from oodretrieval.evaluation.discovery import Matches, curve_of_matches
from oodretrieval.regions import (
    Choice,
    RegionReference,
    ScoreWeights,
    best_cut,
    choose_regions,
    score_regions,
)
from oodretrieval.results.tables import markdown_lines

LOOKS = (1, 2, 5, 10)
EVIDENCE = {"energy": 1.0, "energy_contrast": 0.25, "distance": 1.5}
"""No known windows here, so that the distance counts for both."""


def main() -> None:
    """Print the tables."""
    parser = command_line(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--every-large", type=int, default=1)
    parser.add_argument("--scenes", nargs="+", default=[*DRIVES, *LONGEST])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    candidates = described_scenes(
        options.data, options.cache, options.scenes, options.every, options.every_large
    )
    text = "\n\n".join([oracle_table(candidates), curve_table(candidates), ablation_table(candidates)])
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    print(text)


def oracle_table(candidates: dict[str, list[Candidates]]) -> str:
    """What proposals contain: regions of an image, objects with an IoU of 0.25 and 0.5."""
    rows = []
    for name, found in candidates.items():
        objects = sum(c.matches.iou.shape[1] for c in found)
        head = [f"{name}: {len(found)} images, {objects} objects"]
        rows.append([*head, "Felzenszwalb, four scales", *_oracle([c.plain for c in found])])
        for source in ("segments", "novelty", "appearance", "everything", "surprise", None):
            kept = [c.tree.source == source if source else np.ones(len(c.tree), bool) for c in found]
            chosen = [
                Matches(c.matches.covered[k], c.matches.iou[k]) for c, k in zip(found, kept, strict=True)
            ]
            rows.append([*head, source or "**all regions**", *_oracle(chosen)])
    return markdown_lines(
        ["scene", "candidates", "regions an image", "IoU at least 0.25", "at least 0.5"], rows
    )


def _oracle(matches: list[Matches]) -> list[str]:
    best = np.concatenate([m.iou.max(axis=0, initial=0) for m in matches])
    count = np.mean([len(m.iou) for m in matches])
    return [f"{count:.0f}", f"{(best >= 0.25).mean():.0%}", f"{(best >= 0.5).mean():.0%}"]


Show = Callable[[Candidates, NDArray[np.float64]], NDArray[np.int64]]


def _curve(
    found: list[Candidates],
    weights: ScoreWeights,
    show: Show,
    source: str | None = None,
    *,
    at_random: bool = False,
) -> DiscoveryCurve:
    """The curve of one scene, compared with what its own regions show."""
    rng = np.random.default_rng(0)
    reference = RegionReference.of([c.terms for c in found], weights.standardised)
    matches, scores = [], []
    for c in found:
        score = score_regions(c.terms, reference, weights)
        if at_random:
            score = rng.random(len(score))
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


def curve_table(candidates: dict[str, list[Candidates]]) -> str:
    """Touched, found and outlined after 1, 2, 5 and 10 looks an image, and the area, of the default."""
    rows = []
    plain = ScoreWeights(evidence=EVIDENCE, perimeter=0.0, sides=0.0, contrast=0.0)
    for name, found in candidates.items():
        ways = {
            "**objects**": _curve(found, ScoreWeights(evidence=EVIDENCE), _shown()),
            "predicted segments, same evidence": _curve(found, plain, _every, "segments"),
            "all regions at random": _curve(found, plain, _every, at_random=True),
        }
        for way, curve in ways.items():
            shares = [shares_text(curve.per_image[looks]) for looks in LOOKS]
            rows.append([name, way, *shares, shares_text(curve.in_all[100]), f"{curve.area:.3f}"])
    return markdown_lines(
        ["scene", "candidates", *(f"{n} looks an image" for n in LOOKS), "100 looks in all", "area"], rows
    )


def ablation_table(candidates: dict[str, list[Candidates]]) -> str:
    """The area under the curve per scene, their mean and the worst; and what is found after five looks an image."""
    default, choice = ScoreWeights(evidence=EVIDENCE), Choice()
    evidence = dict(default.evidence)
    without = {f"without {name}": replace(default, evidence={**evidence, name: 0.0}) for name in evidence}
    ways: dict[str, tuple[ScoreWeights, Show, str | None]] = {
        "**default**": (default, _shown(), None),
        **{name: (weights, _shown(), None) for name, weights in without.items()},
        "without perimeter": (replace(default, perimeter=0.0), _shown(), None),
        "without log_share": (replace(default, log_share=0.0), _shown(), None),
        "without sides": (replace(default, sides=0.0), _shown(), None),
        "without contrast of large regions": (replace(default, contrast=0.0), _shown(), None),
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
            name: float(np.mean([c.per_image[5][name] for c in curves]))
            for name in ("touched", "found", "outlined")
        }
        rows.append(
            [
                way,
                *(f"{a:.3f}" for a in areas),
                f"{np.mean(areas):.3f}",
                f"{min(areas):.3f}",
                shares_text(mean),
            ]
        )
    return markdown_lines(
        ["area under the found curve", *candidates, "mean", "worst", "5 looks an image, mean"], rows
    )


if __name__ == "__main__":
    main()
