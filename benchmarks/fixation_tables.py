"""The page of fixations' measurements, from what benchmarks/fixations.py noted."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from checkout import DRIVES
from fixation_methods import FIXATIONS, GRID, RANDOM, SQUARE, SQUARES
from fixation_speed import PARTS
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from oodretrieval.datasets.camvid import CLASSES
from oodretrieval.results.tables import markdown_lines

REPETITIONS = 1000
HEAD = """# Fixations: measured

Made by `python benchmarks/fixations.py deletion`, `signal`, `speed` and `report`; what a fixation is stands in
[Why the network says so](explain.md).
"""
DELETION = """## Deletion

Of {segments} predicted segments of at least 400 pixels in {images} of CamVid's validation images (random ones,
at most six segments each) something is taken out, and the network sees the image again. `drop` is how much the class's
mean logit over the segment falls (from {logit} in the mean), `more` by how much it falls more than with as many random
pixels of the same segment, with 95 % in brackets, by resampling images; `ahead` is the share of segments in which it
does. `inside` and `within 10` are the shares of what is taken out that lie in the segment and at most ten pixels from
it. Seg-Grad-CAM is of the pyramid's output, feature ablation of {cells} cells; these and the gradients are captum's.
*Gradient × difference* is the gradient times what sets the image apart from the blurred image.

What is taken out, and how, was settled on other images of the same drive. Seventeen of these had been measured by
single pixels before areas were chosen there, none by areas.

**Areas**: where the fixations' [heat map](explain.md) is highest, as many pixels as half of the segment has, replaced
by the blurred image (8 pixels). The other methods' scores are blurred as the heat map is, where they are of single
pixels. Random squares are of {square}×{square} pixels.

{area}

Compared with random squares, the fixations' areas lower it by {squares} more.
Scattered pixels leave most of the picture readable, but on cars, signs and the sky, which are recognised by fine
detail, they take more (last table).

