"""Choosing the device of a stage, said in one line."""

import logging

import torch

from oodretrieval.execution import keep_freed_memory

logger = logging.getLogger(__name__)


def choose_device(gpu: int) -> torch.device:
    """GPU ``gpu`` where there is one of that number, else the CPU.

    Args:
        gpu: Number of the GPU; -1 for the CPU.

    Returns:
        The device.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if 0 <= gpu < count:
        logger.info("running on GPU %d, %s", gpu, torch.cuda.get_device_name(gpu))
        return torch.device("cuda", gpu)
    keep_freed_memory()
    reason = "as asked" if gpu < 0 else f"no GPU {gpu} at hand"
    logger.info("running on the CPU (%s), %d threads", reason, torch.get_num_threads())
    return torch.device("cpu")
