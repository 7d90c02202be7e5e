"""How well an embedding space brings segments of one class together."""

import logging
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.errors import StoreError, UnknownNameError
from oodretrieval.evaluation import RetrievalFigures, frame_positions, mean_average_precision
from oodretrieval.evaluation.charts import bar_chart
from oodretrieval.search import project
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.settings import CommonSettings, require_at_least
from oodretrieval.stores import Catalogue, Workspace, write_json

logger = logging.getLogger(__name__)
GROUPS = ("none", "image", "frames")
FRAME_WINDOW = 30
RANDOM_REPETITIONS = 5


@dataclass(frozen=True)
class RetrievalSettings(CommonSettings):
    """Which embedding space to judge, and how.

    Attributes:
        embeddings_file: Name of the catalogue.
        net: Embedding of the catalogue; its default one if empty.
        distance_metric: euclidean or cosine.
        method: Judge a projection instead: pca, tsne or isomap; empty for the embedding itself.
        embedding_size: Dimensions of the projection.
        groups: What is left out of a query's ranking: none (only itself), image (all of its image) or frames
            (all within 30 frames of it, for video whose file names end in the number of the frame).
        min_queries: Queries that a class needs to count.
        seed: Of the projection and of the random embedding.
        save_dir: Folder for table and chart; by default ``evaluation`` beside the catalogue.
    """

    embeddings_file: str = ""
    net: str = ""
    distance_metric: str = "euclidean"
    method: str = ""
    embedding_size: int = 2
    groups: str = "none"
    min_queries: int = 2
    seed: int = 0
    save_dir: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, 1, "embedding_size", "min_queries")


def evaluate_retrieval(
    settings: RetrievalSettings, configuration: Configuration, workspace: Workspace
) -> dict[str, Any]:
    """Mean average precision per class and over classes, beside a random embedding; with a bar chart.

    Args:
        settings: What to judge.
        configuration: Unused; every stage is called alike.
        workspace: Where the catalogue lies.

    Returns:
        Figures of the ``embedding`` and of ``random`` vectors, ``segments`` judged, and files written.

    Raises:
        StoreError: If there is no such catalogue, or it has no truth.
        UnknownNameError: If the metric or the grouping is unknown.
    """
    catalogue = Catalogue.open(workspace.catalogue_folder(settings.embeddings_file))
    if settings.groups not in GROUPS:
        raise UnknownNameError("grouping", settings.groups, GROUPS)
    judged = judged_rows(catalogue)
    segments = catalogue.segments[judged]
    vectors = np.asarray(catalogue.vectors_of(settings.net or catalogue.default_embedding))[judged]
    if settings.method:
        vectors = project(vectors, settings.method, settings.embedding_size, settings.seed)
    names = label_names(catalogue, segments)
    options: dict[str, Any] = {
        "metric": settings.distance_metric,
        "min_queries": settings.min_queries,
        **_groups(settings.groups, segments),
    }
    figures = mean_average_precision(vectors, names, **options)
    floor = random_floor(names, vectors.shape[1], settings.seed, options)
    folder = Path(settings.save_dir) if settings.save_dir else catalogue.path / "evaluation"
    files = _save(folder, settings, catalogue.name, figures, floor)
    _log(figures, floor, len(segments), settings, files)
    return {
        "segments": len(segments),
        "embedding": _plain_figures(figures),
        "random": _plain_figures(floor),
        "files": [str(file) for file in files],
    }


def judged_rows(catalogue: Catalogue) -> NDArray[np.bool_]:
    """Rows of a catalogue with a majority label that means something, ``(n,)``.

    Raises:
        StoreError: If there are fewer than two.
    """
    segments = catalogue.segments
    void = catalogue.settings.get("void_ids", {})
    kept = segments["label"].to_numpy() >= 0
    for dataset, ids in void.items():
        kept &= ~((segments["dataset"] == dataset) & segments["label"].isin(ids)).to_numpy()
    if kept.sum() < 2:
        raise StoreError(
            f"catalogue {catalogue.name} has {kept.sum()} segments with truth that is not void; retrieval is "
            "judged on datasets with truth"
        )
    return kept


def label_names(catalogue: Catalogue, segments: pd.DataFrame) -> NDArray[np.str_]:
    """Name of each segment's majority label, by the tables of its dataset, ``(n,)``."""
    mappings = catalogue.settings["label_mapping"]
    pairs = zip(segments["dataset"], segments["label"], strict=True)
    return np.array([mappings[d].get(str(i), [f"label {i}"])[0] for d, i in pairs], dtype=str)


