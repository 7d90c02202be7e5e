"""Numbers as colours: a palette without steps that the colour-blind see in order, and the bar that explains it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.palette import CIVIDIS
from oodretrieval.colours import hex_colour, rgb_colour

LEVELS = 32
"""Colours of a scale; nobody distinguishes more."""
_ENDS = (0.01, 0.99)
"""Quantiles that the ends of the bar stand for, so that one outlier does not take all colours."""
_SKEWED = 8.0
"""How much farther the upper end is from the median than the lower end, so that the scale becomes logarithmic."""
_STOPS = 13
"""Colours of a bar that a view blends."""


@dataclass(frozen=True)
class ColourScale:
    """Colours of a number, light where it is low and dark where it is high.

    Attributes:
        title: What the number is.
        low: What the light end stands for; all below it have that colour, too.
        high: What the dark end stands for, likewise.
        cut: Whether there are numbers below the one and above the other.
        logarithmic: Whether equal steps of colour are equal ratios; ``low`` is positive then.
    """

    title: str
    low: float
    high: float
    cut: tuple[bool, bool] = (False, False)
    logarithmic: bool = False

    @classmethod
    def of(cls, values: NDArray[np.floating], title: str) -> "ColourScale":
        """The scale on which most of some numbers differ.

        Args:
            values: ``(n,)`` with ``n >= 1``, finite.
            title: What they are.

        Returns:
            From their first to their last percentile; logarithmic where a few are far larger than all others.

        Example:
            >>> ColourScale.of(np.array([1.0, 2.0, 3.0]), "x").high
            2.98
        """
        low, middle, high = map(float, np.quantile(values, (_ENDS[0], 0.5, _ENDS[1])))
        if low == high:
            low, high = float(values.min()), float(values.max())
        cut = bool(values.min() < low), bool(values.max() > high)
        skewed = low > 0 and high - middle > _SKEWED * (middle - low)
        return cls(title, low, high, cut, skewed and high > 2 * low)

    def share(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where on the bar numbers lie.

        Args:
            values: ``(n,)``, finite.

        Returns:
            ``(n,)``, 0 at the light end, 1 at the dark one; 1 for all where they are all the same.

        Example:
            >>> ColourScale("x", 1.0, 100.0, logarithmic=True).share(np.array([0.5, 10.0, 100.0])).tolist()
            [0.0, 0.5, 1.0]
        """
        if self.low == self.high:
            return np.ones(len(values))
        held = np.clip(np.asarray(values, np.float64), self.low, self.high)
        low, high = self.low, self.high
        if self.logarithmic:
            held, low, high = np.log(held), float(np.log(low)), float(np.log(high))
        shares: NDArray[np.float64] = (held - low) / (high - low)
        return shares

    def levels(self, values: NDArray[np.floating]) -> NDArray[np.intp]:
        """The colours of numbers.

        Args:
            values: ``(n,)``, finite.

        Returns:
            Of :func:`level_colours`, ``(n,)``.
        """
        return np.minimum((self.share(values) * LEVELS).astype(np.intp), LEVELS - 1)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """What stands at the bar: place from 0 to 1, and the number there, at both ends and in the middle."""
        middle = (self.low * self.high) ** 0.5 if self.logarithmic else (self.low + self.high) / 2
        below, above = ("≤ " if self.cut[0] else ""), ("≥ " if self.cut[1] else "")
        ends = (0.0, below + self._short(self.low)), (1.0, above + self._short(self.high))
        return [ends[0], (0.5, self._short(middle)), ends[1]] if self.low < self.high else [ends[1]]

    def _short(self, value: float) -> str:
        """A number with as many digits as its scale needs."""
        spread = self.high - self.low
        if self.high == round(self.high) and self.low == round(self.low) and spread >= 10:
            return f"{value:,.0f}"
        return f"{value:.2f}" if spread == 0 or 0.5 <= spread < 1000 else f"{value:.3g}"


def level_colours() -> tuple[str, ...]:
    """The colours of a scale.

    Returns:
        :data:`LEVELS` of them as ``#rrggbb``, from light (low) to dark (high).
    """
    return tuple(_blend((level + 0.5) / LEVELS) for level in range(LEVELS))


def bar_colours() -> tuple[str, ...]:
    """Colours along a bar, between which a view blends.

    Returns:
        From the light end (low) to the dark one, equally far apart.
    """
    return tuple(_blend(stop / (_STOPS - 1)) for stop in range(_STOPS))


def _blend(share: float) -> str:
    """The colour at a place of the bar."""
    stops = np.array([rgb_colour(colour) for colour in CIVIDIS], np.float64)
    place = np.linspace(0, 1, len(stops))
    red, green, blue = (round(float(np.interp(1 - share, place, stops[:, part]))) for part in range(3))
    return hex_colour((red, green, blue))
