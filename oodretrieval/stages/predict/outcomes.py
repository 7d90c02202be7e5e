"""What a network, or a file of somebody else's network, says of an image, and the prediction that follows from it.

Light enough for worker processes, which import no torch.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import ConfigurationError, ImageError, StoreError
from oodretrieval.labels import LabelSet
from oodretrieval.segments import predict_classes, predict_pixels
from oodretrieval.stores import Prediction, PublishedPredictions


class Outcome(Protocol):
    """What a source gives for one image; light enough to be sent to another process.

    Attributes:
        image_id: Id of the image.
        image_path: Its file.
        labels: Its label ids, ``(H, W)``; None without truth.
    """

    @property
    def image_id(self) -> str:
        """Id of the image."""
        ...

    @property
    def image_path(self) -> str:
        """File of the image."""
        ...

    @property
    def labels(self) -> NDArray[np.unsignedinteger] | None:
        """Label ids, ``(H, W)``; None without truth."""
        ...

    def prediction(self, *, with_entropy: bool) -> Prediction:
        """Compute the prediction.

        Args:
            with_entropy: Whether its entropy is wanted.

        Returns:
            The prediction, without truth.

        Raises:
            ImageError: If it cannot be used.
        """
        ...


@dataclass(frozen=True, eq=False)
class NetworkOutcome:
    """Logits of a network.

    Attributes:
        image_id: Id of the image.
        image_path: Its file.
        labels: Its label ids, ``(H, W)``; None without truth.
        size: Its height and width.
        logits: ``(C, h, w)`` float32.
        align_corners: How they are resized to the image.
    """

    image_id: str
    image_path: str
    labels: NDArray[np.unsignedinteger] | None
    size: tuple[int, int]
    logits: NDArray[np.float32]
    align_corners: bool

    def prediction(self, *, with_entropy: bool) -> Prediction:
        """As :meth:`Outcome.prediction`."""
        if not np.isfinite(self.logits).all():
            raise ImageError(
                f"{self.image_path}: the network's output is not finite; check its weights and mean, std, "
                "or choose another args.mixed_precision"
            )
        options: dict[str, Any] = {"align_corners": self.align_corners, "threads": 1}
        if with_entropy:
            classes, entropy = predict_pixels(self.logits, self.size, **options)
        else:
            classes, entropy = predict_classes(self.logits, self.size, **options), None
        return Prediction(
            prediction=classes,
            image_path=self.image_path,
            image_id=self.image_id,
            logits=self.logits,
            align_corners=self.align_corners,
            num_classes=len(self.logits),
            entropy=entropy,
        )


@dataclass(frozen=True, eq=False)
class PublishedOutcome:
    """A softmax in a published file, or in one of numpy.

    Attributes:
        image_id: Id of the image.
        image_path: Its file.
        labels: Its label ids, ``(H, W)``; None without truth.
        size: Its height and width.
        files: The predictions that may be its own; exactly one should be.
        label_set: The dataset's tables; None without truth.
    """

    image_id: str
    image_path: str
    labels: NDArray[np.unsignedinteger] | None
    size: tuple[int, int]
    files: PublishedPredictions
    label_set: LabelSet | None

    def prediction(self, *, with_entropy: bool) -> Prediction:
        """As :meth:`Outcome.prediction`.

        Raises:
            ConfigurationError: If it has another number of classes than the dataset.
        """
        if len(self.files) != 1:
            raise ImageError(
                f"{len(self.files)} predictions in the source belong to {self.image_id!r}, expected one"
            )
        try:
            found: Prediction = self.files[0]
        except StoreError as error:
            raise ImageError(str(error)) from error
        require_classes(found.num_classes, self.label_set)
        if found.prediction.shape != self.size:
            raise ImageError(
                f"the prediction of {self.image_id!r} is {found.prediction.shape}, its image {self.size}"
            )
        entropy = found.entropy_levels() if with_entropy else None
        return replace(found, image_id=self.image_id, image_path=self.image_path, entropy=entropy)


def require_classes(count: int, label_set: LabelSet | None) -> None:
    """Refuse predictions of another number of classes than the dataset has, if it has any.

    Args:
        count: Number of predicted classes.
        label_set: What the labels of the dataset mean; None without truth.

    Raises:
        ConfigurationError: If the numbers differ.
    """
    if label_set is not None and label_set.num_classes not in (0, count):
        raise ConfigurationError(
            f"the network has {count} classes, the dataset's pred_mapping {label_set.num_classes}; "
            "choose a dataset entry made for this network (with background, if it has one), or give it its own "
            "label_to_pred"
        )
