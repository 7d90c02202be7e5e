"""The one table of mouse and keys: what a view does, its help and docs/explorer.md are made from it."""

from collections.abc import Callable
from dataclasses import dataclass

from oodretrieval.explorer.commands import (
    candidates,
    clusters,
    colours,
    explaining,
    exporting,
    leaving,
    moving,
    naming,
    neighbours,
    pointer,
    reviewing,
    saving,
    searching,
    selecting,
    visiting,
)
from oodretrieval.explorer.session import Session
from oodretrieval.results.tables import markdown_lines


@dataclass(frozen=True)
class Command:
    """One thing that a person can do.

    Attributes:
        trigger: What does it: a key as matplotlib names it, or ``"wheel up"``, ``"wheel down"``.
        shown: The trigger in words.
        text: What happens.
        run: Does it.
        also: Other triggers that do it.
    """

    trigger: str
    shown: str
    text: str
    run: Callable[[Session], None]
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class SegmentCommand:
    """One thing that a person can do with a segment: the one under the pointer.

    Attributes:
        trigger: What does it: ``"pointer"``, or a button (``"left"``, ``"middle"``, ``"right"``) with what is held,
            as in ``"ctrl+left"``.
        shown: The trigger in words.
        text: What happens.
        run: Does it, given the row of the segment.
    """

    trigger: str
    shown: str
    text: str
    run: Callable[[Session, int], None]


MOUSE: tuple[SegmentCommand | Command, ...] = (
    SegmentCommand(
        "pointer",
        "pointer",
        "thumbnail of the segment under it, with classes, predicted IoU and score",
        pointer.show_thumbnail,
    ),
    SegmentCommand(
        "left", "left button", "the full image, with the segment in a red box", pointer.show_image
    ),
    SegmentCommand(
        "middle",
        "middle button",
        "four panels: entropy, score of each segment, image with truth, predicted classes",
        pointer.show_panels,
    ),
    SegmentCommand("right", "right button", "nearest neighbours of the segment", neighbours.show_neighbours),
    SegmentCommand(
        "shift+left", "Shift + left button", "select the segment, too, or no longer", selecting.toggle_segment
    ),
    Command(
        "wheel up",
        "wheel up",
        "zoom in at the pointer; dragging moves the view. Among candidates: upwards",
        moving.zoom_in,
    ),
    Command("wheel down", "wheel down", "zoom out. Among candidates: downwards", moving.zoom_out),
    Command("ctrl+wheel up", "Ctrl + wheel up", "one neighbour more", neighbours.more_neighbours),
    Command("ctrl+wheel down", "Ctrl + wheel down", "one neighbour less", neighbours.fewer_neighbours),
    SegmentCommand(
        "ctrl+left", "Ctrl + left button", "save the full image instead of showing it", saving.save_image
    ),
    SegmentCommand(
        "ctrl+middle",
        "Ctrl + middle button",
        "save the four panels instead of showing them",
        saving.save_panels,
    ),
    SegmentCommand("t+left", "t + left button", "save the crop of the segment alone", saving.save_crop),
)
"""What the mouse does where segments are: in the scatter, among candidates and neighbours."""

