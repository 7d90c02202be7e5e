"""The explorer as a new user meets it: unknown kinds of the rendered streets are found, named and exported.

    python scripts/demo.py with args.explore=False
    python benchmarks/explorer_walkthrough.py --workspace workspace --chromium /usr/bin/chromium

Does with mouse and keys what was done by a person who saw nothing but the screen: in the window under Xvfb by xdotool,
and on the page in Chromium without a window by Playwright, on the objects that the demo found, without their truth.
Counts every action, compares the names in the exported COCO with the truth, and writes docs/explorer_walkthrough.md
with its pictures, docs/explorer_web.jpg, the page, and docs/explorer.png, the window with truth. Needs the extra web,
Playwright, Chromium, Xvfb and xdotool. Places in the scatter are those of the candidates that the demo had selected
when the walk was last made, and of the t-SNE of the versions in constraints.txt: where these are others, look the
places up again.
"""

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from checkout import ROOT
from command_line import command_line
from explorer_walks import NAME, Walk, box, command, reduce
from explorer_walks_page import page_walk
from explorer_walks_window import window_walk

from oodretrieval.results.tables import markdown_table
from oodretrieval.stores import PREDICTED_IOU, Catalogue, CatalogueWriter

SOURCE = "demo_objects"
DOCS = ROOT / "docs"
PICTURES = {
    "cone": "What is selected is shown on the right, before it gets a name",
    "trolley": "Trolleys",
}
"""Kind → what the picture of its selection shows."""
VIEWS = {"window": "In the window", "page": "On the page"}
HEAD = """# A walk through the explorer

What somebody did who had seen nothing but the screen, of 1280×720: the kinds of things that the network of the
rendered streets was never taught are found, named and exported, in the window in {window} actions and on the page in
{page}. A key or a combination of keys, a click, a drag, and a text typed with Enter are an action each; moving the
pointer is none. Window and page got real events, by xdotool and Playwright. The candidates are the {candidates} objects
that [the demo](quick_start.md) proposes, and nothing is known of their truth here, as of your own images.
`python benchmarks/explorer_walkthrough.py --workspace workspace` does both again, compares what was exported with the
truth, and makes this page; its lassos lie where the points lay in this walk, and have to be placed again where the
demo selects other candidates.

"""
RESULT = """What was exported, next to the truth, which was not shown (a candidate shows a kind if most of its pixels
do): of {unknown} candidates of kinds that were never learned {named_unknown} got a name; {named} were named in all,
{right} of these rightly.

{table}

"""
TAIL = """`coco.json`, label images, tables and crops are what `f` wrote to `exports/{name}`; [From names to a network
that knows them](naming.md) goes on from there.

## What stood in the way

Seen on earlier walks, and mended since: what a lasso had selected was only counted, so that it had to be named blind;
now it is shown as a sheet, and Shift + click takes out what does not belong. The contact sheet showed what the filter
had left out. After Enter in a field of the page keys went on being text. Numbers were coloured by fifths, with entries
too long for the legend; now there is a colour bar. Crops that have a name did not say so. What was selected on a sheet
had no mark there; now it has a tick. What was selected and then hidden by a filter still counted, and with nothing else
selected a name went to all that was shown. In a window that was made smaller the title was cut off, and only the page
could go back to what was shown before; now `,` and `.` do in both.
"""


@dataclass(frozen=True)
class Places:
    """Where a person sees things in one of the views, in pixels of the screen.

    Attributes:
        groups: Kind → corners of the boxes around its points.
        boulder: A boulder on the sheet of what has no name.
    """

    groups: dict[str, tuple[tuple[int, int, int, int], ...]]
    boulder: tuple[int, int]


WINDOW = Places(
    {
        "cone": ((323, 572, 399, 631),),
        "barrel": ((263, 497, 304, 544),),
        "wheelie bin": ((317, 462, 361, 513),),
        "crate": ((266, 420, 317, 449), (303, 382, 324, 426)),
        "animal": ((497, 364, 546, 429),),
        "trolley": ((176, 397, 228, 440),),
        "bench": ((324, 346, 391, 388), (328, 384, 348, 402)),
        "boulder": ((415, 475, 439, 498),),
    },
    (960, 119),
)
PAGE = Places(
    {
        "cone": ((375, 605, 458, 670),),
        "barrel": ((308, 522, 354, 574),),
        "wheelie bin": ((368, 484, 416, 540),),
        "crate": ((312, 438, 368, 470), (352, 396, 376, 444)),
        "animal": ((566, 376, 620, 448),),
        "trolley": ((212, 412, 270, 460),),
        "bench": ((376, 356, 450, 402), (380, 398, 402, 418)),
        "boulder": ((476, 498, 502, 524),),
    },
    (1063, 390),
)


