"""Opens the explorer in a real window, and writes again and again how it stands: the process that a test watches.

python window_under_test.py <catalogue> <file of JSON>
"""

import json
import sys
from pathlib import Path

from driving import DETAILS
from matplotlib import pyplot as plt

from oodretrieval.explorer import Explorer


def standing(explorer, QPoint):
    """State, and where on the screen each segment and each neighbour is."""
    canvas, view, state = explorer.figure.canvas, explorer.view, explorer.state
    shown = explorer.session.presentation

    def on_screen(x, y):
        ratio = canvas.device_pixel_ratio
        place = canvas.mapToGlobal(QPoint(round(x / ratio), round((explorer.figure.bbox.height - y) / ratio)))
        return place.x(), place.y()

    points = [] if state.points is None else view.scatter.axes.transData.transform(state.points)
    return {
        "points": [on_screen(*point) for point in points],
        "detail_places": [
            on_screen(*axes.bbox.get_points().mean(axis=0)) for axes in view.detail.figure.axes
        ],
        "rows": list(view.detail.rows.values()),
        "preliminary": state.preliminary,
        "hovered": shown.hovered,
        "thumbnail": shown.thumbnail is not None,
        "detail": DETAILS[type(shown.detail)],
        "query": state.query,
        "neighbours": state.neighbours,
        "metric": state.metric,
        "colouring": state.colouring,
        "clusters": None if state.clusters is None else int(state.clusters.max()) + 1,
        "prompt": None if shown.prompt is None else shown.prompt.text,
        "help": shown.help,
        "status": shown.status,
        "tool": shown.tool,
        "selected": len(state.selection),
        "visible": int(state.selection.visible.sum()),
        "tags": {name: state.tags.count(name) for name in state.tags.names},
        "limits": shown.limits,
        "width": canvas.width(),
        "figures": len(plt.get_fignums()),
    }


def main(catalogue, target):
    plt.switch_backend("QtAgg")
    from matplotlib.backends.qt_compat import QtCore

    explorer = Explorer(catalogue, method="tsne")

    def write():
        temporary = Path(target).with_suffix(".tmp")
        temporary.write_text(json.dumps(standing(explorer, QtCore.QPoint)))
        temporary.replace(target)

    timer = explorer.figure.canvas.new_timer(interval=40)
    timer.add_callback(write)
    timer.start()
    plt.show(block=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
