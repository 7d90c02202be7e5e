"""Repositories of the Hugging Face hub: from the cache, or downloaded if the hub answers at once."""

import json
import logging
from pathlib import Path

from huggingface_hub import is_offline_mode, snapshot_download
from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from oodretrieval.errors import ConfigurationError, WeightsError
from oodretrieval.imagenet_weights import HUB_FILES, unreachable

logger = logging.getLogger(__name__)
PATTERNS = ["*.json", "*.safetensors", "*.txt"]
"""A network's description, its tensors and its vocabulary; nothing that could hold code."""
OLD_TENSORS = ["pytorch_model*.bin"]
"""What a repository without safetensors has instead; read as tensors and nothing else."""


def cached_repository(repository: str, revision: str | None = None) -> Path | None:
    """The folder of a repository in the hub's cache (``HF_HOME``, ``HF_HUB_CACHE``), if it is there whole.

    Args:
        repository: Its id, e.g. ``"nvidia/segformer-b0-finetuned-cityscapes-1024-1024"``.
        revision: Branch, tag or commit; None for the main branch as it was when it was downloaded.

    Returns:
        The folder, named by the commit; None if something is missing.

    Raises:
        ConfigurationError: If that is no id of a repository.
    """
    try:
        folder = Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise ConfigurationError(
            f"repository must be an id of the hub such as 'owner/name', got {repository!r}; a folder of yours is "
            "named by `weights` of the entry"
        ) from error
    return folder if _is_whole(folder) else None


def repository_folder(repository: str, revision: str | None = None) -> Path:
    """The folder of a repository, downloaded if it is not in the cache.

    Args:
        repository: Its id.
        revision: Branch, tag or commit; None for the main branch.

    Returns:
        The folder in the hub's cache.

    Raises:
        WeightsError: If it is not cached and the hub cannot be reached, or has no such repository; at once.
    """
    cached = cached_repository(repository, revision)
    if cached is not None:
        return cached
    reason = "offline mode is on" if is_offline_mode() else unreachable(ENDPOINT)
    if reason:
        raise WeightsError(
            f"{repository!r} is not in the cache {HF_HUB_CACHE}, and the hub cannot be reached ({reason}); fetch it "
            f"on a machine with network access by `hf download {repository}` and copy the cache (HF_HOME or "
            "HF_HUB_CACHE say where it lies), or copy its files into a folder and name that by `weights` of the entry"
        )
    logger.info("downloading %s from the hub", repository)
    try:
        folder = _download(repository, revision, PATTERNS)
        return folder if _is_whole(folder) else _download(repository, revision, PATTERNS + OLD_TENSORS)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise WeightsError(
            f"the download of {repository!r} failed ({str(error).strip().splitlines()[0]}); check its id and revision, "
            "log in by `hf auth login` where it asks for that, or try again later"
        ) from error


def _download(repository: str, revision: str | None, patterns: list[str]) -> Path:
    found = snapshot_download(repository, revision=revision, allow_patterns=patterns, ignore_patterns="*/*")
    return Path(found)


def _is_whole(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any(_has_weights(folder, name) for name in HUB_FILES)


def _has_weights(folder: Path, name: str) -> bool:
    """Whether weights are there, in one file or in all of those that an index lists."""
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return (folder / name).is_file()
    shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / shard).is_file() for shard in shards)
