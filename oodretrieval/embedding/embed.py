"""Views to vectors, in batches, in order."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import lcm

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.backends import cudnn
from torch.backends.cuda import matmul
from torch.nn import functional

from oodretrieval.choices import CROPS_TOGETHER
from oodretrieval.embedding.contract import EmbeddingNetwork
from oodretrieval.embedding.views import View

PIXELS_AT_ONCE = 2**20
"""Pixels in one batch: a network's maps take some 300 bytes of memory for each. A larger crop goes alone."""
PIXELS_WAITING = 2**24
"""Pixels of views that wait for others of their size, at three bytes each."""
HALF = {"cuda": torch.float16, "cpu": torch.bfloat16}
"""Type of a device → what it computes in at mixed precision."""
_Key = tuple[int, int]


def embed_crops(
    network: EmbeddingNetwork,
    crops: Iterable[NDArray[np.uint8]],
    *,
    device: str | torch.device = "cpu",
    batch_size: int = CROPS_TOGETHER,
    size: int | tuple[int, int] | None = None,
    step: int = 1,
    mixed: bool = False,
) -> NDArray[np.float32]:
    """Embed crops, each independently of the others.

    Args:
        network: The embedding network; it is moved to ``device``.
        crops: RGB crops ``(h, w, 3)``, 0…255, of any sizes.
        device: As for :func:`embed_views`, as all that follows.
        batch_size: Most crops in one batch.
        size: Height and width of all.
        step: What both are multiples of.
        mixed: Whether in half the precision.

    Returns:
        ``(n, D)``; row i belongs to the i-th crop.

    Raises:
        ValueError: If a crop is not ``(h, w, 3)`` uint8 with at least one pixel, or an argument is out of
            range.
    """
    views = map(View, crops)
    return embed_views(
        network, views, device=device, batch_size=batch_size, size=size, step=step, mixed=mixed
    )


def embed_views(
    network: EmbeddingNetwork,
    views: Iterable[View],
    *,
    device: str | torch.device = "cpu",
    batch_size: int = CROPS_TOGETHER,
    size: int | tuple[int, int] | None = None,
    step: int = 1,
    mixed: bool = False,
) -> NDArray[np.float32]:
    """Embed views, each independently of the others.

    Views that the network sees in equal size go through it together, as soon as there are enough of them; what was
    read ahead for that is bounded, so ``views`` may be a generator over more than fits into memory. A vector depends
    on its view alone up to rounding: in a batch, sums are taken in another order (measured: 4e-6 of the largest entry).

    Args:
        network: The embedding network; it is moved to ``device``.
        views: Images of any sizes, with masks or without.
        device: Where to compute.
        batch_size: Most views in one batch, >= 1; large ones go in smaller batches.
        size: Height and width, or both as one number, that every view is resized to (bilinear, antialiased).
            None: views keep their size as far as the network can take it; sides shorter than its ``min_size`` are
            enlarged, and one that takes a single size sees that.
        step: Heights and widths are resized to the nearest multiples of this, pixels, so that more views go together;
            1 leaves them as they are.
        mixed: Let the network compute in float16 on a GPU, in bfloat16 on a CPU, where torch holds that it may; means
            over crops and masks stay in float32 (docs/embeddings.md: which neighbours stay).

    Returns:
        ``(n, D)``: the vectors of the views in order, one for each mask where a view has masks.

    Raises:
        ValueError: If an image is not ``(h, w, 3)`` uint8 with at least one pixel, or an argument is out of
            range.
        ConfigurationError: If the network gives no vectors of places, which masks need.
    """
    seen = _Sizes.of(network, size, step)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    device = torch.device(device)
    network = network.to(device).to(memory_format=torch.channels_last).eval()
    vectors: dict[int, NDArray[np.float32]] = {}
    checked = (_checked(view, i) for i, view in enumerate(views))
    with torch.inference_mode(), full_float32():
        for shape, places, batch in _batches(checked, seen, batch_size):
            inputs = torch.stack([_prepare(network, view.image, shape) for view in batch]).to(device)
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, HALF.get(device.type, torch.bfloat16), enabled=mixed):
                rows = _rows(network, inputs, batch)
            vectors.update(zip(places, rows, strict=True))
    if not vectors:
        return np.empty((0, network.dim), np.float32)
    return np.concatenate([vectors[place] for place in range(len(vectors))])


def _rows(network: EmbeddingNetwork, inputs: Tensor, batch: list[View]) -> list[NDArray[np.float32]]:
    """The vectors of each view, ``(k, D)``."""
    rows: list[NDArray[np.float32]] = []
    plain = [view.masks is None for view in batch]
    whole = iter(network(inputs[plain]).float().cpu().numpy()) if any(plain) else iter(())
    maps = iter(network.feature_map(inputs[[not p for p in plain]]).float()) if not all(plain) else iter(())
    for view in batch:
        if view.masks is None:
            rows.append(next(whole)[None])
        else:
            rows.append(_pooled(network, next(maps), view.masks))
    return rows


