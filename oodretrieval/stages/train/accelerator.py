"""Device, precision and processes of a training."""

import atexit
import os

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from oodretrieval.errors import SettingsError
from oodretrieval.experiment.device import choose_device


def accelerator(gpu: int, precision: str = "auto", accumulation: int = 1) -> Accelerator:
    """What a training runs on.

    Args:
        gpu: Number of the GPU, or -1 for the CPU; ``accelerate launch`` gives every process a GPU of its own.
        precision: ``no``, ``bf16`` or ``fp16``; ``auto`` is bf16 on a GPU and no on the CPU.
        accumulation: Steps whose gradients are added up before an update.

    Returns:
        The accelerator.

    Raises:
        SettingsError: If there is no such precision.
    """
    device = choose_device(gpu)
    on_gpu = device.type == "cuda"
    if on_gpu and "LOCAL_RANK" not in os.environ:
        torch.cuda.set_device(device)
    if precision == "auto":
        precision = "bf16" if on_gpu else "no"
    if precision not in ("no", "bf16", "fp16"):
        raise SettingsError(f"mixed_precision must be auto, no, bf16 or fp16, got {precision!r}")
    made = Accelerator(cpu=not on_gpu, mixed_precision=precision, gradient_accumulation_steps=accumulation)
    atexit.register(
        made.end_training
    )  # threads between processes that still run then would end this one by SIGABRT
    return made


def seed_process(seed: int) -> None:
    """Seed the augmentation of a training: with one process by ``seed``, of several each by another number.

    The order of the images is the same in all (accelerate sees to that), so that each gets a share of its own.
    """
    set_seed(seed, device_specific=True)
