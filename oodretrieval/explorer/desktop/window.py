"""The explorer in a window on the desktop, by Qt."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from oodretrieval.charts.saving import save_picture
from oodretrieval.errors import DisplayError, SettingsError
from oodretrieval.experiment.run import Run
from oodretrieval.explorer.commands.leaving import leave
from oodretrieval.explorer.commands.saving import SNAPSHOTS
from oodretrieval.explorer.desktop.explorer import Explorer
from oodretrieval.explorer.desktop.menus import WindowMenus
from oodretrieval.explorer.desktop.snapshot import SIZE
from oodretrieval.explorer.settings import ExplorerSettings

logger = logging.getLogger(__name__)
_PROBE = "from PySide6.QtWidgets import QApplication; QApplication([])"
_PATIENCE = 180
"""Seconds: starting Qt takes one, and very much longer on a machine that is busy."""
_FRAME = 30
"""Height of the bar that a desktop puts above a window, pixels."""
_NAMED = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def display_problem() -> str | None:
    """Why no window can be opened here.

    Qt ends the whole process where it finds no display, so a process of its own tries.

    Returns:
        A sentence; None if one can be opened.
    """
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in _NAMED):
        return "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set"
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"Qt did not answer within {_PATIENCE} s"
    if tried.returncode == 0:
        return None
    lines = [line for line in tried.stderr.splitlines() if line.strip()]
    return f"Qt cannot open a window ({lines[0].strip() if lines else f'exit code {tried.returncode}'})"


def discover_in_window(settings: ExplorerSettings, run: Run) -> dict[str, Any]:
    """Explore a catalogue in a window, until that is closed.

    Args:
        settings: What to explore, and how.
        run: Configuration and workspace.

    Returns:
        Name of the ``catalogue`` and its number of ``segments``.

    Raises:
        DisplayError: If no window can be opened here.
        StoreError: If the catalogue cannot be read.
        SettingsError: If a setting is unusable.
        KeyboardInterrupt: If it was ended by Ctrl-C or SIGTERM.
    """
    problem = display_problem()
    if problem is not None:
        raise DisplayError(
            f"{problem}; without a window there are the pictures of scripts/demo.py, the tables and charts of "
            "scripts/eval_retrieval.py, Explorer(catalogue).figure.savefig(…) in Python, and args.host=browser"
        )
    # Only now, and only for a window: choosing a backend is a matter of the whole process.
    from matplotlib import pyplot as plt

    plt.switch_backend("QtAgg")
    explorer = Explorer.from_settings(settings, run.workspace)
    kept = WindowMenus(explorer), ask_before_closing(explorer)  # as long as the window is there
    fit_screen(explorer)
    with ended_by_sigterm():
        plt.show(block=True)
    del kept
    return {"catalogue": explorer.state.catalogue.name, "segments": len(explorer.state)}


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, as of `kill` or a logout, end Qt's loop: what is raised inside of that is printed, and it goes on.

    Yields:
        Nothing.

    Raises:
        KeyboardInterrupt: Afterwards, if that was so.
    """
    from PySide6.QtWidgets import QApplication

    if threading.current_thread() is not threading.main_thread():
        yield  # only there signals can be handled
        return
    received: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        received.append(number)
        QApplication.quit()

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
    if received:
        raise KeyboardInterrupt


def fit_screen(explorer: Explorer) -> None:
    """Make the window of an explorer no larger than its screen has room for.

    Args:
        explorer: In a window of Qt.
    """
    manager: Any = explorer.figure.canvas.manager
    window = manager.window
    free = window.screen().availableGeometry()
    high = free.height() - _FRAME
    if window.width() > free.width() or window.height() > high:
        window.resize(min(window.width(), free.width()), min(window.height(), high))
        window.move(free.topLeft())


def ask_before_closing(explorer: Explorer) -> Any:
    """Let the window of an explorer ask before it closes while something is being saved.

    Args:
        explorer: In a window of Qt.

    Returns:
        What asks; it must be kept as long as the window.
    """
    from PySide6.QtCore import QEvent, QObject

    class Asking(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Close and explorer.session.unsaved:
                event.ignore()
                leave(explorer.session)
                return True
            return super().eventFilter(watched, event)

    manager: Any = explorer.figure.canvas.manager
    asking = Asking()
    manager.window.installEventFilter(asking)
    return asking


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
    if explorer.state.tags.problem:
        logger.warning("%s", explorer.state.tags.problem)
    save_picture(path, figure, whole=True)
    return {"catalogue": explorer.state.catalogue.name, "segments": len(explorer.state), "path": str(path)}
