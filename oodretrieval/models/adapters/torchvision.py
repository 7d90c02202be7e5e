"""torchvision's segmentation networks: DeepLabV3, FCN, LR-ASPP."""

from pathlib import Path
from typing import Any

import torchvision
from torch import Tensor
from torchvision.models import segmentation

from oodretrieval.errors import ConfigurationError, UnknownNameError
from oodretrieval.imagenet_weights import cached_torchvision_weights, torchvision_cache_path
from oodretrieval.models.checkpoints import load_weights, read_state
from oodretrieval.models.contract import SegmentationNetwork

AUXILIARY = "aux_classifier."
"""Published files carry a second head, which only training needs."""


class TorchvisionNetwork(SegmentationNetwork):
    """A segmentation network of torchvision.

    Its parameters have torchvision's own names, so that files of theirs fit.

    Args:
        name: ``"deeplabv3_resnet50"``, ``"deeplabv3_mobilenet_v3_large"``, ``"fcn_resnet101"``,
            ``"lraspp_mobilenet_v3_large"``, ….
        num_classes: Classes out; published weights have 21.
        published: Name of weights that torchvision publishes, e.g. ``"COCO_WITH_VOC_LABELS_V1"``; they are
            looked up in torch's cache (``TORCH_HOME``) and downloaded only if they are not there.
        weights_file: File with a state dict, instead.
        run_code: Read a file that holds more than tensors by running the code in it.

    Raises:
        UnknownNameError: If there is no such network, or no such weights of it.
        WeightsError: If the weights do not fit, or cannot be downloaded.

    Example:
        >>> import torch
        >>> TorchvisionNetwork("lraspp_mobilenet_v3_large", 5).eval()(torch.zeros(1, 3, 33, 65)).shape
        torch.Size([1, 5, 33, 65])
    """

    def __init__(
        self,
        name: str,
        num_classes: int = 21,
        published: str | None = None,
        weights_file: str | Path | None = None,
        run_code: bool = False,
    ) -> None:
        super().__init__()
        if published is not None and weights_file is not None:
            raise ConfigurationError(
                "weights come by name (`published`) or from a file (`weights` of the entry); choose one"
            )
        path = weights_file if published is None else _download(name, published)
        auxiliary = path is not None and any(AUXILIARY in key for key in read_state(path, run_code=run_code))
        network = _build(name, num_classes, auxiliary)
        if path is not None:
            load_weights(network, path, run_code=run_code)
        self.num_classes = num_classes
        self.backbone, self.classifier = network.backbone, network.classifier
        self._whole_features = isinstance(network, segmentation.LRASPP)

    @staticmethod
    def cached_weights(name: str, published: str | None = None, **_: Any) -> Path | None:
        """Find the published weights in torch's cache.

        Args:
            name: Name of the network, as in torchvision.
            published: Name of its weights; None for none.

        Returns:
            Their file; None before they are downloaded.
        """
        if published is None:
            return None
        path = torchvision_cache_path(_published(name, published))
        return path if path.is_file() else None

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, h, w)`` at the network's stride of 8."""
        features = self.backbone(x)
        logits: Tensor = self.classifier(features if self._whole_features else features["out"])
        return logits


def _build(name: str, num_classes: int, auxiliary: bool) -> Any:
    known = torchvision.models.list_models(module=segmentation)
    if name not in known:
        raise UnknownNameError("segmentation network of torchvision", name, known)
    return torchvision.models.get_model(
        name, weights=None, weights_backbone=None, num_classes=num_classes, aux_loss=auxiliary
    )


def _published(name: str, published: str) -> Any:
    known = torchvision.models.get_model_weights(name).__members__
    if published not in known:
        raise UnknownNameError(f"published weights of {name}", published, known)
    return known[published]


def _download(name: str, published: str) -> Path:
    return cached_torchvision_weights(
        _published(name, published),
        instead="or set the entry's `weights` to a file of yours in place of `published`",
    )
