"""What is known of segments, such as the meta model's estimate, painted over their pixels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.experiment.inputs import (
    open_meta_model,
)
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.experiment.stored import segments_in_use, warn_of_other_inference
from oodretrieval.stores import Prediction


class PaintedSegments:
    """A column of a segment table at every pixel.

    Args:
        names: Name of the network, name of the dataset.
        table: Segment table of both.
        column: Its column.
    """

    def __init__(self, names: tuple[str, str], table: pd.DataFrame, column: str) -> None:
        self._names = names
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
                f"the segment table of {self._names[1]} does not hold the segments of {prediction.image_id!r}; "
                f"run scripts/compute_metrics.py with args.dataset={self._names[1]} "
                f"args.model_name={self._names[0]}"
            )
        painted: NDArray[np.float64] = values[ids]
        return painted


class PaintedIou(PaintedSegments):
    """Predicted IoU of every pixel's segment, 0…1, over a dataset.

    Args:
        settings: ``root`` and ``limit`` of the dataset.
        run: Configuration and workspace.
        names: Name of the network, name of the dataset.
        meta_model: Name of the meta model.

    Raises:
        StoreError: If there is no segment table.
        SettingsMismatchError: If it was made with another network, weights or dataset.
        WeightsError: If the meta model is not trained.
    """

    def __init__(
        self,
        settings: CommonSettings,
        run: Run,
        names: tuple[str, str],
        meta_model: str,
    ) -> None:
        model = open_meta_model(run, meta_model, names[0])
        table = segments_in_use(settings, run, names)
        made_by, images = model.quality.get("made_by", {}), table["image_id"].unique().tolist()
        warn_of_other_inference(meta_model, made_by, run.workspace, names, images)
        super().__init__(names, table.assign(predicted_iou=model.predict(table)), "predicted_iou")


def _by_id(rows: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """The column at the place of each segment's id; place 0 is no segment."""
    values: NDArray[np.float64] = np.zeros(int(rows["segment_id"].max()) + 1)
    values[rows["segment_id"].to_numpy()] = rows[column].to_numpy()
    return values
