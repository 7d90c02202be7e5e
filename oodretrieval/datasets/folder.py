"""A folder of photographs without truth, in any nesting."""

import os
from collections.abc import Iterator
from pathlib import Path

from oodretrieval.datasets.sample import FileDataset, FileItem, require_folder, set_root
from oodretrieval.errors import DatasetNotFoundError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_REMEDY = set_root(f"your images ({', '.join(SUFFIXES)})")


class ImageFolder(FileDataset):
    """All images below a folder, sorted by path, without truth.

    Suffixes count in any letter case; files and folders whose name begins with a dot are skipped; links to
    folders are followed. The id of a sample is its path below ``root`` without suffix. Images are 8-bit RGB,
    grey, palette or RGBA; photographs with an EXIF orientation are turned upright.

    Args:
        root: The folder.

    Raises:
        DatasetNotFoundError: If it is missing or holds no image.
        UnpairedFilesError: If two images differ in their suffix only; the message names both.
    """

    def __init__(self, root: str | Path) -> None:
        base = require_folder(Path(root), _REMEDY)
        paths = sorted(_images(base), key=lambda path: path.relative_to(base).as_posix())
        if not paths:
            raise DatasetNotFoundError(f"no image below {str(base)!r}; {_REMEDY}")
        items = [FileItem(p.relative_to(base).with_suffix("").as_posix(), p, None) for p in paths]
        super().__init__(items, None)


def _images(base: Path) -> Iterator[Path]:
    """Image files below ``base``; a folder reached by two ways is entered once, so links cannot loop."""
    seen: set[str] = set()
    for folder, subfolders, files in os.walk(base, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in files:
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield Path(folder) / name
