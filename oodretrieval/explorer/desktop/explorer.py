"""The explorer: events of a figure's canvas → commands of the table."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.backend_bases import KeyEvent, LocationEvent, MouseButton, MouseEvent, TimerBase
from matplotlib.figure import Figure

from oodretrieval.experiment.settings import flat, from_mapping
from oodretrieval.explorer.commands.clusters import find_clusters
from oodretrieval.explorer.commands.opening import start
from oodretrieval.explorer.commands.pointer import leave_segment
from oodretrieval.explorer.commands.triggers import (
    move_pointer,
    press_button,
    press_key,
    scroll_sheet,
    turn_wheel,
)
from oodretrieval.explorer.desktop.dragging import Dragging
from oodretrieval.explorer.desktop.figure_view import FigureView
from oodretrieval.explorer.desktop.snapshot import SIZE, save_snapshot
from oodretrieval.explorer.presentation import WATCHING
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web import require_page
from oodretrieval.stores import Catalogue, Workspace

if TYPE_CHECKING:
    from oodretrieval.explorer.web.notebook import NotebookPage

BUTTONS = {MouseButton.LEFT: "left", MouseButton.MIDDLE: "middle", MouseButton.RIGHT: "right"}
_POLLING = 60
"""How often finished work is looked for, milliseconds."""


class Explorer:
    """Look around in an embedding space.

    Works under any backend of matplotlib: with an event loop, long work is done in the background; without one (Agg, a
    static notebook figure) everything is done when it is asked for.

    Args:
        catalogue: What is explored, or its folder.
        workspace: Where the predictions lie; by default that of the catalogue.
        figure: An empty figure to draw in; by default a new one of pyplot.
        **settings: As in :class:`~oodretrieval.explorer.settings.ExplorerSettings`; groups as dicts.

    Attributes:
        figure: The figure.
        session: State, what is presented, and work under way.
        view: What is drawn.

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
        state = State(opened, from_mapping(ExplorerSettings, settings, "settings"))
        self.figure = figure if figure is not None else _new_figure(opened.name)
        canvas: Any = self.figure.canvas
        self._timer = canvas.new_timer(interval=_POLLING)
        self._timer.add_callback(self.poll)
        self._watch = canvas.new_timer(interval=WATCHING)
        self._watch.add_callback(self.look_for_tags)
        self._polling = False
        self.session = Session(
            state,
            workspace or Workspace(opened.path.resolve().parents[1]),
            immediate=type(self._timer)
            is TimerBase,  # which never fires: nobody would deliver anything later
            started=self._start_polling,
            close=self.close,
            snapshot=save_snapshot,
        )
        self.view = FigureView(self.figure, state, self.session.presentation)
        self._dragging = Dragging(self.view, self.session, self._click)
        self._over_detail = False  # where the pointer is
        self.session.presentation.subscribe(self._leave_what_is_gone)
        self._connect()
        start(self.session)
        self._watch.start()

    @property
    def state(self) -> State:
        """What is known."""
        return self.session.state

    @classmethod
    def from_settings(
        cls, settings: ExplorerSettings, workspace: Workspace, figure: Figure | None = None
    ) -> "Explorer":
        """Open the catalogue that settings name.

        Args:
            settings: As from the command line.
            workspace: Where it lies.
            figure: An empty figure to draw in; by default a new one of pyplot.

        Returns:
            The explorer.

        Raises:
            StoreError: If the catalogue cannot be read.
            SettingsError: If a setting is unusable.
        """
        catalogue = Catalogue.named(workspace, settings.embeddings_file, verify=settings.common.verify)
        values = {name: value for name, value in flat(settings).items() if name != "workspace"}
        return cls(catalogue, workspace, figure, **values)

    def servable(self) -> "NotebookPage":
        """The same state as a page, which a notebook shows in a frame; a window of pyplot closes.

        Returns:
            The page; its ``address`` opens it in a browser's own tab.

        Raises:
            DisplayError: If the page's packages are missing; names the command that installs them.
        """
        require_page()
        from oodretrieval.explorer.web.notebook import NotebookPage

        self.close()
        return NotebookPage(self.state, self.session.workspace)

    def poll(self) -> None:
        """Deliver finished work and show how the rest stands; the canvas's timer calls this."""
        if not self.session.poll():
            self._timer.stop()
            self._polling = False

    def look_for_tags(self) -> None:
        """Take what was tagged in other windows, and keep how this one stands; a timer of the canvas calls this."""
        self.session.attempt(self.session.look_around)

    def close(self) -> None:
        """Close the window, and drop what is under way."""
        self._closed()
        if self.figure.canvas.manager is not None:
            from matplotlib import pyplot as plt

            plt.close(self.figure)

    def _start_polling(self) -> None:
        # Starting a timer that runs starts its wait again: a pointer on its way would put it off for ever.
        if not self._polling:
            self._polling = True
            self._timer.start()

    # -- events --------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        canvas: Any = self.figure.canvas
        _take_off_bindings(canvas)
        for event, handler in (
            ("motion_notify_event", self._moved),
            ("figure_leave_event", self._left),
            ("button_press_event", self._held_down),
            ("button_release_event", self._let_go),
            ("scroll_event", self._scrolled),
            ("key_press_event", self._pressed),
            ("resize_event", self._resized),
            ("close_event", self._closed),
        ):
            canvas.mpl_connect(event, handler)

    def _moved(self, event: LocationEvent) -> None:
        if self._mouse_is_taken():
            return
        self._over_detail = event.inaxes is not self.view.scatter.axes
        if self._dragging.move(event):
            leave_segment(self.session)
        else:
            move_pointer(self.session, self.view.row_at(event), (event.x, event.y))

    def _left(self, event: LocationEvent) -> None:
        leave_segment(self.session)

    def _leave_what_is_gone(self, changed: frozenset[str]) -> None:
        """Take the thumbnail away of what the pointer was over, once something else is shown there."""
        if "detail" in changed and self._over_detail:
            leave_segment(self.session)

    def _held_down(self, event: MouseEvent) -> None:
        if self._mouse_is_taken() or event.button not in BUTTONS:
            return
        if event.button == MouseButton.LEFT and event.inaxes is self.view.scatter.axes:
            self._dragging.press(event, _held(event), "shift" in _modifiers(event))
        else:
            self._click(event)

    def _let_go(self, event: MouseEvent) -> None:
        if event.button == MouseButton.LEFT:
            self._dragging.release(event)

    def _click(self, event: MouseEvent) -> None:
        number, name = self.view.clusters_at(event), self.view.scatter.legend_at(event.x, event.y)
        if number is not None:
            find_clusters(self.session, number)
        elif name is not None:
            shown = self.state.selection.toggle(name)
            self.session.say(f"{name} is {'shown' if shown else 'hidden'}; a click shows or hides it")
        elif self.view.is_pointed_at(event):
            button: Any = event.button
            press_button(self.session, _held(event) + BUTTONS[button], self.view.row_at(event))

    def _scrolled(self, event: MouseEvent) -> None:
        if self._mouse_is_taken():
            return
        held = "ctrl+" if _held(event) == "ctrl+" else ""
        if event.inaxes is self.view.scatter.axes:
            focus = self.view.scatter.in_plane(event.x, event.y)
            turn_wheel(self.session, event.step > 0, held, focus)
        elif held and self.view.is_pointed_at(event):
            turn_wheel(self.session, event.step > 0, held)
        elif not held and self.view.detail.is_at(event.x):
            scroll_sheet(self.session, event.step > 0)

    def _pressed(self, event: KeyEvent) -> None:
        press_key(self.session, event.key)

    def _resized(self, event: object) -> None:
        leave_segment(self.session)
        self.view.fit()

    def _closed(self, event: object = None) -> None:
        self.session.work.stop()
        self.session.keeping.save()
        self._timer.stop()
        self._watch.stop()

    def _mouse_is_taken(self) -> bool:
        """Whether the mouse belongs to an open question, the help, or the toolbar's pan and zoom."""
        toolbar: Any = getattr(self.figure.canvas, "toolbar", None)
        return self.session.presentation.is_covered or bool(toolbar is not None and toolbar.mode)


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


def _modifiers(event: MouseEvent) -> set[str]:
    modifiers: frozenset[str] = getattr(event, "modifiers", None) or frozenset()
    return set(modifiers) | set((event.key or "").split("+"))


def _held(event: MouseEvent) -> str:
    """What is held with a button, as the table of commands spells it."""
    keys = _modifiers(event)
    if keys & {"control", "ctrl", "cmd", "super"}:
        return "ctrl+"
    return "t+" if "t" in keys else "shift+" if "shift" in keys else ""
