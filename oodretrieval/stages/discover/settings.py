"""Settings of the searches: for what is similar, for candidate classes, for the images of a class."""

from dataclasses import dataclass
from typing import Literal

from oodretrieval.choices import COSINE, DEFAULT_METRIC, EUCLIDEAN
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.settings import CommonSettings, DatasetName, require_at_least


@dataclass(frozen=True)
class DiscoverClassesSettings:
    """Which catalogue is searched for new classes, and how.

    Attributes:
        embeddings_file: Name of the catalogue.
        net: Embedding of the catalogue; its default one if empty.
        method: Clustering: agglomerative, kmeans, spectral, dbscan or hdbscan.
        clusters: Number of clusters; 0 for one for every six different things, but at least 8 (or as many as there are
            candidates) and at most 60. dbscan and hdbscan find it by themselves.
        components: Principal components that are clustered.
        classes: Candidate classes that are shown, at most.
        vocabulary: Text file with a name in each line, from which classes get their proposed names; a list of what one
            may meet on a street, and the classes that the segmentation network knows, if empty. Names need an
            embedding with a text side.
        seed: Of components and clusters.
        save_dir: Folder for tables and pictures; by default ``evaluation`` in the catalogue.
    """

    embeddings_file: str = ""
    net: str = ""
    method: str = "agglomerative"
    clusters: int = 0
    components: int = 100
    classes: int = 12
    vocabulary: str = ""
    seed: int = 0
    save_dir: str = ""
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 0, "clusters")
        require_at_least(self, 1, "components", "classes")


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
        distance_metric: expanded_cosine (up to 5000 candidates), centred_cosine, cosine or euclidean (docs/search.md);
            a description is always compared by cosine.
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
class SearchSettings:
    """What to search for.

    Attributes:
        dataset: Name of the dataset, which must have truth.
        classes: Names of classes or label ids; all that the labels name if empty.
        min_pixels: Pixels of a class that an image needs.
        save_dir: Folder for the tables; by default ``evaluation`` in the workspace.
    """

    dataset: DatasetName = ""
    classes: tuple[str | int, ...] = ()
    min_pixels: int = 1
    save_dir: str = ""
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 1, "min_pixels")
