"""What several stages start from: the dataset in use, its blocks of images, and what identifies the work."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from inspect import isclass
from pathlib import Path
from typing import Any

from torch import nn

from oodretrieval.datasets import SegmentationDataset, open_dataset, subset_by_index
from oodretrieval.entries import MetaModelEntry, ModelEntry, build, factory_of
from oodretrieval.errors import StoreError, TableError, UnknownNameError, WeightsError
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.meta_models import KINDS, MetaModel, load_meta_model
from oodretrieval.models import weights_hash, weights_in_use
from oodretrieval.stores import Workspace, require_same_settings

logger = logging.getLogger(__name__)
BLOCK = 64
"""Images in one part of a segment table or catalogue."""


def dataset_in_use(settings: CommonSettings, configuration: Configuration, name: str) -> SegmentationDataset:
    """Open a dataset by name, with ``args.root`` and ``args.limit`` applied.

    Raises:
        UnknownNameError: If there is no such entry.
        DatasetError: If it cannot be opened.
    """
    root = Path(settings.root).expanduser().resolve() if settings.root else None
    dataset = open_dataset(configuration.dataset(name), name, root)
    if settings.limit and settings.limit < len(dataset):
        return subset_by_index(dataset, range(settings.limit))
    return dataset


def dataset_arguments(settings: CommonSettings, configuration: Configuration, name: str) -> dict[str, str]:
    """What a dataset is built with, as texts; folders as absolute paths."""
    arguments = {**configuration.dataset(name).kwargs}
    if settings.root:
        arguments["root"] = settings.root
    if "root" in arguments:
        arguments["root"] = Path(arguments["root"]).expanduser().resolve()
    return _texts(arguments)


def provenance(
    settings: CommonSettings, configuration: Configuration, model_name: str, dataset_name: str
) -> dict[str, Any]:
    """What identifies the predictions of a network on a dataset: work made by anything else is refused."""
    entry = configuration.model(model_name)
    extended = {"implicit_background": True} if entry.implicit_background else {}
    return {
        "model": model_name,
        "weights": weights_hash_if_there(entry),
        "model_arguments": _texts({**entry.kwargs, "mean": entry.mean, "std": entry.std, **extended}),
        "dataset": dataset_name,
        "dataset_arguments": dataset_arguments(settings, configuration, dataset_name),
    }


def _texts(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in sorted(arguments.items())}


def weights_hash_if_there(entry: ModelEntry) -> str:
    """Hash of the weights, a file, a folder or what was downloaded; empty if there are none."""
    weights = weights_in_use(entry)
    return "" if weights is None else weights_hash(weights)


def blocks(count: int) -> Iterator[tuple[int, range]]:
    """Numbered blocks of indices: (0, 0…63), (1, 64…127), …."""
    for number, start in enumerate(range(0, count, BLOCK)):
        yield number, range(start, min(start + BLOCK, count))


def predicted_ids(workspace: Workspace, names: tuple[str, str], ids: Sequence[str]) -> list[str]:
    """Those of the images that have a prediction; says how many have none.

    Args:
        workspace: Where predictions lie.
        names: Name of the network, name of the dataset.
        ids: Ids of the images.

    Raises:
        StoreError: If none has.
    """
    there = [image for image in ids if workspace.prediction_path(*names, image).is_file()]
    if not there:
        raise StoreError(
            f"no predictions of {names[0]} on {names[1]} in {workspace.path}; run scripts/pred_images.py with "
            f"args.dataset={names[1]} args.model_name={names[0]} first"
        )
    if len(there) < len(ids):
        logger.warning("%d of %d images have no prediction and are left out", len(ids) - len(there), len(ids))
    return there


def meta_model_entry(run: Run, name: str) -> MetaModelEntry:
    """The entry of a meta model, its path set: as configured, else in the workspace.

    A name without an entry is that of a model which ``train_meta_nn`` saved there (``args.meta_model=…``).

    Raises:
        UnknownNameError: If there is neither an entry nor a file of that name; lists both.
        ConfigurationError: If the entry's class cannot be found.
    """
    if name in run.configuration.meta_models:
        entry = run.configuration.meta_model(name)
        return entry if entry.path is not None else replace(entry, path=_own_path(entry, name, run.workspace))
    files = saved_meta_models(run.workspace)
    if name not in files:
        raise UnknownNameError("meta model", name, {*run.configuration.meta_models, *files})
    return MetaModelEntry("oodretrieval.meta_models", "MetaModel", path=files[name])


def meta_model_path(run: Run, name: str) -> Path:
    """Where a meta model is read from and saved to; see :func:`meta_model_entry`."""
    return Path(meta_model_entry(run, name).path or "")


def _own_path(entry: MetaModelEntry, name: str, workspace: Workspace) -> Path:
    return workspace.meta_model_path(name, getattr(factory_of(entry), "suffix", MetaModel.suffix))


def saved_meta_models(workspace: Workspace) -> dict[str, Path]:
    """Name → file of every meta model in the workspace."""
    suffixes = {kind.suffix for kind in KINDS.values()}
    files = sorted(workspace.meta_model_path("any").parent.glob("*"))
    return {path.stem: path for path in files if path.suffix in suffixes}


def require_current(where: object, recorded: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Refuse predictions or tables that another network, other weights or another dataset made.

    Args:
        where: What is checked, for the message.
        recorded: Settings that it carries.
        current: What :func:`provenance` says now. Of predictions taken from published files
            (``args.source``) the network is not compared, as it did not make them.

    Raises:
        SettingsMismatchError: If they differ.
    """
    ignored = {"weights", "model_arguments"} if recorded.get("source") else set()
    if not current.get("weights"):
        ignored.add("weights")  # there is no file to compare with
    compared = {key: value for key, value in current.items() if key not in ignored}
    require_same_settings(where, {key: recorded.get(key) for key in compared}, compared)


