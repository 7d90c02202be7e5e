"""The features of the meta models: which columns of the segment table, in which order, standardised how.

Source:
    Rottmann et al., arXiv:1811.00648 (MetaSeg); the order is that of the published checkpoint.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError, UnknownNameError
from oodretrieval.meta_models.derived import CONTEXT, SHAPE, derive, is_derived

_DISPERSION = ("", "_bd", "_in", "_rel", "_rel_in", "_var", "_var_bd", "_var_in", "_var_rel", "_var_rel_in")
_SIZE = ("", "_bd", "_in", "_rel", "_rel_in")
_LOGITS = tuple(f"{kind}{where}" for kind in ("max_logit", "energy") for where in ("", "_in", "_bd"))
_SHARE_THAT_TEACHES_NOTHING = 0.5
NO_FEATURES = ("iou", "iou0", "label", "unknown_fraction", "void_fraction", "image_id", "segment_id")
"""Columns that hold the truth or name the segment: no meta model may see them."""
GROUPS: Mapping[str, Callable[[int], list[str]]] = {
    "published": lambda classes: feature_names(classes),
    "dispersion": lambda classes: [f"{kind}{suffix}" for kind in "DEV" for suffix in _DISPERSION],
    "entropy": lambda classes: baseline_names("E", classes),
    "size": lambda classes: baseline_names("S", classes),
    "logits": lambda classes: list(_LOGITS),
    "shape": lambda classes: list(SHAPE),
    "context": lambda classes: [*CONTEXT, *(f"class{k}" for k in range(classes))],
    "extended": lambda classes: select_features(("published", "shape", "context"), classes),
}
"""Names of groups of features → their names, for a number of classes."""


def feature_names(num_classes: int) -> list[str]:
    """Columns of the segment table that a meta model sees, in the published order.

    All names but the mean softmax are sorted as text; then follow ``cprob0``, ``cprob1`` … by number.

    Args:
        num_classes: Number of predicted classes, at least 2.

    Returns:
        ``37 + 2 * num_classes`` names.

    Raises:
        ValueError: If there are fewer than two classes.

    Example:
        >>> names = feature_names(19)
        >>> len(names), names[0], names[37:41], names[-1]
        (75, 'D', ['ndist0', 'ndist1', 'ndist10', 'ndist11'], 'cprob18')
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    names = [f"{kind}{suffix}" for kind in "DEV" for suffix in _DISPERSION]
    names += [f"S{suffix}" for suffix in _SIZE] + ["mean_x", "mean_y"]
    names += [f"ndist{k}" for k in range(num_classes)]
    return sorted(names) + [f"cprob{k}" for k in range(num_classes)]


def baseline_names(prefix: str, num_classes: int) -> list[str]:
    """The features of a baseline: those of one kind only.

    Args:
        prefix: ``"E"`` entropy only, ``"S"`` size only, ``"D"`` or ``"V"``.
        num_classes: Number of predicted classes, at least 2.

    Returns:
        Names, in the published order.

    Raises:
        ValueError: If there is no such kind.

    Example:
        >>> baseline_names("S", 19)
        ['S', 'S_bd', 'S_in', 'S_rel', 'S_rel_in']
    """
    if prefix not in ("D", "E", "S", "V"):
        raise ValueError(f"prefix must be one of 'D', 'E', 'S', 'V', got {prefix!r}")
    return [name for name in feature_names(num_classes) if name.partition("_")[0] == prefix]


def require_chosen(chosen: Sequence[str]) -> None:
    """Refuse no features at all.

    Args:
        chosen: Names of groups and of single features.

    Raises:
        ValueError: If there are none.
    """
    if not chosen:
        raise ValueError("features must name at least one column or group, or be None for the published ones")


def select_features(chosen: Sequence[str], num_classes: int) -> list[str]:
    """Features by name: groups (:data:`GROUPS`), columns of the segment table, and derived ones.

    Args:
        chosen: Names of groups and of single features, in any mixture.
        num_classes: Number of predicted classes, at least 2.

    Returns:
        Names of features, each once, in the order of their first mention.

    Raises:
        ValueError: If nothing is chosen.

    Example:
        >>> select_features(("size", "E", "S"), 19)
        ['S', 'S_bd', 'S_in', 'S_rel', 'S_rel_in', 'E']
    """
    require_chosen(chosen)
    named = (GROUPS[name](num_classes) if name in GROUPS else [name] for name in chosen)
    return list(dict.fromkeys(name for group in named for name in group))


def num_classes_of(table: pd.DataFrame) -> int:
    """Number of predicted classes of the network behind a segment table.

    Args:
        table: Segment table with columns ``cprob0`` … and ``ndist0`` ….

    Returns:
        The number of classes, at least 2.

    Raises:
        TableError: If these columns are missing, have gaps, or disagree.
    """
    found = {kind: _numbers_of(table, kind) for kind in ("cprob", "ndist")}
    count = len(found["cprob"])
    if count < 2 or any(numbers != list(range(count)) for numbers in found.values()):
        raise TableError(
            "a segment table has columns cprob0 … and ndist0 …, one of each per class and without gaps; here "
            f"cprob has {found['cprob']} and ndist has {found['ndist']}; make it again with compute_metrics"
        )
    return count


