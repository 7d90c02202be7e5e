"""How fast the page answers: what the server does for a hover, a recolouring and a zoom, and how large the process is.

    python benchmarks/explorer_web.py 10000 1000000

The messages that the page's script would send are handed to the page's side in Python, which does everything that it
does for a browser but sending the result; the bytes that it would send are counted. What a browser adds (some
milliseconds to draw it) is not in these numbers.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from oodretrieval.explorer.commands.opening import start
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.messages import Messages
from oodretrieval.explorer.web.page_view import PageView
from oodretrieval.stores import Catalogue, CatalogueWriter, Workspace

CLASSES, DIMENSIONS, EVENTS = 19, 16, 60
IMAGES, SIDE = 50, (512, 1024)


def make_catalogue(folder: Path, segments: int, rng: np.random.Generator) -> Catalogue:
    """Segments in blobs, their images noise."""
    paths = [folder / f"{number:04d}.png" for number in range(IMAGES)]
    for path in paths:
        coarse = rng.integers(0, 256, (16, 32, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize(SIDE[::-1], Image.Resampling.BICUBIC).save(path)
    image, kind = rng.integers(0, IMAGES, segments), rng.integers(0, CLASSES, segments)
    left, top = rng.integers(0, SIDE[1] - 128, segments), rng.integers(0, SIDE[0] - 128, segments)
    boxes = {"left": left, "top": top, "right": left + 100, "bottom": top + 80}
    table = pd.DataFrame(
        {
            "dataset": "synthetic",
            "image_id": np.array([f"{i:04d}" for i in range(IMAGES)])[image],
            "segment_id": np.arange(segments),
            **boxes,
            **{f"crop_{side}": values for side, values in boxes.items()},
            "class": kind,
            "predicted_iou": rng.random(segments),
            "label": kind,
            "image_path": np.array([str(path) for path in paths])[image],
        }
    )
    mapping = {str(i): [f"class {i}", rng.integers(0, 256, 3).tolist()] for i in range(CLASSES)}
    settings = {"pred_mapping": mapping, "label_mapping": {"synthetic": mapping}}
    vectors = rng.normal(size=(CLASSES, DIMENSIONS))[kind] * 2 + rng.normal(size=(segments, DIMENSIONS))
    with CatalogueWriter(folder / "catalogues" / "synthetic", settings) as writer:
        writer.add_part(table, vectors.astype(np.float32), "synthetic")
        writer.commit()
    return Catalogue.open(writer.path)


def milliseconds(act: Callable[[int], object], events: int = EVENTS) -> tuple[float, float]:
    """Median and worst of some calls."""
    times = []
    for event in range(events):
        begin = time.perf_counter()
        act(event)
        times.append(1000 * (time.perf_counter() - begin))
    return float(np.median(times)), float(np.max(times))


def sent(view: PageView) -> int:
    """Bytes of the points and pictures that a page gets when it is drawn once."""
    arrays = [np.asarray(value) for source in view.scatter.sources for value in source.data.values()]
    return sum(array.nbytes for array in arrays)


def measure(segments: int) -> None:
    """Print one line for a catalogue of some size."""
    rng = np.random.default_rng(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as folder:
        catalogue = make_catalogue(Path(folder), segments, rng)
        state = State(catalogue, ExplorerSettings(method="pca"))
        session = Session(state, Workspace(folder), immediate=True)
        start(session)
        begin = time.perf_counter()
        view = PageView(session)
        opened = time.perf_counter() - begin
        take = Messages(view).take
        take({"type": "size", "width": 900, "height": 800})
        rows, places = rng.integers(0, segments, EVENTS), rng.random((EVENTS, 2))
        colourings = ("h", "b", "g")
        hover = milliseconds(lambda i: take({"type": "pointer", "x": places[i][0], "y": places[i][1]}))
        card = milliseconds(lambda i: take({"type": "pointer", "row": int(rows[i])}))
        recolour = milliseconds(lambda i: take({"type": "key", "key": colourings[i % 3]}), 9)
        zoom = milliseconds(lambda i: _zoom(view, i), 9)
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
        print(
            f"{segments:>9,} {opened:8.2f} "
            + " ".join(f"{median:8.1f} {worst:8.1f}" for median, worst in (hover, card, recolour, zoom))
            + f" {sent(view) / 1e6:8.1f} {size:8.0f}"
        )


def _zoom(view: PageView, step: int) -> None:
    x, y = view.scatter.figure.x_range, view.scatter.figure.y_range
    factor = 0.8 if step % 2 == 0 else 1.25
    for side in (x, y):
        middle, half = (side.start + side.end) / 2, (side.end - side.start) / 2 * factor
        side.update(start=middle - half, end=middle + half)
    view.note_view()


def main() -> None:
    """Measure each number of segments that is given."""
    print(
        f"{'segments':>9} {'open, s':>8} "
        + " ".join(f"{name:>8} {'worst':>8}" for name in ("hover", "card", "recolour", "zoom"))
        + f" {'MB sent':>8} {'MB more':>8}    (milliseconds, median and worst)"
    )
    for number in map(int, sys.argv[1:] or ("10000",)):
        measure(number)


if __name__ == "__main__":
    main()