**Single pixels**, as many as the segment has fixations (median {points}). Imputed from their neighbours, as in
[ROAD](https://arxiv.org/abs/2202.00449), they lose what they say and add nothing, but so few change little. Here the
gradient is far ahead, multiplied with the very difference that is taken out; fixations are hardly better than
random pixels:

{imputation}

Set to the mean colour, each becomes a dot of its own. What is measured then is for the most part how much dots
disturb, most where they lie everywhere in the segment and on its smooth parts:

{mean_colour}

By the class that is predicted, drop by areas, the best in bold:

{classes}
"""
COLUMNS = ("Taken out", "drop", "more than random", "ahead", "inside", "within 10")
SIGNAL = """## Unknown objects against ordinary errors

Of CamVid's drives (0006R0 and 0016E5 with full labels, 0001TP with the 12 classes), each by the network that never
saw it: segments of at least 400 pixels, not mostly void. *Unknown* is unknown by more than half; an *error* is any
other whose predicted class holds for less than half of its pixels. Higher is more unknown: `share outside` of the
segment's fixations, their mean `distance` to it, their mean `spread` around their median (pixels; also over the
segment's size), their number per pixel; mean entropy and energy for comparison. AUROC, AP in brackets.

{counts}

{rows}

The same scores, unknown against everything else:

{others}
"""
SPEED = """## Time

One segment a sixth of the image long and wide, random image, {threads} thread(s), after a first small image; the
machine was at work on other things, so that seconds of processor time stand next to those of the clock. `record` is
a forward pass during which every operation is noted, `follow` the way back.

{rows}
"""


def report(work: Path) -> str:
    """The page.

    Args:
        work: Folder of what is measured; what is not there yet is left out.

    Returns:
        Markdown.
    """
    parts = [HEAD]
    if images := _images(work / "deletion.jsonl"):
        parts.append(_deletion(images))
    scenes = {scene: found for scene in DRIVES if (found := _images(work / f"signal_{scene}.jsonl"))}
    if scenes:
        parts.append(_signal(scenes))
    if (work / "speed.json").is_file():
        parts.append(_speed(json.loads((work / "speed.json").read_text(encoding="utf-8"))))
    return "\n".join(parts)


def _images(path: Path) -> list[list[dict[str, Any]]]:
    """Segments of each image."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [found for line in lines if (found := json.loads(line)["segments"])]


def _deletion(images: list[list[dict[str, Any]]]) -> str:
    segments = [row for rows in images for row in rows]
    owner = np.repeat(np.arange(len(images)), [len(rows) for rows in images])
    kinds = segments[0][FIXATIONS]["drop"]
    more = np.array([row[FIXATIONS]["drop"]["area"] - row[SQUARES]["drop"]["area"] for row in segments])
    low, high = _interval(more, owner)
    return DELETION.format(
        segments=len(segments),
        images=len(images),
        logit=f"{np.mean([row['logit'] for row in segments]):.1f}",
        points=int(np.median([row["points"] for row in segments])),
        cells=f"{GRID[0]}×{GRID[1]}",
        square=SQUARE,
        squares=f"{more.mean():.3f} [{low:.3f}, {high:.3f}] (ahead in {(more > 0).mean():.0%})",
        classes=_by_class(segments, "area"),
        **{kind.replace(" ", "_"): _deleted(segments, owner, kind) for kind in kinds},
    )


def _by_class(segments: list[dict[str, Any]], kind: str) -> str:
    """Mean drop of each method, by predicted class; the most frequent class first."""
    methods = _methods(segments, kind)
    lines = []
    counts = Counter(row["class"] for row in segments)
    for index, count in counts.most_common():
        chosen = [row for row in segments if row["class"] == index]
        drops = [float(np.mean([row[method]["drop"][kind] for row in chosen])) for method in methods]
        shown = [f"**{drop:.3f}**" if drop == max(drops) else f"{drop:.3f}" for drop in drops]
        lines.append([f"{CLASSES[index][0]} ({count})", *shown])
    return markdown_lines(["Class (segments)", *methods], lines)


def _methods(segments: list[dict[str, Any]], kind: str) -> list[str]:
    """Those that something is taken out by in this way."""
    return [name for name, value in segments[0].items() if isinstance(value, dict) and kind in value["drop"]]


def _deleted(segments: list[dict[str, Any]], owner: NDArray[np.int64], kind: str) -> str:
    """The table of one way to take pixels out; the largest drop first."""
    drops = {
        name: np.array([row[name]["drop"][kind] for row in segments]) for name in _methods(segments, kind)
    }
    lines = []
    for name in sorted(drops, key=lambda each: -drops[each].mean()):
        low, high = _interval(drops[name], owner)
        more = drops[name] - drops[RANDOM]
        least, most = _interval(more, owner)
        compared = [f"{more.mean():+.3f} [{least:+.3f}, {most:+.3f}]", f"{(more > 0).mean():.0%}"]
        inside, near = (np.mean([row[name][kind][key] for row in segments]) for key in ("inside", "near"))
        lines.append(
            [
                name,
                f"{drops[name].mean():.3f} [{low:.3f}, {high:.3f}]",
                *(["–", "–"] if name == RANDOM else compared),
                f"{inside:.0%}",
                f"{near:.0%}",
            ]
        )
    return markdown_lines(COLUMNS, lines)


def _interval(values: NDArray[np.float64], owner: NDArray[np.int64]) -> tuple[float, float]:
    """95 % of the mean, by resampling owners."""
    count = int(owner.max()) + 1
    sums, sizes = np.bincount(owner, values, count), np.bincount(owner, minlength=count)
    picked = np.random.default_rng(0).integers(0, count, (REPETITIONS, count))
    low, high = np.quantile(sums[picked].sum(1) / sizes[picked].sum(1), [0.025, 0.975])
    return float(low), float(high)


def _signal(scenes: dict[str, list[list[dict[str, Any]]]]) -> str:
    everything = {scene: [row for rows in images for row in rows] for scene, images in scenes.items()}
    names = list(next(iter(everything.values()))[0]["scores"])
    tables = {}
    for table, all_others in (("rows", False), ("others", True)):
        kept = {
            scene: [row for row in rows if all_others or row["unknown"] or row["error"]]
            for scene, rows in everything.items()
        }
        lines = []
        for name in names:
            cells = [_measures(rows, name) for rows in kept.values()]
            mean = np.nanmean(cells, axis=0)
            lines.append((name, *(f"{auroc:.2f} ({precision:.2f})" for auroc, precision in [*cells, mean])))
        tables[table] = markdown_lines(["Score", *everything, "mean"], lines)
    counts = "; ".join(
        f"{scene}: {len(scenes[scene])} frames, {sum(row['unknown'] for row in rows)} unknown, "
        f"{sum(row['error'] and not row['unknown'] for row in rows)} errors, {len(rows)} segments"
        for scene, rows in everything.items()
    )
    return SIGNAL.format(counts=f"{counts}.", **tables)


def _measures(rows: list[dict[str, Any]], name: str) -> tuple[float, float]:
    unknown = np.array([row["unknown"] for row in rows])
    if unknown.all() or not unknown.any():
        return float("nan"), float("nan")
    scores = [row["scores"][name] for row in rows]
    return float(roc_auc_score(unknown, scores)), float(average_precision_score(unknown, scores))


def _speed(lines: list[dict[str, Any]]) -> str:
    rows = [
        (
            line["network"],
            f"{line['size'][0]}×{line['size'][1]}",
            *(f"{line['cpu'][part]:.1f} s ({line['wall'][part]:.1f} s)" for part in PARTS),
            f"{line['kept_bytes'] / 2**20:.0f} MiB",
        )
        for line in lines
    ]
    head = ("Network", "image", *PARTS, "kept in memory")
    return SPEED.format(threads=lines[0]["threads"], rows=markdown_lines(head, rows))