def walk_through(walk: Walk, places: Places) -> None:
    """From the first look to the export."""

    def draw_around(kind: str, seen: str = "a dark group") -> None:
        first, *more = places.groups[kind]
        walk.lasso(seen, *box(*first))
        for each in more:
            walk.lasso("more of them", *box(*each), held="shift")

    walk.settle()
    walk.picture("1", "Opens on the candidates of highest novelty; dark points are the most novel ones")
    walk.key("l", "lasso")
    for kind in ("cone", "barrel", "wheelie bin", "crate", "animal", "trolley", "bench"):
        draw_around(kind)
        if kind in PICTURES:
            walk.picture(kind, PICTURES[kind])
        walk.call(kind)
    walk.key("x", "select nothing")
    walk.ask_filter()
    walk.write("not tags")
    walk.key("s", "contact sheet of what is left")
    walk.picture("left", "What is left, of highest novelty first: among them a boulder, the third")
    walk.right_click("the boulder: what is like it?", places.boulder)
    walk.picture(
        "boulder",
        "Its nearest neighbours: first a part of the same one, which lies below it in the scatter, then another",
    )
    draw_around("boulder", "the ringed points: the boulder and its part")
    walk.call("boulder")
    walk.empty_filter()
    walk.key("x", "select nothing")
    walk.key("y", "colour by name")
    walk.picture("named", "Eight kinds have names")
    walk.key("f", "export what is named")


@dataclass(frozen=True)
class Truth:
    """What candidates show, and what they were named."""

    shown: list[str]
    named: list[str]

    def counts(self) -> dict[str, int]:
        """Candidates of kinds that were never learned, those of them that are named, all named, and rightly."""
        pairs = list(zip(self.shown, self.named, strict=True))
        return {
            "unknown": sum(bool(shown) for shown, _ in pairs),
            "named_unknown": sum(bool(shown and name) for shown, name in pairs),
            "named": sum(bool(name) for _, name in pairs),
            "right": sum(shown == name != "" for shown, name in pairs),
        }

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
    parser = command_line(__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="in which the demo has run")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where page and pictures go")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--views", nargs="+", choices=tuple(VIEWS), default=tuple(VIEWS))
    parser.add_argument(
        "--quiet", type=float, default=2.0, help="seconds without a change that end an action"
    )
    parser.add_argument("--picture-only", action="store_true", help="make docs/explorer.png and nothing else")
    chosen = parser.parse_args()
    picture = chosen.docs / "explorer.png"
    subprocess.run(command(SOURCE, chosen.workspace, f"args.snapshot={picture}"), check=True)
    reduce(picture, 1100)
    if chosen.picture_only:
        return
    source = Catalogue.open(chosen.workspace / "catalogues" / SOURCE)
    pictures = chosen.docs / "explorer_walkthrough"
    pictures.mkdir(parents=True, exist_ok=True)
    actions, parts = {}, []
    for view in chosen.views:
        without_truth(source, chosen.workspace / "catalogues" / NAME)
        shutil.rmtree(chosen.workspace / "exports" / NAME, ignore_errors=True)
        opened = (
            window_walk(chosen.workspace, pictures, chosen.quiet)
            if view == "window"
            else page_walk(chosen.workspace, pictures, chosen.quiet, chosen.chromium)
        )
        with opened as walk:
            walk_through(walk, {"window": WINDOW, "page": PAGE}[view])
            log = walk.table().replace(str(chosen.workspace), "workspace")
        truth = compared(source, chosen.workspace / "exports" / NAME)
        actions[view] = walk.actions
        parts.append(
            f"## {VIEWS[view]}\n{log}\n"
            + RESULT.format(**truth.counts(), table=markdown_table(truth.table()))
        )
        print(parts[-1], flush=True)
    if set(chosen.views) != set(VIEWS):
        return
    text = HEAD.format(candidates=len(source), **actions) + "".join(parts) + TAIL.format(name=NAME)
    (chosen.docs / "explorer_walkthrough.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
