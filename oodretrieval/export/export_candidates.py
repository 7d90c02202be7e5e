"""Write tagged candidates: COCO, label images, tables, folders of crops."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from oodretrieval.charts.candidate_pictures import CandidatePictures
from oodretrieval.choices import EXPORTED_CLASSES
from oodretrieval.errors import (
    ImageError,
    OODRetrievalError,
    PartialFailure,
    StoreError,
    UnknownNameError,
)
from oodretrieval.export.coco import coco_annotations
from oodretrieval.export.export_folder import ExportFolder
from oodretrieval.export.label_images import (
    LABELS,
    exported_classes,
    new_classes,
    painted_labels,
)
from oodretrieval.export.tagged_candidates import TaggedCandidate, tagged_candidates
from oodretrieval.files import file_name
from oodretrieval.results.catalogue_masks import CatalogueMasks
from oodretrieval.results.segment_classes import SegmentClasses
from oodretrieval.results.tagged import NOT_OF_INTEREST, CandidateRows, gone_words, read_tags
from oodretrieval.stores import Catalogue, Workspace, write_json
from oodretrieval.stores.tags import CandidateKey

logger = logging.getLogger(__name__)


def export_candidates(
    catalogue: Catalogue,
    workspace: Workspace,
    rows: NDArray[np.bool_],
    formats: Iterable[str],
    names: Iterable[str] = (),
    folder: Path | None = None,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write tagged candidates to a folder.

    Args:
        catalogue: Whose.
        workspace: Where predictions lie.
        rows: Candidates that count, ``(n,)``.
        formats: Some of :data:`~oodretrieval.choices.EXPORT_FORMATS`.
        names: Tags that count; all but "not of interest" where none is given.
        folder: Where to; by default ``exports/<catalogue>`` in the workspace. What an earlier export wrote there is
            replaced.
        overwrite: Replace what was changed since, too.

    Returns:
        ``folder``, number of ``candidates`` and of ``images``, candidates of each of the ``tags``, and how many are
        ``gone``: tagged, but not in the catalogue any more.

    Raises:
        StoreError: If masks cannot be read, nothing is tagged, or files of the export before were changed.
        UnknownNameError: If a tag is unknown.
        PartialFailure: If some images or predictions are missing; all else is written.
    """
    table = read_tags(catalogue)
    for name in names:
        if name not in table.names:
            raise UnknownNameError("tag", name, table.names)
    wanted = tuple(names) or tuple(name for name in table.names if name != NOT_OF_INTEREST)
    masks = CatalogueMasks(catalogue, workspace)
    by_key = CandidateRows(catalogue)
    groups, gone = by_key.groups(table), by_key.gone(table, wanted)
    if gone:
        logger.warning("%s", gone_words(gone, catalogue.name))
    candidates = tagged_candidates(catalogue, masks, groups, wanted, rows)
    if not candidates:
        raise StoreError(
            f"no candidate of catalogue {catalogue.name} is tagged as {' or '.join(wanted) or 'anything'} here; "
            "tag some with scripts/discover_embedding_space.py, or widen args.tags and args.filter"
        )
    used = [name for name in wanted if any(candidate.tag == name for candidate in candidates)]
    target = ExportFolder(folder or workspace.exports_folder / catalogue.name, overwrite=overwrite)
    said = groups.any_of((*wanted, NOT_OF_INTEREST))
    writing = _Export(catalogue, target, candidates, used, table.colours, masks, ~said)
    target.begin()
    for form in formats:
        writing.write(form)
    model = catalogue.settings.get("model", "")
    target.finish({"catalogue": catalogue.name, "model": model, "tags": used, "formats": list(formats)})
    counts = {name: sum(candidate.tag == name for candidate in candidates) for name in used}
    logger.info("%s: %s", target.path, ", ".join(f"{number} {name}" for name, number in counts.items()))
    if writing.failures:
        raise PartialFailure("export", writing.failures)
    images = len({candidate.key[:2] for candidate in candidates})
    number = len({candidate.row for candidate in candidates})
    return {"folder": str(target.path), "candidates": number, "images": images, "tags": counts, "gone": gone}


