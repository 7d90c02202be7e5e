"""Novelty models on disk: safetensors, numbers and text only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import WeightsError
from oodretrieval.novelty.model import LEVELS, NoveltyModel
from oodretrieval.novelty.neighbours import FeatureBank
from oodretrieval.novelty.standardisation import Standardisation
from oodretrieval.novelty.windows import WindowBank
from oodretrieval.remote_paths import path_of
from oodretrieval.sealed_arrays import read_model_arrays, write_arrays

FORMAT = "oodretrieval novelty model"
FORMAT_VERSION = "5"
"""Version 1 standardised by class, 2 knew no thickness, 3 did not share scores, 4 had other windows: all refused."""
EARLIER = ("1", "2", "3", "4")
_PARTS = ("energy", "distance", "thickness")
_BANK, _WINDOWS = ("mean", "std", "vectors", "classes"), ("mean", "axes", "vectors")


def save_novelty_model(model: NoveltyModel, path: str | Path) -> None:
    """Write a novelty model; what has its final name is whole.

    Args:
        model: A fitted model.
        path: File to write, usually ``*.safetensors``; missing folders are made.
    """
    arrays = {f"bank.{name}": np.ascontiguousarray(getattr(model.bank, name)) for name in _BANK}
    for part in _PARTS:
        standardisation: Standardisation = getattr(model, part)
        arrays[part] = np.array([standardisation.centre, standardisation.scale])
    if model.windows is not None:
        arrays |= {f"windows.{name}": np.ascontiguousarray(getattr(model.windows, name)) for name in _WINDOWS}
    arrays |= {f"quantiles.{name}": values for name, values in model.quantiles.items()}
    description = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "num_classes": str(model.num_classes),
        "made_by": json.dumps(dict(model.made_by), sort_keys=True),
    }
    write_arrays(path_of(path), arrays, description)


def load_novelty_model(path: str | Path) -> NoveltyModel:
    """Read what :func:`save_novelty_model` wrote.

    Args:
        path: The file.

    Returns:
        The model, with the checksum verified.

    Raises:
        WeightsError: If the file is missing, damaged or of another format.
    """
    path = path_of(path)
    remedy = "fit it with scripts/train_novelty.py"
    description, arrays = read_model_arrays(path, "novelty model", remedy)
    kind, version = description.get("format"), description.get("version")
    if kind == FORMAT and version in EARLIER:
        raise WeightsError(
            f"the novelty model {str(path)!r} is of format version {version}, of an earlier score; fit it again with "
            "scripts/train_novelty.py and args.overwrite=True"
        )
    if (kind, version) != (FORMAT, FORMAT_VERSION):
        raise WeightsError(
            f"{str(path)!r} is no novelty model of format version {FORMAT_VERSION} (its format is {kind!r}, version "
            f"{version!r}); {remedy}"
        )
    try:
        return _model(description, arrays)
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"the novelty model {str(path)!r} does not fit together: {error}; {remedy}"
        ) from error


def _model(description: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]) -> NoveltyModel:
    bank = FeatureBank(*(arrays[f"bank.{name}"] for name in _BANK))
    kept, dimensions = bank.vectors.shape
    shapes: dict[str, tuple[int, ...]] = {
        "bank.mean": (dimensions,),
        "bank.std": (dimensions,),
        "bank.classes": (kept,),
    }
    for part in _PARTS:
        shapes[part] = (2,)
    quantiles = {
        name.removeprefix("quantiles."): array for name, array in arrays.items() if "quantiles." in name
    }
    shapes |= {f"quantiles.{name}": LEVELS.shape for name in quantiles}
    windows = None
    if any(name.startswith("windows.") for name in arrays):
        windows = WindowBank(*(arrays[f"windows.{name}"] for name in _WINDOWS))
        size, axes = windows.axes.shape
        shapes |= {"windows.mean": (size,), "windows.vectors": (len(windows.vectors), axes)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} is {arrays[name].shape}, expected {shape}")
    return NoveltyModel(
        bank=bank,
        **{part: _standardisation(arrays, part) for part in _PARTS},
        quantiles=quantiles,
        num_classes=int(description["num_classes"]),
        made_by=json.loads(description["made_by"]),
        windows=windows,
    )


def _standardisation(arrays: Mapping[str, NDArray[Any]], part: str) -> Standardisation:
    centre, scale = arrays[part]
    return Standardisation(float(centre), float(scale))
