"""What is shown next to the scatter, as plain values that the page's script draws."""

from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np

from oodretrieval.explorer.commands.table import help_lines
from oodretrieval.explorer.details import (
    CandidateGrid,
    CandidatePage,
    Detail,
    ElbowCurve,
    FoundPage,
    FourPanels,
    KeysHelp,
    Message,
    NeighbourPage,
    ReviewPage,
    SelectionPage,
    SilhouetteCurve,
    WholeImage,
)
from oodretrieval.explorer.web.panels import four_panels
from oodretrieval.explorer.web.pictures import picture_address
from oodretrieval.search import elbow


def detail_content(detail: Detail, names: Sequence[str] = ()) -> dict[str, Any]:
    """A detail as the page's script draws it.

    Args:
        detail: What is shown.
        names: That have a key in a review, in the order of these.

    Returns:
        Its ``kind``, ``heading``, and what that kind shows.
    """
    match detail:
        case KeysHelp():
            return {"kind": "keys", "heading": "What mouse and keys do", "lines": keys()}
        case Message():
            return {
                "kind": "message",
                "heading": detail.heading,
                "text": detail.text,
                "problem": detail.is_problem,
            }
        case WholeImage():
            return {
                "kind": "image",
                "heading": detail.heading,
                "picture": picture_address(detail.image),
                "box": list(detail.box),
                "size": [detail.image.shape[1], detail.image.shape[0]],
            }
        case FourPanels():
            return {"kind": "panels", "heading": detail.heading, **four_panels(detail.view)}
        case CandidatePage() | SelectionPage() | FoundPage():
            return _grid(detail, [""] * len(detail.rows))
        case NeighbourPage():
            same = detail.relevant or (None,) * (len(detail.rows) - 1)
            tones = {None: "", True: "same", False: "other"}
            return _grid(detail, ["query", *(tones[relevant] for relevant in same)])
        case ReviewPage():
            return _review(detail, names)
        case ElbowCurve() | SilhouetteCurve():
            return _curve(detail)
        case _:
            assert_never(detail)


def _curve(curve: ElbowCurve | SilhouetteCurve) -> dict[str, Any]:
    """A curve over numbers of clusters, from the first on, and the number that it speaks for."""
    best: int | None
    if isinstance(curve, ElbowCurve):
        values, first, best = curve.spread, 1, elbow(curve.spread)
        words = {"mark": "bends most at", "unit": "squared distances to the nearest centre"}
    else:
        values, first = curve.values, 2
        best = int(np.nanargmax(values)) + first if np.isfinite(values).any() else None
        words = {"mark": "highest at", "unit": "silhouette: 1 far apart, 0 touching"}
    return {
        "kind": "elbow",
        "heading": curve.heading,
        "values": [float(value) if np.isfinite(value) else None for value in values],
        "first": first,
        "best": best,
        **words,
    }


def keys() -> list[list[str]]:
    """The table of commands.

    Returns:
        Trigger in words, and what happens, of each.
    """
    return [[shown, text] for shown, text in help_lines()]


def _review(page: ReviewPage, names: Sequence[str]) -> dict[str, Any]:
    content = _grid(page, ["now" if place == page.place else "" for place in range(len(page.rows))])
    for item, colour in zip(content["items"], page.colours, strict=True):
        item["colour"] = colour
    answers = [("1", "of interest"), ("0", "not"), *((str(key), name) for key, name in enumerate(names, 2))]
    return {
        **content,
        "kind": "review",
        "heading": page.heading.splitlines()[0],
        "answers": [list(answer) for answer in answers],
        "curve": [int(found) for found in page.curve],
    }


def _grid(page: CandidateGrid | NeighbourPage | ReviewPage, tones: list[str]) -> dict[str, Any]:
    items = zip(page.rows, page.pictures, page.captions, tones, strict=True)
    return {
        "kind": "grid",
        "heading": page.heading,
        "items": [
            {"row": int(row), "picture": picture_address(picture), "caption": caption, "tone": tone}
            for row, picture, caption, tone in items
        ],
    }
