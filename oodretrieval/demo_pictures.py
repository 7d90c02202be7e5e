"""Pictures of the demo: the candidates by score, the embedding space, a query with its neighbours, one image."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.charts.candidate_pictures import CandidatePictures
from oodretrieval.charts.crop_sheets import draw_candidates, draw_neighbours
from oodretrieval.charts.embedding_space import draw_embedding_space
from oodretrieval.charts.image_panels import four_panel_figure
from oodretrieval.charts.saving import save_picture
from oodretrieval.choices import DEFAULT_METRIC
from oodretrieval.explorer.image_views import image_view
from oodretrieval.explorer.segment_values import SegmentValues
from oodretrieval.labels import LabelSet
from oodretrieval.results.candidates import score_name
from oodretrieval.search import inspection_order, neighbour_index, project
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, Catalogue, Workspace, read_prediction
from oodretrieval.stores.boxes import row_boxes

NEIGHBOURS = 10
CANDIDATES = (8, 3)
"""Columns and rows of the contact sheet."""
THUMBNAILS_PER_CLASS = 3
THUMBNAIL_SIZE = np.array([0.085, 0.145])
"""Width and height of a thumbnail over those of all points, as they are drawn."""


class DemoPictures:
    """The pictures of the demo, from what the stages left on disk.

    Args:
        catalogue: Objects of one dataset with truth.
        segments: Predicted segments of the same.
        workspace: Where the predictions lie.
        label_set: What the labels mean.
        folder: Where the pictures go; made where missing.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        segments: Catalogue,
        workspace: Workspace,
        label_set: LabelSet,
        folder: str | Path,
    ) -> None:
        self.catalogue, self.workspace, self.label_set, self.folder = (
            catalogue,
            workspace,
            label_set,
            Path(folder),
        )
        self.of_segments = segments
        self.pictures = CandidatePictures(catalogue)
        self.made_by = catalogue.settings
        self.segments = catalogue.segments
        self.vectors = np.asarray(catalogue.vectors)
        self.search = neighbour_index(self.vectors, DEFAULT_METRIC)
        self.published = self.made_by["select_by"] == PREDICTED_IOU
        self.score_name = score_name(self.made_by["select_by"])
        self.labels = self.segments["label"].to_numpy()
        self.names = {i: name for i, (name, _) in self.label_set.label_mapping.items()}
        self.folder.mkdir(parents=True, exist_ok=True)

    def draw(self) -> list[Path]:
        """Draw all pictures and save them.

        Returns:
            Their files, the candidates first.
        """
        query = self._query()
        figures = {
            "candidates": self._candidates(self.of_segments),
            "objects": self._candidates(self.catalogue),
            "embedding_space": self._embedding_space(),
            "neighbours": self._neighbours(query),
            "four_panels": self._four_panels(query),
        }
        return [save_picture(self.folder / f"{name}.png", figure) for name, figure in figures.items()]

    def _query(self) -> int:
        """The unknown thing whose nearest neighbours are most often of its own class."""
        unknown = np.flatnonzero(np.isin(self.labels, sorted(self.label_set.unknown_ids)))
        if not len(unknown):
            return 0
        hits = {
            int(row): sum(self.labels[row] == self.labels[found] for found, _ in self._nearest(int(row)))
            for row in unknown
        }
        scores = self.segments[SELECT_SCORE].to_numpy()
        return max(hits, key=lambda row: (hits[row], scores[row]))

    def _nearest(self, query: int) -> list[tuple[int, float]]:
        """Nearest segments of other images, with distances: those of its own image show the same thing again."""
        images = self.segments["image_id"].to_numpy()
        indices, distances = self.search.query(self.vectors[query], len(self.vectors))
        others = [(int(i), float(d)) for i, d in zip(indices, distances, strict=True)]
        return [(i, d) for i, d in others if images[i] != images[query]][:NEIGHBOURS]

    def _candidates(self, catalogue: Catalogue) -> Figure:
        figure = Figure(figsize=(13, 7.5))
        table, pictures = catalogue.segments, CandidatePictures(catalogue)
        scores, labels = table[SELECT_SCORE].to_numpy(), table["label"].to_numpy()
        rows = inspection_order(scores)[: CANDIDATES[0] * CANDIDATES[1]]
        captions = [
            f"{place}. {self.score_name} {scores[row]:.1f}\n{self._label_name(int(labels[row]))}"
            for place, row in enumerate(rows, 1)
        ]
        draw_candidates(figure, [pictures.picture(int(row)) for row in rows], captions, *CANDIDATES)
        figure.suptitle(
            f"What looks most unknown: the {len(rows)} {catalogue.candidates} of highest {self.score_name}, the score "
            "that selected\n(and what most of their pixels are in truth)"
        )
        figure.subplots_adjust(0.01, 0.06, 0.99, 0.91)
        return figure

    def _embedding_space(self) -> Figure:
        figure = Figure(figsize=(13, 7.5), layout="constrained")
        points = project(self.vectors, "tsne", 2, 0)
        unknown = sorted(self.label_set.unknown_ids)
        of_classes = [
            _spread(points, np.flatnonzero(self.labels == label), THUMBNAILS_PER_CLASS) for label in unknown
        ]
        in_turn = [row for some in zip_longest(*of_classes) for row in some if row is not None]
        thumbnails = {row: self.pictures.picture(row) for row in _without_overlap(points, in_turn)}
        axes = figure.subplots()
        draw_embedding_space(axes, points, self.labels, self.names, unknown, thumbnails)
        axes.margins(y=0.14)  # thumbnails stand above their points
        axes.set_title(
            f"{len(points)} {self.catalogue.candidates} that look unknown in the embedding space of "
            f"{self.made_by['net']} (t-SNE), coloured by truth"
        )
        return figure

    def _neighbours(self, query: int) -> Figure:
        figure = Figure(figsize=(13, 5), layout="constrained")
        kept = self._nearest(query)
        draw_neighbours(
            figure,
            self.pictures.picture(query),
            self._name(query),
            [self.pictures.picture(i) for i, _ in kept],
            [f"{self._name(i)}, {distance:.2g}" for i, distance in kept],
            [bool(self.labels[i] == self.labels[query]) for i, _ in kept],
        )
        figure.suptitle(
            "The unknown thing with the best ranking, and its nearest neighbours in other images\n"
            "(class by the majority of true pixels, and distance)"
        )
        return figure

    def _name(self, row: int) -> str:
        return self._label_name(int(self.labels[row]))

    def _label_name(self, label: int) -> str:
        return self.names.get(label, "no truth")

    def _four_panels(self, query: int) -> Figure:
        row = self.segments.iloc[query]
        place = str(row["dataset"]), str(row["image_id"])
        estimates = self.catalogue.table(PREDICTED_IOU)
        column = PREDICTED_IOU if self.published else SELECT_SCORE
        view = image_view(
            read_prediction(self.workspace, self.made_by["model"], *place),
            self.pictures.outlined_image(query),
            SegmentValues.of(estimates, place, column, self.score_name),
            self.label_set.pred_mapping,
            self.label_set.label_mapping,
            row_boxes(pd.DataFrame([row]))[0],
        )
        title = f"{row['image_id']}: the framed {self._name(query)} is of no class that the network knows"
        return four_panel_figure(view, title)


def _spread(points: NDArray[np.floating], rows: NDArray[np.integer], count: int) -> list[int]:
    """Up to ``count`` of these rows, far from each other."""
    if not len(rows):
        return []
    chosen = [int(rows[0])]
    while len(chosen) < min(count, len(rows)):
        gaps = np.linalg.norm(points[rows][:, None] - points[chosen][None], axis=2).min(axis=1)
        chosen.append(int(rows[gaps.argmax()]))
    return chosen


def _without_overlap(points: NDArray[np.floating], rows: Sequence[int]) -> list[int]:
    """Of these rows those whose thumbnails cover none of an earlier one."""
    room = THUMBNAIL_SIZE * np.ptp(points, axis=0)
    kept: list[int] = []
    for row in rows:
        if (np.abs(points[kept] - points[row]) >= room).any(axis=1).all():
            kept.append(row)
    return kept
