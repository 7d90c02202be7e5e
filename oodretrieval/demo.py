"""The whole pipeline on rendered streets, with the networks that ship: what it finds, and pictures of it."""

import logging
import shlex
import time
from pathlib import Path
from typing import Any

import numpy as np

from oodretrieval.choices import OBJECTS
from oodretrieval.datasets.streets import Streets
from oodretrieval.demo_pictures import DemoPictures
from oodretrieval.demo_settings import DemoSettings
from oodretrieval.errors import TableError
from oodretrieval.evaluation.discovery import MIN_SHARE
from oodretrieval.experiment.logs import OUTPUT
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, flat, from_mapping
from oodretrieval.explorer.desktop.window import display_problem
from oodretrieval.explorer.hosts import discover_embedding_space
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.results.rules import no_truth
from oodretrieval.stages.evaluate.discovery.catalogue_curve import catalogue_curve
from oodretrieval.stages.evaluate.eval_retrieval import eval_retrieval
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import RetrievalSettings
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Catalogue

logger = logging.getLogger(__name__)
MIN_PIXELS = 150


def demo(settings: DemoSettings, run: Run) -> dict[str, Any]:
    """Predict, measure, select, embed, evaluate and draw.

    Args:
        settings: What to run on.
        run: Configuration and workspace.

    Returns:
        Measures of the selection and of the retrieval, and the files of the pictures.

    Raises:
        TableError: If the dataset has no truth.
    """
    started = time.monotonic()
    common = flat(settings.common)
    names: dict[str, Any] = {"dataset": settings.dataset, "model_name": settings.model_name}
    dataset = run.dataset(settings.dataset, settings.common)
    if dataset.label_set is None:
        raise TableError(f"{no_truth(settings.dataset)}; the demo compares what it found with what there is")
    if isinstance(dataset, Streets):
        logger.info("1/6 rendering %d streets", len(dataset))
        dataset.render_all(settings.common.num_cores)
    logger.info("2/6 predicting with %s", settings.model_name)
    pred_images(from_mapping(PredictSettings, {**names, **common}), run)
    logger.info("3/6 measuring segments")
    compute_metrics(from_mapping(MetricsSettings, {**names, **common}), run)
    catalogue_name, objects_name = _catalogues(settings, run)
    catalogue = Catalogue.named(run.workspace, catalogue_name)
    logger.info("6/6 evaluating and making pictures")
    found = _evaluate_quietly(settings, run, catalogue_name)
    found["discovery"] = {
        kind: _discovery(Catalogue.named(run.workspace, name), run)
        for kind, name in (("predicted segments", catalogue_name), (OBJECTS, objects_name))
    }
    pictures = DemoPictures(
        Catalogue.named(run.workspace, objects_name),
        catalogue,
        run.workspace,
        dataset.label_set,
        settings.save_dir,
    ).draw()
    _report(found, pictures, time.monotonic() - started)
    logger.info(
        "to explore the objects: python scripts/discover_embedding_space.py with %s",
        shlex.join((f"args.embeddings_file={objects_name}", *settings.common.places)),
    )
    if settings.explore:
        explore_if_possible(catalogue_name, run)
    return {**found, "pictures": [str(path) for path in pictures]}


def _catalogues(settings: DemoSettings, run: Run) -> tuple[str, str]:
    """Names of a catalogue of predicted segments, and of one of as many objects."""
    logger.info("4/6 selecting segments that look unknown and embedding them with %s", settings.net)
    embedding = from_mapping(
        EmbedSettings,
        {
            "dataset": (settings.dataset,),
            "net": settings.net,
            **_selecting(settings),
            "min_height": 1,
            "min_width": 1,
            "min_pixels": MIN_PIXELS,
            "save_file": "demo",
            **flat(settings.common),
        },
    )
    catalogue_name = str(compute_embeddings(embedding, run)["catalogue"])
    logger.info("5/6 proposing objects, whatever their class, and selecting as many")
    catalogue = Catalogue.named(run.workspace, catalogue_name)
    objects = compute_embeddings(
        changed(
            embedding,
            {
                "candidates": OBJECTS,
                "select_number": len(catalogue),
                "min_pixels": 0,
                "save_file": "demo_objects",
            },
        ),
        run,
    )
    return catalogue_name, str(objects["catalogue"])


