"""Some predictions to one part of the segment table.

Apart from :mod:`oodretrieval.stages.measure.compute_metrics` so that worker processes import no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from oodretrieval.errors import StoreError
from oodretrieval.segments import segment_table, segment_table_from_logits
from oodretrieval.stores import (
    Prediction,
    Stored,
    Workspace,
    read_part,
    require_same_settings,
    stored_prediction,
    write_segments,
)


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
class Destination:
    """A part of the segment table that is to be written.

    Attributes:
        workspace: Root of the workspace.
        stored: Of which network on which dataset.
        number: Number of the part.
        kept: Images whose segments stay in it → digest of their predictions.
        order: Ids of all images of the dataset; rows follow it, what the dataset no longer has comes last.
        made_by: Settings to note in the part.
    """

    workspace: Path
    stored: Stored
    number: int
    kept: Mapping[str, str]
    order: Sequence[str]
    made_by: Mapping[str, Any]

    def write(self, tables: Mapping[str, pd.DataFrame], digests: Mapping[str, str]) -> None:
        """Write the part, in one step: what stays in it, and what is new.

        Args:
            tables: Image → its segment table.
            digests: Image → digest of its prediction, of the same images.

        Raises:
            StoreError: If the part cannot be read or written.
        """
        workspace = Workspace(self.workspace)
        rows = dict(tables)
        if self.kept:
            there = read_part(workspace, self.stored, self.number)
            found = {str(image): part for image, part in there.groupby("image_id", sort=False)}
            rows |= {image: found.get(image, there.iloc[:0]) for image in self.kept}
        rank = {image: place for place, image in enumerate(self.order)}
        images = sorted(rows, key=lambda image: rank.get(image, len(rank)))
        made_of = {**self.kept, **digests}
        table = pd.concat([rows[image] for image in images], ignore_index=True)
        write_segments(
            workspace, self.stored, self.number, table, {i: made_of[i] for i in images}, self.made_by
        )


@dataclass(frozen=True)
class Block:
    """What a worker process needs to know.

    Attributes:
        images: Ids of the images to measure.
        destination: Where their segments go.
    """

    images: tuple[str, ...]
    destination: Destination


def compute_block(task: Block) -> tuple[int, dict[str, str]]:
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
            tables[image_id] = image_table(prediction)
            digests[image_id] = prediction.digest
        except (StoreError, ValueError) as error:
            failures[image_id] = str(error)
    if tables:
        to.write(tables, digests)
    return sum(map(len, tables.values())), failures
