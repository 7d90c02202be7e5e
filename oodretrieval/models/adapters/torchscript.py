"""Networks in TorchScript files, as ``torch.jit.save`` writes them."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oodretrieval.models.adapters.file_kinds import unreadable
from oodretrieval.models.adapters.frozen import FrozenNetwork, Gives


class TorchScriptNetwork(FrozenNetwork):
    """A network in a TorchScript file, traced or scripted.

    The file is a program in TorchScript's own language: reading it runs no Python, but the operators that it calls
    may read and write files. Take it only from people whom you would let run a program.

    Args:
        weights_file: The file, often ``.pt`` or ``.ts``.
        input_size: Height and width that every image is resized to first, for traces of one size; None for any.
        multiple_of: Round height and width up to a multiple of this.
        output: What the network gives, ``"logits"`` or ``"probabilities"``.
        output_name: Which of several outputs: its key, or its number from 0.
        align_corners: Whether the resize from the network's output to the image aligns corners.

    Raises:
        WeightsError: If the file is missing or no TorchScript.
    """

    def __init__(
        self,
        weights_file: str | Path,
        input_size: Sequence[int] | None = None,
        multiple_of: int = 1,
        output: Gives = "logits",
        output_name: str | int | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__(weights_file, input_size, multiple_of, output, output_name, align_corners)
        with warnings.catch_warnings():
            # torch would rather have torch.export; the file is there all the same
            warnings.filterwarnings("ignore", message=r"`torch\.jit", category=FutureWarning)
            try:
                load: Any = torch.jit.load
                self.program = load(str(weights_file), map_location="cpu")
            except (RuntimeError, ValueError) as error:
                raise unreadable(self.path, "TorchScript", "TorchScriptNetwork", error) from error

    def run(self, x: Tensor) -> Any:
        """Images ``(N, 3, H, W)`` → what the program gives."""
        return self.program(x)
