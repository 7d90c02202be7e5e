"""The explorer as a new user meets it: unknown kinds of the rendered streets are found, named and exported on its page.

    python scripts/demo.py with args.explore=False
    python benchmarks/explorer_walkthrough.py --workspace workspace --chromium /usr/bin/chromium

Does with mouse and keys what was done by a person who saw nothing but the screen, in Chromium without a window, on the
objects that the demo found, without their truth; writes docs/explorer_walkthrough.md with its pictures, and
docs/explorer.png, the window with truth. Needs the
extra web, Playwright and Chromium; places in the scatter are those of the t-SNE of the versions in constraints.txt.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from oodretrieval.results.tables import markdown_table
from oodretrieval.stores import PREDICTED_IOU, Catalogue, CatalogueWriter

SOURCE, NAME = "demo_objects", "my_streets"
SIZE = {"width": 1280, "height": 720}
DOCS = Path(__file__).parents[1] / "docs"
HEAD = """# A walk through the explorer

What somebody did who had never seen it, with nothing but the page on a screen of 1280×720: the kinds of things that the
network of the rendered streets was never taught are found, named and exported in {actions} actions (a click, a lasso, a
text typed into a field; moving the pointer counts nothing). The candidates are the {candidates} objects that
[the demo](quick_start.md) proposes, and nothing is known of their truth here, as of your own images.
`python benchmarks/explorer_walkthrough.py --workspace workspace` does it again and makes this page.

"""
TAIL = """## The result

Compared with the truth, which was not shown: a candidate shows a kind if most of its pixels do. Among the {candidates}
candidates are {unknown} of kinds that were never learned, {named} were named, {right} of these rightly.

{table}

`coco.json`, label images, tables and crops are what `f` wrote to `exports/{name}`; [From names to a network that knows
them](naming.md) goes on from there.

## What stood in the way

Seen on the first walk, and mended since: what a lasso had selected was only counted, so that it had to be named blind;
now it is shown as a sheet, and Shift + click takes out what does not belong. The contact sheet showed what the filter
had left out. After Enter in the filter's field keys went on being text. Numbers were coloured by fifths, with entries
too long for the legend; now there is a colour bar. Crops that have a name did not say so. What was selected on a sheet
had no mark there; now it has a tick. What was selected and then hidden by a filter still counted, and with nothing else
selected a name went to all that was shown.

The same was walked in the window, on a screen of 1280×720 with real mouse and keys: all eight kinds named and exported,
75 names, in about forty actions, a wrong name and a wrong click and their repair among them. It had no menus then.
"""


@dataclass
class Walk:
    """Acts on the page, and notes what was done and what the page said."""

    page: Page
    folder: Path
    workspace: Path
    log: list[str] = field(default_factory=list)
    actions: int = 0

    def act(self, text: str, do: Callable[[], object]) -> None:
        """One action, and what the page says after it."""
        do()
        self.settle()
        self.actions += 1
        said = self.page.locator(".said").inner_text().replace(str(self.workspace), "workspace")
        self.log.append(f"{self.actions}. {text}" + ("" if "· segment" in said else f" → “{said}”"))
        print(self.log[-1], flush=True)

    def settle(self) -> None:
        """Wait until nothing is under way."""
        quiet = 0
        while quiet < 6:
            self.page.wait_for_timeout(500)
            quiet = quiet + 1 if self.page.locator(".busy[hidden]").count() else 0

    def picture(self, name: str, text: str) -> None:
        """Keep what the screen shows, in few colours."""
        path = self.folder / f"walk_{name}.png"
        self.page.screenshot(path=path)
        reduce(path, 960)
        self.log.append(f"\n![{text}](explorer_walkthrough/{path.name})\n\n*{text}*\n")

    # -- what a hand does ------------------------------------------------------------------------------------

    def lasso(self, kind: str, *corners: tuple[int, int], add: bool = False) -> None:
        """Draw around points; corners are pixels of the screen."""

        def draw() -> None:
            mouse = self.page.mouse
            if add:
                self.page.keyboard.down("Shift")
            mouse.move(*corners[0])
            mouse.down()
            for corner in (*corners[1:], corners[0]):
                mouse.move(*corner, steps=5)
            mouse.up()
            if add:
                self.page.keyboard.up("Shift")

        self.act(f"{'Shift + lasso' if add else 'Lasso'} around {kind}", draw)

    def name(self, name: str) -> None:
        """Name what is selected."""

        def write() -> None:
            self.page.get_by_placeholder("name them …").fill(name)
            self.page.keyboard.press("Enter")

        self.act(f"Type *{name}* into *name them …*, Enter", write)

    def shift_click(self, place: int, why: str) -> None:
        """Shift + click on an item of a sheet, counted from 1: takes it out of a selection, or adds it to one."""
        item = self.page.locator(".item").nth(place - 1)
        self.act(f"Shift + click on {why}", lambda: item.click(modifiers=["Shift"]))

    def filter(self, text: str) -> None:
        """Show only some."""

        def write() -> None:
            self.page.locator(".filter").fill(text)
            self.page.keyboard.press("Enter")

        typed = f"Type `{text}` into" if text else "Empty"
        self.act(f"{typed} *Show only …*, Enter", write)

    def key(self, key: str, text: str) -> None:
        """Press a key."""
        self.act(f"{text}: `{key}`", lambda: self.page.keyboard.press(key))


def reduce(path: Path, width: int) -> None:
    """Make a picture smaller, and let it have few colours."""
    image = Image.open(path).convert("RGB")
    image = image.resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS)
    image.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


def command(name: str, workspace: Path, *more: str) -> list[str]:
    """The explorer's command line."""
    script = DOCS.parent / "scripts" / "discover_embedding_space.py"
    named = f"args.embeddings_file={name}", f"args.workspace={workspace}"
    return [sys.executable, str(script), "with", *named, *more]


