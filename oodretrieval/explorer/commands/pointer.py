"""What the pointer does over a segment: its thumbnail, its image, its four panels."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.details import FourPanels, WholeImage
from oodretrieval.explorer.facts import meanings
from oodretrieval.explorer.presentation import Thumbnail
from oodretrieval.explorer.session import Session


def show_thumbnail(session: Session, row: int) -> None:
    """Show the thumbnail of a segment next to the pointer; its caption at once, its picture when it is read.

    Args:
        session: Whose view.
        row: Of the segment.
    """
    presentation, picture = session.presentation, session.thumbnails.ready(row)
    with presentation.together():
        presentation.marked = row
        says = meanings(session.state, row, with_values=False)
        presentation.thumbnail = Thumbnail(row, presentation.pointer, picture, _caption(session, row), says)
        if picture is None:
            _fetch(session, row)


def _caption(session: Session, row: int) -> str:
    return f"{session.state.caption(row)}\n{session.state.segments.origin(row)}"


def _fetch(session: Session, row: int) -> None:
    def show(picture: NDArray[np.uint8]) -> None:
        shown = session.presentation.thumbnail
        if shown is not None and shown.row == row:
            session.presentation.thumbnail = replace(shown, picture=picture)

    session.work.start("thumbnail", "", lambda job: session.thumbnails.read_or_blank(row), show)


def follow_captions(session: Session, changed: frozenset[str]) -> None:
    """Say next to the pointer, and above a picture, what is known now of the segment.

    Args:
        session: Whose view.
        changed: Attributes of the state.
    """
    if not changed & {"tags", "clusters"}:
        return
    presentation, shown = session.presentation, session.presentation.thumbnail
    with presentation.together():
        if shown is not None:
            presentation.thumbnail = replace(shown, caption=_caption(session, shown.row))
        presentation.detail = session.headed_now(presentation.detail)


def leave_segment(session: Session) -> None:
    """Take the thumbnail away: the pointer is over no segment any more.

    Args:
        session: Whose view.
    """
    presentation = session.presentation
    if presentation.thumbnail is not None:
        with presentation.together():
            presentation.thumbnail, presentation.marked = None, None


def show_image(session: Session, row: int) -> None:
    """Show the full image with the segment in a red box.

    Args:
        session: Whose view.
        row: Of the segment.
    """
    heading, box = session.heading(row), session.state.segments.box(row)

    def read() -> WholeImage:
        image = session.pictures.outlined_image(row)
        return WholeImage(heading, image, box, meanings(session.state, row), row)

    session.show_detail("reading the image", read)


def show_panels(session: Session, row: int) -> None:
    """Show the four panels of a segment's image.

    Args:
        session: Whose view.
        row: Of the segment.
    """
    heading = session.heading(row)
    if not session.state.segments.all_are_measured:
        heading += "\nonly the selected segments' values are known"
    session.show_detail("four panels", lambda: FourPanels(heading, session.image_view(row), row))
