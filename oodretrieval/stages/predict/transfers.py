"""Images to a GPU and logits back, while the network works."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Download(NamedTuple):
    """Logits on their way from the device.

    Attributes:
        logits: ``(N, C, h, w)`` float32 in the main memory, complete when ``arrived``.
        arrived: Event of their arrival; None if they are there.
    """

    logits: Tensor
    arrived: Any = None

    def wait(self) -> NDArray[np.float32]:
        """The logits, when they are there."""
        if self.arrived is not None:
            self.arrived.synchronize()
        array: NDArray[np.float32] = self.logits.contiguous().numpy()
        return array


class Lanes:
    """Transfers to and from a GPU on streams of their own, through pinned memory.

    Args:
        device: The GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.up, self.down = torch.cuda.Stream(device), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def upload(self, images: Tensor) -> Tensor:
        """Copy images to the device, before any work that is queued from now on.

        Args:
            images: In the main memory.

        Returns:
            On the device.
        """
        work = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self.up):
            there = images.pin_memory().to(self.device, non_blocking=True)
        work.wait_stream(self.up)
        there.record_stream(work)
        return there

    def download(self, logits: Tensor) -> Download:
        """Copy logits to the main memory, after all work that is queued by now.

        Args:
            logits: On the device.

        Returns:
            The copy; wait for it before it is read.
        """
        logits = logits.contiguous()
        self.down.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.down):
            here = torch.empty(logits.shape, dtype=logits.dtype, pin_memory=True)
            here.copy_(logits, non_blocking=True)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record(self.down)
        logits.record_stream(self.down)
        return Download(here, arrived)