def box(left: int, top: int, right: int, bottom: int) -> tuple[tuple[int, int], ...]:
    """Corners of a lasso."""
    return (left, top), (right, top), (right, bottom), (left, bottom)


def walk_through(walk: Walk) -> None:
    """From the first look to the export."""
    page = walk.page
    walk.picture(
        "1", "The page opens on the candidates of highest novelty; dark points are the most novel ones"
    )
    walk.filter("score > 4.2")
    walk.act("Click on *Lasso*", lambda: page.get_by_role("button", name="Lasso", exact=True).click())
    walk.lasso("a dark group at the bottom", *box(395, 558, 440, 608))
    walk.picture("2", "What is selected is shown on the right: crates, and nothing else")
    walk.name("crate")
    walk.lasso("the group at the top", *box(445, 85, 535, 195))
    walk.picture("3", "Cones, and two patches of pavement among them, further down")
    walk.shift_click(11, "a patch of pavement")
    walk.shift_click(13, "another one")
    walk.name("cone")
    walk.lasso("a group on the left", *box(300, 500, 360, 565))
    walk.name("wheelie bin")
    walk.lasso("the group below", *box(262, 568, 345, 645))
    walk.shift_click(11, "a patch of pavement")
    walk.shift_click(11, "another one")
    walk.name("barrel")
    walk.lasso("the group furthest to the left", *box(210, 345, 315, 390))
    walk.lasso("the small one below, which are wheels of trolleys", *box(250, 400, 290, 448), add=True)
    walk.name("trolley")
    walk.lasso("the group above", *box(315, 200, 405, 295))
    walk.name("animal")
    walk.filter("score > 4.2 and not tags")
    walk.picture("4", "The contact sheet shows what is left: benches, and a boulder, which is the third")
    walk.shift_click(3, "the boulder")
    walk.name("boulder")
    for place in (1, 4, 5, 8, 18):
        walk.shift_click(place, "a bench")
    walk.picture("5", "What is selected has a tick on the sheet, and a ring among the points")
    walk.key("PageDown", "Next page of the contact sheet")
    walk.shift_click(7, "a bench")
    walk.name("bench")
    walk.filter("")
    walk.act("Click on *Clear*", lambda: page.get_by_role("button", name="Clear", exact=True).click())
    walk.key("y", "Colour by name")
    walk.picture("6", "Eight kinds have names")

    def export() -> None:
        page.locator(".menu > button", has_text="Names").click()
        page.get_by_role("button", name="Export what is named").click()

    walk.act("Menu *Names*, *Export what is named*", export)


