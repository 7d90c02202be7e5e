"""How well each score distinguishes unknown things from known ones: pixel by pixel, and object by object."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from oodretrieval.charts.saving import Picture
from oodretrieval.charts.unknown_scores import detection_figure, score_map_figure
from oodretrieval.errors import ImageError, TableError, UnknownNameError
from oodretrieval.evaluation import ScoreCounter, ScoreCounts, component_scores
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, flat
from oodretrieval.results.result import Result
from oodretrieval.results.rules import resample_notes, size_words
from oodretrieval.stages.evaluate.ood.ood_measures import Components, ood_measures, ood_tables
from oodretrieval.stages.evaluate.ood.ood_scores import ScoreReader, known_and_unknown, scaled_size
from oodretrieval.stages.evaluate.ood.settings import OodSettings

logger = logging.getLogger(__name__)
ORACLE = "the evaluated images (oracle)"
SHOWN = (0.01, 0.995)
"""Quantiles of a score between which its map is coloured."""


def eval_ood(settings: OodSettings, run: Run) -> dict[str, Any]:
    """Every score side by side, over pixels and over components, with tables, curves and pictures.

    Args:
        settings: What to evaluate.
        run: Configuration and workspace.

    Returns:
        ``scores``: name → ``pixels`` and ``components``; ``left_out``: name → reason; ``files`` written.

    Raises:
        StoreError: If a stage before has not run, or a score asked for was not kept.
        TableError: If the dataset has no truth or shows nothing unknown.
        PartialFailure: If some images could not be read; all others are evaluated, and the result written.
    """
    settings = _with_meta_model(settings, run)
    reader = ScoreReader(settings.scoring, run)
    for name, reason in reader.left_out.items():
        logger.warning("%s is left out: %s", name, reason)
    if not reader.names:
        raise TableError("no score can be computed from these predictions; predict with args.keep=logits")
    thresholds: dict[str, dict[str, float]] = {}
    if settings.dataset_val:
        thresholds[settings.dataset_val], unread = _validated(settings, run, reader.names)
        reader.evaluated.unread.update(unread)
    pixels = _count_pixels(reader, settings.exact_pixels)
    counts = {name: counter.counts() for name, counter in pixels.counters.items()}
    if not any(pixels.unknown.values()):
        raise TableError(
            f"no pixel of {settings.scoring.dataset!r} is unknown; choose an args.dataset that shows what the network "
            "never learned"
        )
    thresholds[ORACLE] = {name: count.best_f1_threshold() for name, count in counts.items()}
    components = _count_components(reader, thresholds, settings)
    evaluated = reader.evaluated
    measures = ood_measures(pixels.counters, counts, thresholds, components, evaluated.resampling)
    result = _result(settings, reader, pixels, measures)
    files = evaluated.save(result, _pictures(settings, result.title, reader, counts, pixels.unknown))
    evaluated.require_all_read()
    return {"scores": measures, "left_out": reader.left_out, "files": files}


def _with_meta_model(settings: OodSettings, run: Run) -> OodSettings:
    """A meta model named where the settings name none, if it is trained."""
    named = run.with_meta_model(settings)
    try:
        there = run.trained.meta_model_path(named.scoring.meta_model_name).is_file()
    except UnknownNameError:
        there = False
    return named if settings.scoring.meta_model_name or there else settings


@dataclass
class _Pixels:
    """The scores of all pixels that are not void.

    Attributes:
        counters: Score → its counter.
        unknown: Id of an image → its unknown pixels.
        sizes: Of the images.
    """

    counters: dict[str, ScoreCounter]
    unknown: dict[str, int] = field(default_factory=dict)
    sizes: set[tuple[int, ...]] = field(default_factory=set)


def _count_pixels(reader: ScoreReader, exact_pixels: int) -> _Pixels:
    pixels = _Pixels({name: ScoreCounter(exact_pixels) for name in reader.names})
    for image, maps, truth in reader.read(f"pixels of {reader.settings.dataset}"):
        scores, unknown = known_and_unknown(maps, truth)
        pixels.sizes.add(truth.shape)
        pixels.unknown[image] = int(unknown.sum())
        for name, values in scores.items():
            pixels.counters[name].update(values, unknown)
    return pixels


def _validated(
    settings: OodSettings, run: Run, names: tuple[str, ...]
) -> tuple[dict[str, float], dict[str, str]]:
    """Thresholds chosen on the validation dataset, of the scores whose models have not seen it; and what is unread."""
    # args.root and args.limit are of the dataset that is evaluated
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
        return {}, {}
    counters = _count_pixels(reader, 0).counters
    chosen = {name: _threshold(counter.counts(), settings) for name, counter in counters.items()}
    return chosen, {
        f"{image} of {settings.dataset_val}": why for image, why in reader.evaluated.unread.items()
    }


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
    for _, maps, truth in reader.read(f"components of {settings.scoring.dataset}"):
        sizes = {
            key: scaled_size(getattr(settings, key), truth.shape) for key in ("min_predicted", "min_true")
        }
        for where, chosen in thresholds.items():
            for name, threshold in chosen.items():
                mask = maps[name] >= np.float32(threshold)
                found[where][name].append(component_scores(mask, truth, **sizes))
    return found


def _result(settings: OodSettings, reader: ScoreReader, pixels: _Pixels, measures: dict[str, Any]) -> Result:
    first, evaluated = next(iter(measures.values()))["pixels"], reader.evaluated
    context = evaluated.context(
        len(pixels.unknown),
        f"{size_words(pixels.sizes)}; smallest components {settings.min_predicted} predicted and "
        f"{settings.min_true} true pixels at 1280×720, scaled by area",
        threshold=_threshold_words(settings),
        meta_model=settings.scoring.meta_model_name,
    )
    bound = max(
        score["pixels"][f"{key}_error"] for score in measures.values() for key in ("auroc", "auprc", "fpr95")
    )
    counted = (
        "Measures of pixels are exact."
        if first["exact"]
        else f"Pixel scores were counted in bins; no measure of pixels is off by more than {bound:.1g}."
    )
    share = (
        f"{100 * first['prevalence']:.2f} % of the pixels that are not void are unknown: the AUPRC of chance."
    )
    return Result(
        title=f"Unknown objects of {settings.scoring.dataset}, by {settings.scoring.model_name}",
        stem=f"ood_{settings.scoring.model_name}_{settings.scoring.dataset}",
        context=context,
        settings=flat(settings),
        measures={"scores": measures, "left_out": reader.left_out},
        tables=ood_tables(measures),
        notes=(
            share,
            counted,
            *resample_notes(first["resamples_left_out"], evaluated.resampling.repetitions),
            *reader.notes,
            *_without_threshold(measures),
            *evaluated.scene_notes,
        ),
    )


def _without_threshold(measures: dict[str, Any]) -> tuple[str, ...]:
    """Which scores have no threshold from the validation data."""
    places = dict.fromkeys(where for score in measures.values() for where in score["components"])
    lacking = {
        where: [name for name, score in measures.items() if where not in score["components"]]
        for where in places
    }
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
    return f"{chosen}oracle: highest F1 of pixels on the evaluated images themselves"


def _pictures(
    settings: OodSettings,
    title: str,
    reader: ScoreReader,
    counts: Mapping[str, ScoreCounts],
    unknown: Mapping[str, int],
) -> Iterator[Picture]:
    """Curves over all pixels, and the scores of a few images as maps."""
    yield Picture("ROC, and precision over recall", "curves", detection_figure(counts, title))
    # one scale of colours for all images
    scales = {name: (count.quantile(SHOWN[0]), count.quantile(SHOWN[1])) for name, count in counts.items()}
    for image, maps, truth in reader.read("pictures", _most_unknown(unknown, settings.pictures)):
        try:
            pixels = reader.evaluated.work.sample(image).image
        except ImageError as error:
            reader.evaluated.unread[image] = str(error)
            continue
        yield Picture(f"Scores of {image}", image, score_map_figure(pixels, maps, truth, scales, image))


def _most_unknown(unknown: Mapping[str, int], number: int) -> Sequence[str]:
    """Of each of ``number`` stretches of the dataset, the image with the most unknown pixels, if it has any."""
    if not number:
        return []
    stretches = [part.tolist() for part in np.array_split(np.array(list(unknown)), number) if len(part)]
    best = [max(part, key=lambda image: unknown[image]) for part in stretches]
    return [image for image in best if unknown[image]]
