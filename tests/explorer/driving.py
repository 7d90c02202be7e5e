"""Catalogues with images and predictions behind them, and an explorer that real events are sent to."""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backend_bases import KeyEvent, MouseEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from oodretrieval.explorer import Explorer
from oodretrieval.explorer.details import (
    CandidatePage,
    ElbowCurve,
    FoundPage,
    FourPanels,
    KeysHelp,
    Message,
    NeighbourPage,
    ReviewPage,
    SelectionPage,
    SilhouetteCurve,
    WholeImage,
)
from oodretrieval.stores import (
    PREDICTED_IOU,
    Catalogue,
    CatalogueWriter,
    Prediction,
    Stored,
    Workspace,
    write_prediction,
)

PRED = {"0": ["road", [128, 64, 128]], "1": ["car", [0, 0, 142]]}
LABELS = {**PRED, "7": ["cow", [250, 200, 20]], "9": ["void", [0, 0, 0]]}
SIZE = (40, 60)
DETAILS = {
    KeysHelp: "keys",
    Message: "message",
    WholeImage: "image",
    FourPanels: "panels",
    CandidatePage: "candidates",
    FoundPage: "found",
    SelectionPage: "selection",
    NeighbourPage: "neighbours",
    ReviewPage: "review",
    ElbowCurve: "elbow",
    SilhouetteCurve: "silhouette",
}
PATIENCE = 240
"""Seconds after which something that should have happened counts as failed: far more than any machine needs."""
BUTTONS = {"left": 1, "middle": 2, "right": 3}


def write_image(workspace, model, dataset, image_id, rng, *, truth):
    """An image of noise with two stripes that the network takes for road and cars; returns its path."""
    image = rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    path = workspace.path / "images" / dataset / f"{image_id}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    logits = np.zeros((2, *SIZE), np.float16)
    logits[0, :20] = 1 + rng.random((20, 60))
    logits[1, 20:] = 1 + rng.random((20, 60))
    prediction = Prediction(
        prediction=logits.argmax(axis=0).astype(np.uint8),
        labels=rng.choice([0, 1, 7], SIZE).astype(np.uint8) if truth else None,
        image_path=str(path),
        image_id=image_id,
        label_to_pred={0: 0, 1: 1, 7: 255, 9: 255},
        void_ids=frozenset({9}),
        logits=logits,
        num_classes=2,
    )
    write_prediction(workspace.prediction_path(Stored(model, dataset), image_id), prediction)
    return path