def _groups(kind: str, segments: pd.DataFrame) -> dict[str, Any]:
    images = (segments["dataset"] + "/" + segments["image_id"]).to_numpy()
    if kind == "image":
        return {"groups": images}
    if kind == "frames":
        return {"groups": frame_positions(list(images)), "group_window": FRAME_WINDOW}
    return {}


def random_floor(
    names: NDArray[np.str_], dimensions: int, seed: int, options: dict[str, Any]
) -> RetrievalFigures:
    """Figures of random vectors, averaged over several draws.

    Args:
        names: Class of each item, ``(n,)``.
        dimensions: D.
        seed: Of the draws.
        options: Passed on to :func:`~oodretrieval.evaluation.mean_average_precision`.

    Returns:
        What chance gives.
    """
    rng = np.random.default_rng(seed)
    draws = [
        mean_average_precision(rng.normal(size=(len(names), dimensions)), names, **options)
        for _ in range(RANDOM_REPETITIONS)
    ]
    first = draws[0]
    return RetrievalFigures(
        mean=float(np.mean([draw.mean for draw in draws])),
        weighted=float(np.mean([draw.weighted for draw in draws])),
        per_class={key: float(np.mean([draw.per_class[key] for draw in draws])) for key in first.per_class},
        num_queries=first.num_queries,
        precision_at={
            k: float(np.mean([draw.precision_at[k] for draw in draws])) for k in first.precision_at
        },
    )


def _plain_figures(figures: RetrievalFigures) -> dict[str, Any]:
    content: dict[str, Any] = asdict(figures)
    return {
        key: {str(k): v for k, v in value.items()} if isinstance(value, dict) else value
        for key, value in content.items()
    }


def _save(
    folder: Path, settings: RetrievalSettings, name: str, figures: RetrievalFigures, floor: RetrievalFigures
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    space = f"{settings.method}{settings.embedding_size}" if settings.method else settings.net or "embedding"
    stem = f"retrieval_{space}_{settings.distance_metric}_{settings.groups}"
    table, chart = folder / f"{stem}.json", folder / f"{stem}.png"
    content = {
        "settings": asdict(settings),
        "embedding": _plain_figures(figures),
        "random": _plain_figures(floor),
    }
    write_json(table, content)
    if figures.per_class:
        _draw(chart, name, figures, floor, stem)
        return [table, chart]
    return [table]


def _draw(chart: Path, name: str, figures: RetrievalFigures, floor: RetrievalFigures, stem: str) -> None:
    figure = Figure(figsize=(8, 1.6 + 0.42 * len(figures.per_class)), layout="constrained")
    bar_chart(
        figure.subplots(),
        _texts(figures.per_class),
        {str(key): count for key, count in figures.num_queries.items()},
        _texts(floor.per_class),
        value_name="mean average precision",
        reference_name="random embedding",
        lines=[("mean over classes", figures.mean), ("weighted by queries", figures.weighted)],
    )
    figure.suptitle(f"Retrieval among the selected segments of {name}\n{stem.replace('_', ' ')}", fontsize=11)
    figure.savefig(chart, dpi=120)


def _texts(values: dict[Hashable, float]) -> dict[str, float]:
    return {str(key): value for key, value in values.items()}


def _log(
    figures: RetrievalFigures,
    floor: RetrievalFigures,
    count: int,
    settings: RetrievalSettings,
    files: list[Path],
) -> None:
    logger.info("%d segments, left out of a ranking: %s", count, settings.groups)
    logger.info("%-24s %8s %10s %8s", "class", "queries", "mAP", "random")
    for key, value in sorted(figures.per_class.items(), key=lambda item: -item[1]):
        logger.info("%-24s %8d %10.3f %8.3f", key, figures.num_queries[key], value, floor.per_class[key])
    logger.info("%-24s %8s %10.3f %8.3f", "mean over classes", "", figures.mean, floor.mean)
    logger.info("%-24s %8s %10.3f %8.3f", "weighted by queries", "", figures.weighted, floor.weighted)
    for k, value in figures.precision_at.items():
        logger.info("%-24s %8s %10.3f %8.3f", f"precision@{k}", "", value, floor.precision_at[k])
    if not figures.per_class:
        logger.warning("no class has queries with something relevant outside their own group")
    for file in files:
        logger.info("saved %s", file)
