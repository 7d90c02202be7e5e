"""Choosing the device of a stage, said in one line."""

import logging

import torch

from oodretrieval.cluster import cluster_gpus
from oodretrieval.execution import keep_freed_memory
from oodretrieval.experiment.settings import RAY, CommonSettings

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


def stage_device(common: CommonSettings) -> torch.device:
    """Where the networks of a stage run: on this machine, or of what kind the workers of a cluster have one.

    Args:
        common: ``gpu`` and ``engine``.

    Returns:
        The device; of a cluster only its kind counts.
    """
    if common.engine != RAY:
        return choose_device(common.gpu)
    return torch.device("cuda" if common.gpu >= 0 and cluster_gpus() else "cpu")
