"""Charts of figures: readable, labelled, told apart with every common colour vision."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#B0B0B0"


def bar_chart(
    axes: Axes,
    values: Mapping[str, float],
    counts: Mapping[str, int],
    reference: Mapping[str, float],
    *,
    value_name: str,
    reference_name: str,
    lines: Sequence[tuple[str, float]] = (),
) -> None:
    """Horizontal bars, largest on top, with a reference mark in each row.

    Args:
        axes: Where to draw.
        values: Name → value in 0…1.
        counts: Name → number of items, written beside the name.
        reference: Name → what chance would give.
        value_name: What the bars are, for the axis.
        reference_name: What the marks are, for the legend.
        lines: (name, value) of vertical lines, e.g. means.
    """
    names = sorted(values, key=lambda name: values[name])
    rows = range(len(names))
    axes.barh(rows, [values[name] for name in names], color=BLUE, height=0.7)
    axes.plot(
        [reference[name] for name in names],
        rows,
        linestyle="",
        marker="|",
        markersize=14,
        markeredgewidth=2.5,
        color=ORANGE,
        label=reference_name,
    )
    for row, name in enumerate(names):
        axes.text(values[name] + 0.01, row, f"{values[name]:.2f}", va="center", fontsize=9)
    styles = ("--", ":", "-.")
    for number, (name, value) in enumerate(lines):
        axes.axvline(
            value, color="black", linestyle=styles[number % 3], linewidth=1, label=f"{name} {value:.2f}"
        )
    axes.set_yticks(list(rows), [f"{name} ({counts[name]})" for name in names])
    axes.set_xlim(0, 1.05)
    axes.set_xlabel(value_name)
    axes.legend(loc="lower right", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def count_chart(
    axes: Axes, rows: Mapping[str, Sequence[int]], names: Sequence[str], *, value_name: str
) -> None:
    """Horizontal bars of counts, one group a row, each bar with its number.

    Args:
        axes: Where to draw.
        rows: Name of the row → counts, one for each of ``names``.
        names: What is counted, for the legend.
        value_name: For the axis.
    """
    colours = (GREY, ORANGE, BLUE, "black")
    height = 0.8 / len(names)
    for number, name in enumerate(names):
        places = [row + (number - (len(names) - 1) / 2) * height for row in range(len(rows))]
        bars = axes.barh(
            places, [counts[number] for counts in rows.values()], height, color=colours[number], label=name
        )
        axes.bar_label(bars, fontsize=8, padding=2)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlabel(value_name)
    axes.legend(fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
