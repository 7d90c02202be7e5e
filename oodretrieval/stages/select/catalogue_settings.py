"""What a catalogue notes of its making: settings, hashes of the models, and the classes of its datasets."""

from collections.abc import Mapping
from typing import Any

from oodretrieval.choices import SEGMENTS
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.labels import ClassMapping
from oodretrieval.models import weights_hash
from oodretrieval.stages.predict.segmenter import predicted_classes
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import CANDIDATES, Stored, read_segment_settings


def catalogue_settings(
    settings: EmbedSettings,
    run: Run,
    datasets: Mapping[str, SegmentationDataset],
    with_meta_model: bool = True,
) -> dict[str, Any]:
    """What made a catalogue, and the tables that its readers need.

    Args:
        settings: What was selected and how it was embedded.
        run: Configuration and workspace.
        datasets: Name → dataset.
        with_meta_model: Whether there is a predicted IoU; the rule may need none.

    Returns:
        Plain values.
    """
    first = next(iter(datasets.values()))
    meta_model = settings.meta_model_name if with_meta_model else ""
    entry = run.configuration.model(settings.model_name)
    novelty = run.trained.novelty_model_path(settings.model_name)
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
        "meta_model_hash": weights_hash(run.trained.meta_model_path(meta_model)) if meta_model else "",
        "novelty_model_hash": weights_hash(novelty) if settings.rule.needs_novelty_model else "",
        "datasets": list(datasets),
        "video": [name for name, dataset in datasets.items() if getattr(dataset, "video", False)],
        "segments": {
            n: read_segment_settings(run.workspace, Stored(settings.model_name, n), d.ids)
            for n, d in datasets.items()
        },
        **{name: flat(settings)[name] for name in (*selecting, *thresholds, *crops)},
        "net": settings.net,
        "pred_mapping": _listed(predicted_classes(entry, first, 0)),
        "label_mapping": {
            name: _listed(dataset.label_set.label_mapping) if dataset.label_set else {}
            for name, dataset in datasets.items()
        },
        "void_ids": {n: sorted(d.label_set.void_ids) if d.label_set else [] for n, d in datasets.items()},
        "unknown_ids": {
            n: sorted(d.label_set.unknown_ids) if d.label_set else [] for n, d in datasets.items()
        },
    }


def _listed(mapping: ClassMapping) -> dict[str, list[Any]]:
    return {str(key): [name, list(colour)] for key, (name, colour) in sorted(mapping.items())}