def _numbers_of(table: pd.DataFrame, kind: str) -> list[int]:
    matches = (re.fullmatch(rf"{kind}(\d+)", str(name)) for name in table.columns)
    return sorted(int(match[1]) for match in matches if match)


def feature_matrix(
    table: pd.DataFrame, names: Sequence[str], num_classes: int | None = None
) -> NDArray[np.float64]:
    """The features of every segment as a matrix.

    Args:
        table: Segment table, ``n`` rows (0 is allowed).
        names: Features to take, in this order: columns, or derived ones.
        num_classes: Number of classes that the table must have; None to accept any.

    Returns:
        ``(n, len(names))``.

    Raises:
        TableError: If the table is of a network with another number of classes, lacks columns, or has
            values that are not finite numbers.

    Example:
        >>> feature_matrix(pd.DataFrame({"E": [0.5], "S": [7]}), ["S", "E"]).tolist()
        [[7.0, 0.5]]
    """
    if num_classes is not None and num_classes_of(table) != num_classes:
        raise TableError(
            f"the segment table is of a network with {num_classes_of(table)} classes, the meta model was "
            f"trained for one with {num_classes}; train a meta model for this network with train_meta_nn"
        )
    forbidden = [name for name in names if name in NO_FEATURES]
    if forbidden:
        raise TableError(f"{', '.join(forbidden)} holds the truth or names the segment, and is no feature")
    missing = [name for name in names if name not in table.columns and not is_derived(name)]
    if missing:
        raise _lacks(table, missing)
    matrix = np.empty((len(table), len(names)))
    for place, name in enumerate(names):
        try:
            matrix[:, place] = table[name] if name in table.columns else derive(table, name)
        except (TypeError, ValueError) as error:
            raise TableError(f"the features of the segment table must be numbers: {name}: {error}") from error
    bad = [name for place, name in enumerate(names) if not np.isfinite(matrix[:, place]).all()]
    if bad:
        raise TableError(f"the segment table has values that are not finite in column(s) {', '.join(bad)}")
    return matrix


def _lacks(table: pd.DataFrame, missing: Sequence[str]) -> TableError:
    known = {*GROUPS, *SHAPE, *CONTEXT, *map(str, table.columns)} - set(NO_FEATURES)
    hint = UnknownNameError("feature", missing[0], known)
    return TableError(
        f"the segment table lacks the column(s) {', '.join(missing)}; make it again with compute_metrics, or "
        f"correct the name: {hint}"
    )


def training_rows(table: pd.DataFrame, strict: bool = True) -> pd.DataFrame:
    """The segments that a meta model may learn from.

    Segments without truth (``iou < 0``) never are. Strict, the default, also leaves out those that are mostly
    void or unknown: else the model learns that unknown things are bad, which nobody could say to it in use.

    Args:
        table: Segment table with ``iou``, and for ``strict`` with ``void_fraction`` and ``unknown_fraction``,
            the shares (0…1) of a segment's pixels that are void and unknown.
        strict: Whether to leave out segments more than half of which is void or unknown.

    Returns:
        The chosen rows, index kept.

    Raises:
        TableError: If these columns are missing.
    """
    needed = ["iou", "void_fraction", "unknown_fraction"] if strict else ["iou"]
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise TableError(
            f"to choose training segments the table needs the column(s) {', '.join(missing)}; make it again "
            "with compute_metrics" + (", or pass strict=False to learn from all segments" if strict else "")
        )
    keep = table["iou"].to_numpy() >= 0
    if strict:
        nothing = table["void_fraction"].to_numpy() + table["unknown_fraction"].to_numpy()
        keep &= ~(nothing > _SHARE_THAT_TEACHES_NOTHING)
    return table[keep]


@dataclass(frozen=True)
class FeatureStandardisation:
    """Brings every feature to mean 0 and standard deviation 1: ``(x - mean) / (std + 1e-10)``.

    Attributes:
        mean: ``(F,)``, of the training set.
        std: ``(F,)``, of the training set, >= 0.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(cls, matrix: NDArray[np.float64]) -> "FeatureStandardisation":
        """Take mean and standard deviation from a training set.

        A feature that never varies has nothing to teach: its deviation is set to 1, as otherwise the first
        value that differs, in use, would arrive as a number beyond all bounds.

        Args:
            matrix: ``(n, F)`` with ``n >= 1``.

        Returns:
            The standardisation of that set.
        """
        mean, std = matrix.mean(axis=0), matrix.std(axis=0)
        return cls(mean, np.where(std <= 1e-12 * np.maximum(1.0, np.abs(mean)), 1.0, std))

    def __call__(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardise ``(n, F)`` features.

        Example:
            >>> FeatureStandardisation(np.array([1.0]), np.array([2.0]))(np.array([[5.0]])).round(6).tolist()
            [[2.0]]
        """
        scaled: NDArray[np.float64] = (matrix - self.mean) / (self.std + 1e-10)
        return scaled
