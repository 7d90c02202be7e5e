"""Expected non-distinctiveness: how often a network believes in a class and in the background at once."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

if TYPE_CHECKING:
    from torch import Tensor

MODES = (1, 2)


def non_distinctiveness(
    logits: NDArray[np.floating], mode: int = 1, background: int = 0
) -> NDArray[np.float64]:
    """Confidence in a class times confidence in the background, per pixel.

    Args:
        logits: ``(N, K + 1, …)``, ``K >= 2`` classes and the background. Log-probabilities do as well: a number
            added to all channels of a pixel changes nothing.
        mode: 1: the background's confidence is its softmax over all channels; 2: ``sigmoid(b - max x)`` of its
            logit ``b`` and the foreground logits ``x``.
        background: Channel of the background.

    Returns:
        ``(N, …)``, 0 where class and background exclude each other … 1. The confidence in a class is its largest
        softmax over the foreground alone, scaled from ``1/K … 1`` to ``0 … 1``.

    Raises:
        ValueError: If there are fewer than two foreground channels, or the mode or channel does not exist.
    """
    values = np.asarray(logits, np.float64)
    if values.ndim < 2 or values.shape[1] < 3:
        raise ValueError(
            f"expected logits (N, K + 1, …) of a background and K >= 2 classes, got {values.shape}"
        )
    if mode not in MODES or not 0 <= background < values.shape[1]:
        raise ValueError(
            f"mode must be 1 or 2 and background a channel 0 … {values.shape[1] - 1}, got {mode} and {background}"
        )
    behind, foreground = values[:, background], np.delete(values, background, axis=1)
    classes = foreground.shape[1]
    largest, total = foreground.max(1), logsumexp(foreground, axis=1)
    in_class = (np.exp(largest - total) - 1 / classes) / (1 - 1 / classes)
    in_background: NDArray[np.float64] = expit(behind - (total if mode == 1 else largest))
    product: NDArray[np.float64] = in_class * in_background
    return product


class ExpectedNonDistinctiveness:
    """Streaming mean of :func:`non_distinctiveness` over all pixels since the last reset.

    Args:
        mode: 1 or 2, see there.
        background: Channel of the background.
        ignore: Value of the labels whose pixels are left out; None leaves none out.

    Raises:
        ValueError: If the mode is neither 1 nor 2.

    Example:
        >>> logits = np.full((1, 21, 2, 3), -9.0)
        >>> logits[:, 0], logits[:, 1] = 10, 11
        >>> f"{ExpectedNonDistinctiveness(mode=1)(logits):.8f} {ExpectedNonDistinctiveness(mode=2)(logits):.8f}"
        '0.26894140 0.26894141'
    """

    def __init__(self, mode: int = 1, background: int = 0, ignore: int | None = None) -> None:
        if mode not in MODES:
            raise ValueError(f"mode must be 1 or 2, got {mode}")
        self.mode, self.background, self.ignore = mode, background, ignore
        self.reset()

    def reset(self) -> None:
        """Forget all pixels."""
        self._sum, self._pixels = 0.0, 0

    def __call__(
        self,
        logits: "NDArray[np.floating] | Tensor",
        labels: "NDArray[np.integer] | Tensor | None" = None,
    ) -> float:
        """Add pixels.

        Args:
            logits: ``(N, K + 1, …)``; a tensor of any device and precision, or an array. No graph is kept.
            labels: ``(N, …)``; where they are ``ignore``, the pixel is left out. Without labels none is.

        Returns:
            :attr:`value`, these pixels included.

        Raises:
            ValueError: If the shapes do not fit; see also :func:`non_distinctiveness`.
        """
        values = non_distinctiveness(_array(logits, wide=True), self.mode, self.background)
        if labels is not None and self.ignore is not None:
            truth = _array(labels)
            if truth.shape != values.shape:
                raise ValueError(
                    f"labels {truth.shape} must have the shape of the logits' pixels {values.shape}"
                )
            values = values[truth != self.ignore]
        self._sum += float(values.sum())
        self._pixels += values.size
        return self.value

    @property
    def value(self) -> float:
        """Mean over the pixels since the last reset, 0…1; NaN without any."""
        return self._sum / self._pixels if self._pixels else float("nan")


def _array(values: Any, wide: bool = False) -> NDArray[Any]:
    """A tensor or array as an array; recognised by its methods, for evaluations do without torch."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.double() if wide else values
        return np.asarray(values.numpy())
    return np.asarray(values)
