"""The words that a setting may take, where settings and library share them; importing this costs nothing."""

from typing import Literal

from oodretrieval.errors import SettingsError, UnknownNameError

Keep = Literal["logits", "softmax", "nothing"]
"""What is kept of a prediction."""

SelectBy = Literal[
    "novelty", "predicted_iou", "energy", "max_logit", "entropy", "variation_ratio", "nearest_neighbour"
]
"""What segments are selected by."""
PUBLISHED, NOVELTY, DISTANCE = "predicted_iou", "novelty", "nearest_neighbour"

CandidateKind = Literal["segments", "objects"]
"""What is shown to the person: predicted segments, or regions that may be an object whatever their class."""
Proposals = Literal["regions", "sam", "sam2"]
"""What proposes regions that may be an object."""
SEGMENTS, OBJECTS = "segments", "objects"

CROP, CONTEXT, DIMMED, MASKED, POOLED = "crop", "context", "dimmed", "masked", "pooled"
VIEWS = (CROP, CONTEXT, DIMMED, MASKED, POOLED)
"""What may be embedded of a candidate; the first is the published one."""
SEGMENTATION = "segmentation"
"""``args.net`` for the features of the segmentation network itself."""

DEFAULT_NET = "efficientnet_lite0_layers"
"""Of the networks whose weights are installed, the best on every scene that no network had seen (docs/retrieval.md)."""

EUCLIDEAN, COSINE, CENTRED = "euclidean", "cosine", "centred_cosine"
METRICS = (EUCLIDEAN, COSINE, CENTRED)
"""Distances between vectors; centred ones are angles about the mean direction of all vectors."""
DEFAULT_METRIC = CENTRED
"""The best on every scene that no network had seen (docs/retrieval.md)."""

EXPORT_FORMATS = ("coco", "labels", "csv", "parquet", "crops")
"""What tagged candidates can be written as."""

SOFTMAX_SCORES = ("max_softmax", "entropy")
"""Scores of a pixel that follow from the softmax."""
LOGIT_SCORES = ("energy", "max_logit", "standardised_max_logit", "smoothed_energy")
"""Scores of a pixel that need the logits themselves."""
EXPECTED_IOU = "expected_iou"
"""The score of the meta model: 1 - predicted IoU."""
PIXEL_SCORES = (*SOFTMAX_SCORES, *LOGIT_SCORES, EXPECTED_IOU)

EXACT_PIXELS = 2_000_000
"""Scores of at most this number of pixels are kept as they are; their exact counts take 24 bytes each."""

NEAR_FRAMES = 30
"""Frames of a video that are up to this far apart show the same things."""

WINDOW_GRID = 32
"""Windows begin at, and are as large as, multiples of this number of pixels, which the strides of networks divide."""


def fits_window_grid(window: tuple[int, int]) -> bool:
    """Whether height and width of a window are multiples of :data:`WINDOW_GRID`, above 0.

    Args:
        window: Both, pixels.

    Returns:
        Whether they are.

    Example:
        >>> fits_window_grid((512, 1024)), fits_window_grid((500, 1024)), fits_window_grid((0, 1024))
        (True, False, False)
    """
    return all(length >= WINDOW_GRID and not length % WINDOW_GRID for length in window)


def views_of(text: str) -> tuple[str, ...]:
    """The views that a setting names.

    Args:
        text: Names of :data:`VIEWS`, joined by ``+``.

    Returns:
        The names.

    Raises:
        UnknownNameError: If there is no such view.
        SettingsError: If one is named twice.

    Example:
        >>> views_of("crop+context")
        ('crop', 'context')
    """
    names = tuple(text.split("+"))
    for name in names:
        if name not in VIEWS:
            raise UnknownNameError("view of a candidate (args.embedded)", name, VIEWS)
    if len(set(names)) < len(names):
        raise SettingsError(f"args.embedded={text} names a view twice; name each once")
    return names
