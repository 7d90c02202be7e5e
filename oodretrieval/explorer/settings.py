"""Settings of the explorer, on the command line and in Python."""

from dataclasses import dataclass
from typing import Literal

from oodretrieval.choices import DEFAULT_METRIC
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.settings import CommonSettings, group

HIGHEST_PORT = 2**16 - 1

METHOD_NAMES = {"tsne": "t-SNE", "isomap": "Isomap", "pca": "PCA"}
METHOD_NAMES |= {"opentsne": "openTSNE", "umap": "UMAP", "pacmap": "PaCMAP"}
"""Methods of projection, and what to call them."""


@dataclass(frozen=True)
class MainPlotSettings:
    """How the scatter is drawn.

    Attributes:
        legend: Whether the scatter has a legend.
    """

    legend: bool = True


@dataclass(frozen=True)
class TsneSettings:
    """Parameters of t-SNE.

    Attributes:
        perplexity: About how many neighbours a point has; lowered where there are few points.
        learning_rate: Step size, or auto.
        early_exaggeration: How far groups are held apart at first.
    """

    perplexity: float = 30.0
    learning_rate: float | Literal["auto"] = "auto"
    early_exaggeration: float = 12.0


@dataclass(frozen=True)
class ExplorerSettings:
    """What is explored, and how.

    Attributes:
        embeddings_file: Name of the catalogue.
        net: Embedding of the catalogue; its default one if empty.
        distance_metric: expanded_cosine, which brings equal things closest together on drives never seen
            (docs/retrieval.md; up to 5000 candidates), centred_cosine, cosine, or euclidean, as published; m changes
            it.
        method: Projection: tsne, isomap or pca; opentsne, umap or pacmap with the extra ``projection``.
        embedding_size: Dimensions of the projection that neighbours and clusters are searched in; 0 for the
            embedding itself.
        overwrite_embeddings: Compute projections again that are kept with the catalogue.
        neighbours: How many nearest neighbours are shown at first; the wheel changes it.
        approximate: Search large catalogues by an index of faiss, faster but without some neighbours (docs/search.md).
        once: What near frames repeat is found once among neighbours, with its number; = changes it.
        seed: Of projections and clusters.
        save_dir: Folder for saved pictures; by default ``pictures`` in the catalogue.
        host: Where it is shown: window, browser, or auto: a window where there is a display.
        port: Of the page in the browser; 0 takes a free one.
        snapshot: Save the view as it was left to this PNG, SVG or PDF file, and open none.
        mainplot: Group of settings of the scatter.
        tsne: Group of settings of t-SNE.
    """

    embeddings_file: str = ""
    net: str = ""
    distance_metric: str = DEFAULT_METRIC
    method: str = "tsne"
    embedding_size: int = 0
    overwrite_embeddings: bool = False
    neighbours: int = 10
    once: bool = True
    approximate: bool = False
    seed: int = 0
    save_dir: str = ""
    host: Literal["auto", "window", "browser"] = "auto"
    port: int = 0
    snapshot: str = ""
    mainplot: MainPlotSettings = group(MainPlotSettings)
    tsne: TsneSettings = group(TsneSettings)
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        if not 0 <= self.port <= HIGHEST_PORT:
            raise SettingsError(
                f"args.port must be in 1…{HIGHEST_PORT}, or 0 for a free one, got {self.port}"
            )
