"""One page that shows a session: it follows the changes of the state and of what is presented."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import panel as pn
import param
from bokeh.events import RangesUpdate

from oodretrieval.explorer.categories import Category
from oodretrieval.explorer.colour_scale import bar_colours
from oodretrieval.explorer.commands.menus import candidate_buttons, menus
from oodretrieval.explorer.commands.table import KEYS
from oodretrieval.explorer.details import rows_to_choose
from oodretrieval.explorer.presentation import RINGS_FOLLOW, Limits
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.web.card import card
from oodretrieval.explorer.web.contents import detail_content, keys
from oodretrieval.explorer.web.page import Page
from oodretrieval.explorer.web.scatter import Scatter
from oodretrieval.explorer.web.sender import Sender
from oodretrieval.explorer.wording import colouring_words, points_words

_STILL = 50
"""The view stands still once it has not moved for so long, milliseconds."""
_POINTS = {"points", "preliminary", "colouring", "clusters", "step", "filter", "hidden", "tags"}
"""Of the state: what the scatter and its legend show."""


class PageView:
    """The page of one browser window.

    Args:
        session: What is shown; several pages may show one.

    Attributes:
        page: What Panel serves.
        scatter: The points on it.
        row: The candidate that the card is of, or None.
        sender: Does what changes the page, where that may be done.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.scatter = Scatter(session.state)
        self.row: int | None = None
        self._waiting: set[str] = set()
        self._marks = 0
        pane: Any = pn.pane.Bokeh
        self.page = Page(scatter=pane(self.scatter.figure, sizing_mode="stretch_both"))
        self._document = pn.state.curdoc
        self.sender = Sender(self._document)
        self._limits: Limits | None = None
        self._stands_still: Any = None
        self.scatter.figure.on_event(RangesUpdate, lambda event: self._look_at_view())
        for side in (self.scatter.figure.x_range, self.scatter.figure.y_range):
            side.on_change("start", self._wait_for_view)
            side.on_change("end", self._wait_for_view)
        self._ends = [
            session.state.subscribe(lambda changed: self.refresh(*(f"state.{name}" for name in changed))),
            session.presentation.subscribe(self._follow_presentation),
        ]
        self._draw_all()

    def close(self) -> None:
        """Follow no changes any more."""
        for end in self._ends:
            end()

    # -- changes ---------------------------------------------------------------------------------------------

    def _follow_presentation(self, changed: frozenset[str]) -> None:
        self.refresh(*(changed - {"turns"}))  # the browser turns the sign of work itself

    def refresh(self, *changed: str) -> None:
        """Have parts of the page drawn again, once, where its document may be changed.

        Args:
            changed: Names of attributes; those of the state begin with ``state.``.
        """
        first = not self._waiting
        self._waiting.update(changed)
        if first and self._waiting:
            self.sender.later(self._draw_waiting)

    def _draw_waiting(self) -> None:
        changed, self._waiting = self._waiting, set()
        # what Panel does for one value, it does for several at once
        with param.parameterized.batch_call_watchers(self.page):
            self._draw_changed(changed)

    def _draw_changed(self, changed: set[str]) -> None:
        state = {name.removeprefix("state.") for name in changed if name.startswith("state.")}
        categories = self.session.state.categories() if state & {*_POINTS, "selected"} else []
        if state & _POINTS:
            self.scatter.draw(categories)
        if "limits" in changed or "points" in state:
            self._follow_limits()
        if "view" in changed:
            self.scatter.draw_view()
        if "density" in changed or "points" in state:
            self.scatter.draw_density(self.session.presentation.density)
        if state & _POINTS or "selected" in state:
            self._draw_legend(categories)
        if state & {"points", "selected", "filter", "hidden", "step", "tags"} or "tool" in changed:
            self._draw_choice()
        if state & {*RINGS_FOLLOW, "found"}:
            self._draw_rings()
        if changed & {"marked", "view", "limits"} or "points" in state:
            self._draw_mark()
        if changed & {"thumbnail", "marked"} or state & {"clusters", "tags"}:
            self._draw_card()
        if "detail" in changed:
            self._draw_detail()
            self._draw_choice()
        if changed & {"status", "progress"}:
            self._draw_status()
        if changed & {"help", "prompt"}:
            self._draw_cover()

    def _draw_all(self) -> None:
        state = self.session.state
        self.page.catalogue = {
            "name": state.catalogue.name,
            "count": len(state),
            "menus": menus(),
            "buttons": candidate_buttons(),
            "keys": keys(),
            "triggers": [trigger for command in KEYS for trigger in (command.trigger, *command.also)],
            "columns": list(state.columns),
        }
        categories = state.categories()
        self.scatter.draw(categories)
        self.scatter.draw_density(self.session.presentation.density)
        self._draw_legend(categories)
        self._draw_choice()
        self._draw_rings()
        self._draw_mark()
        self._draw_card()
        self._draw_detail()
        self._draw_status()
        self._draw_cover()

    def resize(self, width: float, height: float) -> None:
        """Take the size that the scatter has on screen; the first time, show what was inspected before.

        Args:
            width: Pixels.
            height: Pixels.
        """
        self.scatter.resize(width, height)
        limits = self.session.presentation.limits
        if self._limits is None and limits is not None:
            self.scatter.show(limits)
        self.note_view()

    def note_view(self) -> None:
        """Take what the scatter shows after a wheel, a drag or another size of the window as what is wanted."""
        self._limits = self.scatter.limits
        self.session.presentation.window = self._limits
        self.session.presentation.limits = self._limits
        self.refresh("view")

    def _wait_for_view(self, attribute: str, old: object, new: object) -> None:
        """Note the view soon after the browser moved it last; Bokeh itself says so only half a second later."""
        document = self._document
        if document is None or document.session_context is None:
            return
        if self._stands_still is not None:
            document.remove_timeout_callback(self._stands_still)
        self._stands_still = document.add_timeout_callback(self._look_at_view, _STILL)

    def _look_at_view(self) -> None:
        self._stands_still = None
        if self.scatter.limits not in (self.scatter.shown, self._limits):
            self.note_view()

    def _follow_limits(self) -> None:
        """Show what a command wants; what this page's own wheel and drag did is there already."""
        limits = self.session.presentation.limits
        if limits is not None and limits is self._limits:
            return
        self._limits = limits
        if limits is None:
            self.scatter.fit()
        else:
            self.scatter.show(limits)
        self.session.presentation.window = self.scatter.limits
        self.scatter.draw_view()

    # -- parts of the page -----------------------------------------------------------------------------------

    def _draw_legend(self, categories: Sequence[Category]) -> None:
        state = self.session.state
        self.page.legend = {
            "title": f"{points_words(state)} · {colouring_words(state)}",
            "shown": state.settings.mainplot.legend,
            "ready": state.points is not None,
            "bar": self._bar(categories),
            "entries": [
                {
                    "name": category.name,
                    "colour": category.colour,
                    "count": category.count,
                    "unknown": category.unknown,
                    "hidden": category.hidden,
                    "faint": category.faint,
                }
                for category in categories
                if not category.on_scale
            ],
        }

    def _bar(self, categories: Sequence[Category]) -> dict[str, Any] | None:
        """The colour bar where colours stand for a number."""
        scale = self.session.state.grouping.scale
        if scale is None:
            return None
        on_it = [category for category in categories if category.on_scale]
        shown, chosen = sum(len(each.rows) for each in on_it), [each.selected for each in on_it]
        count = f"{shown}" if None in chosen else f"{sum(filter(None, chosen))} / {shown}"
        note = " (log scale)" if scale.logarithmic else ""
        return {
            "colours": list(bar_colours()),
            "ticks": [[place, text] for place, text in scale.ticks],
            "count": f"{count}{note}",
        }

    def _draw_choice(self) -> None:
        """What is shown and selected, in numbers, and what there is to name it with."""
        state = self.session.state
        chosen, tags = state.selection, state.tags
        shown = chosen.selected_shown
        rows = np.zeros(0, np.intp) if shown is None else np.flatnonzero(shown)
        self.scatter.ring("chosen", rows)
        self.page.choice = {
            "selected": len(rows),
            "rows": np.intersect1d(rows, rows_to_choose(self.session.presentation.detail)).tolist(),
            "shown": int(chosen.visible.sum()),
            "count": len(state),
            "filter": "" if chosen.filter is None else chosen.filter.text,
            "tool": self.session.presentation.tool,
            "tags": [[name, tags.colour(name), tags.count(name)] for name in tags.names],
        }

    def _draw_rings(self) -> None:
        state = self.session.state
        self.scatter.ring("query", [] if state.query is None else [state.query])
        self.scatter.ring("neighbours", [row for row, _ in state.found or ()])

    def _draw_mark(self) -> None:
        """Ring the marked point above the figure, which takes long to be drawn again where points are many."""
        marked = self.session.presentation.marked
        place = None if marked is None else self.scatter.across(marked)
        self._marks += 1
        self.page.mark = {"number": self._marks, "place": None if place is None else list(place)}

    def _draw_card(self) -> None:
        presentation = self.session.presentation
        row = presentation.hovered if presentation.hovered is not None else presentation.marked
        if row is None:
            return  # the last one stays, so that its buttons can be reached
        self.row = row
        ready = self.session.thumbnails.ready(row)
        self.page.card = card(self.session.state, row, ready)

    def _draw_detail(self) -> None:
        visited = self.session.visited
        review = self.session.review
        names = () if review is None else review.names
        content = detail_content(self.session.presentation.detail, names)
        self.page.detail = {**content, "back": visited.can(-1), "forward": visited.can(1)}

    def _draw_status(self) -> None:
        presentation = self.session.presentation
        self.page.status = {"said": presentation.status, "progress": presentation.progress}

    def _draw_cover(self) -> None:
        prompt = self.session.presentation.prompt
        asked: dict[str, Any] | None = None
        if prompt is not None:
            asked = {"question": prompt.question, "text": prompt.text, "problem": prompt.problem}
            asked["choices"] = list(prompt.choices)
        self.page.cover = {"help": self.session.presentation.help, "prompt": asked}
