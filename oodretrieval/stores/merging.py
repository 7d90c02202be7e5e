"""One catalogue of several: their rows, masks, tables, tags, and vectors of every embedding that all of them have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import SettingsMismatchError, StoreError
from oodretrieval.stores.catalogue import Catalogue
from oodretrieval.stores.catalogue_writer import CatalogueWriter
from oodretrieval.stores.made_alike import differing_settings
from oodretrieval.stores.masks import read_masks
from oodretrieval.stores.part_files import Part
from oodretrieval.stores.segments import read_tables
from oodretrieval.stores.tag_journal import carry_tags
from oodretrieval.stores.vectors import read_vectors

KEY = ["dataset", "image_id", "segment_id"]
"""Columns that name a candidate."""
LISTS = ("datasets", "video")
"""Settings that are put together."""
BY_DATASET = ("segments", "label_mapping", "void_ids", "unknown_ids")
"""Settings of which each dataset has its own."""
EXTENT = ("select_quantile", "select_number", "iou_threshold", "min_height", "min_width", "min_pixels")
"""Settings that say how much was selected, and may differ: the first catalogue's are noted, and those of each below
``merged``."""


def merged_catalogue(sources: Sequence[Catalogue], path: Path, *, overwrite: bool = False) -> Catalogue:
    """Put catalogues together; what several hold is taken from the first of them.

    Vectors are copied part by part and not computed; a call that broke off goes on. Candidates keep the tags that they
    have in any of them.

    Args:
        sources: At least one, made alike: of one network, selected by one score, of one kind of crops.
        path: Folder of the new catalogue.
        overwrite: Start again where there is one.

    Returns:
        The new catalogue. Its default embedding is the first one's where all have it.

    Raises:
        SettingsMismatchError: If they were made in ways that cannot be compared.
        StoreError: If they have no embedding in common, or a file is damaged or cannot be written.
    """
    names = [
        name
        for name in (sources[0].default_embedding, *sources[0].embedding_names)
        if all(name in source.embedding_names for source in sources)
    ]
    if not names:
        held = "; ".join(f"{source.name}: {', '.join(source.embedding_names)}" for source in sources)
        raise StoreError(
            f"the catalogues have no embedding in common ({held}); give one of them another's by "
            "scripts/compute_embeddings.py with args.load_file and args.net"
        )
    with CatalogueWriter(path, merged_settings(sources), overwrite=overwrite) as writer:
        there = writer.segments
        known = pd.MultiIndex.from_frame(there[KEY]) if len(there) else None
        for number, source in enumerate(sources):
            for part in source.manifest["parts"]:
                key = number, source.name, part["table"]
                if key not in writer.done:
                    known = _add(writer, source, part, list(dict.fromkeys(names)), key, known)
        for name in sources[0].table_names:
            if all(name in source.table_names for source in sources):
                tables = pd.concat([source.table(name) for source in sources], ignore_index=True)
                writer.add_table(name, tables.drop_duplicates(KEY, ignore_index=True))
        writer.commit()
    # after the commit: a call that breaks off in between is called again, and finds the rest to be done
    carry_tags([source.path for source in sources], path)
    return Catalogue.open(path)


def merged_settings(sources: Sequence[Catalogue]) -> dict[str, Any]:
    """Settings of the catalogue that several make together.

    Args:
        sources: At least one.

    Returns:
        Those of the first, with all datasets.

    Raises:
        SettingsMismatchError: If one differs in a setting without which rows or vectors cannot be compared.
    """
    merged = sources[0].settings
    for source in sources[1:]:
        own = source.settings
        apart = {name: both for name, both in _differences(merged, own).items() if name not in EXTENT}
        if apart:
            raise SettingsMismatchError(
                f"catalogue {source.name} next to {sources[0].name}",
                apart,
                "make one of them again as the other, under another args.save_file",
            )
        for name in LISTS:
            merged[name] = list(dict.fromkeys([*merged.get(name, ()), *own.get(name, ())]))
        for name in BY_DATASET:
            merged[name] = {**merged.get(name, {}), **own.get(name, {})}
    merged["merged"] = [
        {"catalogue": source.name, **{name: source.settings.get(name) for name in EXTENT}}
        for source in sources
    ]
    return merged


def _differences(merged: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, tuple[object, object]]:
    """What differs: of settings by dataset, only where both know the dataset."""
    apart = differing_settings(merged, own)
    for name in (*LISTS, *BY_DATASET, "merged"):
        apart.pop(name, None)
    for name in BY_DATASET:
        both = merged.get(name, {}).keys() & own.get(name, {}).keys()
        one, other = (
            ({key: settings[name][key] for key in both} for settings in (merged, own)) if both else ({}, {})
        )
        apart |= {f"{name} of {key}": values for key, values in differing_settings(one, other).items()}
    return apart


def _add(
    writer: CatalogueWriter,
    source: Catalogue,
    part: Part,
    names: Sequence[str],
    key: tuple[int, str, str],
    known: pd.MultiIndex | None,
) -> pd.MultiIndex:
    rows = read_tables([source.path / part["table"]])
    keys = pd.MultiIndex.from_frame(rows[KEY])
    new: NDArray[np.bool_] = ~keys.duplicated() if known is None else ~(keys.duplicated() | keys.isin(known))
    if not new.any():
        return keys if known is None else known
    masks = None
    if part.get("masks"):
        held = read_masks(source.path / part["masks"], part["rows"])
        masks = [held[row] for row in np.flatnonzero(new)]
    first, *others = (_vectors(source, part, name, new) for name in names)
    writer.add_part(rows[new].reset_index(drop=True), first, names[0], key, masks)
    for name, vectors in zip(names[1:], others, strict=True):
        writer.add_vectors(len(writer.rows) - 1, name, vectors)
    return keys[new] if known is None else known.append(keys[new])


def _vectors(source: Catalogue, part: Part, name: str, new: NDArray[np.bool_]) -> NDArray[np.float32]:
    vectors = read_vectors(source.path / part["vectors"][name], part["checksums"].get(name))
    return vectors if new.all() else np.asarray(vectors[new])