def _pooled(
    network: EmbeddingNetwork, features: Tensor, masks: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float32]:
    """Vectors of the means of features ``(D, h, w)`` over each mask, a cell as much as its share of it: ``(k, D)``."""
    shares = [
        functional.interpolate(torch.from_numpy(mask)[None, None].float(), features.shape[1:], mode="area")[
            0, 0
        ]
        for mask in masks
    ]
    weights = torch.stack(shares).flatten(1).to(features.device)
    weights /= weights.sum(dim=1, keepdim=True)
    with torch.autocast(features.device.type, enabled=False):
        pooled: NDArray[np.float32] = network.from_means(weights @ features.flatten(1).T).cpu().numpy()
    return pooled


@contextmanager
def full_float32() -> Iterator[None]:
    """Compute in whole float32 on an accelerator too, and the same way every time.

    Its shortened form (TF32) would make its vectors differ from a CPU's by a thousandth.

    Yields:
        Nothing; what was set before holds again afterwards.
    """
    # enabled is False unless it is said: then cuDNN, and with it most of the speed, would be off
    before = matmul.allow_tf32
    with cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=False):
        matmul.allow_tf32 = False
        try:
            yield
        finally:
            matmul.allow_tf32 = before


@dataclass(frozen=True)
class _Sizes:
    """In what size a network sees crops.

    Attributes:
        smallest: Least height and width.
        step: Both are multiples of it.
        fixed: The one size of all; None for that of each crop.
    """

    smallest: int
    step: int
    fixed: _Key | None

    @classmethod
    def of(cls, network: EmbeddingNetwork, size: int | _Key | None, step: int) -> "_Sizes":
        if step < 1:
            raise ValueError(f"step must be at least 1, got {step}")
        together = lcm(step, network.multiple_of)
        if network.input_size is not None or size is None:
            return cls(network.min_size, together, network.input_size)
        target = (size, size) if isinstance(size, int) else (size[0], size[1])
        if min(target) < network.min_size:
            raise ValueError(f"size must be at least {network.min_size} for {network.name}, got {size}")
        height, width = (-(-side // network.multiple_of) * network.multiple_of for side in target)
        return cls(network.min_size, together, (height, width))

    def __call__(self, height: int, width: int, scale: float = 1) -> _Key:
        return self.fixed or (self._side(round(scale * height)), self._side(round(scale * width)))

    def _side(self, length: int) -> int:
        least = -(-self.smallest // self.step) * self.step
        return max(least, (2 * length + self.step) // (2 * self.step) * self.step)


def _checked(view: View, index: int) -> View:
    """A copy of the view, which does not keep the whole image that it was cut from."""
    crop, shape = view.image, view.image.shape
    if crop.ndim != 3 or shape[2] != 3 or crop.dtype != np.uint8 or not crop.size:
        raise ValueError(f"crop {index} must be (h, w, 3) uint8, got {shape} {crop.dtype}")
    if view.masks is None:
        return View(crop.copy(), scale=view.scale)
    if not view.masks or any(mask.shape != shape[:2] or not mask.any() for mask in view.masks):
        raise ValueError(f"crop {index} {shape} needs masks of its height and width, each with a pixel in it")
    return View(crop.copy(), [mask.copy() for mask in view.masks], view.scale)


def _prepare(network: EmbeddingNetwork, crop: NDArray[np.uint8], size: _Key) -> Tensor:
    """Normalised ``(3, h, w)`` in the size that the network will see."""
    image = torch.from_numpy(crop).permute(2, 0, 1).float() / 255
    if size != crop.shape[:2]:
        image = functional.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    mean, std = torch.tensor(network.mean)[:, None, None], torch.tensor(network.std)[:, None, None]
    return (image - mean) / std


def _batches(
    views: Iterable[View], seen: _Sizes, batch_size: int
) -> Iterator[tuple[_Key, list[int], list[View]]]:
    """Bring views together that the network sees in one size.

    They wait as they were read, a quarter of what they take as floats.

    Yields:
        That size, the places of the views in the order of reading, and the views.
    """
    pending: dict[_Key, list[tuple[int, View]]] = {}
    waiting = 0
    for place, view in enumerate(views):
        height, width = view.image.shape[:2]
        size = seen(height, width, view.scale)
        group = pending.setdefault(size, [])
        group.append((place, view))
        waiting += height * width
        if len(group) >= batch_size or (len(group) + 1) * size[0] * size[1] > PIXELS_AT_ONCE:
            waiting -= _pixels(group)
            yield size, *_apart(pending.pop(size))
        while waiting >= PIXELS_WAITING:
            # too much waits: the size that was seen first goes
            size = next(iter(pending))
            waiting -= _pixels(pending[size])
            yield size, *_apart(pending.pop(size))
    for size, group in pending.items():
        yield size, *_apart(group)


def _pixels(group: list[tuple[int, View]]) -> int:
    return sum(view.image.shape[0] * view.image.shape[1] for _, view in group)


def _apart(group: list[tuple[int, View]]) -> tuple[list[int], list[View]]:
    return [place for place, _ in group], [view for _, view in group]
