"""Published predictions in place of a network: which of them belongs to which image."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath, PurePosixPath

from oodretrieval.datasets import Sample, SegmentationDataset
from oodretrieval.errors import DatasetError
from oodretrieval.places import places_of
from oodretrieval.stages.predict.outcomes import PublishedOutcome
from oodretrieval.stores import PublishedPredictions


class PublishedSource:
    """Looks the predictions of samples up in a folder of published files.

    A prediction belongs to the image of its own id; else to the one whose id ends in its name, or whose file has its
    name without suffix (``frankfurt_000000_000294_leftImg8bit``). Where no name fits, an ending that **all**
    predictions share and that begins with ``_`` is left out (``0001_softmax.npy``, ``0002_softmax.npy``).

    Args:
        folder: The folder.
        dataset: The dataset that they were made on.

    Raises:
        StoreError: If the folder holds no predictions.
        DatasetError: If none of them has the name of one of the dataset's images, or if one could belong to several
            images, or several to one; both are named.
    """

    def __init__(self, folder: str, dataset: SegmentationDataset) -> None:
        self.predictions, self.label_set = PublishedPredictions(folder), dataset.label_set
        self._by_id = places_of(self.predictions.ids)
        names = [PurePosixPath(name).name for name in self.predictions.ids]
        self._by_name = _places(names)
        self._served: dict[int, str] = {}
        images = list(dataset.ids)
        files = [PurePath(item.image).stem for item in getattr(dataset, "items", ())]
        pairs = list(zip(images, files or images, strict=True))
        if not any(self._found(*pair) for pair in pairs):
            self._by_name = self._without_ending(names, pairs)
        found = [self._match(*pair) for pair in pairs]
        if not any(found) and self._found(images[0], PurePath(dataset[0].path).stem) is None:
            raise DatasetError(
                f"none of the predictions ({', '.join(names[:3])}, …) has the file name of one of the "
                f"dataset's images ({', '.join(images[:3])}, …); choose the dataset that they were made on"
            )

    def _without_ending(
        self, names: Sequence[str], pairs: Sequence[tuple[str, str]]
    ) -> dict[str, tuple[int, ...]]:
        """Places by name without the ending that all share, where images have such names; by name where none has."""
        known = {name for image, file in pairs for name in (PurePosixPath(image).name, file)}
        endings = [names[0][i:] for i, letter in enumerate(names[0]) if letter == "_" and len(names) > 1]
        for ending in reversed(endings):  # the shortest first
            if all(name.endswith(ending) for name in names):
                shorter = [name.removesuffix(ending) for name in names]
                if known.intersection(shorter):
                    return _places(shorter)
        return _places(names)

    def _found(self, image_id: str, file: str) -> tuple[int, ...] | None:
        if image_id in self._by_id:
            return (self._by_id[image_id],)
        return self._by_name.get(PurePosixPath(image_id).name) or self._by_name.get(file)

    def _match(self, image_id: str, file: str) -> tuple[int, ...]:
        """The prediction of an image; none if there is none.

        Raises:
            DatasetError: If several could be its own, or its own could be another image's, too.
        """
        places = self._found(image_id, file) or ()
        if len(places) > 1:
            one, other = (self.predictions.files[place] for place in places[:2])
            raise DatasetError(
                f"both {one} and {other} could be the prediction of image {image_id!r}; name each prediction after its "
                "image"
            )
        for place in places:
            other_image = self._served.setdefault(place, image_id)
            if other_image != image_id:
                raise DatasetError(
                    f"{self.predictions.files[place]} could be the prediction of image {other_image!r} and of image "
                    f"{image_id!r}; give each folder of images a dataset entry and an args.source of its own, or "
                    "rename images and predictions"
                )
        return places

    def run(self, samples: Iterable[Sample]) -> Iterator[PublishedOutcome]:
        """Find the prediction of each sample.

        Args:
            samples: The samples.

        Yields:
            What is to be read for each, in order.

        Raises:
            DatasetError: If the file name of an image says that its prediction is another image's, too.
        """
        for sample in samples:
            yield PublishedOutcome(
                sample.id,
                sample.path,
                sample.labels,
                (sample.image.shape[0], sample.image.shape[1]),
                self.predictions.only(self._match(sample.id, PurePath(sample.path).stem)),
                self.label_set,
            )


def _places(names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Name → where it stands.

    Example:
        >>> _places(["a", "b", "a"])
        {'a': (0, 2), 'b': (1,)}
    """
    places: dict[str, tuple[int, ...]] = defaultdict(tuple)
    for place, name in enumerate(names):
        places[name] += (place,)
    return dict(places)
