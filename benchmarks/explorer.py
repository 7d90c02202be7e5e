"""How fast the explorer's window answers: pointer, click, wheel, recolouring, and how large the process is.

    python benchmarks/explorer.py 10000 1000000
    python benchmarks/explorer.py 1000000 --cpu

Real events are sent to the canvas of a figure (Agg, which Qt's canvas also draws with), and what has changed is drawn
within the time. Hover: over segments whose thumbnail is kept, and (read) over those whose image must be read first. The
window reads images apart from the pointer's events, so that this is how late the thumbnail comes; its caption is there
at once. With ``--cpu`` all are CPU time, for a machine that is busy with other things, too.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backend_bases import KeyEvent, MouseButton, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from oodretrieval.explorer import Explorer
from oodretrieval.explorer.desktop.snapshot import SIZE
from oodretrieval.stores import CatalogueWriter

CLASSES, DIMENSIONS, EVENTS = 19, 16, 60
IMAGES, SIDE = 50, (512, 1024)


class IdleCanvas(FigureCanvasAgg):
    """Draws what is out of date once an event is handled, as windows do; Agg's own draws at every word."""

    waiting = False

    def draw_idle(self, *args: object, **kwargs: object) -> None:
        """Note that the picture is out of date."""
        self.waiting = True

    def draw(self) -> None:
        """Draw it."""
        self.waiting = False
        super().draw()  # type: ignore[no-untyped-call]

    def flush_events(self) -> None:
        """Draw it if it is out of date."""
        if self.waiting:
            self.draw()


def make_catalogue(folder: Path, segments: int) -> Path:
    """Segments in blobs, their images noise; returns the catalogue's folder."""
    rng = np.random.default_rng(0)
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
    return writer.path


def made(folder: Path, segments: int) -> Path:
    """A catalogue that another process made, whose memory is not this one's."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(make_catalogue, folder, segments).result()


def clock() -> float:
    """Seconds."""
    return time.process_time() if "--cpu" in sys.argv else time.perf_counter()


def numbers() -> list[int]:
    """Numbers of segments that were asked for."""
    return [int(each) for each in sys.argv[1:] if each.isdecimal()] or [10_000]


def milliseconds(act: Callable[[int], object], events: int = EVENTS) -> tuple[float, float]:
    """Median and worst of some calls."""
    times = []
    for event in range(events):
        begin = clock()
        act(event)
        times.append(1000 * (clock() - begin))
    return float(np.median(times)), float(np.max(times))


def megabytes() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(segments: int) -> None:
    """Print one line for a catalogue of some size."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = made(Path(folder), segments)
        before = megabytes()
        figure = Figure(figsize=SIZE)
        canvas = IdleCanvas(figure)
        begin = clock()
        explorer = Explorer(path, figure=figure, method="pca")
        canvas.draw()
        opened = clock() - begin
        rows = rng.permutation(segments)[:EVENTS]

        def send(event: MouseEvent | KeyEvent) -> None:
            process: Any = event._process  # type: ignore[union-attr]  # as matplotlib's own tests do
            process()
            canvas.flush_events()

        def place(event: int) -> tuple[Any, Any]:
            points = explorer.state.points
            assert points is not None, "PCA is there at once"
            x, y = explorer.view.scatter.axes.transData.transform(points[rows[event]])
            return float(x), float(y)

        def click(event: int) -> None:
            for name in ("button_press_event", "button_release_event"):
                send(MouseEvent(name, canvas, *place(event), button=MouseButton.LEFT))

        def turn(event: int) -> None:
            send(MouseEvent("scroll_event", canvas, *place(0), step=1 if event % 2 == 0 else -1))

        read = milliseconds(lambda event: send(MouseEvent("motion_notify_event", canvas, *place(event))))
        hover = milliseconds(lambda event: send(MouseEvent("motion_notify_event", canvas, *place(event))))
        recolour = milliseconds(lambda event: send(KeyEvent("key_press_event", canvas, "hbg"[event % 3])), 9)
        wheel = milliseconds(turn, 9)
        clicked = milliseconds(click, 9)
        print(line(segments, opened, (hover, read, recolour, wheel, clicked), f"{megabytes() - before:8.0f}"))


def line(segments: int, opened: float, columns: Sequence[tuple[float, float]], rest: str) -> str:
    """What was measured of a catalogue of some size."""
    times = " ".join(f"{median:8.1f} {worst:8.1f}" for median, worst in columns)
    return f"{segments:>9,} {opened:8.2f} {times} {rest}"


def measure_all(measure: Callable[[int], None], columns: Sequence[str], rest: str) -> None:
    """Measure each number of segments that is given."""
    names = " ".join(f"{name:>8} {'worst':>8}" for name in columns)
    print(f"{'segments':>9} {'open, s':>8} {names} {rest}    (milliseconds, median and worst)")
    for number in numbers():
        measure(number)


if __name__ == "__main__":
    measure_all(measure, ("hover", "read", "recolour", "wheel", "click"), f"{'MB more':>8}")
