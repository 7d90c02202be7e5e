"""Saving instead of showing: the image with the box, the crop, the four panels."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.framed_image import framed_image
from oodretrieval.explorer.prompt import Prompt
from oodretrieval.explorer.session import SAVING, Session
from oodretrieval.files import file_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SNAPSHOTS = (".png", ".svg", ".pdf")
"""What a view can be saved as."""


def save_image(session: Session, row: int) -> None:
    """Save the full image with the segment in a red box.

    Args:
        session: Whose pictures.
        row: Of the segment.
    """
    box = session.state.segments.box(row)
    _save(session, row, "image", lambda: framed_image(session.pictures.outlined_image(row), box))


def save_crop(session: Session, row: int) -> None:
    """Save the crop of a segment alone.

    Args:
        session: Whose pictures.
        row: Of the segment.
    """
    _save(session, row, "crop", lambda: session.pictures.embedded(row))


def save_panels(session: Session, row: int) -> None:
    """Save the four panels of a segment's image.

    Args:
        session: Whose pictures.
        row: Of the segment.
    """
    title = " · ".join(session.heading(row).splitlines())

    def draw() -> "Figure":
        # matplotlib only now: other views than its own do without it
        from oodretrieval.charts.image_panels import four_panel_figure

        return four_panel_figure(session.image_view(row), title)

    _save(session, row, "panels", draw)


def _save(session: Session, row: int, kind: str, make: Callable[[], "NDArray[np.uint8] | Figure"]) -> None:
    value = session.state.segments.value
    parts = value(row, "dataset"), value(row, "image_id"), value(row, "segment_id"), kind
    path = session.folder / f"{file_name('_'.join(map(str, parts)))}.png"

    def save() -> Path:
        from oodretrieval.charts.saving import save_picture

        return save_picture(path, make(), whole=True)

    # a slot of its own for each: a picture that was asked for is not dropped for the next one
    session.work.start(
        f"save {id(save)}", SAVING, lambda job: save(), lambda path: session.say(f"saved {path}")
    )


def ask_for_snapshot(session: Session) -> None:
    """Ask for a file to save the whole view to: scatter, legend and what is next to it.

    Args:
        session: Whose view.
    """
    snapshot = session.snapshot
    if snapshot is None:
        session.say("this view cannot be saved from here; discover_embedding_space saves it by args.snapshot")
        return

    def take(text: str) -> str:
        path = session.folder / (text or "view.png")
        if path.suffix.lower() not in SNAPSHOTS:
            return f"the name of a file ends in {', '.join(SNAPSHOTS)}"

        # here, not in a thread: the view reads the state while it draws
        session.attempt(lambda: session.say(f"saved {snapshot(session.state, session.presentation, path)}"))
        return ""

    question = f"save the view as (.png, .svg or .pdf), in {session.folder}"
    session.presentation.prompt = Prompt(question, take, "view.png")
