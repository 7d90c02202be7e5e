"""The whole pipeline on rendered streets, with the networks that ship: what it finds, and pictures of it."""

import logging
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset, read_image
from oodretrieval.datasets.streets import Streets
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.inputs import dataset_in_use, open_meta_model
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.explorer.desktop import discover_embedding_space, display_problem
from oodretrieval.explorer.panels import draw_four_panels, draw_neighbours, draw_scatter
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.views import image_view
from oodretrieval.labels import LabelSet
from oodretrieval.search import NearestNeighbours, project
from oodretrieval.segments import crop
from oodretrieval.stages.evaluate.eval_retrieval import RetrievalSettings, eval_retrieval
from oodretrieval.stages.evaluate.selection.eval_selection import SelectionSettings, eval_selection
from oodretrieval.stages.measure.compute_metrics import MetricsSettings, compute_metrics
from oodretrieval.stages.predict.pred_images import PredictSettings, pred_images
from oodretrieval.stages.select.compute_embeddings import compute_embeddings, crop_boxes, segment_boxes_of
from oodretrieval.stages.select.embed_settings import EmbedSettings
from oodretrieval.stages.select.selecting import SelectionRule
from oodretrieval.stores import Catalogue, Workspace, read_prediction, read_segments

logger = logging.getLogger(__name__)
MIN_PIXELS = 150
NEIGHBOURS = 10
THUMBNAILS_PER_CLASS = 3


@dataclass(frozen=True)
class DemoSettings(SelectionRule):
    """What the demo runs on.

    Attributes:
        dataset: Name of a dataset with unknown objects.
        model_name: Name of the segmentation network.
        meta_model_name: Name of a trained meta model.
        net: Embedding network.
        save_dir: Folder for the pictures.
        explore: Open the explorer at the end, where there is a display.
    """

    dataset: str = "streets_test"
    model_name: str = "deeplabv3plus_streets"
    meta_model_name: str = "meta_nn_streets"
    net: str = "efficientnet_lite0"
    select_quantile: float = 0.9
    save_dir: str = "demo"
    explore: bool = True


def demo(settings: DemoSettings, configuration: Configuration, workspace: Workspace) -> dict[str, Any]:
    """Predict, measure, select, embed, judge and draw.

    Args:
        settings: What to run on.
        configuration: Where names are looked up.
        workspace: Where the stages write.

    Returns:
        Figures of the selection and of the retrieval, and the pictures.
    """
    started = time.monotonic()
    common: dict[str, Any] = {field.name: getattr(settings, field.name) for field in fields(CommonSettings)}
    names: dict[str, Any] = {"dataset": settings.dataset, "model_name": settings.model_name}
    dataset = dataset_in_use(settings, configuration, settings.dataset)
    if isinstance(dataset, Streets):
        logger.info("1/5 rendering %d streets", len(dataset))
        dataset.render_all(settings.num_cores)
    logger.info("2/5 predicting with %s", settings.model_name)
    pred_images(PredictSettings(**names, **common), configuration, workspace)
    logger.info("3/5 measuring segments")
    compute_metrics(MetricsSettings(**names, **common), configuration, workspace)
    logger.info("4/5 selecting segments that look unknown and embedding them with %s", settings.net)
    embedding = EmbedSettings(
        dataset=(settings.dataset,),
        net=settings.net,
        **_selecting(settings),
        min_height=1,
        min_width=1,
        min_pixels=MIN_PIXELS,
        save_file="demo",
        **common,
    )
    catalogue_name = compute_embeddings(embedding, configuration, workspace)["catalogue"]
    logger.info("5/5 judging and drawing")
    found = _evaluate_quietly(settings, configuration, workspace, catalogue_name)
    pictures = _Pictures(settings, configuration, workspace, dataset, catalogue_name).draw()
    _report(found, pictures, time.monotonic() - started)
    if settings.explore:
        explore_if_possible(catalogue_name, configuration, workspace)
    return {**found, "pictures": [str(path) for path in pictures]}


def _selecting(settings: DemoSettings) -> dict[str, Any]:
    rule = {field.name for field in fields(SelectionRule)} - {field.name for field in fields(CommonSettings)}
    return {name: getattr(settings, name) for name in {"model_name", "meta_model_name", *rule}}