def _discovery(catalogue: Catalogue, run: Run) -> dict[str, int]:
    """Candidates, unknown objects, and how many of these the candidates touch, find and outline."""
    curve = catalogue_curve(run, catalogue)
    counts = {name: round(share * curve.objects) for name, share in curve.after(len(catalogue)).items()}
    return {"candidates": len(catalogue), "objects": curve.objects, **counts}


def _selecting(settings: DemoSettings) -> dict[str, Any]:
    names = {"model_name": settings.model_name, "meta_model_name": settings.meta_model_name}
    return names | flat(settings.rule)


def explore_if_possible(catalogue: str, run: Run) -> None:
    """Open the explorer on a catalogue where there is a display; where there is none, do nothing.

    Args:
        catalogue: Name of a catalogue in the workspace.
        run: Configuration and workspace.
    """
    if display_problem() is None:
        logger.info("opening the explorer; Ctrl + w closes it, ? shows what mouse and keys do")
        discover_embedding_space(ExplorerSettings(embeddings_file=catalogue), run)


def _evaluate_quietly(settings: DemoSettings, run: Run, catalogue: str) -> dict[str, Any]:
    """Measures of the stages' own evaluations, without their tables: the demo prints one of its own."""
    selection = from_mapping(
        SelectionSettings,
        {
            "dataset": settings.dataset,
            **_selecting(settings),
            "min_pixels": MIN_PIXELS,
            "gpu": settings.common.gpu,
            "limit": settings.common.limit,
            "root": settings.common.root,
            "save_dir": settings.save_dir,
        },
    )
    retrieval = from_mapping(
        RetrievalSettings, {"embeddings_file": catalogue, "groups": "image", "save_dir": settings.save_dir}
    )
    results = logging.getLogger(OUTPUT)
    level = results.level
    results.setLevel(logging.WARNING)
    try:
        return {
            "selection": eval_selection(selection, run),
            "retrieval": eval_retrieval(retrieval, run),
        }
    finally:
        results.setLevel(level)


def _report(found: dict[str, Any], pictures: list[Path], seconds: float) -> None:
    selection, retrieval = found["selection"], found["retrieval"]
    by_class, floor = retrieval["embedding"]["per_class"], retrieval["random"]["per_class"]
    output = logging.getLogger(OUTPUT)
    output.info("")
    columns = ("unknown", "present", "hit", "covered", "retrieval mAP", "random")
    output.info("%-14s %8s %8s %8s %15s %8s", *columns)
    for name, count in selection["per_class"].items():
        measures = f"{by_class[name]:15.2f} {floor[name]:8.2f}" if name in by_class else f"{'-':>15} {'-':>8}"
        output.info("%-14s %8d %8d %8d %s", name, count["objects"], count["hit"], count["found"], measures)
    unknown = [name for name in selection["per_class"] if name in by_class]
    means = [np.mean([table[name] for name in unknown]) if unknown else np.nan for table in (by_class, floor)]
    totals = [selection[key] for key in ("objects", "hit", "found")]
    output.info("%-14s %8d %8d %8d %15.2f %8.2f", "all", *totals, *means)
    output.info(
        "hit: a selected segment overlaps it; covered: half of it lies in the boxes of selected segments"
    )
    output.info("")
    output.info(
        "%d of the %d segments of at least %d pixels selected; %.0f %% of them are unknown things, against %.0f %% "
        "of all",
        selection["selected"],
        selection["segments"],
        MIN_PIXELS,
        100 * selection["precision"],
        100 * selection["prevalence"],
    )
    output.info("")
    objects = next(iter(found["discovery"].values()))["objects"]
    output.info(
        "%-22s %10s %8s %8s %8s", f"of {objects} objects", "candidates", "touched", "found", "outlined"
    )
    for kind, counts in found["discovery"].items():
        values = (counts[name] for name in ("candidates", "touched", "found", "outlined"))
        output.info("%-22s %10d %8d %8d %8d", kind, *values)
    output.info(
        "touched: more than half of a candidate lies on it; found, outlined: the two have an IoU of at least 0.25, 0.5"
    )
    output.info(
        "objects: from %g %% of the image on; in the first table from %d×%d pixels on",
        100 * MIN_SHARE,
        *(getattr(SelectionSettings, side) for side in ("min_width", "min_height")),
    )
    output.info("pictures: %s", ", ".join(str(path) for path in pictures))
    output.info("%.0f s", seconds)
