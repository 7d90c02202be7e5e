"""One table of mouse and keys: the handlers, the help in the window and the README's table are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """One thing that a person can do.

    Attributes:
        trigger: What does it: a key as matplotlib names it, ``"pointer"``, ``"wheel up"``, ``"wheel down"``, or a
            button (``"left"``, ``"middle"``, ``"right"``) with what is held, as in ``"ctrl+left"``.
        shown: The trigger in words.
        command: Name of the method of :class:`~oodretrieval.explorer.commands.Commands`.
        text: What happens.
    """

    trigger: str
    shown: str
    command: str
    text: str


POINTER = (
    Action(
        "pointer",
        "pointer",
        "hover",
        "thumbnail of the segment under it, with classes, predicted IoU and score",
    ),
    Action("left", "left button", "show_image", "the full image, with the segment in a red box"),
    Action(
        "middle",
        "middle button",
        "show_panels",
        "four panels: entropy, score of each segment, image with truth, predicted classes",
    ),
    Action("right", "right button", "show_neighbours", "nearest neighbours of the segment"),
    Action("wheel up", "wheel up", "more_neighbours", "one neighbour more"),
    Action("wheel down", "wheel down", "fewer_neighbours", "one neighbour less"),
    Action("ctrl+left", "Ctrl + left button", "save_image", "save the full image instead of showing it"),
    Action(
        "ctrl+middle", "Ctrl + middle button", "save_panels", "save the four panels instead of showing them"
    ),
    Action("t+left", "t + left button", "save_crop", "save the crop of the segment alone"),
)
"""What the pointer does, in the scatter and among the neighbours."""

KEYS = (
    Action(
        "s",
        "s",
        "show_candidates",
        "contact sheet: the candidates, highest score first; equal ones of near frames count once",
    ),
    Action("pagedown", "Page down", "next_page", "next page of the contact sheet"),
    Action("pageup", "Page up", "previous_page", "the page before"),
    Action("n", "n", "next_candidate", "next candidate by score"),
    Action("p", "p", "previous_candidate", "the candidate before"),
    Action("+", "+", "raise_threshold", "raise the threshold: hide the tenth of lowest score"),
    Action("-", "-", "lower_threshold", "lower the threshold"),
    Action("m", "m", "cycle_metric", "next distance metric: euclidean, cosine"),
    Action(
        "g", "g", "colour_by_truth", "colour by truth; classes that the network never learned are diamonds"
    ),
    Action("h", "h", "colour_by_prediction", "colour by predicted class"),
    Action("u", "u", "colour_by_score", "colour by the score that selected, the most unknown darkest"),
    Action("b", "b", "colour_uniformly", "one colour for all"),
    Action("d", "d", "toggle_density", "density of the segments behind them, on and off"),
    Action(
        "c",
        "c",
        "ask_for_clusters",
        "clusters: type their number, or elbow for the curve of k-means; a click in the curve takes the number",
    ),
    Action("#", "#", "cycle_clustering", "next clustering: k-means, spectral, agglomerative (Ward)"),
    Action("?", "?", "toggle_help", "this help"),
    Action("escape", "Escape", "leave", "close the help, a question or the elbow; else leave"),
)
"""What keys do."""

ACTIONS = POINTER + KEYS

_BY_TRIGGER = {action.trigger: action for action in ACTIONS}


def action_for(trigger: str) -> Action | None:
    """The action of a trigger, or None.

    Example:
        >>> action_for("ctrl+left").command
        'save_image'
    """
    return _BY_TRIGGER.get(trigger)


def trigger_of_key(key: str | None) -> str:
    """A key in the spelling of the table: shift is part of the character.

    Example:
        >>> trigger_of_key("shift+?"), trigger_of_key("M")
        ('?', 'm')
    """
    name = (key or "").removeprefix("shift+")
    return name.lower() if len(name) == 1 else name


def markdown_table() -> str:
    """The table as Markdown, for the README between ``<!-- keys -->`` and ``<!-- /keys -->``."""
    rows = [f"| {_code(action.shown)} | {action.text} |" for action in ACTIONS]
    return "\n".join(["| Mouse or key | What happens |", "| --- | --- |", *rows])


def _code(shown: str) -> str:
    return f"`{shown}`" if len(shown) == 1 else shown
