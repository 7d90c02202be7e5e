"""Datasets for networks with a background: void, or what is unknown, becomes predicted id 0.

An entry of ``configuration.py``, over the entry of any dataset::

    "camvid_train_background": DatasetEntry(
        "oodretrieval.datasets.background", "with_background", {"dataset": DATASETS["camvid_train"]}
    )
"""

from collections.abc import Sequence
from pathlib import Path

from oodretrieval.datasets.sample import SegmentationDataset
from oodretrieval.datasets.subset import Relabelled, opened
from oodretrieval.entries import DatasetEntry


class BackgroundDataset(Relabelled):
    """All samples of a dataset, with background as predicted id 0 and the other predicted ids moved up by one.

    Label ids stay as they are; only the table from label ids to predicted ids changes.

    Args:
        dataset: A dataset with truth.
        void: Void becomes background; else it stays void.
        unknown: What is unknown becomes background; else it stays unknown.

    Raises:
        DatasetError: If the dataset has no truth.
        ConfigurationError: If it has a background already, or nothing would become background.
    """

    def __init__(self, dataset: SegmentationDataset, *, void: bool = True, unknown: bool = False) -> None:
        super().__init__(
            dataset, lambda labels: labels.with_background(void=void, unknown=unknown), "become background"
        )

    @property
    def pred_class_selection(self) -> Sequence[int] | None:
        """Predicted ids worth inspecting; None for all."""
        selection = super().pred_class_selection
        return selection and [i + 1 for i in selection]


def with_background(
    dataset: SegmentationDataset | DatasetEntry,
    void: bool = True,
    unknown: bool = False,
    root: str | Path | None = None,
) -> BackgroundDataset:
    """A dataset for a network whose predicted id 0 is background, implicit or learned.

    Args:
        dataset: A dataset with truth, or the entry of one.
        void: Void becomes background; else it stays void.
        unknown: What is unknown becomes background; else it stays unknown.
        root: Overrides the root of the entry.

    Returns:
        The dataset with one predicted class more.

    Raises:
        DatasetError: If the dataset has no truth.
        ConfigurationError: If it has a background already, or nothing would become background.
    """
    return BackgroundDataset(opened(dataset, root), void=void, unknown=unknown)
