"""How fast the page answers: what the server does for hover, click, recolouring and zoom, and how large the process is.

    python benchmarks/explorer_web.py 10000 1000000
    python benchmarks/explorer_web.py 1000000 --cpu

The messages that the page's script would send are handed to the page's side in Python, which does everything that it
does for a browser but sending the result; the bytes that it would send are counted. What a browser adds (some
milliseconds to draw it) is not in these numbers. With ``--cpu`` they are CPU time, for a machine that is busy with
other things, too.
"""

import tempfile
from pathlib import Path

import numpy as np
from explorer import EVENTS, clock, line, made, measure_all, megabytes, milliseconds

from oodretrieval.explorer.commands.opening import start
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.messages import Messages
from oodretrieval.explorer.web.page_view import PageView
from oodretrieval.stores import Catalogue, Workspace


def sent(view: PageView) -> int:
    """Bytes of the points and pictures that a page gets when it is drawn once."""
    arrays = [
        np.asarray(value) for source in view.scatter.sources.values() for value in dict(source.data).values()
    ]
    return sum(array.nbytes for array in arrays)


def measure(segments: int) -> None:
    """Print one line for a catalogue of some size."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = made(Path(folder), segments)
        before, begin = megabytes(), clock()
        catalogue = Catalogue.open(path)
        state = State(catalogue, ExplorerSettings(method="pca"))
        session = Session(state, Workspace(folder), immediate=True)
        start(session)
        view = PageView(session)
        opened = clock() - begin
        take = Messages(view).take
        take({"type": "size", "width": 900, "height": 800})
        rows, places = rng.integers(0, segments, EVENTS), rng.random((EVENTS, 2))
        colourings = ("h", "b", "g")
        hover = milliseconds(lambda i: take({"type": "pointer", "x": places[i][0], "y": places[i][1]}))
        card = milliseconds(lambda i: take({"type": "pointer", "row": int(rows[i])}))
        recolour = milliseconds(lambda i: take({"type": "key", "key": colourings[i % 3]}), 9)
        zoom = milliseconds(lambda i: _zoom(view, i), 9)
        click = milliseconds(
            lambda i: take({"type": "button", "trigger": "left", "row": int(rows[EVENTS // 2 + i])}), 9
        )
        size = megabytes() - before
        columns = hover, card, recolour, zoom, click
        print(line(segments, opened, columns, f"{sent(view) / 1e6:8.1f} {size:8.0f}"))


def _zoom(view: PageView, step: int) -> None:
    x, y = view.scatter.figure.x_range, view.scatter.figure.y_range
    factor = 0.8 if step % 2 == 0 else 1.25
    for side in (x, y):
        middle, half = (side.start + side.end) / 2, (side.end - side.start) / 2 * factor
        side.update(start=middle - half, end=middle + half)
    view.note_view()


if __name__ == "__main__":
    measure_all(measure, ("hover", "card", "recolour", "zoom", "click"), f"{'MB sent':>8} {'MB more':>8}")
