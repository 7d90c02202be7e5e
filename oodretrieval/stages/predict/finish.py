"""What is left to do of an image when its network is done: classes, entropy, segment metrics, files.

Apart from the network's side, so that worker processes import no torch.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oodretrieval.choices import Keep
from oodretrieval.errors import ImageError
from oodretrieval.files import file_stamp
from oodretrieval.labels import LabelSet
from oodretrieval.stages.predict.outcomes import NetworkOutcome, Outcome
from oodretrieval.stores import Prediction, Stored, Workspace, write_prediction


def with_truth(prediction: Prediction, outcome: Outcome, label_set: LabelSet | None) -> Prediction:
    """Add the image's labels and the dataset's tables to a prediction, where there is truth.

    Args:
        prediction: Without truth.
        outcome: Holds the labels.
        label_set: What they mean; None without truth.

    Returns:
        The prediction.
    """
    if outcome.labels is None or label_set is None:
        return prediction
    return replace(
        prediction,
        labels=outcome.labels,
        label_to_pred=dict(label_set.label_to_pred),
        void_ids=label_set.void_ids,
    )


@dataclass(frozen=True, eq=False)
class Finished:
    """What became of one image.

    Attributes:
        image_id: Its id.
        table: Its segment table, if that was wanted.
        digest: Of its prediction.
        failure: Why it could not be finished; empty if it could.
    """

    image_id: str
    table: pd.DataFrame | None = None
    digest: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Finisher:
    """Writes predictions, and measures segments where the softmax is not kept for that.

    Attributes:
        workspace: Root of the workspace.
        stored: Of which network on which dataset.
        keep: What is kept.
        made_by: Settings to note.
        label_set: Tables of the dataset; None without truth.
    """

    workspace: Path
    stored: Stored
    keep: Keep
    made_by: dict[str, Any]
    label_set: LabelSet | None

    def __call__(self, outcome: Outcome) -> Finished:
        """Finish one image; one that cannot be used is no exception, but a failure that is reported.

        Raises:
            StoreError: If it cannot be written.
        """
        measure = self.keep == "nothing"
        try:
            prediction = with_truth(outcome.prediction(with_entropy=measure), outcome, self.label_set)
            table = prediction.segment_table() if measure else None
        except (ImageError, ValueError) as error:
            return Finished(outcome.image_id, failure=str(error))
        path = Workspace(self.workspace).prediction_path(self.stored, outcome.image_id)
        stamp = file_stamp(outcome.image_path)
        kept = replace(prediction, settings=self.made_by, image_file=stamp)
        digest = write_prediction(path, kept, self.keep)
        return Finished(outcome.image_id, table, digest)


def load_kernels() -> None:
    """Load what finishing needs, so that the first image does not wait for it."""
    labels = np.zeros((2, 2), np.uint8)
    outcome = NetworkOutcome("", "", labels, (2, 2), np.zeros((2, 1, 1), np.float32), False)
    replace(outcome.prediction(with_entropy=True), labels=labels).segment_table()
