"""What README and docs/ say works: their commands on a miniature CamVid, their code, their links, their names."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from documented import PAGES, ROOT, anchors, blocks, commands, inline_commands, links
from in_process import run_in_process
from PIL import Image

from oodretrieval.datasets.adapt import open_dataset
from oodretrieval.datasets.streets import Streets
from oodretrieval.experiment.configuration import load_configuration

SHELL = sorted(name for name, page in PAGES.items() if commands(page))
START = "docs/quick_start.md"  # whoever reads another page has done what this one says
QUICK = (START, "README.md")
"""Pages that are followed each time; of the commands of all others, names and settings are checked each time."""
BEFORE = {"docs/selection.md": "docs/extending.md"}  # trains the network that it speaks of

PARSED_ONLY = {
    "scripts/discover_embedding_space.py": "opens a window; tests/explorer does that where there is a display",
    "scripts/pred_images.py with args.dataset=cityscapes_laf": "needs Lost and Found and NVIDIA's weights",
    "scripts/pred_images.py with args.dataset=road_anomaly_21": "needs RoadAnomaly21",
    "scripts/compute_metrics.py with args.dataset=road_anomaly_21": "needs RoadAnomaly21",
    "scripts/eval_discovery.py with args.dataset=road_anomaly_21": "needs RoadAnomaly21",
    "scripts/export.py": "needs tags, which a person gives; tests/stages/test_export.py gives some",
    "scripts/train_segmentation.py with args.model_name=deeplabv3plus_streets": "needs an export",
    "benchmarks/": "measures for minutes, on data that nobody may pass on",
}
ADDED = {
    "scripts/eval_discovery.py": ("args.repetitions=3", "args.looks=24", "args.seeds=1"),
    "scripts/eval_meta.py": ("args.repetitions=3", "args.permutations=1"),
    "scripts/eval_ood.py": ("args.repetitions=3", "args.pictures=1"),
    "scripts/train_meta_nn.py": ("args.repetitions=3",),
    "scripts/pipeline.py": ("args.explore=False", "args.select_number=12"),
    "scripts/compute_embeddings.py": ("args.select_number=12",),
    "scripts/train_segmentation.py": (
        *("args.epochs=1", "args.batch_size=2", "args.crop_height=64", "args.crop_width=64"),
    ),
}
ENTRIES = {
    "dataset": "datasets",
    "dataset_val": "datasets",
    "dataset_train": "datasets",
    "model_name": "models",
    "meta_model_name": "meta_models",
}
SIZE = (192, 144)  # of the miniatures, width and height
CAMVID = {
    "sky": 0,
    "building": 1,
    "pole": 2,
    "road": 3,
    "pavement": 4,
    "tree": 5,
    "sign": 6,
    "car": 8,
    "person": 9,
}
VOID, BICYCLIST = 11, 10


def write_camvid(root, split, cache):
    """Six rendered streets in CamVid's layout, far apart, train of three drives; what is unknown is a bicyclist."""
    for folder in (split, f"{split}annot"):
        (root / folder).mkdir(parents=True)
    streets = Streets(split, count=6, size=SIZE, cache=cache)
    names = {number: name for number, (name, _) in streets.label_set.label_mapping.items()}
    to_camvid = np.full(256, VOID, np.uint8)
    for number, name in names.items():
        to_camvid[number] = CAMVID.get(name, VOID if name == "void" else BICYCLIST)
    for index in range(len(streets)):
        drive, first = ("0016E5", 8061) if split == "val" else (("0001TP", "0006R0", "0016E5")[index % 3], 1)
        name = f"{drive}_{first + 100 * index:05d}.png"
        Image.fromarray(streets[index].image).save(root / split / name)
        Image.fromarray(to_camvid[streets[index].labels]).save(root / f"{split}annot" / name)


