"""Which images are still to be predicted, and the parts of the segment table that they belong to."""

import logging
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pandas as pd

from oodretrieval.errors import StoreError
from oodretrieval.experiment.inputs import blocks, outstanding
from oodretrieval.stages.predict.finishing import Finished, Finisher
from oodretrieval.stores import (
    Workspace,
    existing_parts,
    read_part,
    read_prediction_settings,
    require_same_settings,
    write_segments,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What is left to do.

    Attributes:
        todo: Index of every image to predict → number of its part of the segment table; in order.
        kept: Number of a part → images whose segments stay in it.
        skipped: Images asked for that are done.
    """

    todo: Mapping[int, int]
    kept: Mapping[int, Set[str]]
    skipped: int

    @classmethod
    def of(cls, finisher: Finisher, ids: Sequence[str], wanted: Set[str], *, overwrite: bool) -> "Plan":
        """Look what is there.

        Args:
            finisher: What will be written, and where.
            ids: Ids of all images of the dataset, in order.
            wanted: Ids asked for.
            overwrite: Make anew what is there.

        Raises:
            SettingsMismatchError: If something is there that was made with other settings.
        """
        workspace, names = Workspace(finisher.workspace), finisher.names
        measure = finisher.keep == "nothing"
        parts = {}
        if measure:
            parts = existing_parts(workspace, *names, None if overwrite else finisher.made_by)
        todo: dict[int, int] = {}
        kept: dict[int, Set[str]] = {}
        for number, indices in blocks(len(ids)):
            images = [ids[i] for i in indices]
            held = set(parts.get(number, ()))
            if overwrite:
                # What else the part holds may have been made with other settings.
                missing = outstanding(images, wanted, held, overwrite=True)
                kept[number] = frozenset()
            else:
                done = {
                    i for i in images if i in wanted and (i in held or not measure) and _is_done(finisher, i)
                }
                missing = [i for i in images if i in wanted and i not in done]
                kept[number] = held - set(missing)
            todo |= {i: number for i, image in zip(indices, images, strict=True) if image in set(missing)}
        return cls(todo, kept, sum(image in wanted for image in ids) - len(wanted & {ids[i] for i in todo}))


def _is_done(finisher: Finisher, image_id: str) -> bool:
    path = Workspace(finisher.workspace).prediction_path(*finisher.names, image_id)
    if not path.is_file():
        return False
    try:
        recorded = read_prediction_settings(path)
    except StoreError as error:
        logger.warning("%s; predicting it again", error)
        return False
    require_same_settings(path.parent, recorded, finisher.made_by)
    return True


class PartWriter:
    """Writes a part of the segment table when all its images are finished, in a thread of its own.

    Used in a ``with`` block, at whose end, also by an error or an interruption, the part that has begun is written
    with the images that it has: the next run adds the others.

    Args:
        finisher: Where to, and what made it.
        ids: Ids of all images of the dataset, in order.
        plan: What is to be done.
    """

    def __init__(self, finisher: Finisher, ids: Sequence[str], plan: Plan) -> None:
        self.finisher, self.ids, self.plan = finisher, ids, plan
        self._numbers = {ids[i]: number for i, number in plan.todo.items()}
        self._number, self._tables = -1, dict[str, pd.DataFrame]()
        self._thread, self._writing = ThreadPoolExecutor(1), list[Future[None]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._thread:
            self._flush()
        for writing in self._writing:
            writing.result()

    def add(self, finished: Finished) -> None:
        """Take what became of an image; images come in the order of the plan.

        Raises:
            StoreError: If an earlier part could not be written.
        """
        if finished.table is None:
            return
        number = self._numbers[finished.image_id]
        if number != self._number:
            self._flush()
            self._number = number
        self._tables[finished.image_id] = finished.table

    def _flush(self) -> None:
        if not self._tables:
            return
        for writing in self._writing:
            writing.result()
        self._writing = [self._thread.submit(self._write, self._number, self._tables)]
        self._tables = {}

    def _write(self, number: int, tables: dict[str, pd.DataFrame]) -> None:
        workspace, names = Workspace(self.finisher.workspace), self.finisher.names
        if self.plan.kept[number]:
            there = read_part(workspace, *names, number)
            tables |= {
                str(image): rows
                for image, rows in there.groupby("image_id", sort=False)
                if image in self.plan.kept[number]
            }
        images = [image for image in self.ids if image in tables]
        table = pd.concat([tables[image] for image in images], ignore_index=True)
        write_segments(workspace, *names, number, table, images, self.finisher.made_by)