def explore_if_possible(catalogue: str, configuration: Configuration, workspace: Workspace) -> None:
    """Open the explorer on a catalogue where there is a display; where there is none, do nothing."""
    if display_problem() is None:
        logger.info("opening the explorer; Escape leaves it, ? shows what mouse and keys do")
        discover_embedding_space(ExplorerSettings(embeddings_file=catalogue), configuration, workspace)


def _evaluate_quietly(
    settings: DemoSettings, configuration: Configuration, workspace: Workspace, catalogue: str
) -> dict[str, Any]:
    """Figures of the stages' own evaluations, without their tables: the demo prints one of its own."""
    selection = SelectionSettings(
        dataset=settings.dataset,
        **_selecting(settings),
        min_pixels=MIN_PIXELS,
        limit=settings.limit,
        root=settings.root,
        save_dir=settings.save_dir,
    )
    retrieval = RetrievalSettings(embeddings_file=catalogue, groups="image", save_dir=settings.save_dir)
    package = logging.getLogger("oodretrieval.stages")
    level = package.level
    package.setLevel(logging.WARNING)
    try:
        return {
            "selection": eval_selection(selection, configuration, workspace),
            "retrieval": eval_retrieval(retrieval, configuration, workspace),
        }
    finally:
        package.setLevel(level)


def _report(found: dict[str, Any], pictures: list[Path], seconds: float) -> None:
    selection, retrieval = found["selection"], found["retrieval"]
    by_class, floor = retrieval["embedding"]["per_class"], retrieval["random"]["per_class"]
    logger.info("")
    columns = ("unknown", "present", "hit", "found", "retrieval mAP", "random")
    logger.info("%-14s %8s %8s %8s %15s %8s", *columns)
    for name, count in selection["per_class"].items():
        figures = f"{by_class[name]:15.2f} {floor[name]:8.2f}" if name in by_class else f"{'-':>15} {'-':>8}"
        logger.info("%-14s %8d %8d %8d %s", name, count["objects"], count["hit"], count["found"], figures)
    unknown = [name for name in selection["per_class"] if name in by_class]
    means = [np.mean([table[name] for name in unknown]) if unknown else np.nan for table in (by_class, floor)]
    totals = [selection[key] for key in ("objects", "hit", "found")]
    logger.info("%-14s %8d %8d %8d %15.2f %8.2f", "all", *totals, *means)
    logger.info(
        "hit: a selected segment overlaps it; found: half of it lies in the boxes of selected segments"
    )
    logger.info("")
    logger.info(
        "%d of the %d segments of at least %d pixels selected; %.0f %% of them are unknown things, against %.0f %% "
        "of all",
        selection["selected"],
        selection["segments"],
        MIN_PIXELS,
        100 * selection["precision"],
        100 * selection["prevalence"],
    )
    logger.info("pictures: %s", ", ".join(str(path) for path in pictures))
    logger.info("%.0f s", seconds)