@dataclass
class _Export:
    """One folder being written."""

    catalogue: Catalogue
    folder: ExportFolder
    candidates: list[TaggedCandidate]
    names: list[str]
    colours: Mapping[str, str]
    masks: CatalogueMasks
    nameless: NDArray[np.bool_]
    """Rows of which nobody said what they are, ``(n,)``."""

    def __post_init__(self) -> None:
        self.failures: dict[str, str] = {}
        self._classes = SegmentClasses(self.catalogue)

    def write(self, form: str) -> None:
        """Write one form."""
        {
            "coco": self._write_coco,
            "labels": self._write_labels,
            "csv": lambda: self.folder.save(
                "candidates.csv", lambda path: self._table().to_csv(path, index=False)
            ),
            "parquet": lambda: self.folder.save(
                "candidates.parquet", lambda path: self._table().to_parquet(path)
            ),
            "crops": self._write_crops,
        }[form]()

    def _write_coco(self) -> None:
        text = json.dumps(coco_annotations(self.candidates, self.names), ensure_ascii=False)
        self.folder.save("coco.json", lambda path: path.write_text(text, encoding="utf-8"))

    def _write_labels(self) -> None:
        ids = new_classes(self._classes.pred_mapping, self.names)
        images, nameless = [], self._nameless_keys()
        for key, group in groupby(sorted(self.candidates, key=_image), key=_image):
            here = list(group)
            try:
                prediction = self.masks.prediction(here[0].key).prediction
                unclear = [self.masks.mask(*each) for each in nameless.get(key, {}).items()]
                labels = painted_labels(prediction, here, ids, unclear)
            except (OODRetrievalError, ValueError) as error:
                self.failures["/".join(key)] = f"no label image: {error}"
                continue
            name = f"{LABELS}/{file_name(key[0])}/{file_name(key[1])}.png"
            self.folder.save(name, lambda path, labels=labels: Image.fromarray(labels).save(path))  # type: ignore[misc]
            images.append({"id": "/".join(key), "image": str(here[0].image_path), "labels": name})
        table = exported_classes(self._classes.pred_mapping, ids, self.colours)
        described = {"format_version": 1, "classes": table, "images": images}
        write_json(self.folder.path / EXPORTED_CLASSES, described)
        self.folder.written.append(EXPORTED_CLASSES)

    def _nameless_keys(self) -> dict[tuple[str, str], dict[int, CandidateKey]]:
        """By image that has a tagged candidate: rows there of which nobody said what they are."""
        images = {_image(candidate) for candidate in self.candidates}
        pairs = pd.MultiIndex.from_frame(self.catalogue.segments[["dataset", "image_id"]])
        rows = np.flatnonzero(self.nameless & pairs.isin(list(images)))
        found: dict[tuple[str, str], dict[int, CandidateKey]] = {}
        for row, key in zip(rows.tolist(), CandidateRows(self.catalogue).keys(rows), strict=True):
            found.setdefault((key.dataset, key.image_id), {})[row] = key
        return found

    def _write_crops(self) -> None:
        pictures = CandidatePictures(self.catalogue)
        for candidate in self.candidates:
            dataset, image_id, number = candidate.key
            name = f"crops/{file_name(candidate.tag)}/{file_name(f'{dataset}_{image_id}_{number}')}.png"
            try:
                picture = pictures.embedded(candidate.row)
            except ImageError as error:
                self.failures[f"{dataset}/{image_id}"] = f"no crop: {error}"
                continue
            self.folder.save(name, lambda path, picture=picture: Image.fromarray(picture).save(path))  # type: ignore[misc]

    def _table(self) -> pd.DataFrame:
        rows = [candidate.row for candidate in self.candidates]
        table = self.catalogue.segments.iloc[rows].reset_index(drop=True)
        table.insert(0, "tag", [candidate.tag for candidate in self.candidates])
        table.insert(4, "predicted", self._classes.predicted_names[rows])
        return table


def _image(candidate: TaggedCandidate) -> tuple[str, str]:
    return candidate.key.dataset, candidate.key.image_id
