"""Moving in the scatter: nearer, farther, everything."""

from oodretrieval.explorer.session import Session

STEP = 1.25
"""How much nearer one notch of the wheel brings the points."""


def zoom_in(session: Session) -> None:
    """Bring what is under the pointer nearer.

    Args:
        session: Whose view.
    """
    session.presentation.zoom(1 / STEP)


def zoom_out(session: Session) -> None:
    """Take what is under the pointer farther away.

    Args:
        session: Whose view.
    """
    session.presentation.zoom(STEP)


def show_everything(session: Session) -> None:
    """Let all points fit the scatter.

    Args:
        session: Whose view.
    """
    session.presentation.limits = None
