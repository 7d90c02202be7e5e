"""How many of the unknown objects the selected segments lead to."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

from oodretrieval.errors import PartialFailure, StoreError, TableError
from oodretrieval.evaluation import (
    ObjectCounts,
    SelectionFigures,
    TrueObject,
    selection_figures,
    true_objects,
)
from oodretrieval.evaluation.charts import count_chart
from oodretrieval.segments import label_components
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.device import choose_device
from oodretrieval.stages.inputs import dataset_in_use, predicted_ids, segments_in_use
from oodretrieval.stages.selecting import SelectBy, SelectionRule, Selector
from oodretrieval.stages.settings import CommonSettings
from oodretrieval.stores import Workspace, read_prediction, write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SelectionSettings(CommonSettings):
    """Which selection to judge.

    Attributes:
        dataset: Name of the dataset, which must have truth.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model.
        select_by: What is selected, see :class:`~oodretrieval.stages.embed.EmbedSettings`; with it
            ``select_quantile``, ``select_number`` and ``iou_threshold``.
        select_quantile: See ``select_by``.
        select_number: See ``select_by``.
        iou_threshold: See ``select_by``.
        min_pixels: Only segments of at least so many pixels are looked at.
        min_height: Smallest height of a true object that counts, pixels.
        min_width: Smallest width of a true object that counts, pixels.
        published: Count objects as the published code does (see METRICS in the documentation of true_objects).
        save_dir: Folder for table and chart; by default ``evaluation`` in the workspace.
    """

    dataset: str = ""
    model_name: str = ""
    meta_model_name: str = ""
    select_by: SelectBy = "novelty"
    select_quantile: float = 0.95
    select_number: int = 0
    iou_threshold: float = 0.5
    min_pixels: int = 400
    min_height: int = 16
    min_width: int = 16
    published: bool = False
    save_dir: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.rule

    @property
    def rule(self) -> SelectionRule:
        """Its part that says what is selected."""
        return SelectionRule(self.select_by, self.iou_threshold, self.select_quantile, self.select_number)


def evaluate_selection(
    settings: SelectionSettings, configuration: Configuration, workspace: Workspace
) -> dict[str, Any]:
    """Share of segments selected, precision, and unknown objects found and hit, per class.

    Args:
        settings: What to judge.
        configuration: Where names are looked up.
        workspace: Where predictions, segment tables and meta model are read.

    Returns:
        The figures as plain values, and the files written.

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
    selector = Selector(
        settings.rule,
        choose_device(settings.gpu),
        configuration,
        workspace,
        settings.model_name,
        settings.meta_model_name,
    )
    images = predicted_ids(workspace, names, dataset.ids)
    table = segments_in_use(replace(settings, limit=0), configuration, workspace, names)
    table, failures = selector.score(table[table["image_id"].isin(images)], settings.dataset, dataset)
    if failures:
        raise PartialFailure("eval_selection", failures)
    table["selected"] = selector.select(table, table["S"].to_numpy() >= settings.min_pixels)
    table = table[table["S"] >= settings.min_pixels]
    if table.empty:
        raise StoreError(f"no segment has {settings.min_pixels} pixels; lower args.min_pixels")
    unknown = dataset.label_set.unknown_ids
    objects = list(_objects(workspace, names, images, table, unknown, settings))
    figures = selection_figures(objects, table["label"].to_numpy(), table["selected"].to_numpy(bool), unknown)
    folder = Path(settings.save_dir) if settings.save_dir else workspace.path / "evaluation"
    counts = {dataset.label_set.label_name(i): count for i, count in figures.per_class.items()}
    files = _save(folder, settings, figures, counts)
    _log(figures, counts, settings)
    return {**_plain(figures, counts), "files": [str(file) for file in files]}


def _objects(
    workspace: Workspace,
    names: tuple[str, str],
    images: list[str],
    table: pd.DataFrame,
    unknown: frozenset[int],
    settings: SelectionSettings,
) -> Iterator[TrueObject]:
    """The unknown objects of every image, with what the selection did with them."""
    chosen = {str(image): rows for image, rows in table[table["selected"]].groupby("image_id")}
    for image_id in tqdm(images, desc="objects", unit="image", disable=None):
        prediction = read_prediction(workspace, *names, image_id)
        if prediction.labels is None:
            continue
        rows = chosen.get(image_id, table.iloc[:0])
        yield from true_objects(
            prediction.labels,
            rows[["left", "top", "right", "bottom"]].to_numpy(),
            selected_pixels(prediction.prediction, rows["segment_id"].to_numpy()),
            ids=unknown,
            min_height=settings.min_height,
            min_width=settings.min_width,
            published=settings.published,
            box_labels=rows["label"].to_numpy() if settings.published else None,
        )


def selected_pixels(prediction: NDArray[np.integer], segment_ids: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels of the segments with these ids, ``(H, W)``, from the predicted classes ``(H, W)``."""
    return np.isin(label_components(prediction), segment_ids)


def _plain(figures: SelectionFigures, counts: dict[str, ObjectCounts]) -> dict[str, Any]:
    content = asdict(figures)
    content["per_class"] = {name: asdict(count) for name, count in counts.items()}
    for key in ("objects", "found", "hit"):
        content[key] = sum(getattr(count, key) for count in counts.values())
    return content


def _save(
    folder: Path, settings: SelectionSettings, figures: SelectionFigures, counts: dict[str, ObjectCounts]
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"selection_{settings.model_name}_{settings.dataset}"
    table, chart = folder / f"{stem}.json", folder / f"{stem}.png"
    write_json(table, {"settings": asdict(settings), "figures": _plain(figures, counts)})
    if not counts:
        return [table]
    figure = Figure(figsize=(8, 1.6 + 0.5 * len(counts)), layout="constrained")
    rows = {name: (count.objects, count.hit, count.found) for name, count in counts.items()}
    count_chart(figure.subplots(), rows, ("objects", "hit", "found"), value_name="unknown objects")
    figure.suptitle(f"Unknown objects of {settings.dataset} that the selection leads to", fontsize=11)
    figure.savefig(chart, dpi=120)
    return [table, chart]


def _log(figures: SelectionFigures, counts: dict[str, ObjectCounts], settings: SelectionSettings) -> None:
    logger.info(
        "%d segments of at least %d pixels, %.1f %% selected (%s)",
        figures.segments,
        settings.min_pixels,
        100 * figures.share_selected,
        settings.rule,
    )
    logger.info(
        "of the mostly unknown ones %.1f %% selected; precision %.1f %%, against %.1f %% of all segments",
        100 * figures.unknown_selected,
        100 * figures.precision,
        100 * figures.prevalence,
    )
    logger.info("%-20s %8s %8s %8s", "unknown objects", "present", "found", "hit")
    for name, count in counts.items():
        logger.info("%-20s %8d %8d %8d", name, count.objects, count.found, count.hit)
