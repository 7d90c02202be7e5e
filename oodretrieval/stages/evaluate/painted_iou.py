"""What is known of segments, such as the meta model's estimate, painted over their pixels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.stores import Prediction, Stored


class PaintedSegments:
    """A column of a segment table at every pixel.

    Args:
        stored: Of which network on which dataset.
        table: Their segment table.
        column: Its column.
    """

    def __init__(self, stored: Stored, table: pd.DataFrame, column: str) -> None:
        self._stored = stored
        images = table.groupby("image_id")
        self._values: Mapping[str, NDArray[np.float64]] = {
            str(name): _by_id(rows, column) for name, rows in images
        }

    def of(self, prediction: Prediction) -> NDArray[np.float64]:
        """The value of each pixel's segment, ``(H, W)``; 0 where no class is predicted.

        Raises:
            StoreError: If the segment table holds other segments than this prediction has.
        """
        ids = prediction.components()
        values = self._values.get(prediction.image_id, np.empty(0))
        if len(values) != int(ids.max()) + 1:
            raise StoreError(
                f"the segment table of {self._stored.dataset} does not hold the segments of {prediction.image_id!r}; "
                f"run scripts/compute_metrics.py with {self._stored.arguments}"
            )
        painted: NDArray[np.float64] = values[ids]
        return painted


class PaintedIou(PaintedSegments):
    """Predicted IoU of every pixel's segment, 0…1, over a dataset.

    Args:
        run: Configuration and workspace.
        work: Of which network on which dataset.
        meta_model: Name of the meta model.

    Raises:
        StoreError: If there is no segment table.
        SettingsMismatchError: If it was made with another network, weights or dataset.
        WeightsError: If the meta model is not trained.
    """

    def __init__(self, run: Run, work: StoredWork, meta_model: str) -> None:
        model = run.trained.meta_model(meta_model, work.names.model)
        table = work.table()
        work.warn_of_other_inference(meta_model, model.quality.get("made_by", {}), table)
        super().__init__(work.names, table.assign(predicted_iou=model.predict(table)), "predicted_iou")


def _by_id(rows: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """The column at the place of each segment's id; place 0 is no segment."""
    values: NDArray[np.float64] = np.zeros(int(rows["segment_id"].max()) + 1)
    values[rows["segment_id"].to_numpy()] = rows[column].to_numpy()
    return values
