"""Any image network of timm as an embedding network: ResNet, ConvNeXt, Swin, ViT, DINOv2, DINOv3."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from oodretrieval.embedding.contract import EmbeddingNetwork
from oodretrieval.entries import LITE_MEAN, LITE_STD
from oodretrieval.errors import ConfigurationError, UnknownNameError, WeightsError
from oodretrieval.imagenet_weights import LITE, efficientnet_lite_state, require_timm_weights

logger = logging.getLogger(__name__)
PATCHES = 8
"""A transformer is shown at least this number of patches in height and width."""


class TimmEmbedding(EmbeddingNetwork):
    """A network of timm without its classifier; a vector is what that classifier would see.

    Transformers are built for images of any size where timm can (``dynamic_img_size``), else they see the one that they
    learned.

    Args:
        name: Name in timm, with a tag or without, e.g. ``"vit_small_patch14_dinov2.lvd142m"``,
            ``"vit_small_patch16_dinov3"``, ``"convnext_tiny.fb_in22k"``, ``"resnet50"``.
        weights_file: File with its state dict, ``.safetensors`` or ``.pth``, in the names of timm or of those who
            trained it; None for timm's own weights from the hub's cache (``HF_HOME``).
        pretrained: Whether to load weights; else they are random.
        options: Passed on to ``timm.create_model``.

    Raises:
        UnknownNameError: If timm has no such network.
        ConfigurationError: If it does not give features as the networks of timm do.
        WeightsError: If the weights are missing or do not fit; says what to fetch.
    """

    def __init__(
        self,
        name: str,
        weights_file: str | Path | None = None,
        pretrained: bool = True,
        **options: Any,
    ) -> None:
        if not timm.is_model(name):
            raise UnknownNameError("network of timm", name, timm.list_models(pretrained=True))
        trunk = _build(name, weights_file, pretrained, options)
        config = trunk.pretrained_cfg
        patch = _patch(trunk)
        dynamic = bool(getattr(trunk, "dynamic_img_size", False)) or not config.get("fixed_input_size", False)
        super().__init__(
            name,
            trunk,
            int(getattr(trunk, "head_hidden_size", trunk.num_features)),
            LITE_MEAN if name in LITE else tuple(config["mean"]),
            LITE_STD if name in LITE else tuple(config["std"]),
            32 if patch == 1 else PATCHES * patch,
            multiple_of=patch,
            input_size=None if dynamic else tuple(config["input_size"][1:]),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Embed crops as the network itself pools them: by its class token, by attention, by the mean.

        Args:
            crops: ``(N, 3, h, w)``, normalised.

        Returns:
            Vectors, ``(N, dim)``.
        """
        trunk: Any = self.trunk
        vectors: Tensor = trunk.forward_head(trunk.forward_features(crops), pre_logits=True)
        return vectors.flatten(1)

    def feature_map(self, images: Tensor) -> Tensor:
        """What it sees at every position; tokens that stand for no place are left out.

        Args:
            images: ``(N, 3, h, w)``, normalised.

        Returns:
            Features, ``(N, D, h', w')``.
        """
        trunk: Any = self.trunk
        features: Tensor = trunk.forward_features(images)
        if features.ndim == 4:
            last = features.shape[3] == trunk.num_features and features.shape[1] != trunk.num_features
            return features.permute(0, 3, 1, 2) if last else features
        rows, columns = (size // self.multiple_of for size in images.shape[2:])
        tokens = features[:, int(getattr(trunk, "num_prefix_tokens", 0)) :]
        if features.ndim != 3 or tokens.shape[1] != rows * columns:
            raise ConfigurationError(
                f"{self.name} gives features {tuple(features.shape)} of images {tuple(images.shape)}, not one for each "
                f"of {rows}×{columns} places; embed crops instead of pooling over the image"
            )
        places: Tensor = tokens.transpose(1, 2).reshape(len(tokens), -1, rows, columns)
        return places


def _build(name: str, weights_file: str | Path | None, pretrained: bool, options: dict[str, Any]) -> Any:
    if weights_file is not None and not Path(weights_file).is_file():
        raise WeightsError(
            f"no file {str(weights_file)!r} with the weights of {name}; fetch model.safetensors of timm's repository "
            "of it, or correct `weights` of its entry of EMBEDDINGS in configuration.py"
        )
    if weights_file is not None:
        return _created(name, options, pretrained=True, pretrained_cfg_overlay={"file": str(weights_file)})
    if not pretrained or name in LITE:
        network = _created(name, options)
        if pretrained:
            network.load_state_dict(efficientnet_lite_state(name, network.state_dict()))
        return network
    require_timm_weights(
        name, "name a file of them by `weights` of an entry of EMBEDDINGS in configuration.py"
    )
    logger.info("loading the weights that timm publishes of %s", name)
    return _created(name, options, pretrained=True)


def _created(name: str, options: dict[str, Any], **how: Any) -> Any:
    """The network without its classifier, for images of any size where it can be."""
    for sizes in ({"dynamic_img_size": True}, {}):
        try:
            with _missing_tensors() as missing:
                network = timm.create_model(name, num_classes=0, **{**sizes, **options}, **how)
            if not missing:
                return network
            reason: Exception = WeightsError(" ".join(missing))
            break
        except TypeError as error:  # convolutional networks know no such argument
            reason = error
            if "dynamic_img_size" not in str(error):
                break
        except Exception as error:  # of damaged files and foreign weights: anything
            reason = error
            break
    words = " ".join(str(reason).split())
    if how:
        raise WeightsError(f"the weights of {name} cannot be loaded into it ({words[:300]})") from reason
    raise ConfigurationError(f"timm cannot build {name} with {options} ({words[:300]})") from reason


@contextmanager
def _missing_tensors() -> Iterator[list[str]]:
    """What timm reports of tensors that a file lacks: it goes on with random ones.

    Yields:
        Its words; empty where nothing is missing.
    """
    found: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        words = record.getMessage()
        if words.startswith("Missing keys"):
            found.append(words)
        return record.levelno > logging.WARNING

    reports = logging.getLogger("timm.models._builder")
    before = reports.level
    reports.addFilter(collect)
    reports.setLevel(logging.INFO)
    try:
        yield found
    finally:
        reports.setLevel(before)
        reports.removeFilter(collect)


def _patch(trunk: torch.nn.Module) -> int:
    """Side of the patches that a transformer of a flat sequence of tokens cuts an image into; 1 for all others."""
    size: Any = getattr(getattr(trunk, "patch_embed", None), "patch_size", None)
    if size is None or not hasattr(trunk, "num_prefix_tokens"):
        return 1
    return int(size if isinstance(size, int) else max(size))
