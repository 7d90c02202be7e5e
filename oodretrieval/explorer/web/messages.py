"""From what the page's script sends (pointer, buttons, keys, answers) to the commands of the table."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np

from oodretrieval.errors import FilterError, StoreError
from oodretrieval.explorer.commands.clusters import find_clusters
from oodretrieval.explorer.commands.naming import tagged_words
from oodretrieval.explorer.commands.pointer import leave_segment
from oodretrieval.explorer.commands.selecting import clear_selection, invert_selection, select_polygon
from oodretrieval.explorer.commands.triggers import choose_command, move_pointer, press_button, press_key
from oodretrieval.explorer.selection import How
from oodretrieval.explorer.web.page_view import PageView

logger = logging.getLogger(__name__)


class Messages:
    """Takes the messages of one page.

    Args:
        view: Of the page.
    """

    def __init__(self, view: PageView) -> None:
        self._view, self._session = view, view.session
        self._takers: dict[str, Callable[[dict[str, Any]], None]] = {
            "alive": lambda message: view.page.answer({"alive": True}),
            "size": self._resize,
            "pointer": self._move,
            "left": lambda message: leave_segment(self._session),
            "button": self._press,
            "command": self._run,
            "key": self._key,
            "answer": self._answer,
            "legend": self._toggle,
            "fit": lambda message: self._fit(),
            "history": self._go,
            "clusters": self._clusters,
            "select": self._select,
            "selection": self._change_selection,
            "filter": self._filter,
            "tag": self._tag,
            "untag": self._untag,
            "tool": self._use,
            "review": self._look_at,
            "cancel": lambda message: choose_command(self._session, "backspace"),
        }

    def take(self, message: dict[str, Any]) -> None:
        """Do what a message asks for; one that makes no sense is noted and dropped.

        Args:
            message: With ``type``, and what belongs to that.
        """
        taker = self._takers.get(str(message.get("type")))
        if taker is None:
            logger.warning("the page sent an unknown message: %.80r", message)
            return
        try:
            taker(message)
        except (KeyError, TypeError, ValueError) as error:
            logger.warning("the page sent a message that cannot be used (%s): %.80r", error, message)

    # -- mouse -----------------------------------------------------------------------------------------------

    def _resize(self, message: dict[str, Any]) -> None:
        self._view.resize(float(message["width"]), float(message["height"]))
        self._view.page.answer({"sized": True})

    def _fit(self) -> None:
        self._view.scatter.fit()
        self._view.note_view()

    def _row(self, message: dict[str, Any]) -> int | None:
        """The candidate that a message is about: named, or the one at a place of the scatter."""
        if "row" in message:
            return self._named(message)
        return self._view.scatter.row_at(float(message["x"]), float(message["y"]))

    def _named(self, message: dict[str, Any]) -> int:
        """The candidate that a message names; a ValueError where there is no such one."""
        row = int(message["row"])
        if not 0 <= row < len(self._session.state):
            raise ValueError(f"no candidate {row}")
        return row

    def _move(self, message: dict[str, Any]) -> None:
        try:
            move_pointer(self._session, self._row(message), (0.0, 0.0))
        finally:
            self._view.page.answer({"pointer": "taken"})

    def _press(self, message: dict[str, Any]) -> None:
        press_button(self._session, str(message["trigger"]), self._row(message))

    # -- keys, menus and questions ---------------------------------------------------------------------------

    def _run(self, message: dict[str, Any]) -> None:
        with self._answered(message):
            self._mark()
            choose_command(self._session, str(message["trigger"]))

    def _key(self, message: dict[str, Any]) -> None:
        with self._answered(message):
            self._mark()
            press_key(self._session, str(message["key"]))

    @contextmanager
    def _answered(self, message: dict[str, Any]) -> Iterator[None]:
        """The page hears when it is done and drawn: the next key may belong into a field that this one opened."""
        try:
            yield
        finally:
            if "number" in message:
                number = int(message["number"])
                self._view.sender.later(lambda: self._view.page.answer({"taken": number}))

    def _mark(self) -> None:
        """Away from the points, commands for the marked candidate are for the one that the card is of."""
        if self._session.presentation.marked is None:
            self._session.presentation.marked = self._view.row

    def _answer(self, message: dict[str, Any]) -> None:
        with self._answered(message):
            prompt = self._session.presentation.prompt
            if prompt is not None:
                self._session.presentation.prompt = replace(prompt, text=str(message["text"]))
                press_key(self._session, "enter")

    def _clusters(self, message: dict[str, Any]) -> None:
        number = int(message["number"])
        if 1 <= number <= len(self._session.state):
            find_clusters(self._session, number)

    # -- what is shown, selected and named --------------------------------------------------------------------

    def _select(self, message: dict[str, Any]) -> None:
        """Take a lasso or a rectangle, whose corners are shares of the scatter's width and height."""
        corners = np.asarray(message["polygon"], np.float64).reshape(-1, 2)
        points, how = self._session.state.points, str(message["how"])
        if points is not None and len(corners) > 2 and np.isfinite(corners).all() and how in get_args(How):
            polygon = self._view.scatter.view.place(corners)
            select_polygon(self._session, polygon, cast(How, how))

    def _change_selection(self, message: dict[str, Any]) -> None:
        if message["do"] == "invert":
            invert_selection(self._session)
        else:
            clear_selection(self._session)

    def _filter(self, message: dict[str, Any]) -> None:
        problem = ""
        try:
            shown = self._session.state.selection.filter_by(str(message["text"]))
            self._session.say(f"{shown} of {len(self._session.state)} candidates shown")
        except FilterError as error:
            problem = str(error)
        self._view.page.answer({"filter": problem})

    def _tag(self, message: dict[str, Any]) -> None:
        """Name a candidate, or, where the message is about none, the selection."""
        state = self._session.state
        if "row" in message:
            rows: Any = [self._named(message)]
        elif state.selection.count_shown:
            rows = state.selection.scope
        else:
            self._session.say("nothing is selected")
            return
        name = str(message["name"])
        self._save(lambda: tagged_words(self._session, state.tags.tag(rows, name), name))

    def _untag(self, message: dict[str, Any]) -> None:
        row, name = self._named(message), str(message["name"])
        tags = self._session.state.tags
        self._save(lambda: f"{tags.untag([row], name)} no longer tagged as {name}; Ctrl + z takes it back")

    def _save(self, step: Callable[[], str]) -> None:
        try:
            self._session.say(step())
        except StoreError as error:
            self._session.say(str(error))

    # -- the page itself -------------------------------------------------------------------------------------

    def _toggle(self, message: dict[str, Any]) -> None:
        self._session.state.selection.toggle(str(message["name"]))

    def _go(self, message: dict[str, Any]) -> None:
        choose_command(self._session, "." if int(message["by"]) > 0 else ",")

    def _use(self, message: dict[str, Any]) -> None:
        tool = str(message["tool"])
        if tool in ("", "lasso", "rectangle"):
            self._session.presentation.tool = tool

    def _look_at(self, message: dict[str, Any]) -> None:
        review = self._session.review
        if review is not None:
            review.move(int(message["place"]) - review.place)
