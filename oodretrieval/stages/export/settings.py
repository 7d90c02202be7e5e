"""Settings of the export of tagged candidates."""

from dataclasses import dataclass

from oodretrieval.choices import EXPORT_FORMATS
from oodretrieval.errors import UnknownNameError
from oodretrieval.experiment.settings import CommonSettings


@dataclass(frozen=True)
class ExportSettings:
    """Which candidates are taken along, and how.

    Attributes:
        embeddings_file: Name of the catalogue whose candidates were tagged.
        tags: Names of the tags, as a list; by default all but "not of interest".
        filter: Only the candidates that this means, as in the explorer: ``predicted_iou < 0.4 and drive contains
            "0016"``.
        formats: What to write, as a list of coco, labels, csv, parquet, crops.
        save_dir: Folder to write to; by default ``exports/<catalogue>`` in the workspace. It holds one export: the
            next one replaces it, but not files that were changed since, unless ``overwrite``.
    """

    embeddings_file: str = ""
    tags: tuple[str, ...] = ()
    filter: str = ""
    formats: tuple[str, ...] = EXPORT_FORMATS
    save_dir: str = ""
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in EXPORT_FORMATS:
                raise UnknownNameError("format", name, EXPORT_FORMATS)
