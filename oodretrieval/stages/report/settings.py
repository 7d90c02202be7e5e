"""Settings of the report, of the search for what is similar, and of explanations."""

from dataclasses import dataclass
from typing import Literal

from oodretrieval.choices import COSINE, DEFAULT_METRIC, EUCLIDEAN
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least
from oodretrieval.stages.predict.settings import InferenceSettings


@dataclass(frozen=True)
class ReportSettings:
    """Which run is reported, and how much of it.

    Attributes:
        dataset: Name of the dataset.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model that orders the segments; empty for the one that the entry of model_name
            names.
        embeddings_file: Name of the catalogue whose clusters are shown; by default that of the dataset.
        min_pixels: Fewest pixels of a segment among the best and worst.
        segments: Segments that a sheet shows, at most.
        clusters: Number of clusters; 0 for the elbow of k-means.
        method: Clustering: kmeans, spectral or agglomerative.
        seed: Of the clusters.
        save_file: The page; by default ``reports/<network>_<dataset>.html`` in the workspace.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    meta_model_name: str = ""
    embeddings_file: str = ""
    min_pixels: int = 400
    segments: int = 24
    clusters: int = 0
    method: str = "agglomerative"
    seed: int = 0
    save_file: str = ""
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 1, "segments")
        require_at_least(self, 0, "min_pixels", "clusters")


@dataclass(frozen=True)
class SimilarSettings:
    """What is searched for, where, and how.

    What is searched for may be several things at once: candidates, a box in an image and a description are then
    examples of one thing.

    Attributes:
        embeddings_file: Name of the catalogue.
        net: Embedding of the catalogue; its default one if empty.
        candidates: Candidates of the catalogue that are wanted: rows from 0, or ``image id#number``.
        unlike: Candidates of the catalogue that are not wanted.
        image: Image file that shows what is wanted.
        box: Where in it: left, top, right, bottom, pixels, half-open; all of it if empty.
        text: Description of what is wanted, for networks with a text side.
        filter: What may be found: ``predicted == "car" and predicted_iou < 0.5``, as in the explorer; all if empty.
        by: ``nearest`` to the examples' mean; or ``feedback``: by what is learned from the candidates as answers.
        distance_metric: centred_cosine, cosine or euclidean (docs/search.md); a description is always compared by
            cosine.
        number: Candidates found, at most.
        once: Find each thing once: what repeats it in near frames, or equals it, is counted.
        save_dir: Folder for table and sheet; by default ``similar`` in the catalogue.
    """

    embeddings_file: str = ""
    net: str = ""
    candidates: tuple[str | int, ...] = ()
    unlike: tuple[str | int, ...] = ()
    image: str = ""
    box: tuple[int, ...] = ()
    text: str = ""
    filter: str = ""
    by: Literal["nearest", "feedback"] = "nearest"
    distance_metric: str = DEFAULT_METRIC
    number: int = 20
    once: bool = True
    save_dir: str = ""
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 1, "number")
        if self.box and (len(self.box) != 4 or not self.image):
            raise SettingsError(
                f"args.box is left, top, right, bottom in args.image; got {list(self.box)} in {self.image!r}"
            )
        if self.text and self.distance_metric == EUCLIDEAN:
            raise SettingsError("a description is compared by args.distance_metric=cosine alone")
        if self.by == "feedback" and (self.image or self.text):
            raise SettingsError(
                "args.by=feedback learns from candidates of the catalogue, args.candidates and args.unlike; leave out "
                "args.image and args.text"
            )

    @property
    def metric(self) -> str:
        """Distance metric in use: texts do not lie about the mean of the crops."""
        return COSINE if self.text else self.distance_metric


@dataclass(frozen=True)
class ExplainSettings:
    """Which images are explained, and what of them.

    Attributes:
        dataset: Name of the dataset.
        model_name: Name of the segmentation network.
        images: Ids of images; empty for the first ones of the dataset.
        number: How many of the first ones.
        classes: Names of predicted classes; empty for all that are predicted.
        segment: Number of the one segment that is explained, as ``segment_id`` of the segment table; 0 for classes as
            a whole.
        outliers: Also show fixations that lie by themselves.
        save_dir: Folder of the pictures; by default ``evaluation/fixations`` in the workspace.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    images: tuple[str, ...] = ()
    number: int = 4
    classes: tuple[str, ...] = ()
    segment: int = 0
    outliers: bool = True
    save_dir: str = ""
    inference: InferenceSettings = InferenceSettings()
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 1, "number")
        require_at_least(self, 0, "segment")
