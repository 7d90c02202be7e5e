"""A view as a picture, with a window or without one."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from oodretrieval.charts.saving import save_picture
from oodretrieval.explorer.desktop.figure_view import FigureView
from oodretrieval.explorer.presentation import Presentation
from oodretrieval.explorer.state import State

SIZE = (15.5, 8.2)
"""Of a new figure, inches."""


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
