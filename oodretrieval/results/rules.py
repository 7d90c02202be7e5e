"""The rules that figures are measured by: what void and unknown are, and how sure a figure is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.evaluation import frame_positions
from oodretrieval.evaluation.bootstrap import VIDEO_BLOCK
from oodretrieval.labels import LabelSet
from oodretrieval.results.result import NO_VALUE
from oodretrieval.stores import Workspace

_BETWEEN_CLIPS = 10**12


@dataclass(frozen=True)
class Resampling:
    """How images are resampled for intervals.

    Attributes:
        block: Images in a row that stay together.
        repetitions: How often all are resampled.
    """

    block: int
    repetitions: int

    @classmethod
    def of(cls, block: int, repetitions: int, *datasets: SegmentationDataset) -> "Resampling":
        """As given; where ``block`` is 0, blocks if any dataset is video, else single images."""
        video = any(getattr(dataset, "video", False) for dataset in datasets)
        return cls(block or (VIDEO_BLOCK if video else 1), repetitions)

    def words(self, images: int) -> str:
        """For a reader of the measures of this number of images.

        Example:
            >>> Resampling(block=1, repetitions=500).words(14)
            '95 %, bootstrap over images, 500 resamples'
        """
        what = "images" if self.block == 1 else f"moving blocks of {self.block} images in a row"
        if images > self.block:
            return f"95 %, bootstrap over {what}, {self.repetitions} resamples"
        held = (
            "there is only one image"
            if images == 1
            else f"one block of {self.block} holds all {images} images"
        )
        return f"none, as {held}; set args.block lower, or evaluate on more images"


def result_folder(save_dir: str, workspace: Workspace) -> Path:
    """Where a result goes, ``save_dir`` or ``evaluation`` in the workspace; made if need be."""
    folder = Path(save_dir) if save_dir else workspace.path / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def interval_columns(values: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """A row of a table: each figure followed by its interval.

    Args:
        values: Key → figure, and ``intervals``: key → lower and upper end.
        columns: Title of the column → key.

    Example:
        >>> interval_columns({"f1": 0.5, "intervals": {"f1": (0.25, 0.75)}}, {"F1": "f1"})
        {'F1': 0.5, 'F1, interval': '0.250…0.750'}
    """
    row: dict[str, Any] = {}
    for title, key in columns.items():
        row |= {title: values[key], f"{title}, interval": interval_words(values["intervals"][key])}
    return row


def interval_words(ends: tuple[float, float]) -> str:
    """Both ends of an interval; a dash where it is undefined.

    Example:
        >>> interval_words((float("nan"), float("nan")))
        '–'
    """
    low, high = ends
    return NO_VALUE if isnan(low) else f"{low:.3f}…{high:.3f}"


def resample_notes(left_out: int, repetitions: int) -> tuple[str, ...]:
    """A sentence on the resamples that intervals were made without; nothing where there was none.

    Example:
        >>> resample_notes(0, 500)
        ()
    """
    if not left_out:
        return ()
    return (
        f"{left_out} of {repetitions} resamples hold no positive, or nothing else, and are left out of the intervals "
        "of AUROC and AUPRC; few images show any.",
    )


def scene_notes(dataset: SegmentationDataset) -> tuple[str, ...]:
    """A sentence where all images of a video dataset are of one clip; nothing elsewhere."""
    if not getattr(dataset, "video", False) or not len(dataset):
        return ()
    clips = {int(position) // _BETWEEN_CLIPS for position in frame_positions(dataset.ids)}
    return ("All images are frames of one clip: the figures are of one scene.",) if len(clips) == 1 else ()


def no_truth(dataset: str) -> str:
    """What to say of a dataset that never had any truth.

    Args:
        dataset: Its name.
    """
    return (
        f"dataset {dataset!r} has no truth, so nothing can be measured on it or learned from it; choose another "
        "args.dataset, or see what is selected with scripts/report.py or scripts/discover_embedding_space.py"
    )


def no_classes(dataset: str) -> str:
    """What to say of a dataset whose truth only tells known from unknown things, where classes are asked for.

    Args:
        dataset: Its name.
    """
    return (
        f"dataset {dataset!r} has no truth of classes: its labels only tell known from unknown things; choose another "
        "args.dataset"
    )


def no_labels(dataset: str) -> str:
    """What to say of a dataset that can have truth, but whose predictions hold none.

    Args:
        dataset: Its name.
    """
    return (
        f"no prediction on {dataset!r} holds labels: its images had none when they were predicted. Once they have, "
        "run scripts/pred_images.py and scripts/compute_metrics.py again with args.overwrite=True"
    )


def void_rule(label_set: LabelSet) -> str:
    """What is left out and what is unknown, by name."""
    void = _names(label_set, label_set.void_ids) or "no label"
    unknown = _names(label_set, label_set.unknown_ids) or "nothing"
    return f"left out as void: {void}, and ids that the label set does not name; unknown: {unknown}"


def _names(label_set: LabelSet, ids: frozenset[int]) -> str:
    return ", ".join(dict.fromkeys(label_set.label_name(i) for i in sorted(ids)))


def size_words(sizes: Collection[tuple[int, ...]]) -> str:
    """At which sizes pixels were compared.

    Example:
        >>> size_words({(360, 480)})
        'pixels of the images, 480×360'
    """
    shown = [f"{width}×{height}" for height, width in sorted(sizes)]
    return f"pixels of the images, {', '.join(shown[:5])}{' and more' if len(shown) > 5 else ''}"
