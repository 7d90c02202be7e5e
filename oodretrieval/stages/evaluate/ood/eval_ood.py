"""How well each score tells unknown things from known ones: pixel by pixel, and object by object."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from oodretrieval.errors import TableError, UnknownNameError
from oodretrieval.evaluation import (
    ScoreCounter,
    ScoreCounts,
    component_scores,
)
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.context import model_context, split_of
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, flat
from oodretrieval.results.result import Context, Result, save_result
from oodretrieval.results.rules import (
    Resampling,
    resample_notes,
    result_folder,
    scene_notes,
    size_words,
    void_rule,
)
from oodretrieval.stages.evaluate.ood.ood_measures import Components, ood_figures, ood_tables
from oodretrieval.stages.evaluate.ood.ood_pictures import draw_curves, draw_score_maps
from oodretrieval.stages.evaluate.ood.ood_scores import ScoreReader, known_and_unknown, scaled_size
from oodretrieval.stages.evaluate.ood.settings import OodSettings

logger = logging.getLogger(__name__)
ORACLE = "the judged images (oracle)"


def _with_meta_model(settings: OodSettings, run: Run) -> OodSettings:
    """A meta model named where the settings name none, if it is trained."""
    named = run.with_meta_model(settings)
    try:
        there = run.trained.meta_model_path(named.scoring.meta_model_name).is_file()
    except UnknownNameError:
        there = False
    return named if settings.scoring.meta_model_name or there else settings


def eval_ood(settings: OodSettings, run: Run) -> dict[str, Any]:
    """Pixel and component figures of every score side by side, with tables, curves and pictures.

    Args:
        settings: What to judge.
        run: Configuration and workspace.

    Returns:
        ``scores``: name → ``pixels`` and ``components``; ``left_out``: name → reason; ``files`` written.

    Raises:
        StoreError: If a stage before has not run, or a score asked for was not kept.
        TableError: If the dataset has no truth or shows nothing unknown.
    """
    settings = _with_meta_model(settings, run)
    reader = ScoreReader(settings.scoring, run)
    for name, reason in reader.left_out.items():
        logger.warning("%s is left out: %s", name, reason)
    if not reader.names:
        raise TableError("no score can be computed from these predictions; predict with args.keep=logits")
    thresholds: dict[str, dict[str, float]] = {}
    if settings.dataset_val:
        thresholds[settings.dataset_val] = _validated(settings, run, reader.names)
    counters, sizes = _count_pixels(reader, settings.exact_pixels)
    counts = {name: counter.counts() for name, counter in counters.items()}
    if not next(iter(counts.values())).positives.sum():
        raise TableError(
            f"no pixel of {settings.scoring.dataset!r} is unknown; choose an args.dataset that shows what the network "
            "never learned"
        )
    thresholds[ORACLE] = {name: count.best_f1_threshold() for name, count in counts.items()}
    components = _count_components(reader, thresholds, settings)
    resampling = Resampling.of(
        settings.scoring.evaluation.block, settings.scoring.evaluation.repetitions, reader.dataset
    )
    figures = ood_figures(counters, counts, thresholds, components, resampling)
    folder = result_folder(settings.scoring.evaluation.save_dir, run.workspace)
    result = _result(settings, run.configuration, reader, resampling, figures, sizes)
    curves = draw_curves(folder / f"{result.stem}_curves.png", counts, result.title)
    maps = draw_score_maps(folder, result.stem, reader, counts, settings.pictures)
    files = save_result(folder, replace(result, pictures={"ROC, and precision over recall": curves, **maps}))
    return {"scores": figures, "left_out": reader.left_out, "files": [str(path) for path in files]}


def _count_pixels(
    reader: ScoreReader, exact_pixels: int
) -> tuple[dict[str, ScoreCounter], set[tuple[int, ...]]]:
    """The scores of all pixels that are not void, and the sizes of the images."""
    counters = {name: ScoreCounter(exact_pixels) for name in reader.names}
    sizes = set()
    for maps, truth in reader.read_all(f"pixels of {reader.settings.dataset}"):
        scores, unknown = known_and_unknown(maps, truth)
        sizes.add(truth.shape)
        for name, values in scores.items():
            counters[name].update(values, unknown)
    return counters, sizes


def _validated(settings: OodSettings, run: Run, names: tuple[str, ...]) -> dict[str, float]:
    """Thresholds chosen on the validation dataset, of the scores whose models have not seen it."""
    # args.root and args.limit are of the dataset that is judged
    there = changed(
        settings,
        {"dataset": settings.dataset_val, "dataset_val": "", "root": "", "limit": 0, "scores": names},
    )
    reader = ScoreReader(there.scoring, run, demanded=False)
    for name in names:
        if name in reader.left_out:
            logger.warning(
                "%s gets no threshold from %s: %s", name, settings.dataset_val, reader.left_out[name]
            )
    if not reader.names:
        return {}
    counters, _ = _count_pixels(reader, 0)
    return {name: _threshold(counter.counts(), settings) for name, counter in counters.items()}


def _threshold(counts: ScoreCounts, settings: OodSettings) -> float:
    if settings.threshold_rule == "fpr":
        return counts.false_positive_threshold(settings.false_positive_rate)
    if not counts.positives.sum():
        raise TableError(
            f"{settings.dataset_val!r} shows nothing unknown, so no threshold can be chosen there by F1; choose "
            "it by known pixels alone with args.threshold_rule=fpr"
        )
    return counts.best_f1_threshold()


def _count_components(
    reader: ScoreReader, thresholds: dict[str, dict[str, float]], settings: OodSettings
) -> dict[str, Components]:
    """Where thresholds were chosen → score → components of every image."""
    found: dict[str, Components] = {
        where: {name: [] for name in chosen} for where, chosen in thresholds.items()
    }
    for maps, truth in reader.read_all(f"components of {settings.scoring.dataset}"):
        sizes = {
            key: scaled_size(getattr(settings, key), truth.shape) for key in ("min_predicted", "min_true")
        }
        for where, chosen in thresholds.items():
            for name, threshold in chosen.items():
                mask = maps[name] >= np.float32(threshold)
                found[where][name].append(component_scores(mask, truth, **sizes))
    return found


def _result(
    settings: OodSettings,
    configuration: Configuration,
    reader: ScoreReader,
    resampling: Resampling,
    figures: dict[str, Any],
    sizes: set[tuple[int, ...]],
) -> Result:
    pixels = next(iter(figures.values()))["pixels"]
    context = Context(
        dataset=settings.scoring.dataset,
        split=split_of(configuration, settings.scoring.dataset),
        images=len(reader.images),
        void_rule=void_rule(reader.label_set),
        resolution=f"{size_words(sizes)}; smallest components "
        f"{settings.min_predicted} predicted and {settings.min_true} true pixels at 1280×720, scaled by area",
        threshold=_threshold_words(settings),
        intervals=resampling.words(len(reader.images)),
        meta_model=settings.scoring.meta_model_name,
        **model_context(configuration, settings.scoring.model_name),
    )
    bound = max(f["pixels"][f"{key}_error"] for f in figures.values() for key in ("auroc", "auprc", "fpr95"))
    counted = (
        "Pixel figures are exact."
        if pixels["exact"]
        else f"Pixel scores were counted in bins; no pixel figure is off by more than {bound:.1g}."
    )
    share = f"{100 * pixels['prevalence']:.2f} % of the pixels that are not void are unknown: the AUPRC of chance."
    return Result(
        title=f"Unknown objects of {settings.scoring.dataset}, by {settings.scoring.model_name}",
        stem=f"ood_{settings.scoring.model_name}_{settings.scoring.dataset}",
        context=context,
        settings=flat(settings),
        figures={"scores": figures, "left_out": reader.left_out},
        tables=ood_tables(figures),
        notes=(
            share,
            counted,
            *resample_notes(pixels["resamples_left_out"], resampling.repetitions),
            *reader.notes,
            *_without_threshold(figures),
            *scene_notes(reader.dataset),
        ),
    )


def _without_threshold(figures: dict[str, Any]) -> tuple[str, ...]:
    """Which scores have no threshold from the validation data."""
    places = dict.fromkeys(where for f in figures.values() for where in f["components"])
    lacking = {where: [n for n, f in figures.items() if where not in f["components"]] for where in places}
    return tuple(
        f"{' and '.join(names)}: no threshold from {where}, whose images the model was fitted on; for one, name other "
        "images by args.dataset_val."
        for where, names in lacking.items()
        if names
    )


def _threshold_words(settings: OodSettings) -> str:
    rule = (
        "highest F1 of pixels"
        if settings.threshold_rule == "f1"
        else f"at most {100 * settings.false_positive_rate:g} % of the known pixels above"
    )
    chosen = f"{rule} on {settings.dataset_val}; " if settings.dataset_val else ""
    return f"{chosen}oracle: highest F1 of pixels on the judged images themselves"