def load_meta_model_of(entry: MetaModelEntry, path: Path) -> MetaModel:
    """Read a meta model; a plain network of the entry is built by it.

    Raises:
        WeightsError: If the file is missing or damaged.
    """
    factory = factory_of(entry)
    if isclass(factory) and issubclass(factory, nn.Module):
        return load_meta_model(path, network=partial(build, entry))
    return load_meta_model(path)


def open_meta_model(run: Run, name: str, model_name: str) -> MetaModel:
    """Load a trained meta model for the segments of a network.

    Args:
        run: Configuration and workspace.
        name: Name of the meta model.
        model_name: Name of the segmentation network whose segments it shall judge.

    Returns:
        The trained model.

    Raises:
        UnknownNameError: If there is neither an entry nor a file of that name.
        ConfigurationError: If the entry's class cannot be found.
        WeightsError: If it is not trained yet, or its file is damaged.
        TableError: If it was trained for another network, or for other weights of this one.
    """
    entry = meta_model_entry(run, name)
    factory_of(entry)  # a wrong entry is the first thing to say
    path = meta_model_path(run, name)
    if not path.is_file():
        shipped = (n for n, e in run.configuration.meta_models.items() if e.path is not None)
        trained = {n for n in shipped if Path(run.configuration.meta_model(n).path or "").is_file()}
        there = sorted(trained | set(saved_meta_models(run.workspace)))
        raise WeightsError(
            f"no meta model {str(path)!r}; train it with scripts/train_meta_nn.py with "
            f"args.model_name={model_name} args.meta_model_name={name}, or choose one that is there by "
            f"args.meta_model_name: {', '.join(there) or 'none'}"
        )
    model = load_meta_model_of(entry, path)
    made_by = model.quality.get("made_by", {})
    remedy = f"scripts/train_meta_nn.py with args.model_name={model_name} args.meta_model_name={name}"
    if made_by.get("model", model_name) != model_name:
        raise TableError(
            f"{path} was trained on segments of {made_by['model']!r}, not of {model_name!r}; train one for it with "
            f"{remedy}, or choose another args.meta_model_name"
        )
    model_entry = run.configuration.model(model_name)
    if made_by.get("weights") and weights_hash_if_there(model_entry) not in ("", made_by["weights"]):
        raise TableError(
            f"{path} was trained with other weights of {model_name!r} than {model_entry.weights}; train it again "
            f"with {remedy} args.overwrite=True"
        )
    if model.quality.get("caution"):
        logger.warning("%s: %s", path, model.quality["caution"])
    return model
