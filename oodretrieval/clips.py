"""Which clip of a video an image is from, and which frame of it: by the last number in its id."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

VIDEO_BLOCK = 20
"""Frames in a row that are resampled together, as neighbouring ones resemble each other."""


def frame_positions(image_ids: Sequence[str]) -> NDArray[np.int64]:
    """Place the frames of all clips on one line, those of different clips far apart.

    An id is a clip's name around the number of the frame, which is the last number in it. Ids without a
    number are clips of one frame.

    Args:
        image_ids: Image of each item, ``n`` ids.

    Returns:
        ``(n,)``, to be used as ``groups`` together with ``group_window``.

    Example:
        >>> positions = frame_positions(["0001TP_008", "0001TP_038", "0006R0_009"])
        >>> int(positions[1] - positions[0]), int(positions[2] - positions[0]) > 10**9
        (30, True)
    """
    frames = [_clip_and_frame(image_id) for image_id in image_ids]
    clips = {clip: place for place, clip in enumerate(dict.fromkeys(clip for clip, _ in frames))}
    return np.array([clips[clip] * 10**12 + frame for clip, frame in frames], np.int64)


def clip_names(image_ids: Sequence[str]) -> list[str]:
    """The clip of every image: the id without its last number, which is that of the frame.

    Args:
        image_ids: Of images.

    Returns:
        One name an image.

    Example:
        >>> clip_names(["0001TP_008", "0001TP_038", "0006R0_009"])
        ['0001TP_', '0001TP_', '0006R0_']
    """
    return [_clip_and_frame(image_id)[0].replace("\0", "") for image_id in image_ids]


def _clip_and_frame(image_id: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.*?)(\d{1,9})(\D*)", image_id, re.DOTALL)
    return (f"{match[1]}\0{match[3]}", int(match[2])) if match else (image_id, 0)
