"""Why the network said so: fixations of the segment that is inspected."""

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from oodretrieval.explorer.details import WholeImage
from oodretrieval.explorer.session import Session
from oodretrieval.masks import decode_mask
from oodretrieval.results.catalogue_masks import CatalogueMasks
from oodretrieval.results.tagged import CandidateRows

if TYPE_CHECKING:
    from oodretrieval.explain import Explainer


def explain_marked(session: Session) -> None:
    """Show the fixations of the marked segment over its image; the network sees the image again.

    Args:
        session: Whose view.
    """
    row = session.presentation.marked
    if row is None:
        session.say("point at a segment, then e")
        return
    session.show_detail("asking the network why", lambda: _explained(session, row))


def _explained(session: Session, row: int) -> WholeImage:
    segments = session.state.segments
    model = str(session.state.catalogue.settings.get("model", ""))
    (key,) = CandidateRows(session.state.catalogue).keys([row])
    mask = decode_mask(
        CatalogueMasks(session.state.catalogue, session.workspace, session.places).mask(row, key)
    )
    image = session.pictures.image(row)
    explainer = _explainer(model, os.environ.get("OODRETRIEVAL_CONFIGURATION", ""))
    found = explainer.see(image).explain(mask, title=segments.classes.class_name(row))
    heading = (
        f"{session.heading(row)}\nwhy: {len(found.points)} fixations, {found.share_inside:.0%} of them inside"
    )
    # only now: it draws with matplotlib, which other commands do without
    from oodretrieval.charts.fixations import painted_fixations

    return WholeImage(heading, painted_fixations(image, found), segments.box(row), row=row)


@lru_cache(maxsize=1)
def _explainer(model: str, _configuration: str) -> "Explainer":
    """The network, kept for the next segment; another one where another configuration is in use."""
    from oodretrieval.experiment.configuration import load_configuration
    from oodretrieval.experiment.device import choose_device
    from oodretrieval.explain import Explainer  # only now: the explorer starts without torch

    return Explainer(load_configuration().model(model), choose_device(0))
