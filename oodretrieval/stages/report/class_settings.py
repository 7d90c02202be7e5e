"""Settings of the search for candidate classes."""

from dataclasses import dataclass

from oodretrieval.experiment.settings import CommonSettings, require_at_least


@dataclass(frozen=True)
class DiscoverClassesSettings:
    """Which catalogue is searched for new classes, and how.

    Attributes:
        embeddings_file: Name of the catalogue.
        net: Embedding of the catalogue; its default one if empty.
        method: Clustering: agglomerative, kmeans, spectral, dbscan or hdbscan.
        clusters: Number of clusters; 0 for one for every six different things, at most 60. dbscan and hdbscan find
            it by themselves.
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
