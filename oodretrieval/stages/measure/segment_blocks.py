"""Some predictions to one part of the segment table.

Apart from :mod:`oodretrieval.stages.measure.compute_metrics` so that worker processes import no torch.
"""

from dataclasses import dataclass

import pandas as pd

from oodretrieval.errors import StoreError
from oodretrieval.stores import (
    Workspace,
    require_same_settings,
    stored_prediction,
)
from oodretrieval.stores.table_layout import Destination


@dataclass(frozen=True)
class BlockTask:
    """What a worker process needs to know.

    Attributes:
        images: Ids of the images to measure.
        destination: Where their segments go.
    """

    images: tuple[str, ...]
    destination: Destination


def compute_block(task: BlockTask) -> tuple[int, dict[str, str]]:
    """Compute the segments of some images and write them into one part.

    Args:
        task: Which images.

    Returns:
        Number of segments computed, and image id → reason for the images that failed.
    """
    to = task.destination
    tables: dict[str, pd.DataFrame] = {}
    digests, failures = {}, {}
    for image_id in task.images:
        try:
            prediction = stored_prediction(Workspace(to.workspace), to.stored, image_id)
            require_same_settings(f"the prediction of {image_id}", prediction.settings, to.made_by)
            tables[image_id] = prediction.segment_table()
            digests[image_id] = prediction.digest
        except (StoreError, ValueError) as error:
            failures[image_id] = str(error)
    if tables:
        to.write(tables, digests)
    return sum(map(len, tables.values())), failures
