"""The figure of Bokeh that the scatter is drawn in, and what it is made of."""

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, LinearColorMapper, PanTool, Range1d, WheelZoomTool
from bokeh.plotting import figure

PICTURE = ("image", "x", "y", "dw", "dh")
"""What is known of a picture in a figure: itself, its left and lower end, its width and height."""


def empty_figure() -> Any:
    """A figure that fills its place; dragging moves what it shows, the wheel zooms.

    Returns:
        Of Bokeh, without axes.
    """
    wheel = WheelZoomTool(zoom_on_axis=False)
    drawn: Any = figure(
        sizing_mode="stretch_both",
        tools=[PanTool(), wheel],
        toolbar_location=None,
        context_menu=None,  # the right button asks for neighbours
        output_backend="webgl",
        x_range=Range1d(start=0, end=1),
        y_range=Range1d(start=0, end=1),
        min_border=0,
        outline_line_color=None,
        background_fill_color="#ffffff",
    )
    drawn.toolbar.active_scroll = wheel
    drawn.axis.visible = False
    drawn.grid.visible = False
    return drawn


def add_points(drawn: Any, unknown: bool) -> tuple[ColumnDataSource, LinearColorMapper, Any]:
    """Add points to a figure.

    Args:
        drawn: The figure.
        unknown: Whether they are diamonds with a dark rim, as what was never learned is.

    Returns:
        Their ``x``, ``y`` and number of their ``colour``, all empty yet; the colours; the glyph.
    """
    source = ColumnDataSource({name: np.empty(0, np.float32) for name in ("x", "y", "colour")})
    mapper = LinearColorMapper(palette=["#000000"], low=-0.5, high=0.5)
    points = drawn.scatter(
        "x",
        "y",
        source=source,
        size=6,
        marker="diamond" if unknown else "circle",
        fill_color={"field": "colour", "transform": mapper},
        line_color="#202020" if unknown else "#ffffff",
        line_width=0.6,
    )
    return source, mapper, points.glyph


def add_picture(drawn: Any) -> ColumnDataSource:
    """Add a place for a picture to a figure.

    Args:
        drawn: The figure.

    Returns:
        Its ``image``, left ``x``, lower ``y``, width ``dw`` and height ``dh``, all empty yet.
    """
    source = ColumnDataSource({name: [] for name in PICTURE})
    drawn.image_rgba(*PICTURE, source=source)
    return source


def add_ring(drawn: Any, size: float, colour: str, width: float) -> ColumnDataSource:
    """Add rings to a figure.

    Args:
        drawn: The figure.
        size: Across, pixels.
        colour: ``#rrggbb``.
        width: Of the line, pixels.

    Returns:
        Their middles, ``x`` and ``y``, empty yet.
    """
    source = ColumnDataSource({name: np.empty(0, np.float32) for name in ("x", "y")})
    drawn.scatter("x", "y", source=source, size=size, fill_color=None, line_color=colour, line_width=width)
    return source
