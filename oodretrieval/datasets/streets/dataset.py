"""The rendered streets as a dataset: splits, ids and the cache."""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from oodretrieval.datasets.sample import LabelTables, Sample
from oodretrieval.datasets.streets.classes import LABELS
from oodretrieval.datasets.streets.render import Rendering, render
from oodretrieval.datasets.streets.weather import MOODS, OTHER_MOODS
from oodretrieval.errors import DatasetError, ImageError, StoreError, UnknownNameError
from oodretrieval.execution import worker_processes
from oodretrieval.files import atomic_path
from oodretrieval.images import read_image, read_label_image

VERSION = 1
"""Version of the generator; raised whenever its pictures change, so that cached ones are made again."""

SPLITS = {"train": 600, "val": 80, "test": 60}
"""Split → number of images by default. Only ``test`` has objects of unknown kinds."""

logger = logging.getLogger(__name__)


class Streets(LabelTables, Dataset[Sample]):
    """Rendered street scenes with exact truth, made when first asked for and cached.

    Equal arguments give equal pictures, to the bit; the splits share no scene.

    Args:
        split: ``train``, ``val`` (known classes only) or ``test`` (with objects of unknown kinds).
        count: Number of images; None for the split's default of :data:`SPLITS`.
        seed: Another seed, another city.
        size: Width and height in pixels.
        cache: Folder of the cache; None for ``oodretrieval/streets`` in the user's cache folder
            (``XDG_CACHE_HOME``, by default ``~/.cache``).
        weather: ``clear``, ``cloudy``, ``overcast`` or ``evening`` for all images; ``dusk`` or ``fog``, which no image
            has otherwise; empty to draw one of the first four for each. The streets are the same whatever it is.

    Raises:
        UnknownNameError: If there is no such split or weather.
        DatasetError: If count, seed or size cannot be.

    Example:
        >>> streets = Streets("test", count=2)
        >>> streets.ids
        ['test_0_0000', 'test_0_0001']
    """

    def __init__(
        self,
        split: str = "train",
        count: int | None = None,
        seed: int = 0,
        size: tuple[int, int] = (512, 256),
        cache: str | Path | None = None,
        weather: str = "",
    ) -> None:
        if split not in SPLITS:
            raise UnknownNameError("split of Streets", split, SPLITS)
        if weather and weather not in MOODS | OTHER_MOODS:
            raise UnknownNameError("weather of Streets", weather, MOODS | OTHER_MOODS)
        self.split, self.seed, self.weather = split, seed, weather
        self.count = SPLITS[split] if count is None else count
        self.size = (int(size[0]), int(size[1]))
        if self.count < 1 or seed < 0 or min(self.size) < 32:
            raise DatasetError(
                f"Streets needs count >= 1, seed >= 0 and a size of at least 32×32 pixels; "
                f"got count={self.count}, seed={seed}, size={self.size[0]}×{self.size[1]}"
            )
        root = Path(cache).expanduser() if cache is not None else default_cache()
        self.folder = root / _settings_key(split, seed, self.size, weather)
        self.label_set = LABELS
        self.pred_class_selection: Sequence[int] | None = None
        self._warned = False

    @property
    def ids(self) -> list[str]:
        """Id of every sample, in order."""
        return [f"{self.split}_{self.seed}_{index:04d}" for index in range(self.count)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        position = self._position(index)
        picture = self._load(position)
        return Sample(picture.image, picture.labels, str(self._files(position)[0]), self.ids[position])

    def instances(self, index: int) -> NDArray[np.uint16]:
        """Which car, person or unknown object every pixel shows.

        Args:
            index: Position in the dataset.

        Returns:
            Ids, ``(H, W)`` uint16, unique in the image; 0 where nothing is counted.
        """
        return self._load(self._position(index)).instances

    def render_all(self, processes: int = 1) -> None:
        """Render what the cache lacks.

        Args:
            processes: Number of processes; 1 renders in this one.
        """
        missing = [i for i in range(self.count) if not all(path.is_file() for path in self._files(i))]
        if processes <= 1 or len(missing) < 2:
            for index in missing:
                self._load(index)
            return
        with worker_processes(min(processes, len(missing))) as pool:
            for _ in pool.map(self._fill, missing, chunksize=4):
                pass

    def _fill(self, index: int) -> None:
        self._load(index)

    def _position(self, index: int) -> int:
        if not -self.count <= index < self.count:
            raise IndexError(f"index {index} of a dataset of {self.count} images")
        return index % self.count

    def _files(self, index: int) -> tuple[Path, Path, Path]:
        name = f"{self.split}_{self.seed}_{index:04d}"
        return (
            self.folder / f"{name}.png",
            self.folder / f"{name}_labels.png",
            self.folder / f"{name}_instances.png",
        )

    def _load(self, index: int) -> Rendering:
        cached = self._read(index)
        if cached is not None:
            return cached
        split = list(SPLITS).index(self.split)
        picture = render(
            (split, self.seed, index), self.size, unknown=self.split == "test", weather=self.weather
        )
        try:
            image_path, labels_path, instances_path = self._files(index)
            _write(labels_path, picture.labels)
            _write(instances_path, picture.instances)
            _write(image_path, picture.image)
        except StoreError as error:
            if not self._warned:
                logger.warning(
                    "no cache of rendered streets in %s, every image is rendered again (%s). "
                    "Set `cache` of the dataset's entry to a folder that can be written",
                    self.folder,
                    error,
                )
                self._warned = True
        return picture

    def _read(self, index: int) -> Rendering | None:
        image_path, labels_path, instances_path = self._files(index)
        if not all(path.is_file() for path in self._files(index)):
            return None
        try:
            image = read_image(image_path)
            labels = read_label_image(labels_path)
            instances = read_label_image(instances_path)
        except ImageError:
            return None
        shape = (self.size[1], self.size[0])
        if image.shape[:2] != shape or labels.shape != shape or instances.shape != shape:
            return None
        return Rendering(image, labels.astype(np.uint8), instances.astype(np.uint16))


def default_cache() -> Path:
    """The folder in which rendered streets are cached unless one is named."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "oodretrieval" / "streets"


def _settings_key(split: str, seed: int, size: tuple[int, int], weather: str) -> str:
    chosen = {"weather": weather} if weather else {}
    settings = json.dumps(
        {"split": split, "seed": seed, "size": size, "version": VERSION} | chosen, sort_keys=True
    )
    return f"v{VERSION}-{hashlib.sha256(settings.encode()).hexdigest()[:16]}"


def _write(path: Path, pixels: NDArray[np.unsignedinteger]) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG", compress_level=4)
