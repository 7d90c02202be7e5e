import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import oodretrieval
from oodretrieval.entries import DatasetEntry, ModelEntry, build
from oodretrieval.errors import ConfigurationError, UnknownNameError, WeightsError
from oodretrieval.experiment.configuration import DEFAULTS, VARIABLE, configuration_path, load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, from_mapping
from oodretrieval.meta_models import load_meta_model
from oodretrieval.models import SegmentationNetwork, load_model
from oodretrieval.stages.evaluate.settings import IouSettings
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Workspace

SHIPPED = Path(oodretrieval.__file__).parents[1] / "configuration.py"
SOURCE = """
from oodretrieval.entries import DatasetEntry, MetaModelEntry, ModelEntry

WORKSPACE = "work"
DATASETS = {"photos": DatasetEntry("oodretrieval.datasets", "ImageFolder", {"root": "photos"})}
MODELS = {
    "mine": ModelEntry("my.network", "Net", weights="weights/mine.pth"),
    "bare": ModelEntry("my.network", "Net"),
    "far": ModelEntry("my.network", "Net", weights="/far/away.pth"),
}
META_MODELS = {
    "meta": MetaModelEntry("oodretrieval.meta_models", "LinearMetaModel"),
    "kept": MetaModelEntry("oodretrieval.meta_models", "LinearMetaModel", path="kept.safetensors"),
}
DATASET = TRAIN_DATASET = VAL_DATASET = "photos"
MODEL, META_MODEL, EMBEDDING = "mine", "meta", "efficientnet_lite0"
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("OODRETRIEVAL_WORKSPACE", raising=False)


@pytest.fixture
def write(tmp_path):
    def write(source=SOURCE, name="my_configuration.py"):
        (tmp_path / name).write_text(source)
        return tmp_path / name

    return write


def test_entries_and_defaults_are_those_of_the_file(write, tmp_path):
    configuration = load_configuration(write())
    assert configuration.path == tmp_path / "my_configuration.py"
    assert configuration.dataset("photos") == DatasetEntry(
        "oodretrieval.datasets", "ImageFolder", {"root": "photos"}
    )
    assert configuration.defaults["MODEL"] == "mine"
    assert set(configuration.defaults) == set(DEFAULTS)


def test_relative_files_lie_next_to_the_configuration(write, tmp_path):
    configuration = load_configuration(write())
    assert configuration.workspace == tmp_path / "work"
    assert configuration.model("mine").weights == tmp_path / "weights" / "mine.pth"
    assert configuration.model("far").weights == Path("/far/away.pth")
    assert configuration.model("bare") == ModelEntry("my.network", "Net")
    assert configuration.meta_model("kept").path == tmp_path / "kept.safetensors"
    assert configuration.meta_model("meta").path is None


def test_the_workspace_of_the_environment_goes_first(write, tmp_path, monkeypatch):
    path = write()
    monkeypatch.setenv("OODRETRIEVAL_WORKSPACE", str(tmp_path / "elsewhere"))
    assert load_configuration(path).workspace == tmp_path / "elsewhere"
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("OODRETRIEVAL_WORKSPACE", "here")
    assert load_configuration(path).workspace == tmp_path.parent / "here", "as typed in the shell"
    monkeypatch.setenv("OODRETRIEVAL_WORKSPACE", "")
    assert load_configuration(path).workspace == tmp_path / "work"


def test_the_variable_chooses_the_file(write, monkeypatch):
    assert configuration_path() == SHIPPED
    monkeypatch.setenv(VARIABLE, str(write()))
    assert load_configuration().defaults["META_MODEL"] == "meta"


@pytest.mark.parametrize(
    ("lookup", "name", "message"),
    [
        ("dataset", "photo", "unknown dataset 'photo'; did you mean 'photos'"),
        ("model", "mein", "unknown model 'mein'; .*bare, far, mine"),
        ("meta_model", "x", "unknown meta model 'x'; Known: kept, meta"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(write, lookup, name, message):
    with pytest.raises(UnknownNameError, match=message):
        getattr(load_configuration(write()), lookup)(name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("DATASETS =", "DATA_SETS =", "must define DATASETS, a dict of name → DatasetEntry"),
        ("META_MODELS = {", "META_MODELS = 3; NOTHING = {", "must define META_MODELS"),
        (
            '"bare": ModelEntry',
            '"bare": DatasetEntry',
            r"MODELS\['bare'\] must be a ModelEntry, is a DatasetEntry",
        ),
        ("MODEL, META_MODEL, EMBEDDING", "MODEL, META, EMBED", "must define META_MODEL, EMBEDDING"),
        ('WORKSPACE = "work"', "", "must define WORKSPACE"),
        ('WORKSPACE = "work"', "1 / 0", "fails: ZeroDivisionError: division by zero"),
        ('WORKSPACE = "work"', "(", "fails: SyntaxError"),
        ('WORKSPACE = "work"', "import no_such_package", "fails: ModuleNotFoundError: .*no_such_package"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(write, old, new, message):
    path = write(SOURCE.replace(old, new))
    with pytest.raises(ConfigurationError, match=f"my_configuration.py.*{message}"):
        load_configuration(path)


def test_a_missing_file_names_the_variable(tmp_path):
    with pytest.raises(ConfigurationError, match=f"no configuration .*gone.py.*set {VARIABLE}"):
        load_configuration(tmp_path / "gone.py")
    (tmp_path / "config.txt").write_text(SOURCE)
    with pytest.raises(ConfigurationError, match=r"ends in \.py"):
        load_configuration(tmp_path / "config.txt")


def test_what_ships_is_complete_and_its_defaults_exist():
    configuration = load_configuration(SHIPPED)
    promised = {
        *(f"{name}_{split}" for name in ("streets", "camvid") for split in ("train", "val", "test")),
        *("cityscapes", "cityscapes_val", "cityscapes_test", "cityscapes_laf", "a2d2", "custom_dataset"),
    }
    assert promised <= set(configuration.datasets)
    assert {"deeplabv3plus_streets", "deeplabv3plus_camvid"} <= set(configuration.models)
    assert {"meta_nn", "linear"} <= set(configuration.meta_models)
    for key in ("DATASET", "TRAIN_DATASET", "VAL_DATASET"):
        configuration.dataset(configuration.defaults[key])
    configuration.model(configuration.defaults["MODEL"])
    configuration.meta_model(configuration.defaults["META_MODEL"])


@pytest.mark.parametrize(
    ("name", "what_to_do"),
    [
        ("fcn_camvid", "train_segmentation.py with args.model_name=fcn_camvid"),
        ("pspnet_camvid", "train_segmentation.py with args.model_name=pspnet_camvid"),
        ("deeplabv3plus", "NVIDIA/semantic-segmentation"),
    ],
)
def test_networks_whose_weights_are_yours_to_make_or_fetch(name, what_to_do, tmp_path):
    entry = load_configuration(SHIPPED).model(name)
    with pytest.raises(WeightsError, match=what_to_do):
        load_model(replace(entry, weights=tmp_path / "not_there_yet.pth"))
    with torch.device("meta"):
        network = build(entry)
    assert isinstance(network, SegmentationNetwork)


def test_what_ships_does_nothing_on_import():
    """No folder made, nothing heavy imported, nothing said but its names."""
    code = "import sys, configuration; print(sorted({'numpy', 'timm', 'sacred'} & set(sys.modules)))"
    before = set(SHIPPED.parent.iterdir())
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=SHIPPED.parent, capture_output=True, text=True, check=True
    )
    assert "timm" not in done.stdout
    assert "sacred" not in done.stdout
    assert done.stderr == ""
    assert set(SHIPPED.parent.iterdir()) == before


def test_the_meta_model_that_is_named_else_the_entrys_else_the_default(configuration, tmp_path):
    models = {**configuration.models, "own": replace(configuration.models["colour"], meta_model="boosting")}
    configuration = replace(configuration, models=models, defaults={"META_MODEL": "meta_nn"})
    assert configuration.meta_model_for("own", "linear") == "linear"
    assert configuration.meta_model_for("own") == "boosting"
    assert configuration.meta_model_for("colour") == "meta_nn"
    run = Run(configuration, Workspace(tmp_path))
    settings = IouSettings(model_name="own", dataset="val")
    assert run.with_meta_model(settings) == changed(settings, {"meta_model_name": "boosting"})
    with pytest.raises(UnknownNameError, match="unknown model 'owl'"):
        run.with_meta_model(changed(settings, {"model_name": "owl"}))


def test_networks_that_ship_name_the_meta_model_and_the_size_that_go_with_them():
    shipped = load_configuration(SHIPPED)
    for name in ("streets", "camvid"):
        entry = shipped.model(f"deeplabv3plus_{name}")
        assert entry.meta_model == f"meta_nn_{name}"
        made_for = load_meta_model(shipped.meta_model(entry.meta_model).path).quality["made_by"]["model"]
        assert made_for == f"deeplabv3plus_{name}"
        assert entry.size in {(256, 512), (360, 480)}


def test_a_folder_is_a_dataset_where_the_name_is_its_own(tmp_path):
    """What the pipeline calls a folder of photographs, every script understands; a slip of the pen stays one."""
    shipped = load_configuration(SHIPPED)
    root = tmp_path / "holiday"
    asked = from_mapping(PredictSettings, {"dataset": "holiday", "root": str(root)})
    entry = shipped.with_named_folder(asked).dataset("holiday")
    assert (entry.class_name, entry.kwargs["root"]) == ("ImageFolder", str(root))
    for values in ({"dataset": "holidy", "root": str(root)}, {"dataset": "holiday"}):
        settings = from_mapping(PredictSettings, values)
        with pytest.raises(UnknownNameError):
            shipped.with_named_folder(settings).require_names(settings)
    known = from_mapping(PredictSettings, {"dataset": "camvid_val", "root": str(tmp_path / "camvid_val")})
    assert shipped.with_named_folder(known) is shipped
