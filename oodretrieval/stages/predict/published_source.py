"""Published predictions in place of a network: which of them belongs to which image."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from oodretrieval.datasets import Sample, SegmentationDataset
from oodretrieval.errors import DatasetError
from oodretrieval.stages.predict.finishing import PublishedOutcome
from oodretrieval.stores import PublishedPredictions


class PublishedSource:
    """Looks the predictions of samples up in a folder of published files, by file name.

    Args:
        folder: The folder.
        dataset: The dataset that they were made on.

    Raises:
        StoreError: If the folder holds no predictions.
        DatasetError: If none of them has the name of one of the dataset's images.
    """

    def __init__(self, folder: str, dataset: SegmentationDataset) -> None:
        self.predictions, self.label_set = PublishedPredictions(folder), dataset.label_set
        ids = dataset.ids
        self.index = {PurePosixPath(name).name: i for i, name in enumerate(self.predictions.ids)}
        if not any(self._matches(name) for name in ids):
            raise DatasetError(
                f"none of the predictions ({', '.join(list(self.index)[:3])}, …) has the file name of one of the "
                f"dataset's images ({', '.join(ids[:3])}, …); choose the dataset that they were made on"
            )

    def _matches(self, image_id: str) -> list[int]:
        name = PurePosixPath(image_id).name
        if name in self.index:
            return [self.index[name]]
        return [i for other, i in self.index.items() if other.startswith(f"{name}_")]

    def run(self, samples: Iterable[Sample]) -> Iterator[PublishedOutcome]:
        """What is to be read for each sample, in order."""
        for sample in samples:
            yield PublishedOutcome(
                sample.id,
                sample.path,
                sample.labels,
                (sample.image.shape[0], sample.image.shape[1]),
                self.predictions.only(self._matches(sample.id)),
                self.label_set,
            )
