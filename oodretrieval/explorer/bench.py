"""What every command works with."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from oodretrieval.explorer import worker_process
from oodretrieval.explorer.crops import Crops
from oodretrieval.explorer.figure import Board
from oodretrieval.explorer.panels import ImageView
from oodretrieval.explorer.projections import Projections
from oodretrieval.explorer.state import Colouring, State
from oodretrieval.explorer.views import image_view
from oodretrieval.explorer.work import Job, Work
from oodretrieval.stores import Workspace, read_prediction


class Bench:
    """State, picture, work and files, within reach of the commands.

    Args:
        state: What is known.
        board: What is drawn.
        work: Where long work is done.
        workspace: Where predictions lie.
        close: Closes the window.

    Attributes:
        overlay: What comes and goes over the picture.
        crops: Images and crops.
        projections: Projections that are kept.
        folder: Where pictures are saved.
    """

    def __init__(
        self, state: State, board: Board, work: Work, workspace: Workspace, close: Callable[[], None]
    ) -> None:
        self.state, self.board, self.work, self.workspace, self.close = state, board, work, workspace, close
        self.overlay = board.overlay
        self.crops = Crops(state)
        self.projections = Projections(state.catalogue, state.embedding, state.settings)
        self.folder = Path(state.settings.save_dir or state.catalogue.path / "pictures")

    def say(self, text: str) -> None:
        """Say something in the status line."""
        self.overlay.status = text
        self.overlay.refresh()

    def _call(self, job: Job) -> Callable[..., NDArray[Any]]:
        if self.work.immediate:
            return worker_process.call

        def report(stage: str) -> None:
            job.stage = stage

        return partial(worker_process.call_in_process, job.cancelled, report)

    def _view(self, row: int) -> ImageView:
        state = self.state
        dataset, image_id = str(state.value(row, "dataset")), str(state.value(row, "image_id"))
        model = str(state.catalogue.settings.get("model", ""))
        return image_view(
            read_prediction(self.workspace, model, dataset, image_id),
            self.crops.outlined(row),
            state.segment_values(row),
            state.pred_mapping,
            state.label_mapping(dataset) or None,
            state.box(row),
        )

    def _colour(self, colouring: Colouring) -> None:
        self.state.colouring = colouring
        self.board.draw_scatter()

    def _leave_elbow(self) -> None:
        if self.board.detail == "elbow":
            self.board.show_keys()