def make_catalogue(
    folder: Path,
    count=12,
    datasets=("field",),
    *,
    truth=True,
    measured=True,
    dimensions=6,
    name="field",
    select_by="",
) -> Catalogue:
    """A catalogue of ``count`` segments, two to an image: the upper one road, the lower one car."""
    workspace, rng = Workspace(folder), np.random.default_rng(0)
    rows = []
    for number in range(count):
        dataset = datasets[number // 2 % len(datasets)]
        image_id = f"clip 1/{number // 2:04d}"
        if number % 2 == 0:
            path = write_image(workspace, "net", dataset, image_id, rng, truth=truth)
        top = 20 * (number % 2)
        rows.append(
            {
                "dataset": dataset,
                "image_id": image_id,
                "segment_id": number % 2 + 1,
                "left": 10, "top": top, "right": 50, "bottom": top + 18,
                "crop_left": 8, "crop_top": top, "crop_right": 54, "crop_bottom": top + 20,
                "class": number % 2,
                "S": 500,
                "iou": 0.1,
                "predicted_iou": 0.1 + 0.01 * number,
                **({"select_score": 3.0 - number} if select_by else {}),
                "label": int(rng.choice([0, 1, 7])) if truth else -1,
                "image_path": str(path),
            }
        )  # fmt: skip
    settings = {
        "model": "net",
        "meta_model": "linear",
        **({"select_by": select_by} if select_by else {}),
        "pred_mapping": PRED,
        "label_mapping": {dataset: LABELS if truth else {} for dataset in datasets},
        "void_ids": {dataset: [9] if truth else [] for dataset in datasets},
        "unknown_ids": {dataset: [7] if truth else [] for dataset in datasets},
    }
    vectors = rng.normal(size=(count, dimensions))
    path = workspace.catalogue_folder(name)
    with CatalogueWriter(path, settings, overwrite=True) as writer:
        writer.add_part(pd.DataFrame(rows), vectors, "embedding")
        if measured:
            both = [{**row, "segment_id": i, "predicted_iou": 0.3 * i} for row in rows[::2] for i in (1, 2)]
            columns = ["dataset", "image_id", "segment_id", "predicted_iou"]
            writer.add_table(PREDICTED_IOU, pd.DataFrame(both)[columns])
        writer.commit()
    return Catalogue.open(path)


class IdleCanvas(FigureCanvasAgg):
    """Draws what is out of date once the events before it are handled, as windows do; Agg's own draws at every word."""

    waiting = False

    def draw_idle(self, *args, **kwargs):
        self.waiting = True

    def draw(self):
        self.waiting = False
        super().draw()

    def flush_events(self):
        if self.waiting:
            self.draw()


@dataclass
class Driver:
    """Sends an explorer what a window would send."""

    explorer: Explorer

    @property
    def canvas(self):
        return self.explorer.figure.canvas

    @property
    def state(self):
        return self.explorer.state

    @property
    def session(self):
        return self.explorer.session

    @property
    def presentation(self):
        return self.explorer.session.presentation

    @property
    def overlay(self):
        return self.explorer.view.overlay

    @property
    def detail(self):
        """What is shown next to the scatter, by a short name."""
        return DETAILS[type(self.presentation.detail)]

    @property
    def scatter(self):
        """Axes of the scatter."""
        return self.explorer.view.scatter.axes

    @property
    def right(self):
        """The part of the figure next to the scatter."""
        return self.explorer.view.detail.figure

    @property
    def rows(self):
        """Axes next to the scatter → row of the segment that is drawn there."""
        return self.explorer.view.detail.rows

    def place(self, target):
        """Pixel of a row's point, of the middle of axes, or a pixel itself."""
        if isinstance(target, int):
            return self.scatter.transData.transform(self.state.points[target])
        return target if isinstance(target, tuple) else target.bbox.get_points().mean(axis=0)

    def send(self, event):
        """What a window does with an event: handle it, then draw what it left out of date."""
        event._process()
        self.canvas.flush_events()

    def mouse(self, name, target, **what):
        self.send(MouseEvent(name, self.canvas, *self.place(target), **what))

    def hover(self, target):
        self.mouse("motion_notify_event", target)

    def click(self, target, button="left", held=""):
        with self.holding(held):
            self.mouse("button_press_event", target, button=BUTTONS[button])
            self.mouse("button_release_event", target, button=BUTTONS[button])

    def wheel(self, target, step, held=""):
        with self.holding(held):
            self.mouse("scroll_event", target, step=step)

    def drag(self, *pixels, held=""):
        """Press at the first pixel, move over the others, let go at the last."""
        with self.holding(held):
            self.mouse("button_press_event", pixels[0], button=1)
            for pixel in pixels[1:]:
                self.mouse("motion_notify_event", pixel)
            self.mouse("button_release_event", pixels[-1], button=1)

    @contextmanager
    def holding(self, key):
        """Whether a key is held meanwhile."""
        if key:
            self.send(KeyEvent("key_press_event", self.canvas, key, 0, 0))
        yield
        if key:
            self.send(KeyEvent("key_release_event", self.canvas, key, 0, 0))

    def press(self, *keys):
        for key in keys:
            self.send(KeyEvent("key_press_event", self.canvas, key, 0, 0))
            self.send(KeyEvent("key_release_event", self.canvas, key, 0, 0))

    def pixels(self):
        self.canvas.flush_events()
        return np.asarray(self.canvas.buffer_rgba()).copy()

    def detail_axes(self):
        return [axes for axes in self.right.axes if axes.get_label() != "<colorbar>"]

    def empty_pixel(self):
        """A pixel of the scatter far from every point."""
        box = self.scatter.bbox
        pixels = self.scatter.transData.transform(self.state.points)
        corners = [(box.x0 + 3, box.y0 + 3), (box.x1 - 3, box.y0 + 3), (box.x1 - 3, box.y1 - 3)]
        return max(corners, key=lambda corner: np.hypot(*(pixels - corner).T).min())


def wait_for(condition, poll=lambda: None):
    """Poll until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        poll()
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def open_explorer(catalogue, size=(12, 6.5), **settings):
    """An explorer on an Agg canvas, drawn once."""
    figure = Figure(figsize=size)
    IdleCanvas(figure)
    plain = {"method": "pca", "distance_metric": "euclidean", "once": False}
    explorer = Explorer(catalogue, figure=figure, **{**plain, **settings})
    figure.canvas.draw()
    return Driver(explorer)
