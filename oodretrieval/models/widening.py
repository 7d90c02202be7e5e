"""Weights of a network in one of more classes: what was learned stays, the new classes begin at random."""

from pathlib import Path

from torch import Tensor, nn

from oodretrieval.errors import WeightsError
from oodretrieval.models.checkpoints import read_state, without_prefixes

_SMALL = 0.1
"""Share of their random initial weights that new classes begin with, so that at first they change little."""


def load_widened_weights(module: nn.Module, path: str | Path, *, run_code: bool = False) -> list[str]:
    """Load weights of fewer classes: rows of the new ones are added to every tensor that has one row a class.

    Args:
        module: The network, of more classes, with random weights.
        path: Weights of the same network with fewer classes; the old classes come first.
        run_code: As in :func:`~oodretrieval.models.load_weights`.

    Returns:
        Keys of the tensors that have more rows than in the file.

    Raises:
        WeightsError: If a key is missing, or differs in more than its number of rows, or no tensor has more rows.
    """
    own = module.state_dict()
    state = without_prefixes(read_state(path, run_code=run_code), own)
    merged, widened = {}, []
    for key, value in own.items():
        old = state.get(key)
        if old is None and key.endswith("num_batches_tracked"):
            merged[key] = value
        elif old is not None and old.shape == value.shape:
            merged[key] = old
        elif old is not None and old.shape[1:] == value.shape[1:] and 0 < old.shape[0] < value.shape[0]:
            merged[key] = _with_more_rows(old, value)
            widened.append(key)
        else:
            raise WeightsError(
                f"{path} does not fit {type(module).__name__} with more classes: {key} is "
                f"{'missing' if old is None else f'{tuple(old.shape)} instead of {tuple(value.shape)}'}; give the "
                "network's own weights"
            )
    if not widened:
        raise WeightsError(f"{path} is of a network with as many classes; there is nothing to add")
    module.load_state_dict(merged)
    return widened


def _with_more_rows(old: Tensor, new: Tensor) -> Tensor:
    """The old rows, and small random ones after them; a new bias is as low as the lowest, so that old classes win."""
    wide = new.clone() * _SMALL
    if old.ndim == 1:
        wide[:] = old.min().to(wide.dtype)
    wide[: len(old)] = old.to(wide.dtype)
    return wide