class _Pictures:
    """The three pictures of the demo, from what the stages left on disk."""

    def __init__(
        self,
        settings: DemoSettings,
        configuration: Configuration,
        workspace: Workspace,
        dataset: SegmentationDataset,
        catalogue: str,
    ) -> None:
        self.settings, self.workspace = settings, workspace
        self.catalogue = Catalogue.named(workspace, catalogue)
        self.segments = self.catalogue.segments
        self.vectors = np.asarray(self.catalogue.vectors)
        self.labels = self.segments["label"].to_numpy()
        if dataset.label_set is None:
            raise ValueError("the demo needs a dataset with truth")
        self.label_set: LabelSet = dataset.label_set
        self.names = {i: name for i, (name, _) in self.label_set.label_mapping.items()}
        self.meta_model = open_meta_model(
            configuration, settings.meta_model_name, workspace, settings.model_name
        )
        self.folder = Path(settings.save_dir)
        self.folder.mkdir(parents=True, exist_ok=True)

    def draw(self) -> list[Path]:
        """Draw all pictures; returns their files."""
        query = self._query()
        figures = {
            "embedding_space": self._embedding_space(),
            "neighbours": self._neighbours(query),
            "four_panels": self._four_panels(query),
        }
        paths = []
        for name, figure in figures.items():
            path = self.folder / f"{name}.png"
            figure.savefig(path, dpi=110)
            paths.append(path)
        return paths

    def _query(self) -> int:
        """The unknown thing whose nearest neighbours are most often of its own class."""
        unknown = np.flatnonzero(np.isin(self.labels, sorted(self.label_set.unknown_ids)))
        if not len(unknown):
            return 0
        search = NearestNeighbours(self.vectors)
        nearest = [search.query(self.vectors[row], NEIGHBOURS + 1)[0] for row in unknown]
        hits = [
            (self.labels[found] == self.labels[row]).sum()
            for row, found in zip(unknown, nearest, strict=True)
        ]
        return int(unknown[int(np.argmax(hits))])

    def _crop(self, row: int) -> NDArray[np.uint8]:
        image = read_image(Path(self.segments["image_path"].iloc[row]))
        return crop(image, crop_boxes(self.segments.iloc[[row]])[0])

    def _embedding_space(self) -> Figure:
        figure = Figure(figsize=(13, 7.5), layout="constrained")
        points = project(self.vectors, "tsne", 2, 0)
        unknown = sorted(self.label_set.unknown_ids)
        thumbnails = {
            int(row): self._crop(int(row))
            for label in unknown
            for row in _spread(points, np.flatnonzero(self.labels == label), THUMBNAILS_PER_CLASS)
        }
        axes = figure.subplots()
        draw_scatter(axes, points, self.labels, self.names, unknown, thumbnails)
        axes.set_title(
            f"{len(points)} segments that look unknown in the embedding space of {self.settings.net} (t-SNE), "
            "coloured by truth"
        )
        return figure

    def _neighbours(self, query: int) -> Figure:
        figure = Figure(figsize=(13, 5), layout="constrained")
        indices, distances = NearestNeighbours(self.vectors).query(self.vectors[query], NEIGHBOURS + 1)
        kept = [(int(i), float(d)) for i, d in zip(indices, distances, strict=True) if i != query][
            :NEIGHBOURS
        ]
        draw_neighbours(
            figure,
            self._crop(query),
            self._name(query),
            [self._crop(i) for i, _ in kept],
            [f"{self._name(i)}, {distance:.1f}" for i, distance in kept],
            [bool(self.labels[i] == self.labels[query]) for i, _ in kept],
        )
        figure.suptitle(
            "The unknown thing with the best ranking, and its nearest neighbours\n"
            "(class by the majority of true pixels, and distance)"
        )
        return figure

    def _name(self, row: int) -> str:
        return self.names.get(int(self.labels[row]), "no truth")

    def _four_panels(self, query: int) -> Figure:
        row = self.segments.iloc[query]
        figure = Figure(figsize=(14, 8.2))
        table = read_segments(self.workspace, self.settings.model_name, self.settings.dataset)
        table = table[table["image_id"] == row["image_id"]]
        view = image_view(
            read_prediction(self.workspace, self.settings.model_name, self.settings.dataset, row["image_id"]),
            read_image(Path(row["image_path"])),
            dict(zip(table["segment_id"], self.meta_model.predict(table), strict=True)),
            self.label_set.pred_mapping,
            self.label_set.label_mapping,
            segment_boxes_of(pd.DataFrame([row]))[0],
        )
        draw_four_panels(figure, view)
        figure.suptitle(
            f"{row['image_id']}: the framed {self._name(query)} is of no class that the network knows"
        )
        figure.subplots_adjust(0.01, 0.06, 0.965, 0.92)
        return figure


def _spread(points: NDArray[np.floating], rows: NDArray[np.integer], count: int) -> list[int]:
    """Up to ``count`` of these rows, far from each other."""
    if not len(rows):
        return []
    chosen = [int(rows[0])]
    while len(chosen) < min(count, len(rows)):
        gaps = np.linalg.norm(points[rows][:, None] - points[chosen][None], axis=2).min(axis=1)
        chosen.append(int(rows[gaps.argmax()]))
    return chosen
