"""What settings and library share: the words that a setting may take, and defaults; importing this costs nothing."""

from typing import Final, Literal

from oodretrieval.errors import SettingsError, UnknownNameError

Keep = Literal["logits", "softmax", "nothing"]
"""What is kept of a prediction."""
KEPT: Final = "logits"

SelectBy = Literal[
    "novelty", "predicted_iou", "energy", "max_logit", "entropy", "variation_ratio", "nearest_neighbour"
]
"""What segments are selected by."""
PUBLISHED, DISTANCE = "predicted_iou", "nearest_neighbour"
NOVELTY: Final = "novelty"
"""The best of the scores."""

CandidateKind = Literal["segments", "objects"]
"""What is shown to the person: predicted segments, or regions that may be an object whatever their class."""
Proposals = Literal["regions", "sam", "sam2"]
"""What proposes regions that may be an object."""
SEGMENTS: Final = "segments"
OBJECTS = "objects"

CROP, CONTEXT, DIMMED, MASKED, POOLED = "crop", "context", "dimmed", "masked", "pooled"
VIEWS = (CROP, CONTEXT, DIMMED, MASKED, POOLED)
"""What may be embedded of a candidate; the first is the published one."""
SEGMENTATION = "segmentation"
"""``args.net`` for the features of the segmentation network itself."""

OBJECTS_AN_IMAGE = 5
"""Objects above a quantile that are selected at most, the first in the order of looking (docs/candidate_classes.md)."""

DEFAULT_NET = "efficientnet_lite0_layers"
"""Of the networks whose weights are installed, the best on every scene that no network had seen (docs/retrieval.md);
the scripts take EMBEDDING of configuration.py."""

EUCLIDEAN, COSINE, CENTRED, EXPANDED = "euclidean", "cosine", "centred_cosine", "expanded_cosine"
OF_TWO_VECTORS = (EUCLIDEAN, COSINE, CENTRED)
"""Distances between two vectors; centred ones are angles about the mean direction of all vectors."""
METRICS = (*OF_TWO_VECTORS, EXPANDED)
"""The last: centred cosine of vectors that were moved towards their nearest neighbours."""
DEFAULT_METRIC = EXPANDED
"""The best on every scene that no network had seen (docs/retrieval.md)."""
EXPANDED_UP_TO = 5000
"""Vectors up to which each is compared with every other, which takes a second; more are compared by centred cosine."""

EXPORT_FORMATS = ("coco", "labels", "csv", "parquet", "crops")
"""What tagged candidates can be written as."""

SOFTMAX_SCORES = ("max_softmax", "entropy")
"""Scores of a pixel that follow from the softmax."""
LOGIT_SCORES = ("energy", "max_logit", "standardised_max_logit", "smoothed_energy")
"""Scores of a pixel that need the logits themselves."""
EXPECTED_IOU = "expected_iou"
"""The score of the meta model: 1 - predicted IoU."""
PIXEL_SCORES = (*SOFTMAX_SCORES, *LOGIT_SCORES, EXPECTED_IOU)

LARGE_SEGMENT = 400
"""Pixels from which on a segment shows a person what it is."""
SMALLEST_SIDE = 16
"""Pixels that height and width of what is embedded have, at least."""
MIN_PREDICTED, MIN_TRUE = 500, 100
"""Pixels at 1280×720 of the smallest components that count, predicted and true; those of the benchmark."""
MIN_QUERIES = 2
"""Queries that a class needs to count."""
SIMULATED_LOOKS, SIMULATIONS = 200, 5
"""Candidates that a simulated person inspects, and simulations that the mean is taken of."""
SHUFFLES = 5
"""How often each metric is shuffled to see how much a meta model rests on it."""
PICTURED = 3
"""Images that an evaluation draws."""

BACKBONE = "tf_efficientnet_lite0"
"""ImageNet network whose weights come with the installed packages."""
CROPS_TOGETHER = 32
"""Crops that are embedded in a batch."""
WINDOW_OVERLAP = 0.25
"""Share of a window that the next one repeats."""
Similarity = Literal["cosine", "correlation"]
"""Of logits, in the template losses."""
TRAINED_SCALES = (0.5, 2.0)
"""Smallest and largest size of a scaled training image; 1 is the largest that fits into the crop."""
COLOUR_JITTER = 0.3
"""Strength of the jitter of brightness, contrast and saturation in training."""

EXACT_PIXELS = 2_000_000
"""Scores of at most this number of pixels are kept as they are; their exact counts take 24 bytes each."""

EXPORTED_CLASSES = "classes.json"
"""File that names classes and images of an export."""

CAMVID_UNKNOWN = ("pedestrian", "bicyclist")
"""Of CamVid's 12 classes those that no network of this project is taught: what it should stumble over."""

NEAR_FRAMES = 30
"""Frames of a video that are up to this far apart show the same things."""

ALIKE_SHARE = 0.5
"""Of a candidate's score, the part that is the mean over those that look most like it; the rest is its own."""

REVIEW_PAGE = 12
"""Candidates that a person is shown before they are answered together."""

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
