"""What a catalogue notes of its making: settings, hashes of the models, and the classes of its datasets."""

from collections.abc import Mapping
from typing import Any

from oodretrieval.choices import CROP, SEGMENTS
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.experiment.predicted_classes import predicted_classes
from oodretrieval.experiment.provenance import cached_weights_hash
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.plain_classes import plain_classes
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import CANDIDATES


def catalogue_settings(
    settings: EmbedSettings,
    run: Run,
    works: Mapping[str, StoredWork],
    selector: Selector,
) -> dict[str, Any]:
    """What made a catalogue, and the tables that its readers need.

    Args:
        settings: What was selected and how it was embedded.
        run: Configuration and workspace.
        works: Name of a dataset → its segments.
        selector: What selected, with the models that it needed.

    Returns:
        Plain values.
    """
    datasets = {name: work.dataset for name, work in works.items()}
    first = next(iter(datasets.values()))
    meta_model = settings.meta_model_name if selector.meta_model is not None else ""
    entry = run.configuration.model(settings.model_name)
    thresholds = ("iou_threshold", "min_height", "min_width", "min_pixels")
    selecting = ("select_by", "select_quantile", "select_number")
    crops = ("min_crop_height", "min_crop_width", "crop_size")
    # catalogues of segments say nothing of it: they are what all of before are
    kind = (
        {}
        if settings.candidates == SEGMENTS
        else {CANDIDATES: settings.candidates, "proposals": settings.objects.proposals}
    )
    return {
        **kind,
        "model": settings.model_name,
        "meta_model": meta_model,
        "meta_model_hash": cached_weights_hash(run.trained.meta_model_path(meta_model)) if meta_model else "",
        "novelty_model_hash": cached_weights_hash(selector.novelty_file[1]) if selector.novelty_file else "",
        "datasets": list(datasets),
        "video": [name for name, dataset in datasets.items() if getattr(dataset, "video", False)],
        "segments": {name: dict(work.segments().settings) for name, work in works.items()},
        **{name: flat(settings)[name] for name in (*selecting, *thresholds, *crops)},
        "net": settings.net,
        # as published where nothing is said, as in catalogues of before
        **({} if settings.embedded == CROP else {"embedded": settings.embedded}),
        **({"mixed_precision": True} if settings.mixed_precision else {}),
        "pred_mapping": plain_classes(predicted_classes(entry, first, 0)),
        **_classes(datasets),
    }


def _classes(datasets: Mapping[str, SegmentationDataset]) -> dict[str, Any]:
    """What the labels of each dataset mean."""
    sets = {name: dataset.label_set for name, dataset in datasets.items()}
    return {
        "label_mapping": {
            name: plain_classes(own.label_mapping) if own else {} for name, own in sets.items()
        },
        "void_ids": {name: sorted(own.void_ids) if own else [] for name, own in sets.items()},
        "unknown_ids": {name: sorted(own.unknown_ids) if own else [] for name, own in sets.items()},
    }
