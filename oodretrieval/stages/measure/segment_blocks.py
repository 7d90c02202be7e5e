"""One block of predictions to one part of the segment table.

Apart from :mod:`oodretrieval.stages.measure.compute_metrics` so that worker processes import no torch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from oodretrieval.errors import StoreError
from oodretrieval.segments import segment_table, segment_table_from_logits
from oodretrieval.stores import Prediction, Workspace, read_prediction, require_same_settings, write_segments


def image_table(prediction: Prediction) -> pd.DataFrame:
    """The segment table of one prediction.

    Args:
        prediction: With logits or softmax.

    Returns:
        One row per segment; ``image_id`` in front of the columns of
        :func:`~oodretrieval.segments.segment_table`.

    Raises:
        StoreError: If the prediction kept neither logits nor softmax.
    """
    options: dict[str, Any] = {
        "labels": prediction.labels,
        "label_to_pred": dict(prediction.label_to_pred) or None,
        "void_ids": prediction.void_ids,
        "threads": 1,  # images, not rows, are spread over the cores
    }
    if prediction.logits is not None:
        table, _ = segment_table_from_logits(
            prediction.logits, prediction.prediction, align_corners=prediction.align_corners, **options
        )
    else:
        table, _ = segment_table(prediction.probabilities(), prediction=prediction.prediction, **options)
    table.insert(0, "image_id", prediction.image_id)
    return table


@dataclass(frozen=True)
class Block:
    """What a worker process needs to know.

    Attributes:
        workspace: Root of the workspace.
        model: Name of the network.
        dataset: Name of the dataset.
        number: Number of the part.
        images: Ids of its images.
        made_by: Settings to note in the part.
    """

    workspace: Path
    model: str
    dataset: str
    number: int
    images: tuple[str, ...]
    made_by: dict[str, Any]


def compute_block(task: Block) -> tuple[int, dict[str, str]]:
    """Compute and write one part.

    Args:
        task: Which images.

    Returns:
        Number of segments, and image id → reason for the images that failed.
    """
    workspace = Workspace(task.workspace)
    tables, done, failures = [], [], {}
    for image_id in task.images:
        try:
            prediction = read_prediction(workspace, task.model, task.dataset, image_id)
            made_by = {key: prediction.settings.get(key) for key in task.made_by}
            require_same_settings(f"the prediction of {image_id}", made_by, task.made_by)
            tables.append(image_table(prediction))
            done.append(image_id)
        except (StoreError, ValueError) as error:
            failures[image_id] = str(error)
    if not tables:
        return 0, failures
    table = pd.concat(tables, ignore_index=True)
    write_segments(workspace, task.model, task.dataset, task.number, table, done, task.made_by)
    return len(table), failures
