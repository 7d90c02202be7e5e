"""The commands of the one table as menus of a window of Qt, each with its key and what it does."""

from typing import Any

from oodretrieval.explorer.commands.menus import IN_NO_MENU, candidate_buttons, menus
from oodretrieval.explorer.commands.triggers import choose_command, press_button
from oodretrieval.explorer.desktop.explorer import Explorer

INSPECT = "Inspect"
"""The menu for one segment."""


class WindowMenus:
    """The menus of an explorer's window. They stand in the place of matplotlib's own bar of tools.

    That one's tools are for charts: its pan and zoom would take the mouse away.

    Args:
        explorer: In a window of Qt.
    """

    def __init__(self, explorer: Explorer) -> None:
        self._session = explorer.session
        self._row: int | None = None
        manager: Any = explorer.figure.canvas.manager
        if manager.toolbar is not None:
            manager.toolbar.hide()
        bar = manager.window.menuBar()
        self._fill(bar.addMenu(INSPECT), candidate_buttons())
        for menu in menus(elsewhere=IN_NO_MENU):
            self._fill(bar.addMenu(menu["label"]), menu["items"])
        self._session.presentation.subscribe(self._follow)

    def choose(self, trigger: str) -> None:
        """Do what an item stands for; those for one segment are for the one that the pointer was over last.

        Args:
            trigger: Of its command.
        """
        presentation = self._session.presentation
        with presentation.together():
            presentation.prompt = None
            presentation.help = presentation.help and trigger in ("?", "escape")
            if presentation.marked is None:
                presentation.marked = self._row
        if any(item["trigger"] == trigger for item in candidate_buttons()):
            press_button(self._session, trigger, presentation.marked)
        else:
            choose_command(self._session, trigger)

    def _fill(self, menu: Any, items: list[dict[str, str]]) -> None:
        menu.setToolTipsVisible(True)
        for item in items:
            action = menu.addAction(
                f"{item['label']}\t{item['shown']}"
            )  # shown next to it, and not taken by Qt
            action.setToolTip(item["text"])
            action.triggered.connect(lambda _=False, trigger=item["trigger"]: self.choose(trigger))

    def _follow(self, changed: frozenset[str]) -> None:
        if "marked" in changed and self._session.presentation.marked is not None:
            self._row = self._session.presentation.marked
