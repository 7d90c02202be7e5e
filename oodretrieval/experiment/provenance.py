"""What identifies the work of a network on a dataset: work that anything else made is refused."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from oodretrieval.entries import ModelEntry
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.datasets import as_texts, dataset_arguments
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.models import weights_hash, weights_in_use
from oodretrieval.models.weights_files import files_of
from oodretrieval.stores import Stored, require_asked_settings

_OTHER_THAN_INFERENCE = (
    *("model", "weights", "model_arguments", "dataset", "dataset_arguments"),
    *("keep", "source"),
)
Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of change of every file that weights consist of."""


def provenance(configuration: Configuration, stored: Stored, common: CommonSettings) -> dict[str, Any]:
    """What identifies the predictions of a network on a dataset.

    Args:
        configuration: Where the names are looked up.
        stored: Of which network on which dataset.
        common: ``root`` of the dataset.

    Returns:
        Name → plain value.
    """
    entry = configuration.model(stored.model)
    extended = {"implicit_background": True} if entry.implicit_background else {}
    return {
        "model": stored.model,
        "weights": weights_hash_if_there(entry),
        "model_arguments": as_texts({**entry.kwargs, "mean": entry.mean, "std": entry.std, **extended}),
        "dataset": stored.dataset,
        "dataset_arguments": dataset_arguments(configuration, stored.dataset, common),
    }


def weights_hash_if_there(entry: ModelEntry) -> str:
    """Hash of the weights of ``entry``, a file, a folder or what was downloaded; empty if there are none.

    Args:
        entry: Of the network.
    """
    weights = weights_in_use(entry)
    return "" if weights is None else cached_weights_hash(weights)


def cached_weights_hash(weights: Path) -> str:
    """:func:`~oodretrieval.models.weights_hash`, which reads whole files, once a process.

    They are read again when their size or their time of change is another.

    Args:
        weights: File or folder.

    Returns:
        16 hexadecimal digits.
    """
    return _hash(weights, _stamp(weights))


def _stamp(weights: Path) -> Stamp:
    found = ((str(file), file.stat()) for file in sorted(files_of(weights)))
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in found)


@lru_cache(maxsize=64)
def _hash(weights: Path, stamp: Stamp) -> str:
    return weights_hash(weights)


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
    require_asked_settings(where, recorded, compared)


def inference_of(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """How the network saw the images, of what predictions record: what is not as it is by default.

    Args:
        recorded: What predictions say of their making.

    Returns:
        Those of its settings.
    """
    return {key: value for key, value in recorded.items() if key not in _OTHER_THAN_INFERENCE}
