"""Settings of the evaluations."""

from dataclasses import dataclass

from oodretrieval.choices import DEFAULT_METRIC, MIN_QUERIES
from oodretrieval.experiment.evaluation_settings import EvaluationSettings
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least


@dataclass(frozen=True)
class IouSettings:
    """Which predictions to evaluate.

    Attributes:
        dataset: Name of the dataset, which must have truth.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model that divides good segments from poor ones; empty for the IoU alone.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    meta_model_name: str = ""
    evaluation: EvaluationSettings = EvaluationSettings()
    common: CommonSettings = CommonSettings()


@dataclass(frozen=True)
class RetrievalSettings:
    """Which embedding space to evaluate, and how.

    Attributes:
        embeddings_file: Name of the catalogue.
        net: Embedding of the catalogue; its default one if empty.
        distance_metric: expanded_cosine (up to 5000 candidates), centred_cosine, cosine or euclidean.
        method: Evaluate a projection instead: pca, tsne or isomap; empty for the embedding itself.
        embedding_size: Dimensions of the projection.
        groups: What is left out of a query's ranking: none (only itself), image (all of its image) or frames
            (all within 30 frames of it, for video whose file names end in the number of the frame).
        min_queries: Queries that a class needs to count.
        compare: Also compare all embeddings of the catalogue, as they are, centred and in PCA space, by both metrics.
        scenes: Names of further catalogues, each a scene of its own; what is compared is then given for each scene and
            as the mean over scenes.
        seed: Of the projection and of the random embedding.
    """

    embeddings_file: str = ""
    net: str = ""
    distance_metric: str = DEFAULT_METRIC
    method: str = ""
    embedding_size: int = 2
    groups: str = "none"
    min_queries: int = MIN_QUERIES
    compare: bool = True
    scenes: tuple[str, ...] = ()
    seed: int = 0
    evaluation: EvaluationSettings = EvaluationSettings()
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 1, "embedding_size", "min_queries")


@dataclass(frozen=True)
class SegmentationSettings:
    """Which predictions to evaluate.

    Attributes:
        dataset: Name of the dataset, which must have truth.
        model_name: Name of the segmentation network.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    evaluation: EvaluationSettings = EvaluationSettings()
    common: CommonSettings = CommonSettings()
