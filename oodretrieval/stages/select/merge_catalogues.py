"""One catalogue of several, without computing anything again."""

import logging
from typing import Any

from oodretrieval.errors import SettingsError
from oodretrieval.experiment.run import Run
from oodretrieval.stages.select.settings import MergeSettings
from oodretrieval.stores import Catalogue
from oodretrieval.stores.merging import merge_catalogues as merge
from oodretrieval.stores.stored import catalogue_name

logger = logging.getLogger(__name__)


def merge_catalogues(settings: MergeSettings, run: Run) -> dict[str, Any]:
    """Put catalogues together under a new name; they stay as they are.

    Args:
        settings: Which ones, and the new name.
        run: Configuration and workspace.

    Returns:
        ``catalogue``, its number of ``segments``, and its ``embeddings``.

    Raises:
        SettingsError: If fewer than two are named, or the new name is one of theirs.
        UnknownNameError: If there is no such catalogue.
        SettingsMismatchError: If they were made in ways that cannot be compared.
        StoreError: If they have no embedding in common.
    """
    if len(set(settings.catalogues)) < 2:
        raise SettingsError(
            f"args.catalogues must name two catalogues at least, got {list(settings.catalogues)}"
        )
    name = catalogue_name(settings.save_file, settings.catalogues)
    if name in settings.catalogues:
        raise SettingsError(f"args.save_file={name} is one of those that are merged; choose a new name")
    verify = settings.common.verify
    sources = [Catalogue.named(run.workspace, source, verify=verify) for source in settings.catalogues]
    merged = merge(sources, run.workspace.catalogue_folder(name), overwrite=settings.common.overwrite)
    logger.info(
        "catalogue %s: %d candidates of %s; vectors of %s",
        *(name, len(merged), ", ".join(settings.catalogues), ", ".join(merged.embedding_names)),
    )
    return {"catalogue": name, "segments": len(merged), "embeddings": merged.embedding_names}
