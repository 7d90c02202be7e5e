"""Which part of a segment table the segments of an image go to, and how a part is written."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from oodretrieval.errors import SettingsMismatchError
from oodretrieval.places import places_of
from oodretrieval.stores import blocks
from oodretrieval.stores.located_segments import is_current
from oodretrieval.stores.made_alike import differing_settings
from oodretrieval.stores.predictions import PredictionRecord
from oodretrieval.stores.segments import (
    Part,
    existing_parts,
    read_part,
    remove_parts,
    write_segments,
)
from oodretrieval.stores.stored import Stored
from oodretrieval.stores.workspace import Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Destination:
    """A part of the segment table that is to be written.

    Attributes:
        workspace: Root of the workspace.
        stored: Of which network on which dataset.
        number: Number of the part.
        kept: Images whose segments stay in it → digest of their predictions.
        order: Ids of its images in the order of the dataset; rows follow it, what the dataset no longer has comes last.
        made_by: Settings to note in the part.
    """

    workspace: Path
    stored: Stored
    number: int
    kept: Mapping[str, str]
    order: Sequence[str]
    made_by: Mapping[str, Any]

    def write(self, tables: Mapping[str, pd.DataFrame], digests: Mapping[str, str]) -> None:
        """Write the part, in one step: what stays in it, and what is new.

        Args:
            tables: Image → its segment table.
            digests: Image → digest of its prediction, of the same images.

        Raises:
            StoreError: If the part cannot be read or written.
        """
        workspace = Workspace(self.workspace)
        rows = dict(tables)
        if self.kept:
            there = read_part(workspace, self.stored, self.number)
            found = {str(image): part for image, part in there.groupby("image_id", sort=False)}
            rows |= {image: found.get(image, there.iloc[:0]) for image in self.kept}
        rank = {image: place for place, image in enumerate(self.order)}
        images = sorted(rows, key=lambda image: rank.get(image, len(rank)))
        made_of = {**self.kept, **digests}
        table = pd.concat([rows[image] for image in images], ignore_index=True)
        write_segments(
            workspace, self.stored, self.number, table, {i: made_of[i] for i in images}, self.made_by
        )


@dataclass(frozen=True)
class TableLayout:
    """The parts of a segment table that is to be written on.

    Only parts of the same settings are written again; others stay as they are, and nobody reads from them what was
    computed from other predictions than there are.

    Attributes:
        workspace: Where it lies.
        stored: Of which network on which dataset.
        ids: All images of the dataset, in order.
        made_by: What makes the predictions.
        parts: Number → what is there.
        from_scratch: The whole table is made again, and nothing of what is there stays.
    """

    workspace: Workspace
    stored: Stored
    ids: Sequence[str]
    made_by: Mapping[str, Any]
    parts: Mapping[int, Part]
    from_scratch: bool

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        stored: Stored,
        ids: Sequence[str],
        made_by: Mapping[str, Any],
        *,
        from_scratch: bool,
    ) -> "TableLayout":
        """Find out what is there; a part that is damaged is removed, so that its images are outstanding.

        Args:
            workspace: Where the table lies.
            stored: Of which network on which dataset.
            ids: Ids of all images of the dataset, in order.
            made_by: What the segments depend on.
            from_scratch: Whether everything is made again.

        Returns:
            The layout.

        Raises:
            StoreError: If a part is of another format version; not where the table is made from scratch.
            OSError: If one that is damaged cannot be removed.
        """
        parts = {} if from_scratch else existing_parts(workspace, stored, _remove_damaged)
        return cls(workspace, stored, ids, made_by, parts, from_scratch)

    @property
    def _own(self) -> dict[int, Part]:
        return {n: p for n, p in self.parts.items() if not differing_settings(p.settings, self.made_by)}

    def outstanding(self, images: Sequence[str], records: Mapping[str, PredictionRecord]) -> list[str]:
        """Those of the images whose segments are not there as their predictions are.

        Args:
            images: Ids.
            records: What their predictions say of themselves; an image without a record is outstanding.

        Returns:
            Ids, in the order of ``images``.

        Raises:
            SettingsMismatchError: If segments were computed from predictions of other settings.
        """
        own = list(self._own.values())
        left = [
            image
            for image in images
            if image not in records
            or not any(image in part.images and is_current(part, image, records[image], None) for part in own)
        ]
        foreign = [part for part in self.parts.values() if part not in own]
        for part in foreign:
            if not part.images.keys().isdisjoint(left):
                raise SettingsMismatchError(part.path, differing_settings(part.settings, self.made_by))
        return left

    def numbers(self, todo: Collection[str]) -> dict[str, int]:
        """Number of the part for each image of ``todo``; see :func:`part_numbers`."""
        own = self._own
        held = {number: part.images for number, part in own.items()}
        return part_numbers(self.ids, todo, held, self.parts.keys() - own.keys())

    def destinations(self, numbers: Mapping[str, int]) -> Iterator[tuple[Destination, list[str]]]:
        """The parts to be written, and the images whose segments are computed for each.

        Args:
            numbers: What :meth:`numbers` gave.

        Yields:
            Part to write, and the ids of its new images.
        """
        own = self._own
        places = places_of(self.ids)
        images: dict[int, list[str]] = {}
        for image, number in numbers.items():
            images.setdefault(number, []).append(image)
        for number, new in images.items():
            there = own[number].images if number in own else {}
            kept = {image: digest for image, digest in there.items() if image not in numbers}
            order = sorted((image for image in (*kept, *new) if image in places), key=places.__getitem__)
            to = Destination(self.workspace.path, self.stored, number, kept, order, dict(self.made_by))
            yield to, new

    def remove_others(self, numbers: Collection[int]) -> None:
        """Remove all parts but these from a table that was made from scratch.

        Args:
            numbers: Numbers of the parts that stay.

        Raises:
            StoreError: If one cannot be removed.
        """
        if self.from_scratch:
            remove_parts(self.workspace, self.stored, but=numbers)


def _remove_damaged(path: Path, reason: str) -> None:
    logger.warning("%s is damaged (%s); the segments of its images are computed again", path, reason)
    path.unlink(missing_ok=True)


def part_numbers(
    ids: Sequence[str],
    todo: Collection[str],
    held: Mapping[int, Collection[str]],
    taken: Collection[int] = (),
) -> dict[str, int]:
    """A part for every image whose segments are computed now; what the parts hold of others stays where it is.

    An image goes to the part that holds it, else to that of its block of the dataset, else, as images may come and
    go anywhere, to the first one with room, or to a new one.

    Args:
        ids: All images of the dataset, in order.
        todo: Those to be computed.
        held: Number of a part that may be written again → images that it holds.
        taken: Numbers of parts that may not.

    Returns:
        Image → number; part by part, each in the order of the dataset.

    Example:
        With blocks of 64 images, one that is new at the front of 65 joins the last part:

        >>> old = [f"image {i}" for i in range(65)]
        >>> part_numbers(["new", *old], ["new"], {0: old[:64], 1: old[64:]})
        {'new': 1}
    """
    images = {number: set(there) for number, there in held.items()}
    home = {image: number for number, there in held.items() for image in there}
    wanted = set(todo)
    found = {}
    for place, image in enumerate(ids):
        if image not in wanted:
            continue
        number = home.get(image, place // blocks.BLOCK)
        if image not in home and (number in taken or len(images.get(number, ())) >= blocks.BLOCK):
            room = (n for n in sorted(images) if len(images[n]) < blocks.BLOCK)
            number = next(room, 1 + max([*images, *taken]))
        images.setdefault(number, set()).add(image)
        found[image] = number
    return dict(sorted(found.items(), key=lambda item: item[1]))
