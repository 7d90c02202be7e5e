"""PyTorch's files, read without running code: tensors, plain containers, and numbers and arrays of NumPy."""

import codecs
from pathlib import Path
from typing import Any
from warnings import catch_warnings, filterwarnings
from zipfile import ZipFile

import numpy as np
import torch
from torch.serialization import safe_globals

NUMBERS = "?bhilqBHILQefd"
"""NumPy's codes of truth values, integers and floating-point numbers; no objects."""


def read_without_code(path: str | Path) -> Any:
    """Content of a file that ``torch.save`` wrote, on the CPU.

    Training scripts leave NumPy's numbers next to the weights (a mean IoU, say). Nothing runs when these are
    rebuilt, so they are allowed; all else that is no tensor or plain container is refused.

    Args:
        path: The file.

    Returns:
        What was saved.

    Raises:
        pickle.UnpicklingError: If reading it would run code; other damage raises anything from OSError to KeyError.
    """
    with safe_globals(_numpy_numbers()), catch_warnings():
        filterwarnings(
            "ignore", "Detected pickle protocol"
        )  # refused, or not: the caller hears of it either way
        filterwarnings("ignore", "'torch.load' received a zip file that looks like a TorchScript")
        return torch.load(path, map_location="cpu", weights_only=True)


def zip_members(path: str | Path) -> set[str] | None:
    """Names in a zip archive, which ``torch.save`` and ``torch.jit.save`` write.

    Args:
        path: Any file.

    Returns:
        The names; None where it is no zip archive, or a damaged one. ``zipfile.is_zipfile`` says yes to some that are
        damaged, and raises an error for others.
    """
    try:
        with ZipFile(path) as archive:
            return set(archive.namelist())
    except Exception:  # damaged archives raise anything from BadZipFile to struct.error
        return None


def _numpy_numbers() -> list[Any]:
    """What NumPy's pickles call; NumPy 1 named its functions under ``numpy.core``, NumPy 2 ``numpy._core``."""
    array, scalar = np.zeros(0).__reduce__()[0], np.float64(0).__reduce__()[0]
    named = {"_reconstruct": array, "scalar": scalar}
    functions = [
        (function, f"numpy.{core}.multiarray.{name}")
        for name, function in named.items()
        for core in ("core", "_core")
    ]
    kinds = {type(np.dtype(code)) for code in NUMBERS}
    return [*functions, (codecs.encode, "_codecs.encode"), np.ndarray, np.dtype, *kinds]
