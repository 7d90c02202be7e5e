"""What the colours of the points mean, and the density behind them."""

from oodretrieval.errors import SettingsError
from oodretrieval.explorer.colour_groups import COLOURINGS
from oodretrieval.explorer.prompt import Prompt
from oodretrieval.explorer.session import Session


def colour_by_truth(session: Session) -> None:
    """Colour by truth, where there is any.

    Args:
        session: Whose state.
    """
    session.state.colour_by("truth")


def colour_by_prediction(session: Session) -> None:
    """Colour by predicted class.

    Args:
        session: Whose state.
    """
    session.state.colour_by("prediction")


def colour_by_score(session: Session) -> None:
    """Colour by the score that the segments were selected by, where the catalogue has it.

    Args:
        session: Whose state.
    """
    session.state.colour_by("score")


def colour_by_tags(session: Session) -> None:
    """Colour by tag.

    Args:
        session: Whose state.
    """
    session.state.colour_by("tags")


def colour_uniformly(session: Session) -> None:
    """Give all points one colour.

    Args:
        session: Whose state.
    """
    session.state.colour_by("uniform")


def ask_for_colouring(session: Session) -> None:
    """Ask for the column to colour by.

    Args:
        session: Whose view.
    """

    def take(text: str) -> str:
        try:
            session.state.colour_by(text)
        except SettingsError as error:
            return str(error)
        return ""

    choices = tuple(dict.fromkeys([*COLOURINGS, *session.state.columns]))
    question = "colour by which column? drive, image, predicted_iou, cluster, S, …"
    session.presentation.prompt = Prompt(question, take, choices=choices)


def toggle_density(session: Session) -> None:
    """Shade the density of the points, or no longer.

    Args:
        session: Whose view.
    """
    session.presentation.density = not session.presentation.density
