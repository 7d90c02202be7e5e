"""The images of a stage that fail: those skipped as they failed before, and those of this run."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.datasets.sample import files_at
from oodretrieval.errors import AllFailedError, PartialFailure, StoreError
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.places import places_of
from oodretrieval.stores import FailedImages, Failure, files_hash

FilesOf = Callable[[str], Sequence[Path]]


class StageFailures:
    """Collects the images that fail, and keeps the list of them on disk.

    Used in a ``with`` block, inside the lock of the folder. At its end the list is written, also after an error or an
    interruption; where all went well but for some images, these are raised.

    Args:
        stage: Name of the stage.
        folder: Where its results lie, and the list with them.
        made_by: Settings that its results depend on.
        common: ``retry_failed`` and ``overwrite`` try everything again.

    Raises:
        PartialFailure: At the end of the block, naming the images that failed, or were skipped as they failed before.
        AllFailedError: Likewise, where these are all that were asked for.
        StoreError: If the list cannot be written.
    """

    def __init__(self, stage: str, folder: Path, made_by: Mapping[str, Any], common: CommonSettings) -> None:
        self.stage, self._again = stage, common.retry_failed or common.overwrite
        self._list = FailedImages(folder, stage, made_by)
        self._kept: list[Failure] = []
        self._named: dict[str, str] = {}
        self._found: list[Failure] = []
        self._open: dict[str, tuple[dict[str, int], FilesOf]] = {}
        self._asked: set[tuple[str, str]] = set()
        self._failed: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(StoreError):
                self._save()
            return
        self._save()
        if self._named and self._asked <= self._failed:
            names = ", ".join(map(repr, self._open))
            remedy = f"{self._list.path} lists them all; mend them, then add args.retry_failed=True"
            raise AllFailedError(self.stage, f"dataset {names}", self._named, remedy)
        if self._named:
            raise PartialFailure(self.stage, self._named, self._list.path)

    @property
    def failed(self) -> frozenset[tuple[str, str]]:
        """Dataset and id of each image that failed now or, as it failed before, was skipped."""
        return frozenset(self._failed)

    def skipped(
        self,
        name: str,
        dataset: SegmentationDataset,
        wanted: Collection[str],
        files_of: FilesOf | None = None,
    ) -> set[str]:
        """Open a dataset, and say which of its images are not to be tried.

        Args:
            name: Name of the dataset.
            dataset: The dataset.
            wanted: Ids asked for.
            files_of: Image id → files that the stage reads of it; by default those of the dataset.

        Returns:
            Ids of those wanted that failed before and whose files are the same, unless all are tried again.
        """
        places = places_of(dataset.ids)
        reads = files_of or (lambda image: files_at(dataset, places[image]))
        self._open[name] = places, reads
        before = self._list.known(name, places, reads)
        asked = set(wanted)
        skipped = set() if self._again else asked & before.keys()
        self._kept += [failure for image, failure in before.items() if image in skipped or image not in asked]
        self._named |= {image: before[image].reason for image in before if image in skipped}
        self._asked |= {(name, image) for image in asked}
        self._failed |= {(name, image) for image in skipped}
        return skipped

    def add(self, name: str, failures: Mapping[str, str]) -> None:
        """Take in images that failed now.

        Args:
            name: Name of their dataset, which was opened.
            failures: Image id → reason.
        """
        self._named |= failures
        self._failed |= {(name, image) for image in failures}
        places, reads = self._open[name]
        for image, reason in failures.items():
            files = list(reads(image)) if image in places else []
            path = str(files[0]) if files else ""
            self._found.append(Failure(name, image, path, self.stage, reason, files_hash(files)))

    def _save(self) -> None:
        names = list(self._open)
        everything = {(failure.dataset, failure.image_id): failure for failure in (*self._kept, *self._found)}

        def place(failure: Failure) -> tuple[int, int]:
            places, _ = self._open[failure.dataset]
            return names.index(failure.dataset), places.get(failure.image_id, len(places))

        self._list.save(sorted(everything.values(), key=place))
