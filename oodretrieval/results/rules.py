"""The rules that evaluations measure by: what void and unknown are, and how sure a measure is."""

from collections.abc import Collection
from dataclasses import dataclass

from oodretrieval.clips import VIDEO_BLOCK, frame_positions
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.labels import LabelSet

_BETWEEN_CLIPS = 10**12


@dataclass(frozen=True)
class Resampling:
    """How images are resampled for intervals.

    Attributes:
        block: Images in a row that stay together.
        repetitions: How often all are resampled.
    """

    block: int
    repetitions: int

    @classmethod
    def of(cls, block: int, repetitions: int, *datasets: SegmentationDataset) -> "Resampling":
        """As given; where ``block`` is 0, blocks if any dataset is video, else single images.

        Args:
            block: Images in a row that stay together; 0 for the default.
            repetitions: How often all are resampled.
            datasets: What is evaluated.

        Returns:
            How images are resampled.
        """
        video = any(getattr(dataset, "video", False) for dataset in datasets)
        return cls(block or (VIDEO_BLOCK if video else 1), repetitions)

    def words(self, images: int) -> str:
        """For a reader of the measures.

        Args:
            images: Number of images.

        Returns:
            The rule, or why there are no intervals.

        Example:
            >>> Resampling(block=1, repetitions=500).words(14)
            '95 %, bootstrap over images, 500 resamples'
        """
        what = "images" if self.block == 1 else f"moving blocks of {self.block} images in a row"
        if images > self.block:
            return f"95 %, bootstrap over {what}, {self.repetitions} resamples"
        held = (
            "there is only one image"
            if images == 1
            else f"one block of {self.block} holds all {images} images"
        )
        return f"none, as {held}; set args.block lower, or evaluate on more images"


def resample_notes(left_out: int, repetitions: int) -> tuple[str, ...]:
    """A sentence on the resamples that intervals were made without; nothing where there was none.

    Args:
        left_out: Resamples without a positive, or with nothing else.
        repetitions: All resamples.

    Returns:
        A note for the result.

    Example:
        >>> resample_notes(0, 500)
        ()
    """
    if not left_out:
        return ()
    return (
        f"{left_out} of {repetitions} resamples hold no positive, or nothing else, and are left out of the intervals "
        "of AUROC and AUPRC; few images show any.",
    )


def scene_notes(dataset: SegmentationDataset) -> tuple[str, ...]:
    """A sentence where all images of a video dataset are of one clip; nothing elsewhere.

    Args:
        dataset: What is evaluated.

    Returns:
        A note for the result.
    """
    if not getattr(dataset, "video", False) or not len(dataset):
        return ()
    clips = {int(position) // _BETWEEN_CLIPS for position in frame_positions(dataset.ids)}
    return ("All images are frames of one clip: the measures are of one scene.",) if len(clips) == 1 else ()


def no_truth(dataset: str) -> str:
    """What to say of a dataset that never had any truth.

    Args:
        dataset: Its name.

    Returns:
        The message of an error.
    """
    return (
        f"dataset {dataset!r} has no truth, so nothing can be measured on it or learned from it; choose another "
        "args.dataset, or see what is selected with scripts/report.py or scripts/discover_embedding_space.py"
    )


def no_classes(dataset: str) -> str:
    """What to say of a dataset whose truth only distinguishes known from unknown things, where classes are asked for.

    Args:
        dataset: Its name.

    Returns:
        The message of an error.
    """
    return (
        f"dataset {dataset!r} has no truth of classes: its labels only distinguish known from unknown things; choose "
        "another args.dataset"
    )


def no_labels(dataset: str) -> str:
    """What to say of a dataset that can have truth, but whose predictions hold none.

    Args:
        dataset: Its name.

    Returns:
        The message of an error.
    """
    return (
        f"no prediction on {dataset!r} holds labels: its images had none when they were predicted. Once they have, "
        "run scripts/pred_images.py and scripts/compute_metrics.py again with args.overwrite=True"
    )


def unread_notes(failures: Collection[str]) -> tuple[str, ...]:
    """What to say of images that could not be read.

    Args:
        failures: Their ids.

    Returns:
        A sentence; nothing where there are none.
    """
    return (f"Left out, as they could not be read: {', '.join(failures)}.",) if failures else ()


def void_rule(label_set: LabelSet) -> str:
    """What is left out and what is unknown, by name.

    Args:
        label_set: What the labels mean.

    Returns:
        The rule, for a reader of the measures.
    """
    void = _names(label_set, label_set.void_ids) or "no label"
    unknown = _names(label_set, label_set.unknown_ids) or "nothing"
    return f"left out as void: {void}, and ids that the label set does not name; unknown: {unknown}"


def _names(label_set: LabelSet, ids: frozenset[int]) -> str:
    return ", ".join(dict.fromkeys(label_set.label_name(i) for i in sorted(ids)))


def size_words(sizes: Collection[tuple[int, ...]]) -> str:
    """At which sizes pixels were compared.

    Args:
        sizes: Height and width of the images.

    Returns:
        The rule, for a reader of the measures.

    Example:
        >>> size_words({(360, 480)})
        'pixels of the images, 480×360'
    """
    shown = [f"{width}×{height}" for height, width in sorted(sizes)]
    return f"pixels of the images, {', '.join(shown[:5])}{' and more' if len(shown) > 5 else ''}"
