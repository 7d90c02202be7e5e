"""Taking along what was named."""

from typing import Any

import numpy as np

from oodretrieval.choices import EXPORT_FORMATS
from oodretrieval.explorer.session import SAVING, Session


def export_tagged(session: Session) -> None:
    """Write the tagged candidates among those selected, else among those shown, as files for other tools.

    COCO, label images, CSV, Parquet and crops, into ``exports/<catalogue>`` of the workspace.

    Args:
        session: Whose state.
    """
    state = session.state
    rows = np.zeros(len(state), np.bool_)
    rows[state.selection.scope] = True
    selected = state.selection.count_shown

    def write() -> dict[str, Any]:
        # only now: other commands do without its writers
        from oodretrieval.export.export_candidates import export_candidates

        return export_candidates(state.catalogue, session.workspace, rows, EXPORT_FORMATS)

    def say(done: dict[str, Any]) -> None:
        counts = ", ".join(f"{number} {name}" for name, number in done["tags"].items())
        of = f" of the {selected} selected" if selected else ""
        session.say(f"exported {counts}{of} to {done['folder']}")

    session.work.start("export", f"{SAVING} the export", lambda job: write(), say)
