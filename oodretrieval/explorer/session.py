"""What every command works with: the state, what the view shows, work under way, files. Knows no toolkit."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from oodretrieval.charts.candidate_pictures import CandidatePictures
from oodretrieval.charts.image_view import ImageView
from oodretrieval.errors import OODRetrievalError
from oodretrieval.explorer import worker_process
from oodretrieval.explorer.details import (
    Detail,
    ElbowCurve,
    FourPanels,
    Message,
    ReviewPage,
    SilhouetteCurve,
    WholeImage,
    is_drawn_again,
)
from oodretrieval.explorer.examples import Examples
from oodretrieval.explorer.image_views import image_view
from oodretrieval.explorer.keeping import Keeping
from oodretrieval.explorer.presentation import Presentation
from oodretrieval.explorer.projections import Projections
from oodretrieval.explorer.review import Review
from oodretrieval.explorer.state import State
from oodretrieval.explorer.thumbnails import Thumbnails
from oodretrieval.explorer.visited import Visited
from oodretrieval.explorer.work import Job, Work
from oodretrieval.stores import Stored, Workspace, stored_prediction

logger = logging.getLogger(__name__)

Snapshot = Callable[[State, Presentation, Path], Path]
"""Saves what is presented of a state to a file, and returns that."""
SAVING = "saving"
"""How the titles of jobs begin whose result would be lost."""
SELECTED = "selection"
"""Title of the job that shows what is selected."""


class Session:
    """One view of a state, with everything that its commands need; several sessions may share a state.

    Args:
        state: What is known.
        workspace: Where predictions lie.
        immediate: Do all work at once, where nobody would ever call :meth:`poll`.
        started: Called when there is something to poll for.
        ended: Called in the thread of a job that has ended, so that :meth:`poll` is not late.
        soon: Calls what begins a job, once what was asked for is shown.
        close: Closes the view.
        snapshot: Saves the view to a file; None where it cannot be.

    Attributes:
        state: As given.
        presentation: What the view shows apart from it.
        work: What is under way.
        pictures: Images and crops.
        thumbnails: Small crops.
        projections: Projections that are kept.
        examples: Vectors of images and descriptions that are searched for.
        folder: Where pictures are saved.
        visited: What was shown next to the scatter, to go back to.
        review: The review under way, or None.
        closed_review: The one that was closed last.
        search_again: Does the last search by examples once more, as the state is now.
        keeping: How it stands, kept for the next time.
    """

    def __init__(
        self,
        state: State,
        workspace: Workspace,
        *,
        immediate: bool = False,
        started: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
        soon: Callable[[Callable[[], None]], object] = lambda begin: begin(),
        close: Callable[[], None] = lambda: None,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.state, self.presentation = state, Presentation()
        self.work = Work(self._failed, immediate, started, ended, soon)
        self.workspace, self.close, self.snapshot = workspace, close, snapshot
        self.pictures = CandidatePictures(state.catalogue)
        self.thumbnails = Thumbnails(self.pictures)
        self.projections = Projections(state.catalogue, state.embedding, state.settings)
        self.examples = Examples(state.catalogue, state.embedding, state.settings.common.gpu)
        self.review: Review | None = None
        self.closed_review: Review | None = None
        self.keeping = Keeping(state, self.presentation)
        self.folder = Path(state.settings.save_dir or state.catalogue.path / "pictures")
        self.visited: Visited[Detail] = Visited(self.presentation.detail)
        self.search_again: Callable[[], None] = lambda: None
        self._said = 0
        self.presentation.subscribe(self._note_visit)

    def say(self, text: str) -> None:
        """Say something in the status line.

        Args:
            text: One line.
        """
        self._said += 1
        self.presentation.status = text

    def poll(self) -> bool:
        """Deliver finished work, and say how the rest stands; call it where the view lives.

        Returns:
            Whether anything is still under way.
        """
        busy = self.work.poll()
        progress = "   ".join(job.line for job in self.work.under_way if job.title)
        with self.presentation.together():
            self.presentation.progress = progress
            if progress:
                self.presentation.turns += 1
        return busy

    def attempt(self, act: Callable[[], None]) -> None:
        """Do something that may be refused; what is wrong is said in the status line.

        Args:
            act: Does it.
        """
        try:
            act()
        except OODRetrievalError as error:
            self.say(" ".join(str(error).split()))

    def obey(self, command: Callable[[], None]) -> None:
        """Do what a person asked for; the status line is left with what that said, not with what was said before.

        Args:
            command: Does it; may be refused, as in :meth:`attempt`.
        """
        said = self._said
        self.attempt(command)
        if self._said == said:
            self.say("")

    def look_around(self) -> None:
        """Take what was tagged in other windows, and keep how this one stands; call it every few seconds.

        Raises:
            StoreError: If the tags cannot be read.
        """
        self.state.tags.refresh()
        self.keeping.save()

    @property
    def unsaved(self) -> str:
        """What would be lost if the view closed now, in words; empty for nothing: tags are saved as they are given."""
        titles = [job.title for job in self.work.under_way if job.title.startswith(SAVING)]
        return f"still {', '.join(titles)}" if titles else ""

    def drop_work(self) -> list[str]:
        """Drop what is under way and has a name, except what is being saved.

        Returns:
            What was dropped.
        """
        dropped = self.work.drop(lambda job: bool(job.title) and not job.title.startswith(SAVING))
        self.presentation.awaits_neighbours = False
        self.poll()
        return dropped

    def show_detail(self, title: str, get: Callable[[], Detail]) -> None:
        """Get a detail in the background, and show it unless another one was asked for meanwhile.

        Args:
            title: What is done, for a person.
            get: Reads what is to be shown.
        """

        def show(detail: Detail) -> None:
            self.presentation.detail = detail

        self.close_curve()
        self.work.start("detail", title, lambda job: get(), show)

    def close_curve(self) -> None:
        """Show what was there before a curve over numbers of clusters, which can no longer be clicked."""
        if isinstance(self.presentation.detail, ElbowCurve | SilhouetteCurve):
            self.presentation.detail = self.visited.now

    def calculation(self, job: Job) -> Callable[..., NDArray[Any]]:
        """How a job calls the functions of :mod:`~oodretrieval.explorer.worker_process`.

        Args:
            job: Which is cancelled, and says how far it is.

        Returns:
            Takes the function's name, vectors and options: here where work is immediate, else in a process.
        """
        if self.work.immediate:
            return worker_process.call

        def report(stage: str) -> None:
            job.stage = stage

        return partial(worker_process.call_in_process, job.cancelled, report)

    def image_view(self, row: int) -> ImageView:
        """What is known of a segment's image, with the segment framed.

        Args:
            row: Of the segment.

        Returns:
            What the four panels show.

        Raises:
            StoreError: If the prediction is missing or kept nothing that an entropy can be taken of.
            ImageError: If the image has gone or cannot be read.
        """
        segments = self.state.segments
        dataset, image_id = segments.image_of(row)
        model = str(self.state.catalogue.settings.get("model", ""))
        return image_view(
            stored_prediction(self.workspace, Stored(model, dataset, self.places), image_id),
            self.pictures.outlined_image(row),
            segments.values_in_image(row),
            segments.classes.pred_mapping,
            segments.classes.label_mapping(dataset) or None,
            segments.box(row),
        )

    @property
    def places(self) -> tuple[str, ...]:
        """What a script that is proposed must be given, too, to find the same workspace."""
        return self.state.settings.common.places

    def short_name(self, row: int) -> str:
        """What a segment is called below its crop.

        Args:
            row: Of the segment.

        Returns:
            Its tags; without any, its class.
        """
        tags = self.state.tags.of_row(row)
        return f"tagged {', '.join(tags)}" if tags else self.state.segments.classes.class_name(row)

    def heading(self, row: int) -> str:
        """What a picture of a segment is headed by.

        Args:
            row: Of the segment.

        Returns:
            Two lines: its origin, and what is known of it.
        """
        return f"{self.state.segments.origin(row)}\n{' · '.join(self.state.caption(row).splitlines())}"

    def headed_now(self, detail: Detail) -> Detail:
        """A picture of a segment under what is known of that now; whatever else is shown, as it is.

        Args:
            detail: What is shown, or was.

        Returns:
            The same, or one like it whose heading says what the segment is called since.
        """
        if not isinstance(detail, WholeImage | FourPanels) or detail.row is None:
            return detail
        known = self.heading(detail.row).splitlines()
        heading = "\n".join([*known, *detail.heading.splitlines()[len(known) :]])
        return detail if heading == detail.heading else replace(detail, heading=heading)

    def _note_visit(self, changed: frozenset[str]) -> None:
        shown = self.presentation.detail
        # to pages of a review, and curves, one comes back by their own keys: what they ask may have changed
        if "detail" in changed and not isinstance(shown, ReviewPage | ElbowCurve | SilhouetteCurve):
            again = is_drawn_again(shown, self.visited.now)
            (self.visited.renew if again else self.visited.visit)(shown)

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, OODRetrievalError):
            logger.error("unexpected %s: %s", type(error).__name__, error, exc_info=error)
        said = str(error) if isinstance(error, OODRetrievalError) else f"{type(error).__name__}: {error}"
        self.say("that did not work; see on the right")
        self.presentation.detail = Message(said)
