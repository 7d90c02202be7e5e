"""Take tagged candidates along: COCO, label images, tables, folders of crops."""

from pathlib import Path
from typing import Any

from oodretrieval.experiment.run import Run
from oodretrieval.export.export_candidates import export_candidates
from oodretrieval.results.columns import filtered_rows
from oodretrieval.stages.export.settings import ExportSettings
from oodretrieval.stores import Catalogue


def export(settings: ExportSettings, run: Run) -> dict[str, Any]:
    """Write the tagged candidates of a catalogue to a folder, in several forms.

    Args:
        settings: Which, and how.
        run: Configuration and workspace.

    Returns:
        ``folder``, number of ``candidates`` and of ``images``, and candidates of each of the ``tags``.

    Raises:
        StoreError: If the catalogue or its masks cannot be read, nothing is tagged, or files of the export before
            were changed since.
        SettingsError: If a tag is unknown, or the filter cannot be read.
        PartialFailure: If some images or predictions are missing; all else is written.
    """
    catalogue = Catalogue.named(run.workspace, settings.embeddings_file, verify=settings.common.verify)
    rows = filtered_rows(catalogue, settings.filter)
    folder = Path(settings.save_dir).expanduser() if settings.save_dir else None
    return export_candidates(
        catalogue,
        run.workspace,
        rows,
        settings.formats,
        settings.tags,
        folder,
        overwrite=settings.common.overwrite,
    )
