"""Embed the segments of an existing catalogue with another network, part by part."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.embedding import embed_crops, embedding_network
from oodretrieval.errors import ImageError, PartialFailure, StoreError
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.inputs import dataset_in_use
from oodretrieval.experiment.run import Run
from oodretrieval.segments import crop
from oodretrieval.stages.select.compute_embeddings import crop_boxes
from oodretrieval.stages.select.embed_settings import EmbedSettings
from oodretrieval.stores import Catalogue, CatalogueWriter

logger = logging.getLogger(__name__)


def embed_again(settings: EmbedSettings, run: Run) -> dict[str, Any]:
    """Give the segments of ``settings.load_file`` vectors of ``settings.net``, in it or in ``settings.save_file``.

    Parts that have such vectors are skipped, so a run that broke off goes on.

    Args:
        settings: ``load_file``, ``save_file``, ``net``, ``crop_size``.
        run: Configuration and workspace.

    Returns:
        ``catalogue``, its number of ``segments`` and the name of the ``embedding``.

    Raises:
        StoreError: If there is no such catalogue.
        PartialFailure: If some images cannot be read; vectors of the parts without them are kept.
    """
    source = Catalogue.open(run.workspace.catalogue_folder(settings.load_file), verify=settings.verify)
    name = settings.save_file or settings.load_file
    embedding = settings.net
    if settings.crop_size != source.settings["crop_size"]:
        embedding += f"_{settings.crop_size}" if settings.crop_size else "_native"
    folder = run.workspace.catalogue_folder(name)
    with CatalogueWriter(
        folder, source.settings, overwrite=settings.overwrite and name != source.name
    ) as writer:
        if name != source.name and not writer.done:
            _copy(source, writer)
        failures = _fill(writer, embedding, source.segments, settings, run.configuration)
        if failures:
            raise PartialFailure("compute_embeddings", failures)
        writer.commit(default_embedding=embedding)
    logger.info("%d segments embedded with %s; catalogue %s", len(source), embedding, name)
    return {"catalogue": name, "segments": len(source), "embedding": embedding}


def _copy(source: Catalogue, writer: CatalogueWriter) -> None:
    vectors = np.asarray(source.vectors)
    writer.add_part(source.segments, vectors, source.default_embedding, (source.name, ()))
    for beside in source.table_names:
        writer.add_table(beside, source.table(beside))


def _fill(
    writer: CatalogueWriter,
    embedding: str,
    segments: pd.DataFrame,
    settings: EmbedSettings,
    configuration: Configuration,
) -> dict[str, str]:
    """Embed every part that lacks vectors; returns the images that failed."""
    network = embedding_network(settings.net)
    device = choose_device(settings.gpu)
    everything = replace(settings, limit=0)
    datasets = {n: dataset_in_use(everything, configuration, n) for n in segments["dataset"].unique()}
    failures: dict[str, str] = {}
    start = 0
    for index, count in enumerate(writer.rows):
        rows = segments.iloc[start : start + count]
        start += count
        if writer.has_vectors(index, embedding) and not settings.overwrite:
            continue
        failed: dict[str, str] = {}
        vectors = embed_crops(
            network,
            _crops(rows, datasets, failed),
            device=device,
            batch_size=settings.batch_size,
            size=settings.crop_size or None,
        )
        failures |= failed
        if not failed:
            writer.add_vectors(index, embedding, vectors)
    return failures


def _crops(
    rows: pd.DataFrame, datasets: dict[str, SegmentationDataset], failed: dict[str, str]
) -> Iterator[NDArray[np.uint8]]:
    """Crops of the rows in order; images that cannot be read are noted and skipped."""
    places = {name: {image: i for i, image in enumerate(dataset.ids)} for name, dataset in datasets.items()}
    current: tuple[str, str] | None = None
    image: NDArray[np.uint8] | None = None
    for dataset, image_id, box in zip(rows["dataset"], rows["image_id"], crop_boxes(rows), strict=True):
        if current != (dataset, image_id):
            current, image = (dataset, image_id), None
            try:
                if image_id not in places[dataset]:
                    raise StoreError(f"dataset {dataset!r} has no image {image_id!r} any more")
                image = datasets[dataset][places[dataset][image_id]].image
            except (ImageError, StoreError) as error:
                failed[f"{dataset}/{image_id}"] = str(error)
        if image is not None:
            yield crop(image, box)
