"""What a catalogue notes of its making: settings, hashes of the models, and the classes of its datasets."""

from collections.abc import Mapping
from typing import Any

from oodretrieval.choices import CROP, SEGMENTS
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import SettingsMismatchError
from oodretrieval.experiment.predicted_classes import predicted_classes
from oodretrieval.experiment.provenance import cached_weights_hash
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.plain_classes import plain_classes
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import CANDIDATES, Workspace
from oodretrieval.stores.catalogue import MANIFEST, PENDING
from oodretrieval.stores.made_alike import differing_settings
from oodretrieval.stores.manifests import read_manifest
from oodretrieval.stores.stored import catalogue_name


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
    return {
        **_chosen(settings),
        "meta_model": meta_model,
        "meta_model_hash": cached_weights_hash(run.trained.meta_model_path(meta_model)) if meta_model else "",
        "novelty_model_hash": cached_weights_hash(selector.novelty_file[1]) if selector.novelty_file else "",
        "video": [name for name, dataset in datasets.items() if getattr(dataset, "video", False)],
        "segments": {name: dict(work.segments().settings) for name, work in works.items()},
        "pred_mapping": plain_classes(predicted_classes(entry, first, 0)),
        **_classes(datasets),
    }


def _chosen(settings: EmbedSettings) -> dict[str, Any]:
    """What of it the settings say alone."""
    names = (
        *("select_by", "select_quantile", "select_number"),
        *("iou_threshold", "min_height", "min_width", "min_pixels"),
        *("min_crop_height", "min_crop_width", "crop_size", "net"),
    )
    # catalogues of segments say nothing of it: they are what all of before are
    kind = (
        {}
        if settings.candidates == SEGMENTS
        else {CANDIDATES: settings.candidates, "proposals": settings.objects.proposals}
    )
    return {
        **kind,
        "model": settings.model_name,
        "datasets": list(settings.dataset),
        **{name: flat(settings)[name] for name in names},
        # as published where nothing is said, as in catalogues of before
        **({} if settings.embedded == CROP else {"embedded": settings.embedded}),
        **({"mixed_precision": True} if settings.mixed_precision else {}),
    }


def require_same_choice(settings: EmbedSettings, workspace: Workspace, remedy: str) -> None:
    """Refuse to go on with a catalogue that was made with other settings, before anything is computed for it.

    Args:
        settings: What is asked for now.
        workspace: Where the catalogue lies, if it is there.
        remedy: What to do.

    Raises:
        SettingsMismatchError: Naming the settings that differ.
        StoreError: If its manifest is damaged.
    """
    folder = workspace.catalogue_folder(catalogue_name(settings.save_file, settings.dataset))
    asked = _chosen(settings)
    names = {*asked, CANDIDATES, "proposals", "embedded", "mixed_precision"}
    found: dict[str, tuple[object, object]] = {}
    for path in (folder / PENDING, folder / MANIFEST):
        if path.is_file():
            recorded = read_manifest(path)["settings"]
            found = differing_settings({name: recorded[name] for name in names & recorded.keys()}, asked)
            if not found:
                return
    if found:
        raise SettingsMismatchError(folder, found, remedy)


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
