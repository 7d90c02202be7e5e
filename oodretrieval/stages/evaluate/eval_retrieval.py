"""How well an embedding space brings segments of one class together."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.charts.retrieval import retrieval_figure
from oodretrieval.charts.saving import Picture
from oodretrieval.choices import CENTRED, COSINE, EXPANDED, NEAR_FRAMES, PUBLISHED
from oodretrieval.clips import frame_positions
from oodretrieval.datasets import SegmentationDataset, open_dataset
from oodretrieval.errors import OODRetrievalError, UnknownNameError
from oodretrieval.evaluation import (
    RetrievalMeasures,
    mean_average_precision,
    retrieval_intervals,
)
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.context import measured_on
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat, from_mapping
from oodretrieval.results.candidates import image_names
from oodretrieval.results.result import Context, Result, result_folder
from oodretrieval.results.rules import Resampling, scene_notes
from oodretrieval.results.segment_classes import SegmentClasses
from oodretrieval.results.tables import NO_VALUE, interval_words
from oodretrieval.search import metric_in_use, project
from oodretrieval.stages.evaluate.catalogue_truth import (
    rows_with_truth,
    scene_vectors,
)
from oodretrieval.stages.evaluate.embedding_spaces import (
    ABOUT_THE_MEAN,
    WITH_NEIGHBOURS,
    over_scenes,
    reduced,
    space_table,
)
from oodretrieval.stages.evaluate.evaluated import save_evaluation
from oodretrieval.stages.evaluate.settings import RetrievalSettings
from oodretrieval.stages.select.settings import SelectionRule
from oodretrieval.stores import Catalogue

logger = logging.getLogger(__name__)
REDUCTIONS = {CENTRED: ABOUT_THE_MEAN, EXPANDED: WITH_NEIGHBOURS}
"""Metrics that are the cosine of reduced vectors."""
LEFT_OUT = {"none": "", "image": ", other images only", "frames": ", without the query's frames"}
RANDOM_REPETITIONS = 5
"""The reduction by which cosines become centred ones."""


def eval_retrieval(settings: RetrievalSettings, run: Run) -> dict[str, Any]:
    """Mean average precision per class and over classes, next to a random embedding; with a bar chart.

    Args:
        settings: What to evaluate.
        run: Configuration, which may lack the catalogue's datasets and network, and workspace.

    Returns:
        Measures of the ``embedding`` and of ``random`` vectors, number of ``segments``, and ``files`` written.

    Raises:
        StoreError: If there is no such catalogue, or it has no truth.
        UnknownNameError: If the metric or the grouping is unknown.
    """
    catalogue = Catalogue.named(run.workspace, settings.embeddings_file, verify=settings.common.verify)
    # what the explorer and find_similar.py search by, and what the result says
    settings = replace(settings, distance_metric=metric_in_use(settings.distance_metric, len(catalogue)))
    if settings.groups not in LEFT_OUT:
        raise UnknownNameError("grouping", settings.groups, LEFT_OUT)
    kept = rows_with_truth(catalogue)
    segments = catalogue.segments[kept]
    embedding = settings.net or catalogue.default_embedding
    vectors: NDArray[np.floating] = np.asarray(catalogue.vectors_of(embedding))[kept]
    if settings.method:
        vectors = project(vectors, settings.method, settings.embedding_size, settings.seed)
    names = SegmentClasses(catalogue).truth_names[kept]
    metric = settings.distance_metric
    if metric in REDUCTIONS:
        vectors, metric = reduced(vectors, REDUCTIONS[metric]), COSINE
    options: dict[str, Any] = {"metric": metric, "min_queries": settings.min_queries}
    options |= _groups(settings.groups, segments)
    measures = mean_average_precision(vectors, names, **options)
    chance = random_embedding(names, vectors.shape[1], settings.seed, options)
    opened = _opened(run.configuration, segments["dataset"].unique())
    resampling = settings.evaluation.resampling(*opened)
    images = image_names(segments)
    intervals = retrieval_intervals(measures, names, images, **asdict(resampling))
    content = {
        "segments": len(segments),
        "embedding": {**_plain(measures), "intervals": intervals},
        "random": _plain(chance),
    }
    compared = _compared(settings, run, catalogue)
    context = _context(settings, run, catalogue, len(set(images)), resampling)
    notes = tuple(dict.fromkeys(note for dataset in opened for note in scene_notes(dataset)))
    notes += _taught(run.configuration, embedding)
    title = f"Retrieval among the selected segments of {catalogue.name}{LEFT_OUT[settings.groups]}"
    content["spaces"] = {name: table.reset_index().to_dict("records") for name, table in compared.items()}
    tables = {**_tables(content), **compared}
    result = Result(title, _stem(settings), context, flat(settings), content, tables, notes)
    folder = result_folder(catalogue.path, settings.evaluation.save_dir)
    return {**content, "files": save_evaluation(folder, result, _pictures(result, measures, chance))}


def _taught(configuration: Configuration, embedding: str) -> tuple[str, ...]:
    """A note where labels taught the embedding network."""
    from oodretrieval.embedding import parts_of_name, taught_by  # networks take a second

    with suppress(OODRetrievalError):  # a network that is not at hand any more
        if names := taught_by(configuration.embedding(parts_of_name(embedding)[0])):
            return (
                f"Labels of {', '.join(names)} taught the embedding: on their images the measures are too high.",
            )
    return ()


def _compared(settings: RetrievalSettings, run: Run, catalogue: Catalogue) -> dict[str, pd.DataFrame]:
    """Tables of all embedding spaces: of each scene, and over several of them."""
    if not settings.compare:
        return {}
    others = [Catalogue.named(run.workspace, name) for name in settings.scenes]
    found = {}
    for scene in (catalogue, *others):
        chosen = scene_vectors(scene, settings.seed)
        found[scene.name] = space_table(chosen, min_queries=settings.min_queries, seed=settings.seed)
    if not others:
        return {"embedding spaces": found[catalogue.name]}
    each = {f"embedding spaces of {name}": table for name, table in found.items()}
    return {"embedding spaces, mAP without the query's frames": over_scenes(found), **each}


def _pictures(result: Result, measures: RetrievalMeasures, chance: RetrievalMeasures) -> Iterator[Picture]:
    if not measures.per_class:
        logger.warning("no class has queries with something relevant outside their own group")
        return
    space = result.settings["method"] or result.settings["net"] or "default embedding"
    title = f"{result.title}\n{space}, {result.settings['distance_metric']}"
    yield Picture("Mean average precision by class", "", retrieval_figure(measures, chance, title))


def _stem(settings: RetrievalSettings) -> str:
    space = f"{settings.method}{settings.embedding_size}" if settings.method else settings.net or "embedding"
    return f"retrieval_{space}_{settings.distance_metric}_{settings.groups}"


def _opened(configuration: Configuration, names: Iterable[str]) -> list[SegmentationDataset]:
    """The catalogue's datasets, as far as they can be opened here: a catalogue is evaluated without them too."""
    opened = []
    for name in names:
        with suppress(OODRetrievalError):
            opened.append(open_dataset(configuration.dataset(name), name))
    return opened


