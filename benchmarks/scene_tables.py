"""What scores are worth on scenes that were not seen: per scene, their mean and their minimum over scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.evaluation import auprc, auroc, block_resamples, interval
from oodretrieval.results.rules import Resampling
from oodretrieval.results.tables import markdown_table
from oodretrieval.stages.evaluate.selection.inspection_orders import FIRST

MEAN, WORST = "mean over drives", "worst drive"


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Segments of one scene.

    Attributes:
        name: Of its dataset.
        model: Name of the network that never saw it.
        scores: Name → of each segment, ``(n,)``, higher where more unknown.
        unknown: Whether each is mostly unknown, ``(n,)``.
        frames: Place of each segment's frame, ``(n,)``.
        void: Segments left out as mostly void.
        mean_iou: Of the network on the scene's known pixels.
        resampling: How its frames are resampled.
        rendered: Whether it is no real scene, and so not in the mean.
    """

    name: str
    model: str
    scores: Mapping[str, NDArray[np.float64]]
    unknown: NDArray[np.bool_]
    frames: NDArray[np.intp]
    void: int
    mean_iou: float
    resampling: Resampling
    rendered: bool = False

    def resampled(self) -> dict[str, NDArray[np.float64]]:
        """AP of every score in every resampling of the frames, NaN where none is unknown."""
        members = [np.flatnonzero(self.frames == place) for place in range(int(self.frames.max()) + 1)]
        found: dict[str, list[float]] = {name: [] for name in self.scores}
        for places in block_resamples(
            len(members), block=self.resampling.block, repetitions=self.resampling.repetitions
        ):
            rows = np.concatenate([members[place] for place in places])
            for name, score in self.scores.items():
                some = self.unknown[rows].any()
                found[name].append(auprc(self.unknown[rows], score[rows]) if some else np.nan)
        return {name: np.array(values) for name, values in found.items()}


def scene_table(scene: Evaluated, resamples: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
    """What each score is worth in one scene."""
    lines: dict[str, dict[str, object]] = {}
    for name, score in scene.scores.items():
        first = np.argsort(-score, kind="stable")[:FIRST]
        lines[name] = {
            "AP": with_interval(auprc(scene.unknown, score), resamples[name])
            if scene.unknown.any()
            else None,
            "AUROC": auroc(scene.unknown, score) if scene.unknown.any() else None,
            f"unknown among first {FIRST}": int(scene.unknown[first].sum()),
        }
    return titled(lines)


def summary_table(
    scenes: Sequence[Evaluated], resamples: Sequence[Mapping[str, NDArray[np.float64]]]
) -> pd.DataFrame:
    """AP of each score per scene, its mean and its minimum over the real scenes that show something unknown."""
    lines: dict[str, dict[str, object]] = {}
    shown = {
        scene.name: (scene, resampled)
        for scene, resampled in zip(scenes, resamples, strict=True)
        if scene.unknown.any()
    }
    for name in scenes[0].scores:
        found = {key: auprc(scene.unknown, scene.scores[name]) for key, (scene, _) in shown.items()}
        lines[name] = {scene.name: found.get(scene.name) for scene in scenes}
        real = {key: resampled[name] for key, (scene, resampled) in shown.items() if not scene.rendered}
        if real:
            values = [found[key] for key in real]
            together = np.mean(list(real.values()), axis=0)
            lines[name] |= {MEAN: with_interval(float(np.mean(values)), together), WORST: min(values)}
    return titled(lines)


def titled(lines: Mapping[str, Mapping[str, object]]) -> pd.DataFrame:
    """Lines as a table whose index is the score."""
    return pd.DataFrame.from_dict(dict(lines), orient="index").rename_axis("score")


def with_interval(value: float, resamples: NDArray[np.float64]) -> str:
    """A measure and its interval."""
    low, high = interval(resamples)
    return f"{value:.3f} ({low:.3f}…{high:.3f})"


def report(scenes: Sequence[Evaluated], min_pixels: int) -> str:
    """All tables as Markdown."""
    resamples = [scene.resampled() for scene in scenes]
    parts = [TEXT.format(min_pixels=min_pixels, table=markdown_table(summary_table(scenes, resamples)))]
    for scene, resampled in zip(scenes, resamples, strict=True):
        frames = int(scene.frames.max()) + 1
        parts.append(
            f"## {scene.name}\n\n{frames} frames, mean IoU of {scene.model} {scene.mean_iou:.3f}; {len(scene.unknown)} "
            f"segments, {int(scene.unknown.sum())} of them mostly unknown; {scene.void} mostly void ones left out. "
            f"Intervals: {scene.resampling.words(frames)}.\n\n{markdown_table(scene_table(scene, resampled))}\n"
        )
    return "\n".join(parts)


TEXT = """# Scenes that were not seen

Made by `python benchmarks/scenes.py evaluate`: leave one scene out over CamVid's three drives. Network, meta model and
novelty model of each row's scene were learned from the other two drives. AP of mostly unknown segments of at least
{min_pixels} pixels, mostly void ones left out. Scenes whose name ends in `_12` have no full labels: there, animals,
luggage, prams, children, cones and parked bicycles are void. Rendered streets, in light and air that the network of the
rendered streets never learned from, stand next to the drives and are not in the mean.

{table}
"""
