"""The scatter: every segment a point, drawn as the state has it."""

import numpy as np
from matplotlib.axes import Axes

from oodretrieval.explorer.desktop.scatter import draw_categories, draw_density, fit_limits
from oodretrieval.explorer.state import METHOD_NAMES, State

COLOURINGS = {
    "truth": "coloured by truth",
    "prediction": "coloured by predicted class",
    "score": "coloured by the score that selected",
    "uniform": "one colour",
    "clusters": "coloured by cluster",
}
REACH = 14
"""How near the pointer must come to a point, pixels at 100 dpi."""


class ScatterView:
    """Draws the points of the state, and knows which of them lies under a pixel.

    Args:
        axes: Where.
        state: What is drawn.

    Attributes:
        axes: As given.
    """

    def __init__(self, axes: Axes, state: State) -> None:
        self.axes, self._state = axes, state
        self._legend = state.settings.mainplot.legend

    def draw(self, density: bool) -> None:
        """Draw the points as the state has them; replaces what was there.

        Args:
            density: Whether their density is shaded.
        """
        points = self._state.points
        if points is None:
            self.axes.set_axis_off()
        else:
            self.axes.set_axis_on()
            draw_categories(self.axes, points, self._state.categories(), self._legend)
            if density:
                draw_density(self.axes, points)
        self.axes.set_title(self._title(), fontsize=10.5, loc="left")

    def fit(self) -> None:
        """Make the points fit a window of another size."""
        if self._state.points is not None:
            fit_limits(self.axes, self._state.points, self._legend)

    def row_at(self, x: float, y: float) -> int | None:
        """The segment under a pixel.

        Args:
            x: Pixels of the canvas, from the left.
            y: From the bottom.

        Returns:
            Row of the nearest point that is shown; None if none is near.
        """
        state = self._state
        if state.points is None:
            return None
        pixels = self.axes.transData.transform(state.points)
        away = np.hypot(*(pixels - (x, y)).T)
        if state.ranking is not None:
            away[~state.ranking.visible] = np.inf
        nearest = int(away.argmin())
        dpi = self.axes.get_figure(root=True).dpi  # type: ignore[union-attr]  # it is in a figure
        return nearest if away[nearest] <= REACH * dpi / 100 else None

    def _title(self) -> str:
        state = self._state
        method = "PCA for now" if state.preliminary else METHOD_NAMES[state.settings.method]
        return " · ".join(
            [
                f"{state.catalogue.name}: {len(state)} segments",
                method,
                COLOURINGS[state.colouring],
                f"{state.metric} distance",
            ]
        )
