"""The floors of the house: a module imports from lower ranks or from its own package, never upwards."""

import ast
import json
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import oodretrieval

ROOT = Path(oodretrieval.__file__).parent
ANYWHERE = "errors"
RANKS = {
    "local_copies": -3,
    "remote_paths": -2,
    "files": -1,
    "errors": 0,
    "extras": 0,
    "compilation": 0,
    "bilinear": 0,
    "choices": 0,
    "clips": 0,
    "colours": 0,
    "directions": 0,
    "robust_statistics": 0,
    "uncertainty": 0,
    "labels": 0,
    "masks": 0,
    "parted_arrays": 0,
    "entries": 0,
    "places": 0,
    "equal_blocks": 0,
    "execution": 0,
    "images": 0,
    "sealed_arrays": 0,
    "seen_size": 0,
    "imagenet_weights": 0,
    "torch_files": 0,
    "cluster": 1,
    "plain_classes": 1,
    "datasets": 1,
    "models": 1,
    "training": 1,
    "segments": 1,
    "regions": 1,
    "meta_models": 1,
    "novelty": 1,
    "embedding": 1,
    "search": 1,
    "evaluation": 1,
    "stores": 2,
    "explain": 2,
    "charts": 3,
    "results": 3,
    "experiment": 4,
    "export": 4,
    "stages": 5,
    "explorer": 5,
    "demo_pictures": 8,
    "demo_settings": 8,
    "pipeline_settings": 8,
    "demo": 9,
    "pipeline": 9,
}
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


EXPLORER = [
    name
    for module in MODULES
    if (name := module.removeprefix("oodretrieval.explorer.")) != module
    and name.split(".")[0] not in ("desktop", "web", "hosts")
]
"""Its modules without those of a view: the state, the commands and the table are the ground of every view."""


def imports_of(tree, module, is_package, known):
    """Modules that a module imports, at its top or inside a function; relative ones resolved."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in known else base)
    return found


@cache
def imports(module):
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return imports_of(tree, module, path.name == "__init__.py", MODULES)


def package(module):
    return module.split(".")[1] if "." in module else ""


STAGES = [
    "train",
    "predict",
    "measure",
    "fit",
    "select",
    "evaluate",
    "discover",
    "explain",
    "report",
    "export",
]
"""Folders of the stages, in the order of the pipeline: one imports only from those before it."""


def stage(module):
    parts = module.split(".")
    return parts[2] if parts[1:2] == ["stages"] and len(parts) > 2 else ""


def violations(module, imported):
    """What of a module's imports runs upwards or sideways, in words."""
    found = []
    own = package(module)
    for target in sorted(imported):
        if target == "configuration" or target.startswith("configuration."):
            found.append(f"{module} imports configuration")
        if target.split(".")[0] != "oodretrieval" or target == "oodretrieval":
            continue
        other = package(target)
        before, after = stage(target), stage(module)
        if before and after and STAGES.index(before) > STAGES.index(after):
            found.append(f"{module} imports {target}, a stage that comes later")
        if other not in (own, ANYWHERE) and RANKS[other] >= RANKS[own]:
            found.append(f"{module} (rank {RANKS[own]}) imports {target} (rank {RANKS[other]})")
    return found


def test_every_module_has_a_rank_and_every_rank_a_module():
    assert {package(module) for module in MODULES if package(module)} == RANKS.keys()


def test_every_stage_has_a_place_in_the_order():
    assert {stage(module) for module in MODULES} - {""} == set(STAGES)


def test_every_folder_is_a_package():
    folders = {path.parent for path in ROOT.rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_imports_only_from_lower_ranks_or_the_own_package():
    assert [wrong for name in MODULES if package(name) for wrong in violations(name, imports(name))] == []


def test_no_module_imports_itself_through_others():
    """No circle anywhere, also none inside a package."""
    graph = {module: {t for t in imports(module) if t in MODULES and t != module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circle: {' ← '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("oodretrieval.labels", "from oodretrieval.errors import ImageError", False),
        ("oodretrieval.stores.hdf5", "from oodretrieval.stores import workspace", False),
        ("oodretrieval.stores.hdf5", "from . import workspace", False),
        ("oodretrieval.stages.predict.pred_images", "def f():\n    import oodretrieval.stores.hdf5", False),
        ("oodretrieval.stores.hdf5", "from oodretrieval import stages", True),
        ("oodretrieval.stores.hdf5", "from ..stages import predict", True),
        ("oodretrieval.datasets.folder", "def f():\n    from oodretrieval.models import load_model", True),
        ("oodretrieval.errors", "from oodretrieval import labels", True),
        ("oodretrieval.stages.predict.pred_images", "import configuration", True),
        ("oodretrieval.stages.fit.settings", "from oodretrieval.stages.predict import settings", False),
        ("oodretrieval.stages.predict.settings", "from oodretrieval.stages.fit import settings", True),
        (
            "oodretrieval.stages.predict.pred_images",
            "from oodretrieval.experiment.configuration import Configuration",
            False,
        ),
    ],
)
def test_this_test_notices(module, source, wrong):
    known = {*MODULES, "oodretrieval.stages", "oodretrieval.labels"}
    assert bool(violations(module, imports_of(ast.parse(source), module, False, known))) is wrong


def test_only_charts_and_windows_draw():
    """Whoever computes hands arrays over: ``charts`` turn them into pictures."""
    diagram = {
        package(module)
        for module in MODULES
        if any(target.split(".")[0] in ("matplotlib", "seaborn", "pylab") for target in imports(module))
    }
    assert "charts" in diagram
    assert diagram <= {"charts", "explorer", "demo_pictures"}


TOOLKITS = ("PySide6", "torch", "panel", "bokeh", "tornado")
STARTS = [
    ([f"oodretrieval.explorer.{name}" for name in EXPLORER], ("matplotlib", *TOOLKITS)),
    (["oodretrieval.stores", "oodretrieval.stages.measure.segment_blocks"], ("matplotlib", *TOOLKITS)),
    (["oodretrieval.export.export_candidates"], TOOLKITS),
    (["oodretrieval.explorer.desktop.window"], ("matplotlib.pyplot", *TOOLKITS)),
    (["oodretrieval.stages.predict.pred_images"], ("torchvision", "timm", "huggingface_hub")),
]
"""What is imported one after the other in one process → what none of it may import."""


@pytest.mark.slow
def test_what_starts_at_once_imports_nothing_heavy():
    """Neither the explorer's ground nor the stores know a toolkit or torch; the first images are read before timm,
    which with torchvision takes longer to import than torch."""
    code = (
        "import sys, json\nfor modules, heavy in json.loads(sys.argv[1]):\n for m in modules: __import__(m)\n"
    )
    code += " print(modules[0], [m for m in heavy if m in sys.modules])\n"
    code += "from oodretrieval.explorer import Explorer"
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(STARTS)], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [f"{modules[0]} []" for modules, _ in STARTS], done.stderr


@pytest.mark.slow
def test_the_first_image_does_not_wait_for_what_evaluates():
    code = "import sys, oodretrieval.stages.predict.pred_images\n"
    code += "print([m for m in ('sklearn', 'scipy.special') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_explorers_ground_is_all_but_its_views():
    assert {"state", "session", "commands.table", "commands.triggers"} <= set(EXPLORER)


def test_the_package_imports_no_configuration_by_path():
    """Only the stages' loader may run the user's file."""
    loaders = {
        module
        for module, path in MODULES.items()
        if "spec_from_file_location" in path.read_text(encoding="utf-8")
    }
    assert loaders == {"oodretrieval.experiment.configuration"}
