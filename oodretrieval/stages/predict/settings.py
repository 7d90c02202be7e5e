"""Settings of prediction: what is predicted and kept, and how the network sees images."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from oodretrieval.choices import KEPT, WINDOW_GRID, WINDOW_OVERLAP, Keep, fits_window_grid
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least
from oodretrieval.seen_size import shrinking_to, shrunk_size

RECORDED = ("mixed_precision", "resize", "window", "overlap", "scales", "flip")
"""Settings that change what is predicted."""


def size_seen(recorded: Mapping[str, Any], height: int, width: int) -> tuple[int, int]:
    """Height and width at which the network saw an image.

    Args:
        recorded: Settings that its prediction was made with.
        height: Of the image, pixels.
        width: Of the image, pixels.

    Returns:
        Height and width, pixels.

    Example:
        >>> size_seen({"resize": {"longest": 480, "above": 720}}, 1080, 1920), size_seen({}, 1080, 1920)
        ((270, 480), (1080, 1920))
    """
    resize = recorded.get("resize", 0)
    longest, above = (resize["longest"], resize["above"]) if isinstance(resize, Mapping) else (resize, resize)
    return shrunk_size(height, width, longest, above)


@dataclass(frozen=True)
class InferenceSettings:
    """How the network sees images. All but ``batch_size`` are noted in what they make, where not the default.

    Attributes:
        mixed_precision: no, bf16 or fp16 (finer, but with a smaller range); auto is fp16 on a GPU, no on the CPU.
        batch_size: Images of equal size that the network sees at a time.
        resize: Longest side in pixels that larger images are shrunk to for the network; 0 for none. Classes and
            metrics are of the image's own size all the same. -1, the default: images more than half as large again as
            those that the network was trained on (``size`` of its entry) are shrunk to these, where no window is set.
        window: Height and width, as in 512x1024, of overlapping windows, for images that do not fit as a whole;
            multiples of 32. Their logits are stitched at the network's stride, averaged where they overlap.
        overlap: Share of a window that the next one covers at least, 0…<1.
        scales: Sizes at which the network sees the image, relative to it; the logits are averaged.
        flip: See the mirror image, too; the logits are averaged.
    """

    mixed_precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    batch_size: int = 1
    resize: int = -1
    window: str = ""
    overlap: float = WINDOW_OVERLAP
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self) -> None:
        require_at_least(self, 1, "batch_size")
        require_at_least(self, -1, "resize")
        require_at_least(self, 0, "overlap")
        if self.overlap >= 1:
            raise SettingsError(f"args.overlap must be less than 1, got {self.overlap:g}")
        if not self.scales or min(self.scales) <= 0:
            raise SettingsError(f"args.scales must be sizes above 0, as in [1.0,1.25], got {self.scales}")
        window = self.window_size
        if window is not None and not fits_window_grid(window):
            raise SettingsError(f"args.window must be multiples of {WINDOW_GRID}, got {self.window}")

    @property
    def window_size(self) -> tuple[int, int] | None:
        """Height and width of the windows, or None.

        Raises:
            SettingsError: If ``window`` cannot be read.
        """
        if not self.window:
            return None
        match = re.fullmatch(r"(\d+)x(\d+)", self.window)
        if match is None:
            raise SettingsError(f"args.window must be HEIGHTxWIDTH, as in 512x1024, got {self.window!r}")
        return int(match[1]), int(match[2])

    def precision(self, device: str) -> Literal["no", "bf16", "fp16"]:
        """What ``auto`` means on the ``device``, ``"cpu"`` or ``"cuda"``."""
        if self.mixed_precision != "auto":
            return self.mixed_precision
        return "fp16" if device == "cuda" else "no"

    def seen_size(self, height: int, width: int, trained: tuple[int, int] | None = None) -> tuple[int, int]:
        """Height and width at which the network sees an image.

        Args:
            height: Of the image, pixels.
            width: Of the image, pixels.
            trained: Height and width of the images that the network was trained on; None if that is not said.

        Returns:
            Height and width, pixels.

        Example:
            >>> InferenceSettings().seen_size(1080, 1920, (360, 480))
            (270, 480)
            >>> InferenceSettings().seen_size(480, 640, (360, 480)), InferenceSettings(resize=320).seen_size(480, 640)
            ((480, 640), (240, 320))
        """
        return shrunk_size(height, width, *self._shrinking(trained))

    def _shrinking(self, trained: tuple[int, int] | None) -> tuple[int, int]:
        """The longest side that images are shrunk to, 0 for none, and the one above which they are."""
        if self.resize >= 0:
            return self.resize, self.resize
        return shrinking_to(None if self.window else trained)

    def recorded(self, device: str, trained: tuple[int, int] | None = None) -> dict[str, Any]:
        """Choose what is recorded in work made with these settings: what differs from the defaults.

        Args:
            device: ``"cpu"`` or ``"cuda"``.
            trained: Height and width of the images that the network was trained on; None if that is not said.

        Returns:
            Name → value.
        """
        longest, above = self._shrinking(trained)
        values = {name: getattr(self, name) for name in RECORDED} | {
            "mixed_precision": self.precision(device),
            "resize": longest if self.resize >= 0 or not longest else {"longest": longest, "above": above},
        }
        return {name: value for name, value in values.items() if value != _PLAIN[name]}


_PLAIN = {own.name: own.default for own in fields(InferenceSettings)} | {
    "mixed_precision": "no",
    "resize": 0,
}


@dataclass(frozen=True)
class PredictSettings:
    """What to predict, and what to keep of it.

    Attributes:
        dataset: Name of the dataset.
        model_name: Name of the network.
        classindex: Only images that contain this label id; -1 for all.
        keep: logits (float16 at the network's stride), softmax (float32 at full size, as published) or nothing
            (the segment metrics are computed at once; they, the predicted classes and the entropy remain).
        source: Folder of published input<i>.hdf5 or of .npy softmax files to take instead of running the
            network; its predictions are matched to the dataset's images by file name.
        num_cores: Threads that read images ahead, and processes that finish what the network is done with
            (metrics, compression, writing). 1 finishes in a thread next to the network, 0 does everything in turn.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    classindex: int = -1
    keep: Keep = KEPT
    source: str = ""
    inference: InferenceSettings = InferenceSettings()
    common: CommonSettings = CommonSettings()
