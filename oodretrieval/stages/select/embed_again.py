"""Embed the segments of an existing catalogue with another network, part by part."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset, read_image
from oodretrieval.embedding import ImageCandidates, embedding_name
from oodretrieval.errors import (
    AllFailedError,
    DatasetError,
    ImageError,
    PartialFailure,
    StoreError,
    UnknownNameError,
)
from oodretrieval.execution import map_ahead, return_freed_memory
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed
from oodretrieval.masks import RunLengthMask
from oodretrieval.places import places_of
from oodretrieval.stages.select.embedder import Embedder
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Catalogue, CatalogueWriter
from oodretrieval.stores.boxes import crop_boxes

logger = logging.getLogger(__name__)


def embed_again(settings: EmbedSettings, run: Run) -> dict[str, Any]:
    """Give the segments of ``settings.load_file`` vectors of ``settings.net``, in it or in ``settings.save_file``.

    Parts that have such vectors are skipped, so a run that broke off goes on. The catalogue knows where its images
    lie; ``settings.root`` says where the dataset is now, if it has moved.

    Args:
        settings: ``load_file``, ``save_file``, ``net``, ``crop_size``.
        run: Configuration and workspace.

    Returns:
        ``catalogue``, its number of ``segments`` and the name of the ``embedding``.

    Raises:
        UnknownNameError: If there is no such catalogue.
        StoreError: If a run on it broke off, or ``save_file`` holds other segments.
        PartialFailure: If some images cannot be read; vectors of the parts without them are kept.
        AllFailedError: If not one can be read.
    """
    source = Catalogue.named(run.workspace, settings.load_file, verify=settings.common.verify)
    name = settings.save_file or settings.load_file
    other_size = settings.crop_size != source.settings["crop_size"]
    size = str(settings.crop_size or "native") if other_size else ""
    embedding = embedding_name(settings.net, settings.embedded, size, settings.mixed_precision)
    folder = run.workspace.catalogue_folder(name)
    with CatalogueWriter(
        folder, source.settings, overwrite=settings.common.overwrite and name != source.name
    ) as writer:
        if name != source.name and not writer.rows:
            _copy(source, writer)
        _require_same(source, writer, name)
        failures = _fill(writer, embedding, source, settings, run)
        if failures and len(failures) == len(source.segments[["dataset", "image_id"]].drop_duplicates()):
            datasets = ", ".join(map(repr, source.segments["dataset"].unique()))
            raise AllFailedError(
                "compute_embeddings",
                f"dataset {datasets} in catalogue {name}",
                failures,
                "bring the images back, or say by args.root where they are now",
            )
        if failures:
            raise PartialFailure("compute_embeddings", failures)
        writer.commit(default_embedding=embedding)
    there = sorted(Catalogue.named(run.workspace, name).manifest["embeddings"])
    logger.info(
        "%d segments embedded with %s, now the default of catalogue %s; it holds vectors of %s",
        *(len(source), embedding, name, ", ".join(there)),
    )
    return {"catalogue": name, "segments": len(source), "embedding": embedding}


def _require_same(source: Catalogue, writer: CatalogueWriter, name: str) -> None:
    """Refuse a catalogue whose parts are not those of ``source``.

    Raises:
        StoreError: With what to do.
    """
    there = writer.segments
    if len(there) == len(source) and all(
        there[column].tolist() == source.segments[column].tolist()
        for column in ("dataset", "image_id", "segment_id")
    ):
        return
    if name == source.name:
        raise StoreError(
            f"a run that changes catalogue {name!r} broke off: {len(there)} segments instead of {len(source)} are "
            "under way. Finish it by the scripts/compute_embeddings.py that made it, then embed again; or give its "
            "present segments another args.save_file"
        )
    raise StoreError(
        f"catalogue {name!r} holds other segments than {source.name!r}, {len(there)} instead of {len(source)}; add "
        "args.overwrite=True to make it of the present ones, or choose another args.save_file"
    )


def _copy(source: Catalogue, writer: CatalogueWriter) -> None:
    vectors = np.asarray(source.vectors)
    masks = source.masks
    writer.add_part(
        source.segments,
        vectors,
        source.default_embedding,
        done=(
            source.name,
            (),
        ),  # all of a catalogue, where other parts name a dataset and a block of its images
        masks=masks if any(masks) else None,
    )
    for other in source.table_names:
        writer.add_table(other, source.table(other))


def _fill(
    writer: CatalogueWriter,
    embedding: str,
    source: Catalogue,
    settings: EmbedSettings,
    run: Run,
) -> dict[str, str]:
    """Embed every part that lacks vectors; returns the images that failed."""
    embedder = Embedder(settings, run, str(source.settings.get("model", "")))
    segments, masks = source.segments, source.masks
    images = _Images(settings, run, segments["dataset"].unique())
    failures: dict[str, str] = {}
    with embedder:
        start = 0
        for index, count in enumerate(writer.rows):
            some = slice(start, start + count)
            start += count
            if writer.has_vectors(index, embedding) and not settings.common.overwrite:
                continue
            failed: dict[str, str] = {}
            vectors = embedder(images.candidates(segments.iloc[some], masks[some], failed))
            failures |= failed
            if not failed:
                writer.add_vectors(index, embedding, vectors)
    return failures


class _Origin(NamedTuple):
    """Where an image is from, and where it lay."""

    dataset: str
    image_id: str
    path: str


class _Images:
    """Images of a catalogue: from their datasets, or from where the catalogue says that they lie."""

    def __init__(self, settings: EmbedSettings, run: Run, names: Iterable[str]) -> None:
        self.moved = bool(settings.common.root)
        self.datasets: dict[str, SegmentationDataset] = {}
        everything = changed(settings, {"limit": 0})
        for name in names:
            try:
                self.datasets[name] = run.dataset(name, everything.common)
            except (DatasetError, UnknownNameError):
                if self.moved:
                    raise
        self.places = {n: places_of(d.ids) for n, d in self.datasets.items()}

    def candidates(
        self, rows: pd.DataFrame, masks: Sequence[RunLengthMask | None], failed: dict[str, str]
    ) -> Iterator[ImageCandidates]:
        """The candidates of the rows in order, image by image; images that cannot be read are noted and skipped."""
        boxes = crop_boxes(rows)
        images = [_Origin(*map(str, row)) for row in rows[["dataset", "image_id", "image_path"]].to_numpy()]
        groups = [[*places] for _, places in groupby(range(len(rows)), key=images.__getitem__)]
        with ThreadPoolExecutor(1) as thread:
            read = map_ahead(lambda places: self._try(images[places[0]]), groups, thread, ahead=2)
            for places, found in zip(groups, read, strict=True):
                return_freed_memory()
                if isinstance(found, str):
                    image = images[places[0]]
                    failed[f"{image.dataset}/{image.image_id}"] = found
                else:
                    yield ImageCandidates(found, [boxes[i] for i in places], [masks[i] for i in places])

    def _try(self, image: _Origin) -> NDArray[np.uint8] | str:
        """The image, or why it cannot be read."""
        try:
            return self._read(image)
        except (ImageError, StoreError) as error:
            return str(error)

    def _read(self, image: _Origin) -> NDArray[np.uint8]:
        place = self.places.get(image.dataset, {}).get(image.image_id)
        if place is not None:
            sample = self.datasets[image.dataset][place]
            # the entry may stand for other images of these names: without args.root the catalogue knows better
            if self.moved or str(sample.path) == image.path:
                return sample.image
        if self.moved:
            raise StoreError(f"dataset {image.dataset!r} has no image {image.image_id!r} any more")
        if not Path(image.path).is_file():
            raise ImageError(
                f"the image {image.path} has gone; bring it back, or say by args.root where it is now"
            )
        return read_image(Path(image.path))
