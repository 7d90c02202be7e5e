"""A walk on the explorer's page, in Chromium without a window, by Playwright."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from explorer_walks import HEIGHT, LOOKS, NAME, WIDTH, Corner, Walk, command
from playwright.sync_api import Page, sync_playwright


@dataclass
class PageWalk(Walk):
    """On the page, in Chromium.

    Args:
        page: With the page open.
        portrait: File for the picture that the documentation shows of the page, as sharp as the screen.
        hovered: Where the pointer is in it.
    """

    page: Page = field(kw_only=True)
    portrait: Path = field(kw_only=True)
    hovered: Corner = (427, 630)

    def picture(self, name: str, text: str) -> None:
        """Keep what the screen shows."""
        if name == "cone":
            self.page.mouse.move(*self.hovered)
            self.settle()
            self.page.screenshot(path=self.portrait, type="jpeg", quality=80)
        super().picture(name, text)

    def said(self) -> str:
        """What the status line says."""
        return self.page.locator(".said").inner_text().replace("|", "·")

    def empty_filter(self) -> None:
        """Show everything again."""
        self.ask_filter()
        self.key("Escape", "show everything")

    def settle(self) -> None:
        """Wait until nothing is under way."""
        quiet = 0
        self.page.wait_for_timeout(1500)  # until the server has taken it
        while quiet * LOOKS < self.quiet:
            self.page.wait_for_timeout(1000 * LOOKS)
            quiet = quiet + 1 if self.page.locator(".busy[hidden]").count() else 0

    def grab(self, path: Path) -> None:
        """Save what the screen shows."""
        self.page.screenshot(path=path)

    def drag(self, corners: Sequence[Corner], held: str) -> None:
        """Press at the first pixel, move over the others, let go at the last."""
        with self._holding(held):
            self.page.mouse.move(*corners[0])
            self.page.mouse.down()
            for corner in corners[1:]:
                self.page.mouse.move(*corner, steps=5)
            self.page.mouse.up()

    def click(self, place: Corner, held: str = "", button: int = 1) -> None:
        """Press a button."""
        with self._holding(held):
            self.page.mouse.click(*place, button="right" if button == 3 else "left")

    def press(self, key: str) -> None:
        """Press a key."""
        self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Type a text, and Enter."""
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    @contextmanager
    def _holding(self, held: str) -> Iterator[None]:
        key = {"shift": "Shift", "ctrl": "Control"}.get(held)
        if key:
            self.page.keyboard.down(key)
        yield
        if key:
            self.page.keyboard.up(key)


@contextmanager
def page_walk(workspace: Path, pictures: Path, quiet: float, chromium: str) -> Iterator[Walk]:
    """The explorer's page in a browser, and hands."""
    serve = command(NAME, workspace, "args.host=browser")
    with subprocess.Popen(serve, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True) as server:
        try:
            lines = server.stdout or ()
            address = next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
            with sync_playwright() as started:
                browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                shown = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
                shown.set_default_timeout(180_000)
                shown.goto(address)
                shown.wait_for_selector(".map[data-ready]")
                yield PageWalk(
                    pictures, "page", quiet, page=shown, portrait=pictures.parent / "explorer_web.jpg"
                )
                browser.close()
        finally:
            server.terminate()
