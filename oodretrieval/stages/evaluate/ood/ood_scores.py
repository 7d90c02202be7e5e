"""The scores of stored predictions, image by image, next to what is unknown in truth."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import EXPECTED_IOU, LOGIT_SCORES, NOVELTY, SOFTMAX_SCORES
from oodretrieval.errors import StoreError, TableError, WeightsError
from oodretrieval.evaluation import LogitStatistics, pixel_scores
from oodretrieval.evaluation.ood_components import IGNORE, UNKNOWN
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.fitted_images import SeenImages
from oodretrieval.experiment.run import Run
from oodretrieval.novelty import pixel_novelty
from oodretrieval.stages.evaluate.evaluated import Evaluated
from oodretrieval.stages.evaluate.ood.settings import SCORES, ScoreSettings
from oodretrieval.stages.evaluate.seen_images import seen_by
from oodretrieval.stages.evaluate.segment_maps import SegmentMaps, novelty_maps, predicted_iou_maps
from oodretrieval.stages.fit.compute_logit_statistics import find_logit_statistics
from oodretrieval.stores import Prediction

logger = logging.getLogger(__name__)
Maps = dict[str, NDArray[np.float32]]
Scored = tuple[str, Maps, NDArray[np.uint8]]
"""Id of an image; name → score ``(H, W)``, higher = more unknown; truth ``(H, W)``: 1 unknown, 0 known, 255 void."""


class ScoreReader:
    """The scores of a network's predictions on a dataset.

    Args:
        settings: Which scores; its ``dataset`` is read.
        run: Configuration and workspace.
        demanded: Whether a score that is named and cannot be computed is an error; else it is left out.

    Attributes:
        evaluated: The network on the dataset.
        images: Ids of the predicted images that no model was fitted on.
        names: Scores that are computed.
        left_out: Score → why it is not.
        notes: On images that are left out.

    Raises:
        TableError: If the dataset has no truth.
        StoreError: If something was not predicted or not kept that a score asked for needs.
    """

    def __init__(self, settings: ScoreSettings, run: Run, demanded: bool = True) -> None:
        self.settings = settings
        self.evaluated = Evaluated.of(settings, run, "eval_ood")
        self._work = self.evaluated.work
        self.images = self._work.predicted()
        self._statistics = find_logit_statistics(run, settings.model_name)
        self.left_out = self._impossible(self._first_readable())
        try:
            run.trained.novelty_model(settings.model_name)
        except (WeightsError, TableError) as error:
            self.left_out.setdefault(NOVELTY, str(error))
        seen = self._seen(run)
        self.images, self.notes = seen.others(self.images), seen.notes
        self.names = self._chosen(demanded)
        self._predicted_iou: SegmentMaps | None = None
        self._novelty: tuple[SegmentMaps, float] | None = None
        if NOVELTY in self.names:
            self._novelty = novelty_maps(run, self._work, choose_device(settings.common.gpu))
        if EXPECTED_IOU in self.names:
            self._predicted_iou = predicted_iou_maps(run, self._work, settings.meta_model_name)

    def _first_readable(self) -> Prediction:
        """The first prediction that can be read: all are made alike."""
        return next(self.evaluated.predictions(self.images, f"scores of {self.settings.dataset}"))

    def _impossible(self, prediction: Prediction) -> dict[str, str]:
        """Scores that these predictions do not allow, and what they would need."""
        remedy = "predict with args.keep=logits args.overwrite=True"
        reasons: dict[str, str] = {}
        if prediction.logits is None:
            reasons |= dict.fromkeys((*LOGIT_SCORES, NOVELTY), f"no logits were kept; {remedy}")
            if prediction.softmax is None:
                reasons["max_softmax"] = f"neither logits nor softmax were kept; {remedy}"
        elif self._statistics is None:
            command = self.evaluated.run.command(
                "compute_logit_statistics", model_name=self.settings.model_name
            )
            reasons["standardised_max_logit"] = (
                f"the logits of the training images are not known; run {command} args.dataset=<its training dataset>"
            )
        if not self.settings.meta_model_name:
            reasons[EXPECTED_IOU] = (
                "no meta model was named, and the entry's is not there; set args.meta_model_name"
            )
        return reasons

    def _seen(self, run: Run) -> SeenImages:
        """Images that a model was fitted on. A score whose model has seen all of them is left out instead."""
        images, notes = set[str](), list[str]()
        for score in (EXPECTED_IOU, NOVELTY):
            if score in self.left_out or (self.settings.scores and score not in self.settings.scores):
                continue
            meta_models = [self.settings.meta_model_name] if score == EXPECTED_IOU else []
            try:
                seen = seen_by(run, self._work, meta_models=meta_models, novelty=score == NOVELTY)
            except TableError as error:
                self.left_out[score] = str(error)
            else:
                images |= seen.images
                notes += seen.notes
        if images >= set(self.images):
            raise TableError(
                f"every image of {self.settings.dataset!r} was seen by a model: {' '.join(notes)} Evaluate on other "
                "images, or fewer scores with args.scores"
            )
        return SeenImages(frozenset(images), tuple(notes))

    def _chosen(self, demanded: bool) -> tuple[str, ...]:
        for name in self.settings.scores if demanded else ():
            if name in self.left_out:
                raise StoreError(
                    f"score {name} of {self.settings.model_name} on {self.settings.dataset}: "
                    f"{self.left_out[name]}"
                )
        wanted = self.settings.scores or SCORES
        return tuple(name for name in SCORES if name in wanted and name not in self.left_out)

    def read(self, doing: str, images: Sequence[str] | None = None) -> Iterator[Scored]:
        """Scores and truth, image by image; images without truth are left out.

        Args:
            doing: What they are read for, for the progress bar.
            images: Some of ``images``; all of them by default.

        Yields:
            Id, scores and truth of each image.

        Raises:
            StoreError: If a prediction lacks what the first one had.
            SettingsMismatchError: If one is of other settings.
            TableError: If none has truth.
            AllFailedError: If none can be read.
        """
        wanted = self.images if images is None else images
        for prediction in self.evaluated.predictions(wanted, doing):
            truth = prediction.unknown()
            assert truth is not None  # with_truth
            yield prediction.image_id, self._scores(prediction), truth

    def _scores(self, prediction: Prediction) -> Maps:
        maps = _maps(prediction, self.settings.temperature, self._statistics)
        if self._predicted_iou is not None:
            maps[EXPECTED_IOU] = np.asarray(1 - self._predicted_iou.of(prediction), np.float32)
        if self._novelty is not None and "energy" in maps:
            energy = maps["energy"]  # at temperature 1, as the novelty model was fitted
            if self.settings.temperature != 1:
                energy = _maps(prediction, 1.0, None)["energy"]
            segments, scale = self._novelty
            maps[NOVELTY] = pixel_novelty(energy, segments.of(prediction), scale)
        missing = [name for name in self.names if name not in maps]
        if missing:
            raise StoreError(
                f"the prediction of {prediction.image_id!r} keeps less than the others and has no "
                f"{', '.join(missing)}; predict it again with args.keep=logits args.overwrite=True"
            )
        return {name: maps[name] for name in self.names}


def _maps(prediction: Prediction, temperature: float, statistics: LogitStatistics | None) -> Maps:
    """Every score that follows from what a prediction keeps."""
    logits = prediction.full_logits()
    if logits is not None:
        return pixel_scores(logits, temperature=temperature, statistics=statistics)
    log_probabilities = prediction.log_probabilities()
    if log_probabilities is not None:
        # they are the logits but for a constant, which no score of the softmax sees
        maps = pixel_scores(log_probabilities)
        return {name: maps[name] for name in SOFTMAX_SCORES}
    if prediction.entropy is None:
        return {}
    return {"entropy": np.asarray(prediction.entropy / np.float32(255), np.float32)}


def known_and_unknown(
    maps: Maps, truth: NDArray[np.uint8]
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.bool_]]:
    """The pixels that are not void.

    Args:
        maps: Name → score, ``(H, W)``.
        truth: ``(H, W)``: 1 unknown, 0 known, 255 void.

    Returns:
        Name → scores ``(n,)``, and whether each pixel is unknown ``(n,)``.
    """
    kept = truth != IGNORE
    return {name: values[kept] for name, values in maps.items()}, truth[kept] == UNKNOWN


def scaled_size(pixels: int, shape: Sequence[int]) -> int:
    """A number of pixels at 1280×720, for an image of another area.

    Args:
        pixels: At 1280×720.
        shape: Height and width of the image.

    Returns:
        Pixels of the image, at least 1.

    Example:
        >>> scaled_size(500, (360, 480))
        94
    """
    return max(1, round(pixels * shape[0] * shape[1] / (1280 * 720)))