@dataclass(frozen=True)
class Truth:
    """What candidates show, and what they were named."""

    shown: list[str]
    named: list[str]

    def table(self) -> pd.DataFrame:
        """One row a kind that was never learned."""
        pairs = Counter(zip(self.shown, self.named, strict=True))
        kinds = sorted({kind for kind in self.shown if kind} | {name for name in self.named if name})
        rows = {
            kind: [
                sum(number for (shown, _), number in pairs.items() if shown == kind),
                sum(number for (_, name), number in pairs.items() if name == kind),
                pairs[kind, kind],
            ]
            for kind in kinds
        }
        columns = ["candidates that show it", "named so", "rightly"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("kind")


def without_truth(source: Catalogue, folder: Path) -> Catalogue:
    """The same candidates, of images without labels."""
    shutil.rmtree(folder, ignore_errors=True)
    settings = dict(source.settings)
    for key, empty in (("label_mapping", {}), ("void_ids", []), ("unknown_ids", [])):
        settings[key] = dict.fromkeys(settings[key], empty)
    table = source.segments.assign(label=-1)
    with CatalogueWriter(folder, settings) as writer:
        writer.add_part(table, source.vectors, source.default_embedding, masks=source.masks)
        writer.add_table(PREDICTED_IOU, source.table(PREDICTED_IOU))
        writer.commit()
    return Catalogue.open(folder)


def compared(source: Catalogue, export: Path) -> Truth:
    """Names that were exported next to the truth of all candidates."""
    table, settings = source.segments, source.settings
    keys = list(zip(table["dataset"], table["image_id"], table["segment_id"], strict=True))
    shown = []
    for dataset, label in zip(table["dataset"], table["label"], strict=True):
        unknown = int(label) in settings["unknown_ids"][dataset]
        shown.append(settings["label_mapping"][dataset][str(label)][0] if unknown else "")
    content = json.loads((export / "coco.json").read_text(encoding="utf-8"))
    categories = {each["id"]: each["name"] for each in content["categories"]}
    names: dict[Any, str] = {}
    for each in content["annotations"]:
        origin = each["attributes"]
        names[origin["dataset"], origin["image_id"], origin["candidate"]] = categories[each["category_id"]]
    return Truth(shown, [names.get(key, "") for key in keys])


def main() -> None:
    """Walk, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, required=True, help="in which the demo has run")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where page and pictures go")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--window-only", action="store_true", help="make docs/explorer.png and nothing else")
    chosen = parser.parse_args()
    window = chosen.docs / "explorer.png"
    subprocess.run(command(SOURCE, chosen.workspace, f"args.snapshot={window}"), check=True)
    reduce(window, 1100)
    if chosen.window_only:
        return
    source = Catalogue.open(chosen.workspace / "catalogues" / SOURCE)
    without_truth(source, chosen.workspace / "catalogues" / NAME)
    pictures = chosen.docs / "explorer_walkthrough"
    pictures.mkdir(parents=True, exist_ok=True)
    serve = command(NAME, chosen.workspace, "args.host=browser")
    with subprocess.Popen(serve, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = next(
                found[0] for line in server.stdout or () if (found := re.search(r"http://\S+", line))
            )
            with sync_playwright() as started:
                chromium = started.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox"])
                page = chromium.new_page(viewport={"width": SIZE["width"], "height": SIZE["height"]})
                page.set_default_timeout(90_000)
                page.goto(address)
                page.wait_for_selector(".map[data-ready]")
                walk = Walk(page, pictures, chosen.workspace)
                walk.settle()
                walk_through(walk)
                chromium.close()
        finally:
            server.terminate()
    truth = compared(source, chosen.workspace / "exports" / NAME)
    named, right = (
        sum(map(bool, truth.named)),
        sum(a == b != "" for a, b in zip(truth.shown, truth.named, strict=True)),
    )
    counts = {
        "candidates": len(source),
        "unknown": sum(map(bool, truth.shown)),
        "named": named,
        "right": right,
    }
    text = HEAD.format(actions=walk.actions, **counts) + "\n".join(walk.log) + "\n\n"
    text += TAIL.format(table=markdown_table(truth.table()), name=NAME, **counts)
    (chosen.docs / "explorer_walkthrough.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
