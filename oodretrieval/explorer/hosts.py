"""Where the explorer is shown: in a window of the desktop, or as a page in the browser."""

import logging
from typing import Any

from oodretrieval.experiment.run import Run
from oodretrieval.explorer.desktop.window import discover_in_window, display_problem, snapshot_embedding_space
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.web import require_page

logger = logging.getLogger(__name__)


def discover_embedding_space(settings: ExplorerSettings, run: Run) -> dict[str, Any]:
    """Explore a catalogue in a window or in the browser, until that is left.

    Args:
        settings: What to explore, how and where.
        run: Configuration and workspace.

    Returns:
        Name of the ``catalogue`` and its number of ``segments``.

    Raises:
        DisplayError: If there is no display for a window, or the page's packages are missing.
        StoreError: If the catalogue cannot be read.
        SettingsError: If a setting is unusable.
    """
    if settings.snapshot:
        return snapshot_embedding_space(settings, run)
    problem = display_problem() if settings.host == "auto" else None
    if settings.host == "browser" or problem is not None:
        if problem is not None:
            logger.info("%s; the explorer is a page in the browser instead of a window", problem)
        require_page()
        # only now: Panel takes a while
        from oodretrieval.explorer.web.server import discover_in_browser

        return discover_in_browser(settings, run)
    return discover_in_window(settings, run)
