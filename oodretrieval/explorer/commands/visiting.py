"""Back and forward through what was shown next to the scatter."""

from oodretrieval.explorer.session import Session


def go_back(session: Session) -> None:
    """Show what was shown before.

    Args:
        session: Whose view.
    """
    _go(session, -1, "nothing was shown before this")


def go_forward(session: Session) -> None:
    """Show what was left by going back.

    Args:
        session: Whose view.
    """
    _go(session, 1, "nothing was shown after this")


def _go(session: Session, by: int, otherwise: str) -> None:
    if session.visited.can(by):
        session.work.cancel("detail")  # what is still being made is not what was asked for last
        session.presentation.detail = session.headed_now(session.visited.move(by))
    else:
        session.say(otherwise)