KEYS: tuple[Command, ...] = (
    Command(
        "s",
        "s",
        "contact sheet: the candidates, highest score first; equal ones of near frames count once",
        candidates.show_candidates,
    ),
    Command(
        "pagedown",
        "Page down",
        "next page of the contact sheet, of what is selected, or of neighbours",
        candidates.next_page,
    ),
    Command("pageup", "Page up", "the page before", candidates.previous_page),
    Command(",", ",", "back to what was shown before", visiting.go_back),
    Command(".", ".", "forward again", visiting.go_forward),
    Command("n", "n", "next candidate by score", candidates.next_candidate),
    Command("p", "p", "the candidate before", candidates.previous_candidate),
    Command("+", "+", "raise the threshold: hide the tenth of lowest score", candidates.raise_threshold),
    Command("-", "-", "lower the threshold", candidates.lower_threshold),
    Command("home", "Home", "show all points", moving.show_everything),
    Command(
        ";",
        ";",
        "search: what is like the selection, an image file or a box in it, a description",
        searching.ask_for_search,
    ),
    Command("]", "]", "one neighbour more", neighbours.more_neighbours),
    Command("[", "[", "one neighbour less", neighbours.fewer_neighbours),
    Command(
        "m",
        "m",
        "next distance metric: euclidean, cosine, centred cosine, expanded cosine",
        neighbours.cycle_metric,
    ),
    Command(
        "=",
        "=",
        "neighbours: what near frames repeat once, with its number (×7), or all",
        neighbours.toggle_once,
    ),
    Command(
        "g",
        "g",
        "colour by truth; classes that the network never learned are diamonds",
        colours.colour_by_truth,
    ),
    Command("h", "h", "colour by predicted class", colours.colour_by_prediction),
    Command("u", "u", "colour by the score that selected, the most unknown darkest", colours.colour_by_score),
    Command("y", "y", "colour by tag", colours.colour_by_tags),
    Command("j", "j", "colour by any column: type its name, Tab completes", colours.ask_for_colouring),
    Command("b", "b", "one colour for all", colours.colour_uniformly),
    Command("d", "d", "density of the segments behind them, on and off", colours.toggle_density),
    Command(
        "c",
        "c",
        "clusters: type their number, or elbow or silhouette for a curve; a click in the curve takes the number",
        clusters.ask_for_clusters,
    ),
    Command(
        "#",
        "#",
        "next clustering: k-means, spectral, agglomerative (Ward), DBSCAN, HDBSCAN",
        clusters.cycle_clustering,
    ),
    Command(
        "/",
        "/",
        "filter: show only what is meant, such as: class == 2 and predicted_iou < 0.4",
        selecting.ask_for_filter,
    ),
    Command("l", "l", "lasso: drag around points; Shift adds, Ctrl takes away", selecting.draw_lasso),
    Command("r", "r", "rectangle, likewise", selecting.draw_rectangle),
    Command(
        "k", "k", "select all of the marked segment's colour: its class, cluster, tag", selecting.select_group
    ),
    Command(
        "o",
        "o",
        "select the neighbours that are shown; what a search found is added to the selection",
        selecting.select_neighbours,
    ),
    Command("a", "a", "select all that is shown", selecting.select_all),
    Command("i", "i", "select what is shown and was not selected", selecting.invert_selection),
    Command("x", "x", "select nothing", selecting.clear_selection),
    Command("w", "w", "name what is selected, or the marked segment: type a tag", naming.ask_for_tag),
    Command(
        "q", "q", "take a tag off what is selected, or off the marked segment", naming.ask_for_tag_to_take_off
    ),
    Command("z", "z", "rename, merge or remove a tag", naming.ask_for_tag_to_change),
    Command("ctrl+z", "Ctrl + z", "undo: tags, selection, filter, colours, clusters, threshold", naming.undo),
    Command("ctrl+y", "Ctrl + y", "do again what was undone", naming.redo),
    Command(
        "v",
        "v",
        "review: the twelve candidates most worth a look among what is selected, else shown",
        reviewing.start_review,
    ),
    Command("1", "1", "review: this one is of interest", reviewing.answer_of_interest),
    Command("0", "0", "review: this one is not", reviewing.answer_not_of_interest),
    Command(
        "2",
        "2 … 9",
        "review: this one is what the number stands for; w gives a new name",
        reviewing.answer_name,
        also=("3", "4", "5", "6", "7", "8", "9"),
    ),
    Command("arrow right", "→", "review: the next one", reviewing.next_in_review),
    Command("arrow left", "←", "review: the one before", reviewing.previous_in_review),
    Command("enter", "Enter", "review: rank again, and show the next twelve", reviewing.next_review_page),
    Command(
        "e",
        "e",
        "why the network says so: the pixels that the evidence for the marked segment's class is followed back to",
        explaining.explain_marked,
    ),
    Command(
        "f",
        "f",
        "files: export what is tagged among what is selected, else shown: COCO, label images, tables, crops",
        exporting.export_tagged,
    ),
    Command("ctrl+s", "Ctrl + s", "save the whole view as PNG, SVG or PDF", saving.ask_for_snapshot),
    Command("?", "?", "this help", leaving.toggle_help),
    Command(
        "escape",
        "Escape",
        "one step back: closes the help, a question, the elbow, the lasso, the review; selects nothing",
        leaving.step_back,
    ),
    Command("backspace", "Backspace", "cancel what is under way, except what is being saved", leaving.cancel),
    Command("ctrl+w", "Ctrl + w", "close the window; asks while something is being saved", leaving.leave),
)
"""What keys do."""

COMMANDS = MOUSE + KEYS

_BY_TRIGGER = {command.trigger: command for command in COMMANDS} | {
    trigger: command for command in KEYS for trigger in command.also
}


def command_for(trigger: str) -> Command | SegmentCommand | None:
    """The command of a trigger.

    Args:
        trigger: As in the table.

    Returns:
        The command; None if there is none.

    Example:
        >>> command_for("ctrl+left").run.__name__
        'save_image'
    """
    return _BY_TRIGGER.get(trigger)


def help_lines() -> list[tuple[str, str]]:
    """What a view shows as its help.

    Returns:
        Trigger in words, and what happens.
    """
    return [(command.shown, command.text) for command in COMMANDS]


def keys_table() -> str:
    """The table as Markdown, for docs/explorer.md between ``<!-- keys -->`` and ``<!-- /keys -->``.

    Returns:
        Its lines, joined.
    """
    rows = [(_code(shown), text) for shown, text in help_lines()]
    return markdown_lines(("Mouse or key", "What happens"), rows)


def _code(shown: str) -> str:
    return f"`{shown}`" if len(shown) == 1 else shown
