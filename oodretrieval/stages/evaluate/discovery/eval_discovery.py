"""How soon the unknown objects are found by a person who inspects candidates, and what that person's answers change."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from oodretrieval.charts.discovery import discovery_figure
from oodretrieval.charts.saving import Picture
from oodretrieval.choices import OBJECTS
from oodretrieval.errors import PartialFailure, SettingsError
from oodretrieval.evaluation import DiscoveryCurve
from oodretrieval.evaluation.discovery import AREA_LOOKS, FOUND, MIN_SHARE, OUTLINED
from oodretrieval.experiment.context import measured_on
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.results.result import Result, result_folder
from oodretrieval.results.rules import Resampling, size_words
from oodretrieval.stages.evaluate.discovery.looks_sheet import looks_picture
from oodretrieval.stages.evaluate.discovery.measures import (
    RANDOM,
    SHARES,
    Measures,
    WayMeasures,
    answered_measures,
    mean_of_scenes,
    random_measures,
    way_measures,
)
from oodretrieval.stages.evaluate.discovery.scene import EvaluatedScene, read_scene
from oodretrieval.stages.evaluate.discovery.settings import DiscoverySettings
from oodretrieval.stages.evaluate.discovery.tables import (
    answers_table,
    area_table,
    looks_table,
    oracle_table,
)
from oodretrieval.stages.evaluate.evaluated import save_evaluation

logger = logging.getLogger(__name__)
RULE = (
    "A candidate touches an object if more than half of it lies on it, finds it from an IoU of "
    f"{FOUND:g}, and outlines it from {OUTLINED:g}."
)


def eval_discovery(settings: DiscoverySettings, run: Run) -> dict[str, Any]:
    """Share of unknown objects touched, found and outlined over looks, of each dataset and in the mean over them.

    Args:
        settings: What is inspected, on which datasets.
        run: Configuration and workspace.

    Returns:
        The measures as plain values, and the ``files`` written.

    Raises:
        SettingsError: If no dataset is named, or a root for several.
        StoreError: If a stage before has not run.
        TableError: If a dataset has no truth, or shows no unknown object.
        PartialFailure: If some images could not be read; all others are evaluated, and the measures written.
    """
    if not settings.dataset or len(set(settings.dataset)) < len(settings.dataset):
        raise SettingsError(f"args.dataset must name datasets, each once; got {list(settings.dataset)}")
    settings.common.require_one_root(settings.dataset)
    device = choose_device(settings.common.gpu)
    files: list[str] = []
    measured: dict[str, _Measured] = {}
    failures: dict[str, str] = {}
    for name in settings.dataset:
        scene = read_scene(settings, run, name, device)
        measured[name] = _Measured.of(settings, scene)
        files += _save_scene(settings, scene, measured[name])
        failures |= scene.evaluated.unread
    measures: dict[str, Any] = {name: found.plain() for name, found in measured.items()}
    if len(measured) > 1:
        measures["mean"], saved = _save_mean(settings, run, measured)
        files += saved
    if failures:
        raise PartialFailure("eval_discovery", failures)
    return {**measures, "files": files}


class _Measured:
    """All measures of a scene."""

    def __init__(
        self,
        images: int,
        ways: dict[str, WayMeasures],
        oracles: dict[str, dict[str, float]],
        answered: dict[str, dict[str, Measures]],
        curves: dict[str, DiscoveryCurve],
        resampling: Resampling,
    ) -> None:
        self.images, self.ways, self.oracles, self.answered = images, ways, oracles, answered
        self.curves, self.resampling = curves, resampling

    @classmethod
    def of(cls, settings: DiscoverySettings, scene: EvaluatedScene) -> "_Measured":
        resampling = scene.evaluated.resampling
        kinds = scene.candidates
        ways = {kind: way_measures(candidates, resampling) for kind, candidates in kinds.items()}
        ways[f"{OBJECTS} {RANDOM}"] = random_measures(kinds[OBJECTS], settings.seeds)
        curves = {kind: candidates.curve(candidates.scores) for kind, candidates in kinds.items()}
        oracles = {f"{kind} inspected, all": dict(curve.oracle) for kind, curve in curves.items()}
        best = scene.best_iou
        oracles["all regions proposed"] = {
            "found": float((best >= FOUND).mean()),
            "outlined": float((best >= OUTLINED).mean()),
        }
        order = np.random.default_rng(0).permutation(len(kinds[OBJECTS].table)).astype(np.float64)
        curves[f"{OBJECTS} in one random order"] = kinds[OBJECTS].curve(order)
        answered = {
            kind: answered_measures(scene, kind, settings.looks, settings.seeds)
            for kind in kinds
            if settings.looks
        }
        return cls(len(scene.images), ways, oracles, answered, curves, resampling)

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        curve = self.curves[OBJECTS]
        return {
            "images": curve.images,
            "objects": curve.objects,
            "ways": {name: way.plain() for name, way in self.ways.items()},
            "oracle": self.oracles,
            "answers": self.answered,
        }


def _tables(
    ways: Mapping[str, WayMeasures], oracles: Mapping[str, Mapping[str, float]], answered: Mapping[str, Any]
) -> dict[str, Any]:
    tables = {f"objects {share}": looks_table(ways, share) for share in SHARES}
    tables["what the candidates hold"] = oracle_table(oracles)
    if any(answered.values()):
        tables["learning from answers"] = answers_table(answered)
    return tables


def _save_scene(settings: DiscoverySettings, scene: EvaluatedScene, found: _Measured) -> list[str]:
    stem = f"discovery_{settings.model_name}_{scene.name}"
    candidates = scene.candidates[OBJECTS]
    void = float((candidates.table["void_fraction"] > 0.5).mean()) if len(candidates.table) else 0.0
    curve = found.curves[OBJECTS]
    notes = (
        f"{curve.objects} unknown objects in {len(scene.images)} images; {scene.small} unknown things are smaller than "
        f"{MIN_SHARE:.1%} of the image and do not count.",
        RULE,
        f"{len(candidates.table)} objects are inspected in all, {void:.0%} of them mostly void.",
        *scene.notes,
        *scene.evaluated.scene_notes,
    )
    context = scene.evaluated.context(
        len(scene.images),
        size_words(scene.sizes),
        threshold=f"candidates in the order of {settings.select_by}",
    )
    result = Result(
        title=f"Discovery of unknown objects on {scene.name} by {settings.model_name}",
        stem=stem,
        context=context,
        settings=flat(settings),
        measures=found.plain(),
        tables={
            **_tables(found.ways, found.oracles, found.answered),
            "area": area_table({scene.name: found.ways}),
        },
        notes=notes,
    )
    return scene.evaluated.save(result, _pictures(settings, scene, found))


def _pictures(settings: DiscoverySettings, scene: EvaluatedScene, found: _Measured) -> Iterator[Picture]:
    curve = found.curves[OBJECTS]
    title = f"{scene.name}: {curve.objects} unknown objects in {len(scene.images)} images"
    yield Picture(
        "Objects over looks", "", discovery_figure(_lines(found.curves), _limits(found.oracles), title)
    )
    for kind in scene.candidates:
        yield looks_picture(scene, kind, settings.sheet)


def _save_mean(
    settings: DiscoverySettings, run: Run, measured: Mapping[str, _Measured]
) -> tuple[dict[str, Any], list[str]]:
    """The mean over scenes, each of the same weight (docs/evaluation.md)."""
    every = list(measured.values())
    ways = {way: mean_of_scenes([found.ways[way] for found in every]) for way in every[0].ways}
    oracles = {
        name: {
            share: float(np.mean([found.oracles[name][share] for found in every]))
            for share in ("found", "outlined")
        }
        for name in every[0].oracles
    }
    measures = {"ways": {name: way.plain() for name, way in ways.items()}, "oracle": oracles}
    scenes = {name: found.ways for name, found in measured.items()}
    joined = "+".join(measured)
    images = sum(found.images for found in every)
    context = measured_on(
        run,
        list(measured),
        settings.model_name,
        images=images,
        void_rule="as of each scene",
        resolution="as of each scene",
        threshold=f"candidates in the order of {settings.select_by}",
        intervals=f"95 %, {every[0].resampling.repetitions} resamples of the images of each scene by itself",
    )
    result = Result(
        title=f"Discovery of unknown objects by {settings.model_name}, mean over {len(measured)} scenes",
        stem=f"discovery_{settings.model_name}_{joined}",
        context=replace(context, split="each a scene"),
        settings=flat(settings),
        measures=measures,
        tables={**_tables(ways, oracles, {}), "area by scene": area_table({**scenes, "mean": ways})},
        notes=("Mean over scenes, never pooled.", RULE),
    )
    folder = result_folder(run.workspace.path, settings.evaluation.save_dir)
    return measures, save_evaluation(folder, result)


def _lines(curves: Mapping[str, DiscoveryCurve]) -> dict[str, dict[str, Any]]:
    """Share → way → looks an image up to :data:`AREA_LOOKS`, share of objects."""
    lines: dict[str, dict[str, Any]] = {share: {} for share in SHARES}
    for way, curve in curves.items():
        last = AREA_LOOKS * curve.images
        for share in SHARES:
            values = getattr(curve, share)[: last + 1]
            lines[share][way] = curve.looks[: last + 1] / curve.images, values
    return lines


def _limits(oracles: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {share: {name: held[share] for name, held in oracles.items()} for share in ("found", "outlined")}
