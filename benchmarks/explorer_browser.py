"""How fast the page answers in a browser: from the event to the picture on the screen, in Chromium without a window.

    python benchmarks/explorer_browser.py 10000 1000000

The mouse and the keys are Playwright's. The page itself takes the time: from the event, which carries when it happened,
to the frame that shows what it changed. Hover: until the card says what the candidate is, and (crop) until its crop is
there, too. Click: until the image is there, of a candidate on which the pointer has rested for a third of a second, and
(at once) of one that it reached within the same millisecond. Chromium draws without a GPU here, as on the machines that
have no display; how it times its frames differs from one start to the next by up to a frame, so it is started several
times, and the events of all are taken together.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from explorer import line, made, measure_all
from playwright.sync_api import Page, sync_playwright

from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.server import WebExplorer
from oodretrieval.stores import Catalogue, Workspace

COLUMNS = ("hover", "crop", "click", "at once", "zoom", "recolour")
CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT = 1280, 720
STARTS, EVENTS, HEAVY = 3, 12, 4
"""How often Chromium is started, and events of each kind after each start: light ones and heavy ones."""
REST = 300
"""Milliseconds that a pointer rests before it clicks."""
QUIET = 1500
"""Milliseconds without a change after which nothing more is expected."""
WATCH = """
() => {
  const all = (selector, root = document) => [
    ...root.querySelectorAll(selector),
    ...[...root.querySelectorAll("*")].flatMap((each) => (each.shadowRoot ? all(selector, each.shadowRoot) : [])),
  ]
  const small = new OffscreenCanvas(160, 120).getContext("2d", { willReadFrequently: true })
  const points = () => {
    small.clearRect(0, 0, 160, 120)
    for (const canvas of all("canvas")) if (canvas.width) small.drawImage(canvas, 0, 0, 160, 120)
    return small.getImageData(0, 0, 160, 120).data.join()
  }
  window.watch = (kind, what) => {
    const times = { start: null, first: null, last: null }
    const changed = () => {
      if (times.start === null) return
      requestAnimationFrame(() => setTimeout(() => {
        const passed = performance.now() - times.start
        times.first = times.first ?? passed
        times.last = passed
      }))
    }
    let stopped = false
    if (what === "points") {
      let before = points()
      const look = () => {
        if (stopped) return
        const now = points()
        if (now !== before) { before = now; changed() }
        requestAnimationFrame(look)
      }
      requestAnimationFrame(look)
    }
    const observer = new MutationObserver(changed)
    const everything = { subtree: true, childList: true, characterData: true, attributes: true }
    if (what !== "points") for (const element of all(what)) observer.observe(element, everything)
    window.addEventListener(kind, (event) => { times.start = event.timeStamp }, { capture: true, once: true })
    window.stopWatching = () => {
      stopped = true
      observer.disconnect()
      return times
    }
  }
}
"""


def serve(path: Path, pipe: Connection) -> None:
    """Serve a catalogue and send the address."""
    explorer = WebExplorer(
        State(Catalogue.open(path), ExplorerSettings(method="pca")), Workspace(path.parents[1])
    )
    pipe.send(explorer.address)
    explorer.run()


@contextmanager
def opened_page(path: Path) -> Iterator[tuple[Page, float]]:
    """The page of a catalogue, and how many seconds it took from asking for it to its points."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=serve, args=(path, theirs), daemon=True)
    process.start()
    try:
        address = ours.recv()
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(120_000)
            begin = time.perf_counter()
            page.goto(address)
            page.wait_for_selector(".map[data-ready]")
            yield page, time.perf_counter() - begin
            browser.close()
    finally:
        process.kill()


def timed(
    page: Page,
    kind: str,
    what: str,
    act: Callable[[int], object],
    events: int,
    before: Callable[[int], object] = lambda event: None,
) -> dict[str, list[float]]:
    """Milliseconds until the first and the last change of what an event changes, of the events that change it."""
    times: dict[str, list[float]] = {"first": [], "last": []}
    for event in range(events):
        before(event)
        page.evaluate("([kind, what]) => watch(kind, what)", [kind, what])
        act(event)
        page.wait_for_timeout(QUIET)
        found = page.evaluate("() => stopWatching()")
        for which, values in times.items():
            if found[which] is not None:
                values.append(found[which])
    return times


def rounds(page: Page, rng: np.random.Generator) -> dict[str, list[float]]:
    """Milliseconds of the events after one start, by column of the table."""
    page.evaluate(WATCH)
    box = page.locator(".points").bounding_box()
    assert box is not None, "the page shows its points"
    middle = np.array([box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"]])
    places = middle + rng.uniform(-0.15, 0.15, (EVENTS + 2 * HEAVY, 2)) * (box["width"], box["height"])
    pointed, clicked, reached = np.split(places, [EVENTS, EVENTS + HEAVY])

    def rest(event: int) -> None:
        page.mouse.move(*clicked[event])
        page.wait_for_timeout(REST)

    def press(event: int) -> None:
        page.mouse.down()
        page.mouse.up()

    hover = timed(page, "pointermove", ".card", lambda i: page.mouse.move(*pointed[i]), EVENTS)
    click = timed(page, "pointerup", ".detail", press, HEAVY, rest)
    at_once = timed(page, "pointerup", ".detail", lambda i: page.mouse.click(*reached[i]), HEAVY)
    page.mouse.move(*middle)
    zoom = timed(page, "wheel", "points", lambda i: page.mouse.wheel(0, -120 if i % 2 else 120), HEAVY)
    recolour = timed(page, "keydown", "points", lambda i: page.keyboard.press("hbg"[i % 3]), HEAVY)
    last = zip(COLUMNS[2:], (click, at_once, zoom, recolour), strict=True)
    return {"hover": hover["first"], "crop": hover["last"]} | {name: times["last"] for name, times in last}


def measure(segments: int) -> None:
    """Print one line for a catalogue of some size."""
    rng, opened = np.random.default_rng(0), []
    found: dict[str, list[float]] = {name: [] for name in COLUMNS}
    with tempfile.TemporaryDirectory() as folder:
        path = made(Path(folder), segments)
        for _ in range(STARTS):
            with opened_page(path) as (page, seconds):
                opened.append(seconds)
                for name, times in rounds(page, rng).items():
                    found[name] += times
    shown = [(float(np.median(times)), float(np.max(times))) for times in found.values()]
    print(line(segments, float(np.median(opened)), shown, ""))


if __name__ == "__main__":
    measure_all(measure, COLUMNS, "")
