"""Segments as points: by colour, with a legend, with their density behind them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from oodretrieval.charts.palette import DENSITY_MAP
from oodretrieval.explorer.categories import Category
from oodretrieval.explorer.colour_scale import ColourScale, bar_colours
from oodretrieval.explorer.raster import EXACT, inside, layers_of, points_picture
from oodretrieval.explorer.view_port import ViewPort
from oodretrieval.search.density import SHADED_CELLS, SHADES, density_around

MOST_IN_LEGEND = 18
_FEW = 4000
"""Points from which on they are drawn translucent."""
_PALE = 0.3
"""Opacity of points that are not selected while others are."""
_RIMMED = 6.0
"""Size of points, square points, from which on they have a rim."""
_BAR = (13.0, 130.0)
"""Width and height of a colour bar, points."""
_LEGEND = 0.5
"""Width of a legend besides its letters, inches."""
_LETTER = 0.063
"""Width of one of its letters, inches."""


def draw_categories(
    axes: Axes,
    points: NDArray[np.floating],
    categories: Sequence[Category],
    legend: bool,
    selected: NDArray[np.bool_] | None = None,
    scale: ColourScale | None = None,
    view: ViewPort | None = None,
) -> None:
    """Draw every segment in the colour of its category; replaces what was there.

    Args:
        axes: Where.
        points: ``(n, 2)``.
        categories: Which share ``n`` rows among them. Unknown ones become larger diamonds, drawn last, faint
            ones small dots, drawn first; small categories are drawn over large ones.
        legend: Whether there is a legend; one colour for all needs none.
        selected: Which segments are selected, ``(n,)``: the others are pale; None for none.
        scale: Of the number that colours stand for: drawn as a bar; None for colours of another kind.
        view: What the axes show: only that is drawn, as a picture where it holds very many points. None draws each
            point wherever it is.
    """
    limits = axes.get_xlim(), axes.get_ylim()
    _remove_drawn(axes)
    shown = None if view is None else inside(points, view)
    if view is None or shown is None or int(shown.sum()) <= EXACT:
        _draw_each(axes, points, categories, selected, shown)
    else:
        _draw_picture(axes, points_picture(points, layers_of(categories, selected), view), view)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#bbbbbb")
    entries = legend_entries(categories)
    if legend and (len(categories) > 1 and entries):
        _legend(axes, entries, below=scale is not None)
    if legend and scale is not None:
        _draw_bar(axes, scale)


def _remove_drawn(axes: Axes) -> None:
    """Remove what was drawn; clear() would make axis and ticks again, too, which takes longer than a million points."""
    legend = axes.get_legend()
    drawn = [*axes.collections, *axes.images, *axes.child_axes, *([] if legend is None else [legend])]
    for artist in drawn:
        artist.remove()


def _draw_picture(axes: Axes, picture: NDArray[np.uint8], view: ViewPort) -> None:
    extent = view.left, view.right, view.bottom, view.top
    axes.imshow(
        picture,
        extent=extent,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        resample=False,
        zorder=2,
    )


def _draw_each(
    axes: Axes,
    points: NDArray[np.floating],
    categories: Sequence[Category],
    selected: NDArray[np.bool_] | None,
    shown: NDArray[np.bool_] | None,
) -> None:
    number = len(points) if shown is None else int(shown.sum())
    size = float(np.clip(9000 / max(number, 1), 2, 46))
    order = sorted(categories, key=lambda each: (not each.faint, each.unknown, -len(each.rows)))
    for category in order:
        here = category.rows if shown is None else category.rows[shown[category.rows]]
        parts = [(here, _opacity(number))]
        if selected is not None:
            chosen = selected[here]
            parts = [(here[~chosen], _PALE), (here[chosen], 1.0)]
        for rows, opacity in parts:
            if len(rows):
                _draw_points(axes, points[rows], category, size, opacity)


def _opacity(number: int) -> float:
    """Dense places show through where there are thousands of points."""
    return 1.0 if number <= _FEW else max(0.25, (_FEW / number) ** 0.35)


def _draw_points(
    axes: Axes, points: NDArray[np.floating], category: Category, size: float, opacity: float
) -> None:
    rim = size >= _RIMMED
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=size * (0.4 if category.faint else 1.3 if category.unknown else 1.0),
        c=category.colour,
        marker="D" if category.unknown else "o",
        edgecolors=("#202020" if category.unknown else "#ffffff") if rim else "none",
        linewidths=(0.7 if category.unknown else 0.35) if rim else 0,
        alpha=opacity,
        rasterized=len(points) > _FEW,  # in SVG and PDF
        zorder=3 if category.unknown else 2,
    )


def legend_entries(categories: Sequence[Category]) -> list[Category]:
    """What a legend lists: colours of a scale are shown by its bar instead.

    Args:
        categories: As drawn.

    Returns:
        Those with an entry, in order.
    """
    return [category for category in categories if not category.on_scale]


def _draw_bar(axes: Axes, scale: ColourScale) -> None:
    """The colour bar of a number, where a legend would be, with the high end up."""
    dpi = axes.get_figure(root=True).dpi  # type: ignore[union-attr]  # it is in a figure
    width, height = (72 / dpi * float(side) for side in axes.bbox.size)  # points
    tall = min(_BAR[1], 0.45 * height) / height
    inset = axes.inset_axes((8 / width, 1 - tall - 26 / height, _BAR[0] / width, tall), zorder=5)
    colours = LinearSegmentedColormap.from_list("scale", bar_colours())
    inset.imshow(np.linspace(1, 0, 256)[:, None], aspect="auto", cmap=colours, extent=(0, 1, 0, 1))
    inset.set_xticks([])
    inset.yaxis.tick_right()
    inset.set_yticks([place for place, _ in scale.ticks], [text for _, text in scale.ticks], fontsize=8.5)
    inset.tick_params(length=2)
    title = f"{scale.title} (log scale)" if scale.logarithmic else scale.title
    inset.set_title(title, fontsize=8.5, loc="left", pad=5)


def _legend(axes: Axes, categories: Sequence[Category], below: bool) -> None:
    shown = categories[:MOST_IN_LEGEND]
    left_out = len(categories) - len(shown)
    legend = axes.legend(
        [_sample(category) for category in shown],
        [category.label for category in shown],
        loc="lower left" if below else "upper left",
        fontsize=8.5,
        framealpha=0.88,
        edgecolor="#dddddd",
        borderpad=0.6,
        handletextpad=0.3,
        title=f"and {left_out} more" if left_out else None,
        title_fontsize=8,
        alignment="left",
    )
    legend.set_zorder(5)
    for text, category in zip(legend.get_texts(), shown, strict=True):
        text.set_color("#aaaaaa" if category.hidden else "#222222")


def _sample(category: Category) -> Line2D:
    """What stands for a category in the legend; an empty mark for a hidden one."""
    return Line2D(
        [], [], linestyle="", marker="D" if category.unknown else "o", markersize=6,
        markerfacecolor="none" if category.hidden else category.colour,
        markeredgecolor="#202020" if category.unknown and not category.hidden else category.colour,
    )  # fmt: skip


def legend_name_at(axes: Axes, categories: Sequence[Category], x: float, y: float) -> str | None:
    """The category whose entry in the legend lies under a pixel.

    Args:
        axes: The scatter.
        categories: As they were drawn.
        x: Pixels of the canvas, from the left.
        y: From the bottom.

    Returns:
        Its name; None elsewhere, and for what is left out.
    """
    legend: Any = axes.get_legend()
    if legend is None:
        return None
    box = legend.legendPatch.get_window_extent()  # as it was drawn; that of the legend lays it out again
    if not (box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1):
        return None
    for text, category in zip(legend.get_texts(), legend_entries(categories), strict=False):
        line = text.get_window_extent()
        if line.y0 - 2 <= y <= line.y1 + 2 and not category.faint:
            return category.name
    return None


def show_limits(axes: Axes, limits: tuple[float, float, float, float]) -> None:
    """Show a part of the plane, one unit as long in x as in y.

    Args:
        axes: The scatter, at its present size on screen.
        limits: Left, bottom, right, top of what must be seen.
    """
    _show(axes, ViewPort.showing(limits, *_size(axes)))


def _size(axes: Axes) -> tuple[float, float]:
    width, height = (max(float(side), 1.0) for side in axes.bbox.size)
    return width, height


def _show(axes: Axes, view: ViewPort) -> None:
    axes.set_xlim(view.left, view.right)
    axes.set_ylim(view.bottom, view.top)


def legend_room(names: Iterable[str], number: int) -> float:
    """Width that a legend of classes takes.

    Args:
        names: Of the classes.
        number: Of the points.

    Returns:
        Inches.
    """
    return _LEGEND + _LETTER * (max(map(len, names), default=0) + len(f" ({number})"))


def fit_limits(axes: Axes, points: NDArray[np.floating], room: float) -> None:
    """Limits for all points with a margin, one unit as long in x as in y.

    A legend has room on the left in every colouring, so that the points do not jump from one to the next.

    Matplotlib's own equal aspect would complain about limits that are fixed in both directions.

    Args:
        axes: The scatter, at its present size on screen.
        points: ``(n, 2)``.
        room: Width that is kept free for a legend, inches; 0 without one.
    """
    figure: Any = axes.get_figure(root=True)
    width, height = _size(axes)
    _show(axes, ViewPort.around(points, width, height, min(room * figure.dpi, 0.3 * width)))


def draw_density(axes: Axes, points: NDArray[np.floating]) -> None:
    """Shade where segments are dense, behind them.

    Args:
        axes: Where.
        points: ``(n, 2)`` with ``n >= 1``.
    """
    smooth, (left, right, bottom, top) = density_around(points)
    limits = axes.get_xlim(), axes.get_ylim()
    highest = float(smooth.max())
    x, y = np.linspace(left, right, SHADED_CELLS), np.linspace(bottom, top, SHADED_CELLS)
    levels = np.linspace(0.06, 1.0, SHADES) * highest
    axes.contourf(x, y, smooth.T, levels=levels, cmap=DENSITY_MAP, vmin=0, vmax=1.7 * highest, zorder=0)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])
