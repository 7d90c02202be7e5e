"""What a stage would do: images to do, done and failed, and where it would write. No network is loaded for that."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from oodretrieval.experiment.logs import OUTPUT
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, flat, names_in
from oodretrieval.remote_paths import path_of
from oodretrieval.results.result import result_folder
from oodretrieval.stores import Stored, existing_parts, read_failures
from oodretrieval.stores.located_segments import readable_records
from oodretrieval.stores.stored import catalogue_name

logger = logging.getLogger(OUTPUT)
S = TypeVar("S")
Values = Mapping[str, Any]


@dataclass(frozen=True)
class ImageCounts:
    """How far the images of a dataset are.

    Attributes:
        images: Those asked for.
        predicted: Have a prediction that can be used.
        measured: Have segments of that prediction.
        not_predicted: Failed to be predicted.
        not_measured: Failed to be measured.
    """

    images: int
    predicted: int = 0
    measured: int = 0
    not_predicted: int = 0
    not_measured: int = 0


def dry_run(stage: str, settings: object, run: Run) -> dict[str, Any]:
    """Say what a stage would do, and do nothing.

    Args:
        stage: Name of its script.
        settings: Its settings.
        run: Configuration and workspace; nothing is written to it.

    Returns:
        ``writes``: the files, or folders of files, that would be written; by name of each dataset in use, ``images``,
        and with a network ``predicted``, ``measured``, ``failed`` and, where the stage works image by image,
        ``to_do``.

    Raises:
        DatasetError: If a dataset cannot be opened.
        StoreError: If a segment table is damaged.
    """
    settings, run = _with_folder(settings, run)
    values = flat(settings)
    said: dict[str, Any] = {}
    for name in dict.fromkeys(name for kind, name in names_in(settings) if kind == "dataset"):
        counts = _counts(name, settings, run)
        said[name] = {"images": counts.images}
        line = f"{name}: {counts.images} images"
        if values.get("model_name"):
            failed = counts.not_measured if stage == "compute_metrics" else counts.not_predicted
            said[name] |= {"predicted": counts.predicted, "measured": counts.measured, "failed": failed}
            line += f", {counts.predicted} predicted, {counts.measured} with segments, {failed} failed"
        if stage in _TO_DO:
            said[name]["to_do"] = _TO_DO[stage](counts, values)
            line += f"; to do: {said[name]['to_do']}"
        logger.info("%s", line)
    said["writes"] = [str(path) for path in _WRITES[stage](values, run)]
    for path in said["writes"]:
        there = path_of(path).exists()
        doing = _with_what_is_there(stage, values, path, run) if there else "would write"
        logger.info("%s %s", doing, path)
    logger.info("nothing was done, because of args.dry_run=True")
    return said


def _with_what_is_there(stage: str, values: Values, path: str, run: Run) -> str:
    """Whether a stage goes on with its work of before, makes it again, or leaves it."""
    only_catalogue = values.get("embed", {}).get("overwrite") and path in map(str, _catalogue(values, run))
    if only_catalogue or (values["overwrite"] and stage in _MAKES_AGAIN):
        return "would make its work again in"
    if stage in _MAKES_AGAIN and path_of(path).is_file():
        return "without args.overwrite=True would leave as it is"
    return "would go on in"


def _with_folder(settings: S, run: Run) -> tuple[S, Run]:
    """A folder of photographs without an entry, as the pipeline takes it, by its own name."""
    values = flat(settings)
    if values.get("dataset") != "" or not values.get("root"):
        return settings, run
    run, name = run.with_folder(values["root"])
    return changed(settings, {"dataset": name}), run


def _counts(name: str, settings: Any, run: Run) -> ImageCounts:
    dataset = run.dataset(name, settings.common)
    images = set(dataset.ids)
    model = flat(settings).get("model_name")
    if not model:
        return ImageCounts(len(images))
    stored = Stored(model, name)
    # damaged ones are made again, which is said then
    usable = readable_records(run.workspace, stored, images, damaged=lambda error: None)
    digests = {image: record.digest for image, record in usable}
    parts = existing_parts(run.workspace, stored, damaged=lambda path, reason: None).values()
    measured = {
        i for part in parts for i, digest in part.images.items() if i in images and digests.get(i) == digest
    }
    folders = run.workspace.prediction_folder(stored), run.workspace.segments_folder(stored)
    not_predicted, not_measured = (
        {failure.image_id for failure in read_failures(folder)} & images for folder in folders
    )
    unpredicted = not_predicted - digests.keys()
    return ImageCounts(
        len(images), len(digests), len(measured), len(unpredicted), len(not_measured - measured)
    )


def _to_predict(counts: ImageCounts, values: Values) -> int:
    if values["overwrite"]:
        return counts.images
    return counts.images - counts.predicted - (0 if values["retry_failed"] else counts.not_predicted)


def _to_measure(counts: ImageCounts, values: Values) -> int:
    if values["overwrite"]:
        return counts.predicted
    return counts.predicted - counts.measured - (0 if values["retry_failed"] else counts.not_measured)


_TO_DO: dict[str, Callable[[ImageCounts, Values], int]] = {
    "pred_images": _to_predict,
    "pipeline": _to_predict,
    "compute_metrics": _to_measure,
    "compute_embeddings": lambda counts, values: counts.measured,
}


def _predictions(values: Values, run: Run) -> list[Path]:
    stored = Stored(values["model_name"], values["dataset"])
    folder, segments = run.workspace.prediction_folder(stored), run.workspace.segments_folder(stored)
    keep = values["keep"] if "keep" in values else values["predict"]["keep"]
    return [folder, *([segments] if keep == "nothing" or "predict" in values else [])]


def _segments(values: Values, run: Run) -> list[Path]:
    return [run.workspace.segments_folder(Stored(values["model_name"], values["dataset"]))]


def _catalogue(values: Values, run: Run) -> list[Path]:
    names = values["dataset"] if isinstance(values["dataset"], tuple) else (values["dataset"],)
    name = catalogue_name(values["save_file"] or values.get("load_file", ""), names)
    return [run.workspace.catalogue_folder(name)] if name else []


def _pipeline(values: Values, run: Run) -> list[Path]:
    return [*_predictions(values, run), *_catalogue(values, run), run.workspace.reports_folder]


def _evaluation(values: Values, run: Run) -> list[Path]:
    return [result_folder(run.workspace.path, values.get("save_dir", ""))]


def _of_catalogue(values: Values, run: Run) -> list[Path]:
    if values.get("save_dir"):
        return [Path(values["save_dir"]).expanduser()]
    return [run.workspace.catalogue_folder(values["embeddings_file"])] if values["embeddings_file"] else []


def _meta_model(values: Values, run: Run) -> list[Path]:
    name = run.configuration.meta_model_for(values["model_name"], values["meta_model_name"])
    path = run.configuration.meta_model(name).path
    own = run.workspace.meta_model_path(name, "").parent  # its suffix depends on its kind
    return [path_of(path) if path else own, *_evaluation(values, run)]


def _novelty_model(values: Values, run: Run) -> list[Path]:
    return [run.novelty_model_path(values["model_name"])]


def _network(values: Values, run: Run) -> list[Path]:
    path = values["save_file"] or run.configuration.model(values["model_name"]).weights
    return [*([Path(path)] if path else []), run.workspace.training_folder]


_WRITES: dict[str, Callable[[Values, Run], list[Path]]] = {
    "pipeline": _pipeline,
    "pred_images": _predictions,
    "compute_metrics": _segments,
    "train_meta_nn": _meta_model,
    "train_novelty": _novelty_model,
    "train_segmentation": _network,
    "compute_logit_statistics": lambda values, run: [
        Path(values["save_file"] or run.workspace.logit_statistics_folder)
    ],
    "compute_embeddings": _catalogue,
    "merge_catalogues": lambda values, run: [run.workspace.catalogues_folder],
    "discover_embedding_space": _of_catalogue,
    "discover_classes": _of_catalogue,
    "eval_retrieval": _of_catalogue,
    "find_similar": _of_catalogue,
    "export": lambda values, run: [Path(values["save_dir"] or run.workspace.exports_folder)],
    "report": lambda values, run: [Path(values["save_file"] or run.workspace.reports_folder)],
    "demo": lambda values, run: [Path(values["save_dir"]), run.workspace.path],
    **dict.fromkeys(
        ("eval_iou", "eval_meta", "eval_ood", "eval_segmentation", "eval_selection", "eval_discovery"),
        _evaluation,
    ),
    **dict.fromkeys(("search_classes", "explain"), _evaluation),
}
"""Script → what it would write."""
_MAKES_AGAIN = (
    *("pipeline", "pred_images", "compute_metrics", "compute_embeddings", "train_meta_nn", "train_novelty"),
    *("train_segmentation", "compute_logit_statistics", "merge_catalogues"),
)
"""Those that heed ``args.overwrite``; all others write their results each time."""
STAGES = tuple(_WRITES)
"""Scripts of which it is known."""
