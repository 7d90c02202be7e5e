"""Masks of everything in an image, by Segment Anything and its kin of the package ``transformers``."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from oodretrieval.errors import ConfigurationError, WeightsError
from oodretrieval.extras import require_extra
from oodretrieval.models.adapters.transformers import quiet, saved_configuration, unloadable

KINDS = {"sam": ("sam", "sam_hq"), "sam2": ("sam2", "sam2_video")}
"""What a user calls the networks → model types of transformers."""
_CONFIGURATIONS = ("preprocessor_config.json", "processor_config.json")


class MaskGenerator:
    """Segment Anything (1 or 2): asked at a grid of points for whatever lies there; nothing is downloaded.

    No code of a folder is run: weights are safetensors or, where there are none, a ``pytorch_model.bin`` read as
    tensors and nothing else. The extra ``[transformers]`` brings the package.

    Args:
        folder: What ``save_pretrained`` of network and processor wrote, e.g. a snapshot of ``facebook/sam-vit-base``
            or ``facebook/sam2.1-hiera-tiny``.
        kind: ``sam`` or ``sam2``.
        device: Where it runs.
        points: Along each side of the grid.
        min_iou: Masks whose IoU the network itself estimates below this are left out, 0…1.
        min_stability: Masks that change more than this with their threshold are left out, 0…1.

    Raises:
        ConfigurationError: If the package is missing, or the folder holds another kind of network.
        WeightsError: If the folder is missing, or its weights are, do not fit, or are damaged.

    Source:
        Kirillov et al., "Segment Anything", arXiv:2304.02643; Ravi et al., "SAM 2", arXiv:2408.00714.
    """

    def __init__(
        self,
        folder: str | Path,
        kind: str,
        device: torch.device | str = "cpu",
        *,
        points: int = 32,
        min_iou: float = 0.88,
        min_stability: float = 0.95,
    ) -> None:
        path = Path(folder).expanduser()
        if not str(folder) or not (path / "config.json").is_file():
            raise WeightsError(
                f"no network in {str(folder)!r}: args.proposals={kind} reads it from a folder on this computer, which "
                "args.proposals_weights names and save_pretrained wrote; fetch one, or choose args.proposals=regions"
            )
        self._pipeline = _pipeline(path, kind, torch.device(device))
        self._options: dict[str, Any] = {
            "points_per_crop": points,
            "pred_iou_thresh": min_iou,
            "stability_score_thresh": min_stability,
        }

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Masks of everything in an image.

        Args:
            image: RGB, ``(H, W, 3)``.

        Returns:
            ``(n, H, W)``, in no particular order; they may overlap.
        """
        with torch.inference_mode():
            found = self._pipeline(Image.fromarray(image), **self._options)["masks"]
        masks = [np.asarray(mask, bool).reshape(image.shape[:2]) for mask in found]
        return np.stack(masks) if masks else np.zeros((0, *image.shape[:2]), bool)


def _pipeline(path: Path, kind: str, device: torch.device) -> Any:
    transformers = require_extra("transformers", "transformers")
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    config = saved_configuration(path)
    if config.model_type not in KINDS[kind]:
        raise ConfigurationError(
            f"{path} holds a network of the kind {config.model_type!r}; args.proposals={kind} needs one of "
            f"{', '.join(KINDS[kind])}"
        )
    if not any((path / name).is_file() for name in _CONFIGURATIONS):
        raise WeightsError(
            f"{path} lacks {' or '.join(_CONFIGURATIONS)}; save the processor into the same folder, too"
        )
    try:
        with quiet(transformers):
            network, found = transformers.AutoModelForMaskGeneration.from_pretrained(  # a local folder  # nosec B615
                path,
                dtype=torch.float32,
                output_loading_info=True,
                use_safetensors=any(path.glob("*.safetensors")),
                weights_only=True,
                **options,
            )
            processor = transformers.AutoImageProcessor.from_pretrained(path, **options)  # likewise  # nosec B615
            if found["missing_keys"]:
                raise ValueError(f"it lacks {len(found['missing_keys'])} tensors of the network")
            return transformers.pipeline(
                "mask-generation", model=network.eval(), image_processor=processor, device=device
            )
    except Exception as error:  # files missing or damaged, code in them, other shapes: anything
        raise unloadable(path, kind, error) from error
