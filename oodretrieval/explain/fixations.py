"""Fixations: where in the image lies the strongest evidence for a class, followed back layer by layer.

Source: Mopuri, Garg, Babu, "CNN Fixations: An unraveling approach to visualize the discriminative image regions",
arXiv:1708.06670, for classifiers. Extended here to segmentation, to batch norm, gates and linear bottlenecks.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodretrieval.errors import SettingsError
from oodretrieval.explain import movement, pointwise, resize, weighted, windows  # noqa: F401  their rules
from oodretrieval.explain.points import Points, unite
from oodretrieval.explain.recording import IMAGE, KEPT_BYTES, Call, CallOutput, Recording, Values
from oodretrieval.explain.rules import Step, rule_of

Mask = NDArray[np.bool_] | Tensor
_Pending = dict[CallOutput, list[Points]]


def fixations(model: nn.Module, image: Tensor, mask: Mask | None, target_class: int) -> NDArray[np.int64]:
    """Pixels that the strongest evidence for a class is followed back to.

    Args:
        model: In evaluation mode; ``(1, 3, H, W)`` → logits ``(1, C, H, W)``, or ``(1, C)`` of a classifier.
        image: Normalised, ``(1, 3, H, W)``, on the device of the model.
        mask: Pixels of the segment, ``(H, W)``; None for all of the image, and for classifiers.
        target_class: Channel of the logits.

    Returns:
        The distinct ones, ``(k, 2)``: row and column in the image, in reading order; no more than pixels in the mask.
        Empty where the class has no evidence in the image, as one whose logit is constant.

    Raises:
        SettingsError: If the model is in training mode, or mask or class do not fit.
        ConfigurationError: If the model does not return a tensor.
        UnknownOperationError: If it does something that has no rule, see
            :func:`~oodretrieval.explain.register_rule`.
    """
    (found,) = Evidence(model, image).fixations([(mask, target_class)])
    return found


class Evidence:
    """What a network saw in an image: ready to be asked about several segments.

    Args:
        model: As of :func:`fixations`.
        image: Normalised, ``(1, 3, H, W)``.
        kept_bytes: Values of its layers that are kept at a time; more memory spares computing them again.

    Attributes:
        logits: What the network gave, ``(1, C, H, W)`` or ``(1, C)``.

    Raises:
        SettingsError: If the model is in training mode, or the image is not one image.
        ConfigurationError: If the model does not return a tensor.
    """

    def __init__(self, model: nn.Module, image: Tensor, kept_bytes: int = KEPT_BYTES) -> None:
        if any(module.training for module in model.modules()):
            raise SettingsError("the model is in training mode; call model.eval() first")
        if image.ndim != 4 or len(image) != 1:
            raise SettingsError(f"expected one image (1, 3, H, W), got {tuple(image.shape)}")
        self._recording = Recording(model, image.detach(), kept_bytes)
        self.logits = self._recording.output

    @property
    def held_bytes(self) -> int:
        """Size of all values that are kept."""
        return self._recording.held_bytes

    @torch.no_grad()
    def fixations(self, segments: Sequence[tuple[Mask | None, int]]) -> list[NDArray[np.int64]]:
        """Fixations of several segments, followed together.

        Args:
            segments: Mask and class of each, as of :func:`~oodretrieval.explain.fixations`.

        Returns:
            For each ``(k, 2)``: row and column in the image.

        Raises:
            SettingsError: If a mask or class does not fit.
            UnknownOperationError: If the model does something that has no rule.
        """
        pending: list[_Pending] = [
            {self._recording.source: [self._start(mask, target)]} for mask, target in segments
        ]
        for call, values in self._recording.backwards():
            for each in pending:
                _follow(call, values, each)
        return [self._pixels(each.get(IMAGE, [])) for each in pending]

    def _start(self, mask: Mask | None, target: int) -> Points:
        shape, image = self.logits.shape, self._recording.image
        if not 0 <= target < shape[1]:
            raise SettingsError(f"target_class must be 0 … {shape[1] - 1}, got {target}")
        if self.logits.ndim == 2:
            return Points.high(torch.tensor([target], device=image.device))
        chosen = torch.ones(image.shape[2:]) if mask is None else torch.as_tensor(mask)
        if chosen.shape != image.shape[2:]:
            raise SettingsError(f"mask is {tuple(chosen.shape)}, but the image {tuple(image.shape[2:])}")
        row, column = chosen.to(image.device).nonzero().unbind(1)
        row, column = row * shape[2] // chosen.shape[0], column * shape[3] // chosen.shape[1]
        return unite([Points.high((target * shape[2] + row) * shape[3] + column)])

    def _pixels(self, lots: Sequence[Points]) -> NDArray[np.int64]:
        height, width = self._recording.image.shape[2:]
        if not lots:
            return np.empty((0, 2), np.int64)
        place = (unite(lots).index % (height * width)).unique()  # type: ignore[no-untyped-call]
        pixels: NDArray[np.int64] = torch.stack([place // width, place % width], 1).cpu().numpy()
        return pixels


def _follow(call: Call, values: Values, pending: _Pending) -> None:
    """Move points from what an operation gave to what it took."""
    for source in [source for source in pending if source.call == call.number]:
        points = unite(pending.pop(source))
        if not len(points.index):
            continue
        led = rule_of(call.name)(Step.of(call, values, source.output), points)
        for name, lots in led.items():
            _add(call.arguments[name], lots, pending)


def _add(argument: Any, lots: Points | Sequence[Points], pending: _Pending) -> None:
    if isinstance(argument, CallOutput) and isinstance(lots, Points):
        pending.setdefault(argument, []).append(lots)
    elif isinstance(argument, list) and not isinstance(lots, Points):
        for item, lot in zip(argument, lots, strict=True):
            _add(item, lot, pending)
