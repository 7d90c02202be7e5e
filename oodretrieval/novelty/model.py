"""The novelty score: energy, distance to the known, and thickness, each next to what known training segments show.

``novelty = z(energy) + 2 z(ln distance) + z(ln thickness)``, where ``z`` is in robust deviations from the median of all
known training segments (:class:`~oodretrieval.novelty.standardisation.Standardisation`).

- **Energy** is the segment's, less that of its image: a dark or hazy picture has less evidence everywhere.
- **Distance** is the one to the nearest known training segment of the predicted class, in the features of an ImageNet
  network pooled over the segment. It and the energy err on different things: energy is fooled where the network is sure
  of itself, the distance is not, as its network never saw the classes.
- **Thickness** is area over length of the boundary: in a thin sliver both terms are those of what lies on either side,
  so that slivers look unknown in every new street.

Half of a segment's novelty is then the mean of the ten segments searched that look most like it
(:mod:`oodretrieval.novelty.likeness`).

The weights are round numbers, chosen by the mean and the worst of several scenes; a logistic regression on rendered
objects pasted into training images, without a truth of anything unknown in real images, agrees (docs/ranking.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.choices import DISTANCE, NOVELTY
from oodretrieval.errors import TableError, UnknownNameError
from oodretrieval.novelty.likeness import likeness_values, shared_among
from oodretrieval.novelty.neighbours import FeatureBank, known_bank, require_comparable
from oodretrieval.novelty.scores import SCORES, dispersion_score, missing_columns
from oodretrieval.novelty.standardisation import Standardisation
from oodretrieval.novelty.terms import energy_less_image, log_thickness, needed_columns
from oodretrieval.novelty.windows import WindowBank

MIN_PIXELS = 100
"""Smaller training segments are left out: their features are those of what surrounds them."""

WEIGHTS = {"energy": 1.0, "distance": 2.0, "thickness": 1.0}
"""Term → its weight in the novelty."""

LEVELS = np.linspace(0, 1, 1001)

_TOLERATED = 0.1


@dataclass(frozen=True)
class NoveltyModel:
    """A fitted novelty score; :meth:`fit` makes one.

    Attributes:
        bank: Features of known training segments.
        energy: Energy of known segments, less that of their images.
        distance: Logarithm of their distance.
        thickness: Logarithm of their thickness.
        quantiles: Name of a score → its quantiles over the known training segments at ``LEVELS``.
        num_classes: Classes of the segmentation network.
        made_by: What it was fitted on, plain values.
        windows: What regions that may be objects are compared with; None where nothing is known of them.
    """

    bank: FeatureBank
    energy: Standardisation
    distance: Standardisation
    thickness: Standardisation
    quantiles: Mapping[str, NDArray[np.float64]]
    num_classes: int
    made_by: Mapping[str, Any] = field(default_factory=dict)
    windows: WindowBank | None = None

    @classmethod
    def fit(
        cls,
        table: pd.DataFrame,
        features: NDArray[np.floating],
        *,
        num_classes: int,
        seed: int = 0,
        made_by: Mapping[str, Any] | None = None,
        windows: WindowBank | None = None,
        fine: NDArray[np.floating] | None = None,
    ) -> "NoveltyModel":
        """Learn what known segments look like. Segments with more than a trace of unknown or void are left out.

        Args:
            table: Segment table of training images with truth, whole images of it, with the columns of logits.
            features: Pooled features of its segments, ``(n, D)``.
            num_classes: Classes of the segmentation network.
            seed: Which segments are kept of classes that have many.
            made_by: What it is fitted on, to travel with it.
            windows: Known windows of the same images, to travel with it; objects are scored by them.
            fine: Features of the segments at a finer stride, ``(n, d)``: with them :meth:`score` shares novelty among
                segments that look alike, and so do the quantiles.

        Returns:
            The fitted model.

        Raises:
            TableError: If columns are missing, no known segment is left, or too few can be compared with other images.
        """
        known = known_rows(table) & np.isfinite(features).all(axis=1)
        if not known.any():
            raise TableError(
                f"no segment of at least {MIN_PIXELS} pixels is known by truth: none to learn from; "
                "choose another args.dataset, with truth"
            )
        rows, vectors = table[known], features[known].astype(np.float32)
        energy, thickness = energy_less_image(table)[known], log_thickness(table)[known]
        classes = _classes(rows, num_classes)
        places, names = pd.factorize(rows["image_id"])
        bank, apart = known_bank(vectors, classes, places, seed)
        apart = require_comparable(apart, len(names))
        model = cls(
            bank=bank,
            energy=Standardisation.of(energy),
            distance=Standardisation.of(apart),
            thickness=Standardisation.of(thickness),
            quantiles={},
            num_classes=num_classes,
            made_by=made_by or {},
            windows=windows,
        )
        scores = {name: dispersion_score(rows, name) for name in SCORES if not missing_columns(rows, name)}
        novelty = model._combine(energy, apart, thickness)
        if fine is not None:
            novelty = _shared(novelty, rows, fine[known])
        scores |= {DISTANCE: apart, NOVELTY: novelty}
        quantiles = {name: np.quantile(values, LEVELS) for name, values in scores.items()}
        return replace(model, quantiles=quantiles)

    def score(
        self,
        table: pd.DataFrame,
        features: NDArray[np.floating],
        name: str = NOVELTY,
        *,
        fine: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float64]:
        """How unknown every segment is.

        Args:
            table: Segment table, ``n`` rows, whole images of it.
            features: Pooled features of its segments, ``(n, D)``; a row that is not finite has no score (NaN).
            name: ``"novelty"``, or ``"nearest_neighbour"`` for the logarithm of the distance alone.
            fine: Their features at a finer stride, ``(n, d)``: with them novelty is shared among segments of the table
                that look alike, for which it should hold all that are searched; None for each segment by itself.

        Returns:
            ``(n,)``, higher where more unknown. 0 is a usual known segment; unitless.

        Raises:
            TableError: If columns are missing or there are other classes than it was fitted for.
            UnknownNameError: If there is no such score.
        """
        if name not in (NOVELTY, DISTANCE):
            raise UnknownNameError("score", name, (NOVELTY, DISTANCE))
        if features.shape != (len(table), len(self.bank.mean)):
            raise TableError(
                f"expected features ({len(table)}, {len(self.bank.mean)}), got {features.shape}; compute them with "
                "the network that the novelty model was fitted with"
            )
        distance = self.bank.log_distance(features, _classes(table, self.num_classes))
        if name == DISTANCE:
            return distance
        novelty = self._combine(energy_less_image(table), distance, log_thickness(table))
        return novelty if fine is None else _shared(novelty, table, fine)

    def _combine(
        self, energy: NDArray[np.float64], distance: NDArray[np.float64], thickness: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        novelty = WEIGHTS["energy"] * self.energy(energy)
        novelty += WEIGHTS["distance"] * self.distance(distance)
        return novelty + WEIGHTS["thickness"] * self.thickness(thickness)

    @property
    def energy_scale(self) -> float:
        """What is one unit of energy: its robust deviation among known segments."""
        return self.energy.scale

    def threshold(self, name: str, quantile: float) -> float:
        """The value of a score that this share of the known training segments stays below.

        Args:
            name: Name of the score.
            quantile: 0…1.

        Returns:
            In the unit of the score.

        Raises:
            UnknownNameError: If it was not fitted with this score.
        """
        if name not in self.quantiles:
            raise UnknownNameError("score of the novelty model", name, self.quantiles)
        return float(np.interp(quantile, LEVELS, self.quantiles[name]))


def known_rows(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Choose the segments to learn from: large enough, with truth, at most a tenth of it unknown or void.

    Args:
        table: Segment table, ``n`` rows.

    Returns:
        Whether each is one, ``(n,)``.

    Raises:
        TableError: If columns are missing.
    """
    needed = "S", "unknown_fraction", "void_fraction"
    size, unknown, void = (needed_columns(table, *needed)[name].to_numpy() for name in needed)
    known: NDArray[np.bool_] = (size >= MIN_PIXELS) & (unknown >= 0) & (unknown + void <= _TOLERATED)
    return known


def comparable(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Which segments others share the novelty of: large enough to look like something.

    Args:
        table: Segment table, ``n`` rows; only ``S`` is read.

    Returns:
        ``(n,)``.
    """
    large: NDArray[np.bool_] = table["S"].to_numpy() >= MIN_PIXELS
    return large


def _shared(
    novelty: NDArray[np.float64], table: pd.DataFrame, fine: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Novelty shared among segments that look alike; NaN where it was."""
    there = np.isfinite(novelty) & np.isfinite(fine).all(axis=1)
    logits, fine = likeness_values(table, fine)
    result = novelty.copy()
    result[there] = shared_among(novelty[there], (logits[there], fine[there]), comparable(table)[there])
    return result


def _classes(table: pd.DataFrame, num_classes: int) -> NDArray[np.int64]:
    classes = table["class"].to_numpy(np.int64)
    if len(classes) and not (classes.min() >= 0 and classes.max() < num_classes):
        raise TableError(
            f"the table has class {classes.max()}, the novelty model was fitted for {num_classes} classes; fit one "
            "for this network with train_novelty"
        )
    return classes
