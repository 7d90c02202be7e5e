"""Which segments a report shows, in what order, and what stands below them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.images import read_image
from oodretrieval.search import cluster
from oodretrieval.stages.report.contact_sheets import Sheet, tiles
from oodretrieval.stores import PREDICTED_IOU, Catalogue


def orders(table: pd.DataFrame) -> Iterator[tuple[str, str, NDArray[np.intp]]]:
    """Ways to go through segments: title, a sentence, and the rows in order.

    Args:
        table: Rows with predicted and true IoU; a true one below 0 is none.
    """
    predicted = table[PREDICTED_IOU].to_numpy()
    yield "Worst", "Lowest predicted IoU first.", np.argsort(predicted, kind="stable")
    yield "Best", "Highest predicted IoU first.", np.argsort(-predicted, kind="stable")
    judged = np.flatnonzero(table["iou"].to_numpy() >= 0)
    if len(judged):
        excess = predicted[judged] - table["iou"].to_numpy()[judged]
        high, low = judged[np.argsort(-excess, kind="stable")], judged[np.argsort(excess, kind="stable")]
        yield "Overestimated", "Predicted IoU furthest above the true one.", high
        yield "Underestimated", "Predicted IoU furthest below the true one.", low


def segment_lines(
    row: pd.Series, class_names: Mapping[int, str], dataset: SegmentationDataset
) -> Sequence[str]:
    """What stands below a segment: classes, predicted and true IoU, image."""
    predicted = f"{class_names[int(row['class'])]}, predicted IoU {row[PREDICTED_IOU]:.2f}"
    if row["label"] < 0 or dataset.label_set is None:
        return predicted, str(row["image_id"])
    truth = dataset.label_set.label_name(int(row["label"]))
    return predicted, f"truth {truth}, IoU {row['iou']:.2f}", str(row["image_id"])


def cluster_sheets(
    catalogue: Catalogue, method: str, clusters: int | None, shown: int, seed: int
) -> Iterator[Sheet]:
    """The clusters of a catalogue, the largest first.

    Args:
        catalogue: Whose segments.
        method: kmeans, spectral or agglomerative.
        clusters: Their number; None for the elbow of k-means.
        shown: How many segments of each, at most; those nearest to its centre.
        seed: Of the clustering.

    Raises:
        ImageError: If an image cannot be read.
    """
    segments, vectors = catalogue.segments.reset_index(drop=True), np.asarray(catalogue.vectors)
    groups = cluster(vectors, method, clusters, seed)
    paths = dict(zip(segments["image_id"], segments["image_path"], strict=True))
    names = {int(i): name for i, (name, _) in catalogue.settings["pred_mapping"].items()}
    for group in range(int(groups.max(initial=-1)) + 1):
        rows = np.flatnonzero(groups == group)
        away = np.linalg.norm(vectors[rows] - vectors[rows].mean(axis=0), axis=1)
        nearest = segments.loc[rows[np.argsort(away, kind="stable")][:shown]]
        made = tiles(
            nearest,
            lambda image_id: read_image(Path(paths[image_id])),
            lambda row: _catalogue_lines(row, catalogue, names),
        )
        yield Sheet(f"Cluster {group + 1}", f"{len(rows)} segments, nearest to its centre first.", made)


def _catalogue_lines(row: pd.Series, catalogue: Catalogue, names: dict[int, str]) -> Sequence[str]:
    predicted = f"{names[int(row['class'])]}, predicted IoU {row[PREDICTED_IOU]:.2f}"
    labels = catalogue.settings.get("label_mapping", {}).get(str(row["dataset"])) or {}
    truth = labels.get(str(int(row["label"])))
    return (predicted, f"truth {truth[0]}") if truth else (predicted,)
