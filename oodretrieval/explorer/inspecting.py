"""Candidates by rank: the contact sheet, one after the other, and the threshold."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.bench import Bench
from oodretrieval.explorer.figure import PAGE
from oodretrieval.explorer.ranking import Ranking
from oodretrieval.explorer.work import Job


class InspectionCommands(Bench):
    """The commands that go through the candidates in the order of their score."""

    def show_candidates(self) -> None:
        """Show the page of the contact sheet that the inspected candidate is on; the first one at first."""
        ranking = self._ranking()
        if ranking is not None:
            self._show_page((ranking.place or 0) // PAGE)

    def next_page(self) -> None:
        """Show the next page of the contact sheet."""
        self._turn(1)

    def previous_page(self) -> None:
        """Show the page of the contact sheet before."""
        self._turn(-1)

    def next_candidate(self) -> None:
        """Show the next candidate by score."""
        self._inspect(1)

    def previous_candidate(self) -> None:
        """Show the candidate before, by score."""
        self._inspect(-1)

    def raise_threshold(self) -> None:
        """Hide the tenth of lowest score."""
        self._set_threshold(1)

    def lower_threshold(self) -> None:
        """Show the tenth again that was hidden last."""
        self._set_threshold(-1)

    def _ranking(self) -> Ranking | None:
        if self.state.ranking is None:
            self.say("no score in this catalogue; compute_embeddings writes it")
        return self.state.ranking

    def _turn(self, by: int) -> None:
        ranking = self._ranking()
        if ranking is None:
            return
        page = (ranking.place or 0) // PAGE + (by if self.board.detail == "candidates" else 0)
        page = min(max(page, 0), (len(ranking.rows) - 1) // PAGE)
        ranking.place = page * PAGE
        self._show_page(page)

    def _show_page(self, page: int) -> None:
        ranking = self.state.ranking
        assert ranking is not None  # whoever asks has seen it
        rows = ranking.rows[page * PAGE : (page + 1) * PAGE]

        def read(job: Job) -> dict[int, NDArray[np.uint8]]:
            return {row: self.crops.thumbnail_or_gone(row) for row in rows}

        def show(pictures: dict[int, NDArray[np.uint8]]) -> None:
            self.board.show_candidates(page * PAGE, rows, pictures)

        self._leave_elbow()
        self.work.start("detail", "candidates", read, show)

    def _inspect(self, by: int) -> None:
        ranking = self._ranking()
        if ranking is None:
            return
        row = ranking.move(by)
        if self.state.points is not None:
            self.overlay.ring_hovered(self.state.points[row])
        assert ranking.place is not None  # just set
        self.say(f"candidate {ranking.place + 1} of {len(ranking.rows)} · {self.state.place(row)}")
        show = {"panels": "show_panels", "neighbours": "show_neighbours"}.get(self.board.detail, "show_image")
        getattr(self, show)(row)

    def _set_threshold(self, by: int) -> None:
        ranking = self._ranking()
        if ranking is None:
            return
        lowest = ranking.raise_threshold(by)
        name = self.state.score_name
        self.say(
            f"{int(ranking.visible.sum())} of {len(self.state)} segments shown: {name} from {lowest:.2f}"
        )
        self.board.draw_scatter()
        if self.board.detail == "candidates":
            self.show_candidates()
