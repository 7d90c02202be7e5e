"""Networks in ONNX files, run by onnxruntime."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oodretrieval.errors import ConfigurationError
from oodretrieval.extras import require_extra
from oodretrieval.models.adapters.file_kinds import unreadable
from oodretrieval.models.adapters.frozen import FrozenNetwork, Gives

logger = logging.getLogger(__name__)
TYPES = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16, "tensor(double)": torch.float64}
ERRORS_ONLY = 3


class OnnxNetwork(FrozenNetwork):
    """A network in an ONNX file; the extra ``[onnx]`` runs it.

    It runs on the CPU, or on the GPU of its input where onnxruntime has its CUDA provider (the package
    ``onnxruntime-gpu``). A fixed input size and batch size are read from the file.

    Args:
        weights_file: The ``.onnx`` file; tensors that it keeps in files next to it are found there.
        input_size: Height and width that every image is resized to first; None for any size.
        multiple_of: Round height and width up to a multiple of this.
        output: What the network gives, ``"logits"`` or ``"probabilities"``.
        output_name: Which of several outputs, by name.
        align_corners: Whether the resize from the network's output to the image aligns corners.

    Raises:
        ConfigurationError: If onnxruntime is missing, or the network takes anything but one batch of images.
        WeightsError: If the file is missing or no ONNX file.
    """

    def __init__(
        self,
        weights_file: str | Path,
        input_size: Sequence[int] | None = None,
        multiple_of: int = 1,
        output: Gives = "logits",
        output_name: str | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__(weights_file, input_size, multiple_of, output, output_name, align_corners)
        self.runtime = require_extra("onnxruntime", "onnx")
        self.device = torch.device("cpu")
        self.session = self._session(["CPUExecutionProvider"])
        images = self.session.get_inputs()
        shape: list[int | str | None] = images[0].shape if images else []
        if (
            len(images) != 1
            or len(shape) != 4
            or images[0].type not in TYPES
            or not (shape[1] == 3 or isinstance(shape[1], str | None))
        ):
            listed = "; ".join(f"{i.name}: {i.type} {i.shape}" for i in images)
            raise ConfigurationError(
                f"{weights_file} takes ({listed}), expected one input of floating-point images (N, 3, H, W)"
            )
        self.input_name, self.dtype = images[0].name, TYPES[images[0].type]
        self.fix_batch(shape[0])
        self.fix_size(shape[2], shape[3])

    def run(self, x: Tensor) -> dict[str, Tensor]:
        """Images ``(N, 3, H, W)`` → every output by name, on the device of the images."""
        if x.device != self.device:
            self._move(x.device)
        names = [output.name for output in self.session.get_outputs()]
        try:
            arrays = self.session.run(names, {self.input_name: x.detach().to("cpu", self.dtype).numpy()})
        except Exception as error:  # onnxruntime's errors have no ancestor of their own
            self.failed(x.shape, error)
        return {name: torch.from_numpy(array).to(x.device) for name, array in zip(names, arrays, strict=True)}

    def _move(self, device: torch.device) -> None:
        self.device = device
        if device.type != "cuda":
            self.session = self._session(["CPUExecutionProvider"])
            return
        if "CUDAExecutionProvider" not in self.runtime.get_available_providers():
            logger.warning(
                "this onnxruntime has no CUDA provider, %s runs on the CPU; install onnxruntime-gpu in its place",
                self.path.name,
            )
            return
        cuda = ("CUDAExecutionProvider", {"device_id": device.index or 0})
        self.session = self._session([cuda, "CPUExecutionProvider"])

    def _session(self, providers: Sequence[Any]) -> Any:
        options = self.runtime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            return self.runtime.InferenceSession(str(self.path), options, providers=list(providers))
        except Exception as error:  # onnxruntime's errors have no ancestor of their own
            raise unreadable(self.path, "an ONNX network", "OnnxNetwork", error) from error
