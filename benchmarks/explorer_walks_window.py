"""A walk in the explorer's window, on a screen that nobody sees, by xdotool."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from explorer_walks import HEIGHT, LOOKS, NAME, WIDTH, Corner, Walk, command
from PIL import Image
from virtual_screen import screen

_STEP = 0.1
"""Seconds between places that a drag passes."""
_PATIENCE = 15
"""Seconds until an action is taken to change nothing on the screen."""


@dataclass
class WindowWalk(Walk):
    """In the window, under Xvfb, by xdotool.

    Args:
        display: Of Xvfb.
        screen: Application of Qt that sees it.
    """

    display: str = field(kw_only=True)
    screen: Any = field(kw_only=True)
    _seen: np.ndarray | None = None

    def wait_for_window(self) -> None:
        """Wait until something else than the empty screen is seen."""
        while not self._pixels().any():
            time.sleep(0.5)

    def said(self) -> None:
        """What a screen says in pixels is in the pictures."""

    def empty_filter(self) -> None:
        """Show everything again."""
        self.ask_filter()
        self.key("Delete", "empty it")
        self.key("Return", "show everything")

    def settle(self) -> None:
        """Wait until the screen has changed and changes no more; the sign of work turns while anything is under way."""
        quiet, last, end = 0, self._seen, time.monotonic() + _PATIENCE
        while quiet * LOOKS < self.quiet:
            time.sleep(LOOKS)
            now = self._pixels()
            same = last is not None and np.array_equal(now, last)
            unanswered = self._seen is not None and np.array_equal(now, self._seen)
            waits = unanswered and time.monotonic() < end
            quiet, last = quiet + 1 if same and not waits else 0, now
        self._seen = last

    def grab(self, path: Path) -> None:
        """Save what the screen shows."""
        Image.fromarray(self._pixels()).save(path)

    def drag(self, corners: Sequence[Corner], held: str) -> None:
        """Press at the first pixel, move over the others, let go at the last."""
        steps: list[object] = ["keydown", held] if held else []
        steps += ["mousemove", *corners[0], "mousedown", 1]
        for start, end in pairwise(corners):
            for share in np.linspace(0.2, 1, 5):
                x, y = np.add(start, np.subtract(end, start) * share).round().astype(int).tolist()
                steps += ["mousemove", x, y, "sleep", _STEP]
        self._do(*steps, "mouseup", 1, *(["keyup", held] if held else []))

    def click(self, place: Corner, held: str = "", button: int = 1) -> None:
        """Press a button."""
        self._do("mousemove", *place, "sleep", 0.1)
        self._do(*(["keydown", held] if held else []), "click", button, *(["keyup", held] if held else []))

    def press(self, key: str) -> None:
        """Press a key."""
        self._do("key", {"/": "slash", "PageDown": "Next"}.get(key, key))

    def type(self, text: str) -> None:
        """Type a text, and Enter."""
        self._do("type", "--delay", 40, text)
        self._do("key", "Return")

    def _do(self, *steps: object) -> None:
        where = {**os.environ, "DISPLAY": self.display}
        subprocess.run(["xdotool", *map(str, steps)], env=where, check=True)

    def _pixels(self) -> np.ndarray:
        image = self.screen.primaryScreen().grabWindow(0).toImage()
        image = image.convertToFormat(image.Format.Format_RGB888)
        lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        return lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


@contextmanager
def window_walk(workspace: Path, pictures: Path, quiet: float) -> Iterator[Walk]:
    """The explorer's window on a screen of its own, and hands."""
    with screen(WIDTH, HEIGHT) as display:
        os.environ["DISPLAY"] = display
        from PySide6.QtGui import QGuiApplication

        application = QGuiApplication([])
        with subprocess.Popen(command(NAME, workspace, "args.host=window")) as process:
            walk = WindowWalk(pictures, "window", quiet, display=display, screen=application)
            walk.wait_for_window()
            yield walk
            walk.press("ctrl+w")
            process.wait(120)
        application.quit()