def _context(
    settings: RetrievalSettings,
    run: Run,
    catalogue: Catalogue,
    images: int,
    resampling: Resampling,
) -> Context:
    made_by = catalogue.settings
    return measured_on(
        run,
        catalogue.segments["dataset"].unique(),
        made_by.get("model", ""),
        images=images,
        void_rule="a segment is what most of its pixels are; void ones are left out",
        resolution=f"segments of at least {made_by.get('min_pixels', 0)} pixels, {made_by.get('min_width', 0)}×"
        f"{made_by.get('min_height', 0)}",
        threshold=f"segments that the catalogue selected: {_rule(made_by).words()}",
        intervals=f"{resampling.words(images)}; of the queries, the rankings stay",
        meta_model=made_by.get("meta_model", ""),
    )


def _rule(made_by: Mapping[str, Any]) -> SelectionRule:
    """What a catalogue was selected by; one that says nothing of it, by predicted IoU."""
    select_by = made_by.get("select_by", PUBLISHED)
    names = ("iou_threshold",) if select_by == PUBLISHED else ("select_quantile", "select_number")
    return from_mapping(
        SelectionRule, {"select_by": select_by, **{name: made_by[name] for name in names if name in made_by}}
    )


def _groups(kind: str, segments: pd.DataFrame) -> dict[str, Any]:
    images = image_names(segments)
    if kind == "image":
        return {"groups": images}
    if kind == "frames":
        return {"groups": frame_positions(list(images)), "group_window": NEAR_FRAMES}
    return {}


def random_embedding(
    names: NDArray[np.str_], dimensions: int, seed: int, options: dict[str, Any]
) -> RetrievalMeasures:
    """Retrieval among random vectors, averaged over several of them.

    Args:
        names: Class of each item, ``(n,)``.
        dimensions: D.
        seed: Of the vectors.
        options: Passed on to :func:`~oodretrieval.evaluation.mean_average_precision`.

    Returns:
        What chance gives.
    """
    rng = np.random.default_rng(seed)
    repeated = [
        mean_average_precision(rng.normal(size=(len(names), dimensions)), names, **options)
        for _ in range(RANDOM_REPETITIONS)
    ]
    first = repeated[0]
    return RetrievalMeasures(
        mean=float(np.mean([one.mean for one in repeated])),
        weighted=float(np.mean([one.weighted for one in repeated])),
        per_class={key: float(np.mean([one.per_class[key] for one in repeated])) for key in first.per_class},
        num_queries=first.num_queries,
        precision_at={
            k: float(np.mean([one.precision_at[k] for one in repeated])) for k in first.precision_at
        },
    )


def _plain(measures: RetrievalMeasures) -> dict[str, Any]:
    content: dict[str, Any] = asdict(measures)
    del content["query_precision"]
    return {
        key: {str(k): v for k, v in value.items()} if isinstance(value, dict) else value
        for key, value in content.items()
    }


def _tables(content: dict[str, Any]) -> dict[str, pd.DataFrame]:
    measures, chance = content["embedding"], content["random"]
    by_class = sorted(measures["per_class"], key=lambda name: -measures["per_class"][name])
    columns = {
        "queries": [measures["num_queries"][name] for name in by_class],
        "mAP": [measures["per_class"][name] for name in by_class],
        "random": [chance["per_class"][name] for name in by_class],
    }
    means = {
        text: (measures[key], interval_words(measures["intervals"][key]), chance[key])
        for text, key in (("mAP, mean over classes", "mean"), ("mAP, weighted by queries", "weighted"))
    }
    for k, value in measures["precision_at"].items():
        means[f"precision@{k}"] = value, NO_VALUE, chance["precision_at"][k]
    together = pd.DataFrame.from_dict(means, orient="index", columns=["embedding", "interval", "random"])
    together.index.name = "measure"
    return {"by class": pd.DataFrame(columns, index=pd.Index(by_class, name="class")), "together": together}
