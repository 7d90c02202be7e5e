"""What a network predicted, with the tagged candidates as classes of their own: labels to train from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.colours import hex_colour
from oodretrieval.errors import SettingsError
from oodretrieval.export.tagged_candidates import TaggedCandidate
from oodretrieval.labels import NO_CLASS, ClassMapping
from oodretrieval.masks import RunLengthMask, decode_mask

LABELS = "labels"
"""Folder of the label images."""


def new_classes(pred_mapping: ClassMapping, names: Sequence[str]) -> dict[str, int]:
    """Ids of tags as classes: after those of the network, in the order of the tags.

    A tag that is called like a class of the network is that class.

    Args:
        pred_mapping: Predicted id → (name, colour).
        names: Tags.

    Returns:
        Tag → id.

    Raises:
        SettingsError: If there are more classes than a label image holds.
    """
    ids = {name: key for key, (name, _) in pred_mapping.items()}
    after = max(pred_mapping, default=-1) + 1
    for name in names:
        if name not in ids:
            ids[name], after = after, after + 1
    if after > NO_CLASS:
        raise SettingsError(f"{after} classes, but a label image holds {NO_CLASS}; name fewer args.tags")
    return {name: ids[name] for name in names}


def painted_labels(
    prediction: NDArray[np.integer],
    candidates: Sequence[TaggedCandidate],
    ids: Mapping[str, int],
    nameless: Sequence[RunLengthMask] = (),
) -> NDArray[np.uint8]:
    """What was predicted, with the candidates painted over it, the small ones over the large.

    Args:
        prediction: Predicted ids, ``(H, W)``.
        candidates: Of this image.
        ids: Tag → id.
        nameless: What may be anything, as nobody said what it is: 255, but for what a candidate covers.

    Returns:
        ``(H, W)`` uint8.

    Raises:
        ValueError: If a mask is of another size.
    """
    labels = prediction.astype(np.uint8)
    for mask in (*nameless, *(candidate.mask for candidate in candidates)):
        if mask.size != labels.shape:
            raise ValueError(f"expected a mask of {labels.shape}, got {mask.size}")
    for mask in nameless:
        labels[decode_mask(mask)] = NO_CLASS
    for candidate in sorted(candidates, key=lambda candidate: -candidate.mask.area):
        labels[decode_mask(candidate.mask)] = ids[candidate.tag]
    return labels


def exported_classes(
    pred_mapping: ClassMapping, ids: Mapping[str, int], colours: Mapping[str, str]
) -> dict[str, Any]:
    """The classes of the label images.

    Args:
        pred_mapping: Predicted id → (name, colour).
        ids: Tag → id.
        colours: Tag → ``#rrggbb``.

    Returns:
        Id as text → name, colour, and whether it is new; plain values.
    """
    known = {
        str(key): {"name": name, "colour": hex_colour(colour), "new": False}
        for key, (name, colour) in sorted(pred_mapping.items())
    }
    new = {
        str(key): {"name": name, "colour": colours[name], "new": True}
        for name, key in ids.items()
        if str(key) not in known
    }
    return known | new
