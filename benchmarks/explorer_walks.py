"""A walk through the explorer: what a person does, each event counted as one action, with pictures of the screen."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from checkout import ROOT
from PIL import Image

NAME = "my_streets"
"""Catalogue that is walked through."""
WIDTH, HEIGHT = 1280, 720
"""Of the screen, pixels."""
Corner = tuple[int, int]
LOOKS = 0.4
"""Seconds between looks at a screen."""


@dataclass
class Walk(ABC):
    """What a person does, and what the screen shows after it.

    One key or combination of keys, one click, one drag, and one text typed with Enter are an action each; moving the
    pointer is none.

    Args:
        folder: For pictures.
        name: That they begin with.
        quiet: Seconds without a change after which nothing is under way; a busy machine needs more.
    """

    folder: Path
    name: str
    quiet: float
    log: list[str] = field(default_factory=list)
    actions: int = 0

    def act(self, text: str, do: Callable[[], object]) -> None:
        """One action."""
        do()
        self.settle()
        self.actions += 1
        said = self.said()
        self.log.append(f"| {self.actions} | {text} |" + (f" {said} |" if said is not None else ""))
        print(self.log[-1], flush=True)

    def picture(self, name: str, text: str) -> None:
        """Keep what the screen shows, in few colours."""
        path = self.folder / f"{self.name}_{name}.png"
        self.grab(path)
        reduce(path, 960)
        self.log.append(f"\n![{text}](explorer_walkthrough/{path.name})\n\n*{text}*\n")

    def lasso(self, kind: str, *corners: Corner, held: str = "") -> None:
        """Draw around points; corners are pixels of the screen."""
        how = {
            "": "Lasso around",
            "shift": "Shift + lasso, which adds",
            "ctrl": "Ctrl + lasso, which takes away",
        }
        self.act(f"{how[held]} {kind}", lambda: self.drag((*corners, corners[0]), held))

    def right_click(self, why: str, place: Corner) -> None:
        """Click with the right button."""
        self.act(f"Right click on {why}", lambda: self.click(place, button=3))

    def ask_filter(self) -> None:
        """Have the filter asked for, with nothing in it."""
        self.key("/", "show only …")

    def key(self, key: str, text: str) -> None:
        """Press a key."""
        self.act(f"`{key}`: {text}", lambda: self.press(key))

    def write(self, text: str) -> None:
        """Type a text, and Enter."""
        self.act(f"Type {text}, Enter", lambda: self.type(text))

    def call(self, name: str) -> None:
        """Name what is selected: a key asks, the name is typed."""
        self.key("w", "name what is selected")
        self.write(name)

    def table(self) -> str:
        """The log as Markdown, a table that pictures part."""
        says = self.said() is not None
        head = "| | what is done |" + (
            " what the screen says |\n| --- | --- | --- |\n" if says else "\n| --- | --- |\n"
        )
        text, is_open = "", False
        for line in self.log:
            if line.startswith("|"):
                text += ("" if is_open else "\n" + head) + line + "\n"
            else:
                text += line
            is_open = line.startswith("|")
        return text

    @abstractmethod
    def empty_filter(self) -> None:
        """Show everything again: the view's own keys."""

    @abstractmethod
    def said(self) -> str | None:
        """What the status line says; None where that cannot be read."""

    @abstractmethod
    def settle(self) -> None:
        """Wait until nothing is under way."""

    @abstractmethod
    def grab(self, path: Path) -> None:
        """Save what the screen shows."""

    @abstractmethod
    def drag(self, corners: Sequence[Corner], held: str) -> None:
        """Press at the first pixel, move over the others, let go at the last."""

    @abstractmethod
    def click(self, place: Corner, held: str = "", button: int = 1) -> None:
        """Press a button."""

    @abstractmethod
    def press(self, key: str) -> None:
        """Press a key."""

    @abstractmethod
    def type(self, text: str) -> None:
        """Type a text, and Enter."""


def reduce(path: Path, width: int) -> None:
    """Make a picture smaller, and let it have few colours."""
    image = Image.open(path).convert("RGB")
    image = image.resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS)
    image.quantize(128, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


def box(left: int, top: int, right: int, bottom: int) -> tuple[Corner, ...]:
    """Corners of a lasso."""
    return (left, top), (right, top), (right, bottom), (left, bottom)


def command(name: str, workspace: Path, *more: str) -> list[str]:
    """The explorer's command line."""
    script = ROOT / "scripts" / "discover_embedding_space.py"
    named = f"args.embeddings_file={name}", f"args.workspace={workspace}"
    return [sys.executable, str(script), "with", *named, *more]
