"""Pictures of the scores of unknown objects: curves over all pixels, and maps of single images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.charts.bars_and_lines import curve_chart
from oodretrieval.evaluation import ScoreCounts, detection_figures
from oodretrieval.evaluation.ood_components import IGNORE, UNKNOWN
from oodretrieval.stages.evaluate.ood.ood_scores import ScoreReader

Rates = NDArray[np.float64]
POINTS = 2000
"""Of a drawn curve."""
SHOWN = (0.01, 0.995)
"""Quantiles of a score between which its map is coloured."""
OUTLINE = "#D55E00"


def draw_curves(path: Path, counts: Mapping[str, ScoreCounts], title: str) -> Path:
    """ROC and precision over recall of every score, side by side.

    Args:
        path: The picture.
        counts: Score → its counts.
        title: Above both.

    Returns:
        ``path``.
    """
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    figures = {name: detection_figures(count) for name, count in counts.items()}
    roc, recall = {}, {}
    for name, count in counts.items():
        alarms, hits, precision = _thinned(*count.curve())
        roc[f"{_words(name)}  {figures[name].auroc:.3f}"] = np.append(0, alarms), np.append(0, hits)
        recall[f"{_words(name)}  {figures[name].auprc:.3f}"] = hits, precision
    curve_chart(left, roc, ("false positive rate", "true positive rate"), legend="AUROC", place="lower right")
    left.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=(0, (1, 3)))
    curve_chart(right, recall, ("recall", "precision"), legend="AUPRC", place="upper right")
    prevalence = next(iter(figures.values())).prevalence
    right.axhline(prevalence, color="black", linewidth=0.8, linestyle=(0, (1, 3)))
    right.text(0.01, prevalence + 0.01, f"chance {prevalence:.3f}", fontsize=9)
    figure.suptitle(f"{title}: pixels")
    figure.savefig(path, dpi=120)
    return path


def _thinned(alarms: Rates, hits: Rates, precision: Rates) -> tuple[Rates, Rates, Rates]:
    """Points at equal steps along the ROC curve, whose rates rise from 0 to 1 each."""
    way = np.linspace(0, 2, POINTS)
    places = np.unique(np.searchsorted(alarms + hits, way).clip(0, len(alarms) - 1))
    return alarms[places], hits[places], precision[places]


def _words(name: str) -> str:
    return name.replace("_", " ").replace("iou", "IoU")


def draw_score_maps(
    folder: Path, stem: str, reader: ScoreReader, counts: Mapping[str, ScoreCounts], pictures: int
) -> dict[str, Path]:
    """The scores of a few images as maps, unknown objects outlined; one picture per image.

    The images are spread over those that show something unknown, each the one of its stretch with the most of it.

    Args:
        folder: Where to write.
        stem: Beginning of the file names.
        reader: Where scores come from.
        counts: Score → counts over all images, for one colour scale for all of them.
        pictures: How many.

    Returns:
        Caption → file.
    """
    scales = {name: tuple(count.quantile(share) for share in SHOWN) for name, count in counts.items()}
    paths = {}
    for image_id in _most_unknown(reader, pictures):
        maps, truth = reader.read(image_id)
        image = reader.dataset[list(reader.dataset.ids).index(image_id)].image
        path = folder / f"{stem}_{image_id.replace('/', '_')}.png"
        _draw_maps(path, image_id, image, maps, truth, scales)
        paths[f"Scores of {image_id}"] = path
    return paths


def _most_unknown(reader: ScoreReader, number: int) -> list[str]:
    """Of each of ``number`` stretches of the dataset, the image with the most unknown pixels, if it has any."""
    if not number:
        return []
    shares = {image: reader.unknown_pixels(image) for image in reader.images}
    stretches = [part.tolist() for part in np.array_split(np.array(reader.images), number) if len(part)]
    best = [max(part, key=lambda image: shares[image]) for part in stretches]
    return [image for image in best if shares[image]]


def _draw_maps(
    path: Path,
    image_id: str,
    image: NDArray[np.uint8],
    maps: Mapping[str, NDArray[np.float32]],
    truth: NDArray[np.uint8],
    scales: Mapping[str, tuple[float, ...]],
) -> None:
    panels = len(maps) + 1
    columns = min((4, 3), key=lambda number: -panels % number)  # fewer panels are left empty
    rows = -(-panels // columns)
    height, width = truth.shape
    figure = Figure(figsize=(3.6 * columns, rows * (3.1 * height / width + 0.3) + 0.4), layout="constrained")
    places: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in places:
        axes.axis("off")
    places[0].imshow(image)
    _outline(places[0], truth)
    places[0].set_title("image; unknown outlined", fontsize=10)
    for axes, (name, values) in zip(places[1:], maps.items(), strict=False):
        low, high = scales[name]
        shown = np.ma.masked_array(values, truth == IGNORE)
        drawn = axes.imshow(shown, cmap="viridis", vmin=low, vmax=max(high, low + 1e-6))
        axes.set_facecolor("white")
        _outline(axes, truth)
        axes.set_title(_words(name), fontsize=10)
        figure.colorbar(drawn, ax=axes, fraction=0.035, pad=0.01).ax.tick_params(labelsize=7)
    figure.suptitle(f"{image_id}: bright is more unknown, void is white", fontsize=11)
    figure.savefig(path, dpi=110)


def _outline(axes: Axes, truth: NDArray[np.uint8]) -> None:
    unknown = truth == UNKNOWN
    if unknown.any() and not unknown.all():
        axes.contour(unknown, levels=[0.5], colors=OUTLINE, linewidths=1.0)
