"""How many of the unknown objects the selected segments lead to, and how soon each order of looking finds them."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import PartialFailure, StoreError, TableError
from oodretrieval.evaluation import (
    ObjectCounts,
    SelectionFigures,
    TrueObject,
    block_weights,
    ratio_interval,
    selection_figures,
    true_objects,
)
from oodretrieval.labels import LabelSet
from oodretrieval.segments import label_components
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.device import choose_device
from oodretrieval.stages.inputs import (
    dataset_in_use,
    predicted_ids,
    provenance,
    require_current,
    segments_in_use,
)
from oodretrieval.stages.look_orders import Finds, LookOrders, class_table, order_table
from oodretrieval.stages.results import Context, Result, model_context, save_result, split_of
from oodretrieval.stages.rules import (
    Drawing,
    EvaluationSettings,
    result_folder,
    scene_notes,
    size_words,
    void_rule,
)
from oodretrieval.stages.selecting import SelectionRule, Selector, novelty_scores
from oodretrieval.stages.selection_charts import (
    draw_looks,
    draw_majorities,
    draw_objects,
    object_table,
    selection_table,
)
from oodretrieval.stores import Prediction, Workspace, read_prediction

logger = logging.getLogger(__name__)
WIDE_BOXES = (
    "Found means that half of an object lies in the boxes looked at: a large segment finds all that its box holds, "
    "which is why random order finds many; unknown among the first looks is free of that."
)
BOX = ["left", "top", "right", "bottom"]


@dataclass(frozen=True)
class SelectionSettings(EvaluationSettings, SelectionRule):
    """Which selection to judge.

    Attributes:
        dataset: Name of the dataset, which must have truth.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model.
        orders: Further columns of the segment table to look in the order of, lowest values first; with a - in front
            highest first.
        min_pixels: Only segments of at least so many pixels are looked at.
        min_height: Smallest height of a true object that counts, pixels.
        min_width: Smallest width of a true object that counts, pixels.
        published: Count found and hit objects as the published code does (see the documentation of true_objects).
        seed: Of the random orders.
    """

    dataset: str = ""
    model_name: str = ""
    meta_model_name: str = ""
    orders: tuple[str, ...] = ()
    min_pixels: int = 400
    min_height: int = 16
    min_width: int = 16
    published: bool = False
    seed: int = 0


def evaluate_selection(
    settings: SelectionSettings, configuration: Configuration, workspace: Workspace
) -> dict[str, Any]:
    """Share of segments selected, precision, unknown objects found and hit, and when each order finds them.

    Args:
        settings: What to judge.
        configuration: Where names are looked up.
        workspace: Where predictions, segment tables and meta model are read.

    Returns:
        The figures as plain values, and the ``files`` written.

    Raises:
        StoreError: If a stage before has not run.
        TableError: If the dataset has no truth.
    """
    names = settings.model_name, settings.dataset
    dataset = dataset_in_use(settings, configuration, settings.dataset)
    if dataset.label_set is None:
        raise TableError(
            f"dataset {settings.dataset!r} has no truth; selection is judged on datasets with truth"
        )
    images = predicted_ids(workspace, names, dataset.ids)
    table = _looked_at(settings, configuration, workspace, dataset, images)
    drawing = Drawing.of(settings, dataset)
    judged = _Judged(settings, table, dataset.label_set, drawing)
    current = provenance(settings, configuration, *names)
    for image_id in tqdm(images, desc="objects", unit="image", disable=None):
        prediction = read_prediction(workspace, *names, image_id)
        require_current(f"the prediction of {image_id}", prediction.settings, current)
        judged.add(prediction)
    folder = result_folder(settings, workspace)
    context = Context(
        dataset=settings.dataset,
        split=split_of(configuration, settings.dataset),
        images=len(images),
        void_rule=f"{void_rule(dataset.label_set)}; a segment is what most of its pixels are",
        resolution=f"{size_words(judged.sizes)}; segments of at least {settings.min_pixels} pixels, objects of at "
        f"least {settings.min_width}×{settings.min_height}",
        threshold=f"selected: {settings.words()}, as asked",
        intervals=drawing.words(),
        meta_model=settings.meta_model_name,
        **model_context(configuration, settings.model_name),
    )
    result = judged.result(context, folder, scene_notes(dataset))
    files = save_result(folder, result)
    return {**result.figures, "files": [str(file) for file in files]}


def _looked_at(
    settings: SelectionSettings,
    configuration: Configuration,
    workspace: Workspace,
    dataset: SegmentationDataset,
    images: Sequence[str],
) -> pd.DataFrame:
    """Segments that are large enough, of these images in their order, with every score and whether selected."""
    names, device = (settings.model_name, settings.dataset), choose_device(settings.gpu)
    selector = Selector(
        settings, device, configuration, workspace, settings.model_name, settings.meta_model_name
    )
    table = segments_in_use(replace(settings, limit=0), configuration, workspace, names)
    table, failures = selector.score(table[table["image_id"].isin(images)], settings.dataset, dataset)
    if failures:
        raise PartialFailure("eval_selection", failures)
    table = table.assign(**novelty_scores(device, configuration, workspace, names, dataset, table))
    large = table["S"].to_numpy() >= settings.min_pixels
    if not large.any():
        raise StoreError(f"no segment has {settings.min_pixels} pixels; lower args.min_pixels")
    table["selected"] = selector.select(table, large)
    return table[large].reset_index(drop=True)


class _Judged:
    """What the selection and each order of looking lead to, gathered image by image."""

    def __init__(
        self, settings: SelectionSettings, table: pd.DataFrame, label_set: LabelSet, drawing: Drawing
    ) -> None:
        self.settings, self.table, self.label_set, self.drawing = settings, table, label_set, drawing
        self.unknown = table["label"].isin(label_set.unknown_ids).to_numpy()
        self.rows: dict[str, NDArray[np.intp]] = {
            str(k): np.asarray(v) for k, v in table.groupby("image_id").indices.items()
        }
        self.finds = Finds(LookOrders.of(table, settings.orders, settings.seed), drawing)
        self.objects: list[list[TrueObject]] = []
        self.segments: list[tuple[int, int, int, int]] = []
        self.sizes: set[tuple[int, ...]] = set()

    def add(self, prediction: Prediction) -> None:
        """Judge one image; one without truth shows nothing."""
        if prediction.labels is None:
            return
        rows = self.rows.get(prediction.image_id, np.empty(0, np.intp))
        unknown, chosen = self.unknown[rows], self.table["selected"].to_numpy(bool)[rows]
        which: dict[str, Any] = {
            "ids": self.label_set.unknown_ids,
            "min_height": self.settings.min_height,
            "min_width": self.settings.min_width,
        }
        boxes = self.table[BOX].to_numpy()[rows]
        self.finds.add(rows, boxes, unknown, prediction.labels, **which)
        selected = self.table.iloc[rows[chosen]]
        published = self.settings.published
        self.objects.append(
            true_objects(
                prediction.labels,
                boxes[chosen],
                selected_pixels(prediction.prediction, selected["segment_id"].to_numpy()),
                published=published,
                box_labels=selected["label"].to_numpy() if published else None,
                **which,
            )
        )
        counts = len(rows), int(chosen.sum()), int(unknown.sum()), int((chosen & unknown).sum())
        self.segments.append(counts)
        self.sizes.add(prediction.labels.shape)

    def result(self, context: Context, folder: Path, notes: tuple[str, ...]) -> Result:
        """Everything measured, its pictures drawn."""
        settings = self.settings
        found = selection_figures(
            [item for items in self.objects for item in items],
            self.table["label"].to_numpy(),
            self.table["selected"].to_numpy(bool),
            self.label_set.unknown_ids,
        )
        counts = {self.label_set.label_name(i): count for i, count in found.per_class.items()}
        orders = self.finds.figures(self.unknown, {i: self.label_set.label_name(i) for i in found.per_class})
        figures = {**_plain(found, counts), "intervals": self._intervals(), "orders": orders}
        stem = f"selection_{settings.model_name}_{settings.dataset}"
        pictures = {
            "How soon each order of looking finds the objects": draw_looks(
                folder / f"{stem}_looks.png", dict(self.finds.curves()), figures["objects"], settings.dataset
            )
        }
        if counts:
            pictures["Unknown objects"] = draw_objects(folder / f"{stem}.png", counts, settings.dataset)
        majorities = self._majorities()
        if majorities:
            pictures["What the selected segments are"] = draw_majorities(
                folder / f"{stem}_majorities.png", majorities, self._unknown_names(), settings.dataset
            )
        tables = {"selection": selection_table(figures), "objects by class": object_table(counts)}
        tables |= {"orders of looking": order_table(orders), "objects found by class": class_table(orders)}
        notes += (WIDE_BOXES,)
        if settings.published:
            notes += ("Found and hit are counted as the published code does; orders of looking are not.",)
        return Result(
            f"Selection on {settings.dataset} by {settings.model_name} and {settings.meta_model_name}",
            stem,
            context,
            asdict(settings),
            {**figures, "majorities": majorities},
            tables,
            notes,
            pictures,
        )

    def _unknown_names(self) -> set[str]:
        return {self.label_set.label_name(i) for i in self.label_set.unknown_ids}

    def _majorities(self) -> dict[str, int]:
        """Class that most pixels of a selected segment are → number of these segments."""
        labels = self.table["label"][self.table["selected"]]
        return dict(Counter(self.label_set.label_name(int(i)) for i in labels).most_common())

    def _intervals(self) -> dict[str, tuple[float, float]]:
        weights = block_weights(
            len(self.segments), block=self.drawing.block, repetitions=self.drawing.repetitions
        )
        segments, selected, unknown, both = np.array(self.segments).T
        objects = [sum(item.counts for item in items) for items in self.objects]
        shares = {
            "share_selected": (selected, segments),
            "unknown_selected": (both, unknown),
            "precision": (both, selected),
            "prevalence": (unknown, segments),
            "share_found": ([sum(item.found for item in items) for items in self.objects], objects),
            "share_hit": ([sum(item.hit for item in items) for items in self.objects], objects),
        }
        return {name: ratio_interval(*parts, weights) for name, parts in shares.items()}


def selected_pixels(prediction: NDArray[np.integer], segment_ids: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels of the segments with these ids, ``(H, W)``, from the predicted classes ``(H, W)``."""
    return np.isin(label_components(prediction), segment_ids)


def _plain(figures: SelectionFigures, counts: dict[str, ObjectCounts]) -> dict[str, Any]:
    content = asdict(figures)
    content["per_class"] = {name: asdict(count) for name, count in counts.items()}
    for key in ("objects", "found", "hit"):
        content[key] = sum(getattr(count, key) for count in counts.values())
    for key in ("found", "hit"):
        content[f"share_{key}"] = content[key] / max(content["objects"], 1)
    return content
