"""Settings of the report."""

from dataclasses import dataclass

from oodretrieval.choices import LARGE_SEGMENT
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least


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
    min_pixels: int = LARGE_SEGMENT
    segments: int = 24
    clusters: int = 0
    method: str = "agglomerative"
    seed: int = 0
    save_file: str = ""
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 1, "segments")
        require_at_least(self, 0, "min_pixels", "clusters")
