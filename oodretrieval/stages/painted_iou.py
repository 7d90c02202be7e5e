"""The meta model's estimate, painted over the pixels of each segment."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.segments import label_components
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.inputs import open_meta_model, segments_in_use
from oodretrieval.stages.settings import CommonSettings
from oodretrieval.stores import Prediction, Workspace


class PaintedIou:
    """Predicted IoU of every pixel's segment, over a dataset.

    Args:
        settings: ``root`` and ``limit`` of the dataset.
        configuration: Where names are looked up.
        workspace: Where the segment table and the meta model lie.
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
        configuration: Configuration,
        workspace: Workspace,
        names: tuple[str, str],
        meta_model: str,
    ) -> None:
        self._names = names
        model = open_meta_model(configuration, meta_model, workspace, names[0])
        table = segments_in_use(settings, configuration, workspace, names)
        table = table.assign(predicted_iou=model.predict(table))
        images = table.groupby("image_id")
        self._iou: Mapping[str, NDArray[np.float64]] = {str(name): _by_id(rows) for name, rows in images}

    def of(self, prediction: Prediction) -> NDArray[np.float64]:
        """Predicted IoU, ``(H, W)`` in 0…1.

        Raises:
            StoreError: If the segment table holds other segments than this prediction has.
        """
        ids = label_components(prediction.prediction)
        iou = self._iou.get(prediction.image_id, np.empty(0))
        if len(iou) != int(ids.max()) + 1:
            raise StoreError(
                f"the segment table of {self._names[1]} does not hold the segments of {prediction.image_id!r}; "
                f"run scripts/compute_metrics.py with args.dataset={self._names[1]} "
                f"args.model_name={self._names[0]}"
            )
        painted: NDArray[np.float64] = iou[ids]
        return painted


def _by_id(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Predicted IoU at the place of each segment's id; place 0 is no segment."""
    iou: NDArray[np.float64] = np.zeros(int(rows["segment_id"].max()) + 1)
    iou[rows["segment_id"].to_numpy()] = rows["predicted_iou"].to_numpy()
    return iou
