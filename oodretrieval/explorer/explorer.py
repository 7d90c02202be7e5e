"""The explorer: events of a figure's canvas → actions of the table → commands."""

import logging
from pathlib import Path
from typing import Any

from matplotlib.backend_bases import KeyEvent, LocationEvent, MouseButton, MouseEvent, TimerBase
from matplotlib.figure import Figure

from oodretrieval.errors import OODRetrievalError
from oodretrieval.experiment.settings import flat, from_mapping
from oodretrieval.explorer.actions import POINTER, action_for, trigger_of_key
from oodretrieval.explorer.commands import Commands
from oodretrieval.explorer.figure import Board
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.work import Work
from oodretrieval.stores import Catalogue, Workspace

logger = logging.getLogger(__name__)
SIZE = (15.5, 8.2)
BUTTONS = {MouseButton.LEFT: "left", MouseButton.MIDDLE: "middle", MouseButton.RIGHT: "right"}
_LOOK = 60
"""How often finished work is looked for, milliseconds."""


class Explorer:
    """Look around in an embedding space.

    Works under any backend of matplotlib: with an event loop, long work is done beside it; without one (Agg, a
    static notebook figure) everything is done when it is asked for.

    Args:
        catalogue: What is explored, or its folder.
        workspace: Where the predictions lie; by default that of the catalogue.
        figure: An empty figure to draw in; by default a new one of pyplot.
        **settings: As in :class:`~oodretrieval.explorer.settings.ExplorerSettings`; groups as dicts.

    Attributes:
        figure: The figure.
        state: What is known.
        board: What is drawn.
        commands: What can be done.
        work: What is under way.

    Raises:
        StoreError: If the catalogue cannot be read.
        SettingsError: If a setting is unknown or unusable.

    Example:
        ::

            explorer = Explorer("workspace/catalogues/streets_test", method="pca", tsne={"perplexity": 50})
            explorer.figure.savefig("space.png")
    """

    def __init__(
        self,
        catalogue: Catalogue | str | Path,
        workspace: Workspace | None = None,
        figure: Figure | None = None,
        **settings: Any,
    ) -> None:
        opened = catalogue if isinstance(catalogue, Catalogue) else Catalogue.open(catalogue)
        self.state = State(opened, from_mapping(ExplorerSettings, settings, "settings"))
        self.figure = figure if figure is not None else _new_figure(opened.name)
        canvas: Any = self.figure.canvas
        self._timer = canvas.new_timer(interval=_LOOK)
        immediate = type(self._timer) is TimerBase  # which never fires: nobody would deliver anything later
        self._timer.add_callback(self.poll)
        self._watching = False
        self.work = Work(self._failed, immediate, self._watch)
        self.board = Board(self.figure, self.state)
        place = workspace or Workspace(opened.path.resolve().parents[1])
        self.commands = Commands(self.state, self.board, self.work, place, self.close)
        _take_off_bindings(canvas)
        for event, handler in (
            ("motion_notify_event", self._moved),
            ("figure_leave_event", self._left),
            ("button_press_event", self._clicked),
            ("scroll_event", self._scrolled),
            ("key_press_event", self._pressed),
            ("resize_event", self._resized),
            ("close_event", self._closed),
        ):
            canvas.mpl_connect(event, handler)
        self.board.show_keys()
        if self.state.ranking is not None:
            self.commands.show_candidates()
        self.commands.project()

    @classmethod
    def from_settings(cls, settings: ExplorerSettings, workspace: Workspace) -> "Explorer":
        """Open the catalogue that settings name.

        Args:
            settings: As from the command line.
            workspace: Where it lies.

        Returns:
            The explorer.
        """
        catalogue = Catalogue.named(workspace, settings.embeddings_file, verify=settings.common.verify)
        values = {name: value for name, value in flat(settings).items() if name != "workspace"}
        return cls(catalogue, workspace, **values)

    def poll(self) -> None:
        """Deliver finished work and show how the rest stands; the window's timer calls this."""
        if not self.work.poll():
            self._timer.stop()
            self._watching = False
        lines = [job.line for job in self.work.under_way if job.title]
        progress = "   ".join(lines)
        if progress or progress != self.board.overlay.progress:
            self.board.overlay.progress = progress
            self.board.overlay.turn()
            self.board.overlay.refresh()

    def _watch(self) -> None:
        # Starting a timer that runs starts its wait anew: a pointer on its way would put it off for ever.
        if not self._watching:
            self._watching = True
            self._timer.start()

    def close(self) -> None:
        """Close the window, and drop what is under way."""
        self._closed()
        if self.figure.canvas.manager is not None:
            from matplotlib import pyplot as plt

            plt.close(self.figure)

    # -- events --------------------------------------------------------------------------------------------

    def _moved(self, event: LocationEvent) -> None:
        if self._resting():
            return
        row = self.board.row_at(event)
        if row is not None or self.state.hovered is not None:
            self.commands.hover(row, (event.x, event.y))

    def _left(self, event: LocationEvent) -> None:
        self.commands.hover(None)

    def _clicked(self, event: MouseEvent) -> None:
        if self._resting() or event.button not in BUTTONS:
            return
        number = self.board.elbow_at(event)
        if number is not None:
            self.commands.cluster(number)
            return
        self._point(_held(event) + BUTTONS[MouseButton(event.button)], event)

    def _scrolled(self, event: MouseEvent) -> None:
        if not self._resting() and self.board.is_pointed_at(event):
            action = action_for("wheel up" if event.step > 0 else "wheel down")
            if action is not None:
                getattr(self.commands, action.command)()

    def _point(self, trigger: str, event: MouseEvent) -> None:
        action = action_for(trigger)
        if action is None or not self.board.is_pointed_at(event):
            return
        row = self.board.row_at(event)
        if row is None:
            self.commands.say("no segment under the pointer")
        else:
            getattr(self.commands, action.command)(row)

    def _pressed(self, event: KeyEvent) -> None:
        overlay = self.board.overlay
        if overlay.prompt is not None:
            prompt = overlay.prompt
            if not prompt.press(event.key or "") and overlay.prompt is prompt:
                overlay.prompt = None
            overlay.refresh()
            return
        action = action_for(trigger_of_key(event.key))
        if action is None or action in POINTER:
            return
        if overlay.help and action.command not in ("toggle_help", "leave"):
            self.commands.toggle_help()
        getattr(self.commands, action.command)()

    def _resized(self, event: object) -> None:
        self.commands.hover(None)
        self.board.fit()

    def _closed(self, event: object = None) -> None:
        self.work.stop()
        self._timer.stop()

    def _resting(self) -> bool:
        """Whether the mouse belongs to somebody else: an open question, the help, the toolbar's pan and zoom."""
        toolbar: Any = getattr(self.figure.canvas, "toolbar", None)
        overlay = self.board.overlay
        return overlay.prompt is not None or overlay.help or bool(toolbar is not None and toolbar.mode)

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, OODRetrievalError):
            logger.error("unexpected %s: %s", type(error).__name__, error, exc_info=error)
        said = str(error) if isinstance(error, OODRetrievalError) else f"{type(error).__name__}: {error}"
        self.commands.say("that did not work; see on the right")
        self.board.show_message(said)


def _new_figure(name: str) -> Figure:
    # pyplot only here: whoever hands in a figure needs none of its global state
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=SIZE)
    if figure.canvas.manager is not None:
        figure.canvas.manager.set_window_title(f"{name} – embedding space")
    return figure


def _take_off_bindings(canvas: Any) -> None:
    """Take matplotlib's own keys, wheel and mouse buttons off this window; other figures keep theirs."""
    for name in ("key_press_handler_id", "button_press_handler_id", "scroll_handler_id"):
        handler = getattr(canvas.manager, name, None)
        if handler is not None:
            canvas.mpl_disconnect(handler)


def _held(event: MouseEvent) -> str:
    """What is held with a button, as the table of actions spells it."""
    modifiers: frozenset[str] = getattr(event, "modifiers", None) or frozenset()
    keys = set((event.key or "").split("+"))
    if modifiers & {"ctrl", "cmd"} or keys & {"control", "ctrl", "cmd", "super"}:
        return "ctrl+"
    return "t+" if "t" in keys else ""
