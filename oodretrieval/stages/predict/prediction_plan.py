"""Which images are still to be predicted, and the parts of the segment table that they belong to."""

import logging
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from types import TracebackType
from typing import Self

import pandas as pd

from oodretrieval.places import places_of
from oodretrieval.stages.predict.finish import Finished, Finisher
from oodretrieval.stores import PredictionRecord, Workspace, require_same_settings
from oodretrieval.stores.located_segments import readable_records
from oodretrieval.stores.table_layout import Destination, TableLayout

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What is left to do.

    Attributes:
        todo: Index of every image to predict, part by part.
        skipped: Images asked for that are done.
        destinations: Image → part of the segment table that its segments go to; empty where none are computed.
        layout: Of the segment table; None where none is computed.
    """

    todo: Sequence[int]
    skipped: int
    destinations: Mapping[str, Destination]
    layout: TableLayout | None

    @classmethod
    def of(cls, finisher: Finisher, ids: Sequence[str], wanted: Set[str], *, overwrite: bool) -> "Plan":
        """Find out what is left to do.

        Args:
            finisher: What will be written, and where.
            ids: Ids of all images of the dataset, in order.
            wanted: Ids asked for.
            overwrite: Make again what is there.

        Returns:
            The plan.

        Raises:
            SettingsMismatchError: If a prediction is there that was made with other settings.
        """
        asked = [image for image in ids if image in wanted]
        records = {} if overwrite else _recorded(finisher, asked)
        left = [image for image in asked if image not in records]
        layout, destinations = None, dict[str, Destination]()
        if finisher.keep == "nothing":
            from_scratch = overwrite and len(asked) == len(ids)
            stored, made_by = finisher.stored, finisher.made_by
            layout = TableLayout.of(
                Workspace(finisher.workspace), stored, ids, made_by, from_scratch=from_scratch
            )
            left = asked if overwrite else layout.outstanding(asked, records)
            parts = layout.destinations(layout.numbers(left))
            destinations = {image: to for to, images in parts for image in images}
        places = places_of(ids)
        todo = [places[image] for image in destinations or left]
        return cls(todo, len(asked) - len(todo), destinations, layout)

    def parts(self, size: int) -> Iterator[tuple[Sequence[int], Mapping[str, Destination]]]:
        """Cut what is to do into blocks; the images of one part of the segment table stay together.

        Args:
            size: Images in a block, where no segment tables are computed.

        Yields:
            Indices of the images, and image → part of the segment table.
        """
        if not self.destinations:
            yield from ((self.todo[start : start + size], {}) for start in range(0, len(self.todo), size))
            return
        pairs = zip(self.todo, self.destinations.items(), strict=True)  # both part by part
        for _, members in groupby(pairs, key=lambda pair: pair[1][1].number):
            some = list(members)
            yield [index for index, _ in some], dict(pair for _, pair in some)

    def tidy(self) -> None:
        """Remove the parts that a table which was made from scratch leaves over."""
        if self.layout is not None:
            self.layout.remove_others({to.number for to in self.destinations.values()})


def _recorded(finisher: Finisher, images: Sequence[str]) -> dict[str, PredictionRecord]:
    """What the predictions that are there say of themselves; damaged ones are as good as none."""
    workspace, stored = Workspace(finisher.workspace), finisher.stored
    records = {}
    again = partial(logger.warning, "%s; predicting it again")
    for image, record in readable_records(workspace, stored, images, again):
        require_same_settings(workspace.prediction_folder(stored), record.settings, finisher.made_by)
        records[image] = record
    return records


class PartWriter:
    """Writes a part of the segment table when all its images are finished, in a thread of its own.

    Used in a ``with`` block, at whose end, also by an error or an interruption, the part that has begun is written
    with the images that it has: the next run adds the others.

    Args:
        plan: What is to be done.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._to: Destination | None = None
        self._tables, self._digests = dict[str, pd.DataFrame](), dict[str, str]()
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
        """Take in one image; images arrive in the order of the plan.

        Args:
            finished: The image.

        Raises:
            StoreError: If an earlier part could not be written.
        """
        if finished.table is None:
            return
        to = self.plan.destinations[finished.image_id]
        if to is not self._to:
            self._flush()
            self._to = to
        self._tables[finished.image_id] = finished.table
        self._digests[finished.image_id] = finished.digest

    def _flush(self) -> None:
        if self._to is None or not self._tables:
            return
        for writing in self._writing:
            writing.result()
        self._writing = [self._thread.submit(self._to.write, self._tables, self._digests)]
        self._tables, self._digests = {}, {}