def write_own(folder):
    """The classes of one's own that docs/extending.md shows, and their entries."""
    code = blocks(PAGES["docs/extending.md"], "python")
    for block in code:
        if named := re.match(r"# (my_\w+\.py)\n", block):
            (folder / named[1]).write_text(block, encoding="utf-8")
    entries = [block for block in code if re.search(r'^(DATASETS|MODELS)\["mine"\]', block, re.MULTILINE)]
    shipped = (ROOT / "configuration.py").read_text(encoding="utf-8")
    (folder / "configuration.py").write_text("\n".join([shipped, *entries]), encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where a reader sits: a configuration with entries of one's own, ``data/camvid``, ``photos``."""
    folder, cache = tmp_path_factory.mktemp("reader"), tmp_path_factory.mktemp("streets")
    for split in ("train", "val"):
        write_camvid(folder / "data/camvid", split, cache)
    (folder / "photos").mkdir()
    for path in sorted((folder / "data/camvid/val").iterdir())[:3]:
        shutil.copy(path, folder / "photos" / f"{path.stem}_photo.png")
    write_own(folder)
    return folder


@pytest.fixture
def reader(place, tmp_path, monkeypatch):
    """In the place, with a workspace of this test."""
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("OODRETRIEVAL_CONFIGURATION", str(place / "configuration.py"))
    monkeypatch.setenv("OODRETRIEVAL_DATA", str(place / "data"))
    monkeypatch.setenv("OODRETRIEVAL_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


@pytest.fixture(scope="module")
def done():
    """Page → workspace that it leaves behind, and the commands that made it."""
    yield {}
    if "ray" in sys.modules:  # a page starts a cluster, which would stay with this process
        sys.modules["ray"].shutdown()


def only_parsed(command):
    return any(str(command).startswith(prefix) for prefix in PARSED_ONLY)


def follow(page, workspace, done, capsys):
    """Run a page's commands in sequence, after those of the page before it; each page, and each command, once.

    Returns:
        The commands that have run in this workspace.
    """
    if page in done:
        left, ran = done[page]
        shutil.copytree(left, workspace, dirs_exist_ok=True)
        return ran
    ran = follow(BEFORE.get(page, START), workspace, done, capsys) if page != START else frozenset()
    for command in commands(PAGES[page]):
        if not only_parsed(command) and command not in ran:
            given = [*command.arguments, *ADDED.get(command.program, ()), "args.gpu=-1"]
            code, _, err = run_in_process(ROOT / command.program, given, capsys)
            assert code == 0, f"{page}: {command}\n{err}"
            ran |= {command}
    done[page] = shutil.copytree(workspace, workspace.parent / f"after {Path(page).stem}"), ran
    return ran


@pytest.mark.parametrize(
    "page", [page if page in QUICK else pytest.param(page, marks=pytest.mark.slow) for page in SHELL]
)
def test_commands_work(page, reader, done, capsys):
    follow(page, reader, done, capsys)
    assert list(reader.glob("catalogues/camvid_val/manifest.json"))


@pytest.fixture(scope="module")
def named():
    """Commands of any page whose names are checked."""
    return set()


@pytest.mark.parametrize("page", PAGES)
def test_commands_name_what_exists(page, reader, place, named, capsys):
    """Script, settings and entries of what is not run: those, and commands in the running text, some values open."""
    configuration = load_configuration(place / "configuration.py")
    not_run = [command for command in commands(PAGES[page]) if only_parsed(command) or page not in QUICK]
    for command in {*not_run, *inline_commands(PAGES[page])} - named:
        named.add(command)
        script = ROOT / command.program
        assert script.is_file(), command
        if command.program.startswith("benchmarks/"):
            source = "".join(path.read_text(encoding="utf-8") for path in script.parent.glob("*.py"))
            options = [text for text in command.arguments if text.startswith("--")]
            assert [option for option in options if f'"{option}"' not in source] == [], command
            continue
        updates = [text for text in command.arguments[1:] if not text.endswith("…")]
        given = ["with", *updates, "args.gpu=-1"]
        code, _, err = run_in_process(script, ["print_config", *given], capsys)
        assert code == 0, f"{page}: {command}\n{err}"
        for name, _, value in (update.removeprefix("args.").partition("=") for update in updates):
            if name in ENTRIES:
                assert value in getattr(configuration, ENTRIES[name]) or value.endswith("mine"), command


def test_what_is_only_parsed_is_there_and_little():
    shown = [command for page in PAGES.values() for command in commands(page)]
    for prefix in PARSED_ONLY:
        assert any(str(command).startswith(prefix) for command in shown), f"no page shows {prefix}"
    assert sum(not only_parsed(command) for command in shown) > 30


def test_settings_named_in_the_text_exist(reader, capsys):
    known = set()
    for script in sorted((ROOT / "scripts").glob("*.py")):
        _, explained, _ = run_in_process(script, ["-h"], capsys)
        known |= set(re.findall(r"^  ([\w.]+) ", explained.split("Settings (args.…):")[1], re.MULTILINE))
    for name, page in PAGES.items():
        said = set(re.findall(r"\bargs\.([a-z]\w*(?:\.[a-z]\w*)*)", page.read_text(encoding="utf-8")))
        assert said - known == set(), name


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for path, anchor in links(PAGES[page]):
        target = PAGES[page].parent / path if path else PAGES[page]
        assert target.exists(), f"{page}: {path}"
        assert not anchor or anchor in anchors(target), f"{page}: {path}#{anchor}"


@pytest.mark.parametrize("page", PAGES)
def test_code_compiles(page):
    for block in blocks(PAGES[page], "python"):
        compile(block, page, "exec")


def test_the_dataset_of_ones_own_works(reader, place):
    (place / "data/mine").mkdir()
    for path in sorted((place / "data/camvid/val").iterdir()):
        Image.open(path).save(place / f"data/mine/{path.stem}.jpg")
        Image.fromarray(np.eye(SIZE[1], SIZE[0], dtype=np.uint8)).save(place / f"data/mine/{path.stem}.png")
    dataset = open_dataset(load_configuration(place / "configuration.py").dataset("mine"))
    sample = dataset[0]
    assert len(dataset) == 6 and sample.path.endswith(f"{sample.id}.jpg")
    assert sample.image.shape == (SIZE[1], SIZE[0], 3) and np.unique(sample.labels).tolist() == [0, 1]


@pytest.mark.parametrize("page", PAGES)
def test_commands_fit_a_page(page):
    lines = [line for block in blocks(PAGES[page], "sh") for line in block.splitlines()]
    assert [line for line in lines if len(line) > 112] == []


def test_what_is_said_to_be_in_a_file_is_there():
    text = PAGES["docs/extending.md"].read_text(encoding="utf-8").partition("## Where it is in the code")[2]
    rows = [re.findall(r"`([\w./]+)`", line) for line in text.splitlines() if ".py`" in line]
    assert len(rows) == 10
    for row in rows:
        files = [ROOT / "oodretrieval" / name for name in row if name.endswith(".py")]
        names = [name for name in row if not name.endswith(".py")]
        held = "\n".join(file.read_text(encoding="utf-8") for file in files)
        assert [
            name for name in names if not re.search(rf"^(def |class )?{name}\b", held, re.MULTILINE)
        ] == []


@pytest.mark.parametrize("page", QUICK)
def test_where_data_lie_is_said_before_they_are_used(page):
    text = PAGES[page].read_text(encoding="utf-8")
    assert 0 < text.find("export OODRETRIEVAL_DATA=") < text.find("camvid_train")


def test_readme_is_short():
    assert Path(ROOT / "README.md").stat().st_size <= 10_000
