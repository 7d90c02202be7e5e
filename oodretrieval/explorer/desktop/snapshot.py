"""A view as a picture, with a window or without one."""

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from oodretrieval.charts.saving import save_picture
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.run import Run
from oodretrieval.explorer.commands.saving import SNAPSHOTS
from oodretrieval.explorer.desktop.explorer import Explorer
from oodretrieval.explorer.desktop.figure_view import FigureView
from oodretrieval.explorer.presentation import Presentation
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State

SIZE = (15.5, 8.2)
"""Of the picture, inches."""


def save_snapshot(state: State, presentation: Presentation, path: Path) -> Path:
    """Save scatter, legend and what is next to it, as they are presented.

    Args:
        state: What is known.
        presentation: What is shown; stays as it is.
        path: PNG, SVG or PDF file.

    Returns:
        ``path``.

    Raises:
        StoreError: If the file cannot be written.
    """
    figure = Figure(figsize=SIZE)
    FigureCanvasAgg(figure)
    window = presentation.window
    view = FigureView(figure, state, presentation)
    try:
        view.ring()
        return save_picture(path, figure, whole=True)
    finally:
        view.stop()
        presentation.window = window  # of the view that people see


def snapshot_embedding_space(settings: ExplorerSettings, run: Run) -> dict[str, Any]:
    """Save a catalogue's view as it was left, without a window.

    Args:
        settings: What to show; ``snapshot`` names the file.
        run: Configuration and workspace.

    Returns:
        Name of the ``catalogue``, its number of ``segments``, and the ``path``.

    Raises:
        SettingsError: If the name of the file ends in something else than .png, .svg or .pdf.
        StoreError: If the catalogue cannot be read, or the file cannot be written.
    """
    path = Path(settings.snapshot).expanduser()
    if path.suffix.lower() not in SNAPSHOTS:
        raise SettingsError(f"args.snapshot={settings.snapshot} must end in {', '.join(SNAPSHOTS)}")
    figure = Figure(figsize=SIZE)
    FigureCanvasAgg(figure)
    explorer = Explorer.from_settings(settings, run.workspace, figure)
    save_picture(path, figure, whole=True)
    return {"catalogue": explorer.state.catalogue.name, "segments": len(explorer.state), "path": str(path)}
