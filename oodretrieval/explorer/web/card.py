"""What is known of one candidate, as plain values that the page's script draws."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.facts import facts
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.pictures import picture_address


def card(state: State, row: int, picture: NDArray[np.uint8] | None) -> dict[str, Any]:
    """The card of a candidate.

    Args:
        state: Of its catalogue.
        row: Of the candidate.
        picture: Its crop, ``(h, w, 3)``; None while that is being read.

    Returns:
        ``row``, ``name``, ``unknown``, ``tags``, ``picture`` and ``facts``.
    """
    classes = state.segments.classes
    return {
        "row": row,
        "name": classes.class_name(row),
        "unknown": bool(classes.unknown[row]),
        "tags": [[name, state.tags.colour(name)] for name in state.tags.of_row(row)],
        "picture": "" if picture is None else picture_address(picture),
        "facts": [[fact.name, fact.value, fact.meaning] for fact in facts(state, row)],
    }
