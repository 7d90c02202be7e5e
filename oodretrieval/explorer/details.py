"""What can be shown of segments next to the scatter: texts and pixels, ready to be drawn. Knows no toolkit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.image_view import ImageView


@dataclass(frozen=True, eq=False)
class KeysHelp:
    """What mouse and keys do."""


@dataclass(frozen=True, eq=False)
class Message:
    """A text where a picture was asked for.

    Attributes:
        text: What it says.
        heading: What it is about.
        is_problem: Whether something did not work.
    """

    text: str
    heading: str = "That did not work"
    is_problem: bool = True


@dataclass(frozen=True, eq=False)
class WholeImage:
    """The image of a segment.

    Attributes:
        heading: What it is.
        image: ``(H, W, 3)``.
        box: Left, top, right, bottom of the segment, half-open pixels, which is framed.
        meanings: What the numbers in the heading mean, line by line.
        row: Of the segment.
    """

    heading: str
    image: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    meanings: str = ""
    row: int | None = None


@dataclass(frozen=True, eq=False)
class FourPanels:
    """The four panels of a segment's image.

    Attributes:
        heading: What they are of.
        view: What is known of the image.
        row: Of the segment.
    """

    heading: str
    view: ImageView
    row: int | None = None


@dataclass(frozen=True, eq=False)
class CandidateGrid:
    """A page of candidates in lines.

    Attributes:
        heading: Which candidates these are, and what can be done.
        rows: Of the candidates, highest score first.
        pictures: Crop of each, ``(h, w, 3)``.
        captions: Text below each.
        columns: Candidates in a line.
        lines: Lines that a full page has.
    """

    heading: str
    rows: tuple[int, ...]
    pictures: tuple[NDArray[np.uint8], ...]
    captions: tuple[str, ...]
    columns: int
    lines: int


@dataclass(frozen=True, eq=False)
class CandidatePage(CandidateGrid):
    """A page of the contact sheet; see :class:`CandidateGrid`."""


@dataclass(frozen=True, eq=False)
class SelectionPage(CandidateGrid):
    """A page of what is selected; see :class:`CandidateGrid`.

    Attributes:
        place: Number of the page, from 0.
    """

    place: int


@dataclass(frozen=True, eq=False)
class FoundPage(CandidateGrid):
    """What a search by examples found, nearest first; see :class:`CandidateGrid`."""


@dataclass(frozen=True, eq=False)
class NeighbourPage:
    """A query and its nearest neighbours.

    Attributes:
        heading: What they are.
        rows: Of the query, then of its neighbours, nearest first.
        pictures: Crop of each, ``(h, w, 3)``.
        captions: Text below each.
        relevant: Whether each neighbour is of the query's class; None where that is not known of all.
        place: Number of the page, from 0.
    """

    heading: str
    rows: tuple[int, ...]
    pictures: tuple[NDArray[np.uint8], ...]
    captions: tuple[str, ...]
    relevant: tuple[bool, ...] | None
    place: int = 0


@dataclass(frozen=True, eq=False)
class ReviewPage:
    """A page of a review.

    Attributes:
        heading: How it stands, and what the keys mean.
        rows: Of the candidates, most worth a look first.
        pictures: Crop of each, ``(h, w, 3)``.
        captions: Text below each.
        colours: Of each one's answer as ``#rrggbb``; empty without an answer.
        place: Which of them the next answer is for.
        curve: Candidates of interest after each look, ``(looks,)``.
    """

    heading: str
    rows: tuple[int, ...]
    pictures: tuple[NDArray[np.uint8], ...]
    captions: tuple[str, ...]
    colours: tuple[str, ...]
    place: int
    curve: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ElbowCurve:
    """The spread within clusters over their number; choosing a number clusters by it.

    Attributes:
        spread: With 1, 2, 3, … clusters, ``(k,)``.
    """

    spread: NDArray[np.floating]

    @property
    def heading(self) -> str:
        """What it is, and what a click does."""
        return "k-means: click on the number of clusters to take"


@dataclass(frozen=True, eq=False)
class SilhouetteCurve:
    """The silhouette of clusters over their number; choosing a number clusters by it.

    Attributes:
        values: With 2, 3, … clusters, ``(k,)`` in -1…1; NaN where there is no such number.
        method: Of clustering, in words.
    """

    values: NDArray[np.floating]
    method: str

    @property
    def heading(self) -> str:
        """What it is, and what a click does."""
        return f"Silhouette, {self.method}: the higher, the farther apart; click on the number to take"


Detail = (
    KeysHelp
    | Message
    | WholeImage
    | FourPanels
    | CandidatePage
    | SelectionPage
    | FoundPage
    | NeighbourPage
    | ReviewPage
    | ElbowCurve
    | SilhouetteCurve
)


def is_drawn_again(one: Detail, other: Detail) -> bool:
    """Whether a detail is another one with new texts and ticks, and nothing that a person would go back to.

    Args:
        one: A detail.
        other: The one shown before.

    Returns:
        Whether both are sheets of the same candidates, or of what is selected, or the same picture.
    """
    if isinstance(one, WholeImage) and isinstance(other, WholeImage):
        return one.image is other.image
    if isinstance(one, FourPanels) and isinstance(other, FourPanels):
        return one.view is other.view
    if isinstance(one, SelectionPage) and isinstance(other, SelectionPage):
        return True
    sheets = CandidatePage | ReviewPage
    return isinstance(one, sheets) and isinstance(other, sheets) and one.rows == other.rows


def rows_to_choose(detail: Detail) -> tuple[int, ...]:
    """Candidates that a detail shows to select some of them.

    Args:
        detail: What is shown.

    Returns:
        Their rows; none for details of another kind, and for what is selected anyway.
    """
    return detail.rows if isinstance(detail, CandidatePage | FoundPage | NeighbourPage) else ()
