"""A served catalogue, and a browser that visits it as a person does."""

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from driving import PATIENCE

from oodretrieval.explorer.view_port import ViewPort
from oodretrieval.explorer.web.scatter import LEGEND_ROOM
from oodretrieval.search import project

CHROMIUM = Path("/usr/bin/chromium")
SLOW = 1000 * PATIENCE


@contextmanager
def served(catalogue, folder):
    """The address of a page that shows a catalogue, and the process that serves it."""
    file = folder / "address"
    script = Path(__file__).with_name("web_under_test.py")
    with (folder / "log").open("w") as log:
        command = [sys.executable, str(script), str(catalogue.path), str(file)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            end = time.monotonic() + PATIENCE
            while not file.is_file():
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < end, "the page was never served"
                time.sleep(0.05)
            yield file.read_text(), process
        finally:
            process.kill()
            process.wait(PATIENCE)


@contextmanager
def browser():
    """Chromium without a window; skips where it or Playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.is_file():
        pytest.skip(f"no {CHROMIUM}; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            chromium.close()


class Visitor:
    """A person at the page."""

    def __init__(self, chromium, address, catalogue, size=(1280, 720)):
        self.page = chromium.new_page(viewport={"width": size[0], "height": size[1]})
        self.page.set_default_timeout(SLOW)
        self.catalogue, self.asked, self.failed = catalogue, [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.failed.append(str(error)))
        self.page.goto(address)
        self.wait()

    def wait(self):
        self.page.wait_for_selector(".map[data-ready]")
        self.page.wait_for_selector(".legend .title")

    def pixel(self, row):
        """Where a candidate's point is on the screen, before anybody zoomed."""
        box = self.page.locator(".points").bounding_box()
        points = project(self.catalogue.vectors, "pca")
        room = min(LEGEND_ROOM, 0.3 * box["width"])
        view = ViewPort.around(points, box["width"], box["height"], room)
        x, y = (points[row] - (view.left, view.bottom)) / view.unit
        return box["x"] + float(x), box["y"] + box["height"] - float(y)

    def hover(self, row):
        self.page.mouse.move(*np.add(self.pixel(row), (3, 2)))
        self.page.mouse.move(*self.pixel(row))

    def lasso(self, corners):
        """Draw a lasso; corners are shares of the scatter's width and height."""
        box = self.page.locator(".points").bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
        self.page.get_by_role("button", name="Lasso", exact=True).click()
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=4)
        self.page.mouse.up()

    def says(self, text):
        self.page.locator(".said", has_text=text).wait_for()

    def shows(self, selector, text=None):
        self.page.locator(selector, **({} if text is None else {"has_text": text})).first.wait_for()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def type_into(self, selector, text):
        self.page.locator(selector).fill(text)
        self.page.locator(selector).press("Enter")
