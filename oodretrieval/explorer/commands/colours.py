"""What the colours of the points mean, and the density behind them."""

from oodretrieval.explorer.session import Session


def colour_by_truth(session: Session) -> None:
    """Colour by truth, where there is any.

    Args:
        session: Whose state.
    """
    if session.state.segments.classes.has_truth:
        session.state.colouring = "truth"
    else:
        session.say("no truth in this catalogue; h colours by predicted class")


def colour_by_prediction(session: Session) -> None:
    """Colour by predicted class.

    Args:
        session: Whose state.
    """
    session.state.colouring = "prediction"


def colour_by_score(session: Session) -> None:
    """Colour by the score that the segments were selected by, where the catalogue has it.

    Args:
        session: Whose state.
    """
    if session.state.segments.select_by:
        session.state.colouring = "score"
    else:
        session.say("no score in this catalogue; compute_embeddings writes it")


def colour_uniformly(session: Session) -> None:
    """Give all points one colour.

    Args:
        session: Whose state.
    """
    session.state.colouring = "uniform"


def toggle_density(session: Session) -> None:
    """Shade the density of the points, or no longer.

    Args:
        session: Whose view.
    """
    session.presentation.density = not session.presentation.density
