"""Networks in ``.pt2`` files, as ``torch.export.save`` writes them."""

from collections.abc import Sequence
from math import lcm
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from oodretrieval.errors import ConfigurationError, WeightsError
from oodretrieval.models.adapters.file_kinds import adapter_for, unreadable
from oodretrieval.models.adapters.frozen import FrozenNetwork, Gives

KIND = "a network of torch.export"


class ExportedNetwork(FrozenNetwork):
    """A network in a file of ``torch.export.save``; export it in evaluation mode.

    Reading such a file runs Python from it (checks of sizes are written in Python, and what is no tensor is pickled),
    so that it can do whatever you can. It is therefore read only with ``run_code=True`` of the entry.

    A fixed input size and batch size, and what sides must be multiples of, are read from the file.

    Args:
        weights_file: The ``.pt2`` file.
        input_size: Height and width that every image is resized to first; None for any size.
        multiple_of: Round height and width up to a multiple of this.
        output: What the network gives, ``"logits"`` or ``"probabilities"``.
        output_name: Which of several outputs: its key, or its number from 0.
        align_corners: Whether the resize from the network's output to the image aligns corners.
        run_code: Run the code in the file. **Dangerous**; only for files from someone you trust.

    Raises:
        ConfigurationError: If the network takes anything but one batch of images.
        WeightsError: If its code may not run, or if it is nothing that ``torch.export.save`` wrote.
    """

    def __init__(
        self,
        weights_file: str | Path,
        input_size: Sequence[int] | None = None,
        multiple_of: int = 1,
        output: Gives = "logits",
        output_name: str | int | None = None,
        align_corners: bool = False,
        run_code: bool = False,
    ) -> None:
        super().__init__(weights_file, input_size, multiple_of, output, output_name, align_corners)
        if adapter_for(self.path) != "ExportedNetwork":
            raise unreadable(self.path, KIND, "ExportedNetwork", "torch.export.save did not write it")
        if not run_code:
            raise WeightsError(
                f"{weights_file} is a program: torch.export.load runs Python code from such a file; set run_code=True "
                "of its entry in configuration.py where you trust whoever made it, or have the network as ONNX"
            )
        try:
            with self.path.open("rb") as file:  # of a name it would want a certain suffix
                self._exported = torch.export.load(file)
        except Exception as error:  # of another file anything from KeyError to RuntimeError
            raise unreadable(self.path, KIND, "ExportedNetwork", error) from error
        shape = self._input_shape()
        self.fix_batch(shape[0])
        self.fix_size(shape[2], shape[3])
        self.multiple_of = lcm(self.multiple_of, _factor(shape[2]), _factor(shape[3]))
        self.device = torch.device("cpu")
        self.program: nn.Module = self._exported.module()

    def run(self, x: Tensor) -> Any:
        """Images ``(N, 3, H, W)`` → what the program gives."""
        if x.device != self.device:
            # Parameters move with the module, but devices are also written into the program.
            self.program = move_to_device_pass(self._exported, x.device).module()
            self.device = x.device
        return self.program(x)

    def train(self, mode: bool = True) -> "ExportedNetwork":
        """Note the mode; the program keeps the one that it was exported in.

        Args:
            mode: True for training.

        Returns:
            Itself.
        """
        self.training = mode
        return self

    def _input_shape(self) -> tuple[int | torch.SymInt, ...]:
        names = self._exported.graph_signature.user_inputs
        nodes = [
            node for node in self._exported.graph.nodes if node.op == "placeholder" and node.name in names
        ]
        shape = tuple(nodes[0].meta["val"].shape) if len(nodes) == 1 else ()
        if len(shape) != 4 or shape[1] != 3:
            raise ConfigurationError(
                f"{self.path} takes {len(nodes)} input(s) {shape or ''}, expected one of images (N, 3, H, W)"
            )
        return shape


def _factor(side: int | torch.SymInt) -> int:
    """What a free side is a multiple of: 32 where it was exported as ``32 * _h``."""
    return 1 if isinstance(side, int) else int(side.node.expr.as_coeff_Mul()[0])
