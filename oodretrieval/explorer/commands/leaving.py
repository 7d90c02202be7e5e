"""The help over everything, and the way out."""

from oodretrieval.explorer.details import ElbowCurve
from oodretrieval.explorer.session import Session


def toggle_help(session: Session) -> None:
    """Show what mouse and keys do over everything, or no longer.

    Args:
        session: Whose view.
    """
    session.presentation.help = not session.presentation.help


def leave(session: Session) -> None:
    """Close the help or the elbow; else the view.

    Args:
        session: Whose view.
    """
    if session.presentation.help:
        toggle_help(session)
    elif isinstance(session.presentation.detail, ElbowCurve):
        session.presentation.close_elbow()
    else:
        session.close()
