"""Which segments a report shows, in what order, and what stands below them."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.charts.contact_sheets import Sheet, Tile, tiles
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.images import read_image
from oodretrieval.results.candidates import Candidates, score_name
from oodretrieval.results.segment_classes import SegmentClasses
from oodretrieval.search import cluster, inspection_order
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, Catalogue


def orders(table: pd.DataFrame) -> Iterator[tuple[str, str, NDArray[np.intp]]]:
    """Ways to go through segments: title, a sentence, and the rows in order.

    Args:
        table: Rows with predicted and true IoU; a true one below 0 is none.

    Yields:
        Title, sentence, and places of rows, ``(n,)``.
    """
    predicted = table[PREDICTED_IOU].to_numpy()
    yield "Worst", "Lowest predicted IoU first.", np.argsort(predicted, kind="stable")
    yield "Best", "Highest predicted IoU first.", np.argsort(-predicted, kind="stable")
    with_truth = np.flatnonzero(table["iou"].to_numpy() >= 0)
    if len(with_truth):
        excess = predicted[with_truth] - table["iou"].to_numpy()[with_truth]
        high, low = (
            with_truth[np.argsort(-excess, kind="stable")],
            with_truth[np.argsort(excess, kind="stable")],
        )
        yield "Overestimated", "Predicted IoU furthest above the true one.", high
        yield "Underestimated", "Predicted IoU furthest below the true one.", low


def candidate_sheet(
    catalogue: Catalogue, shown: int, unread: MutableMapping[str, str] | None = None
) -> Sheet | None:
    """The segments of a catalogue in the order of the score that selected them, each thing once.

    Args:
        catalogue: Whose segments.
        shown: Segments shown, at most.
        unread: See :func:`~oodretrieval.charts.contact_sheets.tiles`.

    Returns:
        The sheet; None for a catalogue without scores.

    Raises:
        ImageError: If an image cannot be read, and ``unread`` is not given.
    """
    candidates = Candidates.of(catalogue)
    if candidates is None:
        return None
    segments = catalogue.segments.reset_index(drop=True)
    first = candidates.first
    times = np.bincount(first)
    order = [int(row) for row in inspection_order(candidates.scores) if first[row] == row]
    places = {row: place for place, row in enumerate(order, 1)}
    score = score_name(catalogue.settings["select_by"])
    classes = SegmentClasses(catalogue)

    def lines(row: pd.Series) -> Sequence[str]:
        number = int(str(row.name))
        again = f", seen {times[number]} times" if times[number] > 1 else ""
        heading = f"{places[number]}. {score} {row[SELECT_SCORE]:.2f}{again}"
        return heading, *_catalogue_lines(row, classes), str(row["image_id"])

    note = f"Highest {score} first, the score that selected them; {min(shown, len(order))} of {len(order)} are shown."
    if len(order) < len(segments):
        near = "a near frame" if catalogue.settings.get("video") else "an image of a near number"
        note += f" {len(segments) - len(order)} of {len(segments)} repeat one in {near} and are left out."
    return Sheet("Candidates", note, _catalogue_tiles(catalogue, segments.loc[order[:shown]], lines, unread))


def _catalogue_tiles(
    catalogue: Catalogue,
    segments: pd.DataFrame,
    lines_of: Callable[[pd.Series], Sequence[str]],
    unread: MutableMapping[str, str] | None,
) -> tuple[Tile, ...]:
    """Tiles of rows of a catalogue, which knows its images by their paths."""
    masks = [catalogue.masks[int(row)] for row in segments.index]
    return tiles(
        segments, lambda path: read_image(Path(path)), lines_of, by="image_path", masks=masks, unread=unread
    )


def segment_lines(
    row: pd.Series, class_names: Mapping[int, str], dataset: SegmentationDataset
) -> Sequence[str]:
    """What stands below a segment: classes, predicted and true IoU, image.

    Args:
        row: Of a segment table, with predicted IoU.
        class_names: Predicted id → name.
        dataset: Whose labels they are.

    Returns:
        One text a line.
    """
    predicted = f"predicted {class_names[int(row['class'])]}, its predicted IoU {row[PREDICTED_IOU]:.2f}"
    if row["label"] < 0 or dataset.label_set is None:
        return predicted, str(row["image_id"])
    truth = dataset.label_set.label_name(int(row["label"]))
    return predicted, f"truth {truth}, IoU {row['iou']:.2f}", str(row["image_id"])


def cluster_sheets(
    catalogue: Catalogue,
    method: str,
    clusters: int | None,
    shown: int,
    seed: int,
    unread: MutableMapping[str, str] | None = None,
) -> Iterator[Sheet]:
    """The clusters of a catalogue, the largest first.

    Args:
        catalogue: Whose segments.
        method: kmeans, spectral or agglomerative.
        clusters: Their number; None for the elbow of k-means.
        shown: Segments shown of each, at most; those nearest to its centre.
        seed: Of the clustering.
        unread: See :func:`~oodretrieval.charts.contact_sheets.tiles`.

    Yields:
        One sheet a cluster.

    Raises:
        ImageError: If an image cannot be read, and ``unread`` is not given.
    """
    segments, vectors = catalogue.segments.reset_index(drop=True), np.asarray(catalogue.vectors)
    groups = cluster(vectors, method, clusters, seed)
    classes = SegmentClasses(catalogue)
    for group in range(int(groups.max(initial=-1)) + 1):
        rows = np.flatnonzero(groups == group)
        away = np.linalg.norm(vectors[rows] - vectors[rows].mean(axis=0), axis=1)
        nearest = segments.loc[rows[np.argsort(away, kind="stable")][:shown]]
        made = _catalogue_tiles(catalogue, nearest, lambda row: _catalogue_lines(row, classes), unread)
        yield Sheet(f"Cluster {group + 1}", f"{len(rows)} segments, nearest to its centre first.", made)


def _catalogue_lines(row: pd.Series, classes: SegmentClasses) -> Sequence[str]:
    number = int(str(row.name))
    predicted = f"predicted {classes.predicted_name(number)}"
    if PREDICTED_IOU in row.index:
        predicted += f", its predicted IoU {row[PREDICTED_IOU]:.2f}"
    truth = classes.truth_name(number)
    return (predicted, f"truth {truth}") if truth else (predicted,)
