"""Taking along what was named."""

from pathlib import Path
from typing import Any

import numpy as np

from oodretrieval.choices import EXPORT_FORMATS
from oodretrieval.errors import PartialFailure
from oodretrieval.explorer.details import Message
from oodretrieval.explorer.session import SAVING, Session
from oodretrieval.results.tagged import NOT_OF_INTEREST, gone_words


def export_tagged(session: Session) -> None:
    """Write the tagged candidates among those selected, else among those shown, as files for other tools.

    COCO, label images, CSV, Parquet and crops, into ``exports/<catalogue>`` of the workspace.

    Args:
        session: Whose state.
    """
    state = session.state
    rows = np.zeros(len(state), np.bool_)
    rows[state.selection.scope] = True
    selected, before = state.selection.count_shown, session.presentation.detail
    named = np.zeros(len(state), np.bool_)
    for name, held in state.tags.groups.rows.items():
        named |= held & (name != NOT_OF_INTEREST)
    left_out = int((named & ~rows).sum())
    others = _others_words(left_out, is_selected=bool(selected))
    if not named[rows].any():
        lead = f"nothing that is {'selected' if selected else 'shown'} has a name; "
        session.say(lead + (others or "w gives one"))
        return

    def write() -> dict[str, Any]:
        # only now: other commands do without its writers
        from oodretrieval.export.export_candidates import export_candidates

        try:
            return export_candidates(state.catalogue, session.workspace, rows, EXPORT_FORMATS)
        except PartialFailure as failure:  # all else is written
            return {"folder": session.workspace.exports_folder / state.catalogue.name, "failed": str(failure)}

    def say(done: dict[str, Any]) -> None:
        if "failed" in done:
            _say_failed(session, done["folder"].absolute(), done["failed"])
            return
        counts = ", ".join(f"{number} {name}" for name, number in done["tags"].items())
        of = f" of the {selected} selected" if selected else ""
        folder = Path(done["folder"]).absolute()
        session.say(f"exported {counts}{of} to {folder}{f'; {left_out} left out' if left_out else ''}")
        if session.presentation.detail is before:  # else something else was asked for meanwhile
            text = f"{counts}{of}, in {done['images']} images\n{folder}\n{', '.join(_contents(folder))}"
            text += f"\n\n{others}" if others else ""
            if done["gone"]:
                text += f"\n{gone_words(done['gone'], state.catalogue.name)}"
            session.presentation.detail = Message(text, "Exported", is_problem=False)

    session.work.start("export", f"{SAVING} the export", lambda job: write(), say)


def _others_words(number: int, *, is_selected: bool) -> str:
    """How many with a name are not exported, and what to do about it; empty for none."""
    if not number:
        return ""
    who = "1 with a name is" if number == 1 else f"{number} with a name are"
    if is_selected:
        return f"{who} left out, not being selected: x selects nothing, f then exports all that is shown"
    return (
        f"{who} left out, not being shown: an empty filter (/), a lower threshold (-), the legend show more"
    )


def _say_failed(session: Session, folder: Path, failed: str) -> None:
    """Say what of an export did not work, and where all else is: that must be seen, whatever is shown."""
    session.say(f"exported to {folder}, but not all of it: see on the right")
    text = f"{folder}\n{', '.join(_contents(folder))}\n\n{failed}"
    session.presentation.detail = Message(text, "Exported, but not all of it")


def _contents(folder: Path) -> list[str]:
    """What lies in a folder; folders end in a slash."""
    return sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())
