"""The help over everything, one step back, an end to what is under way, and the way out."""

from oodretrieval.explorer.commands.candidates import follow_ranking, show_candidates
from oodretrieval.explorer.commands.reviewing import REVIEWED
from oodretrieval.explorer.commands.selected import follow_selection
from oodretrieval.explorer.details import ElbowCurve, ReviewPage, SilhouetteCurve
from oodretrieval.explorer.prompt import Prompt
from oodretrieval.explorer.session import Session


def toggle_help(session: Session) -> None:
    """Show what mouse and keys do over everything, or no longer.

    Args:
        session: Whose view.
    """
    session.presentation.help = not session.presentation.help


def step_back(session: Session) -> None:
    """Close the help, the elbow, the review, put the lasso away, select nothing: the first of these that there is.

    Args:
        session: Whose view.
    """
    presentation = session.presentation
    if presentation.help:
        toggle_help(session)
    elif isinstance(presentation.detail, ElbowCurve | SilhouetteCurve):
        session.close_curve()
    elif presentation.tool:
        presentation.tool = ""
        session.say("the pointer moves the view")
    elif session.review is not None:
        close_review(session)
    elif session.state.selection.selected is not None:
        session.state.selection.clear()
        session.say("nothing selected")
    else:
        session.say("Ctrl + w closes the window")


def close_review(session: Session) -> None:
    """Close the review, and show what was there before it: its page would take no answer any more.

    Args:
        session: Whose view.
    """
    session.closed_review, session.review = session.review, None
    session.work.cancel("review")
    if session.work.coming("detail") == REVIEWED:
        session.work.cancel("detail")
    if isinstance(session.presentation.detail, ReviewPage):
        session.presentation.detail = session.headed_now(session.visited.now)
        given = frozenset({"tags"})  # a sheet from before the answers has none of them below its crops
        follow_ranking(session, given)
        follow_selection(session, show_candidates, given)
    session.say("the review is closed; v goes on with it, all answers are kept")


def cancel(session: Session) -> None:
    """Drop what is under way, but not what is being saved.

    Args:
        session: Whose view.
    """
    dropped = session.drop_work()
    unsaved = f"; {session.unsaved}" if session.unsaved else ""
    session.say((f"cancelled: {', '.join(dropped)}" if dropped else "nothing to cancel") + unsaved)


def leave(session: Session) -> None:
    """Close the view; asks first while something is being saved.

    Args:
        session: Whose view.
    """
    unsaved = session.unsaved
    if not unsaved:
        session.close()
        return

    def take(text: str) -> str:
        if text.lower() in ("y", "yes"):
            session.close()
        return ""

    question = f"{unsaved}\nclose all the same, which drops it? y and Enter close, Escape stays"
    session.presentation.prompt = Prompt(question, take)
