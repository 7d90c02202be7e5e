import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oodretrieval.entries import DatasetEntry, MetaModelEntry, ModelEntry
from oodretrieval.errors import (
    ConfigurationError,
    DatasetNotFoundError,
    SettingsError,
    SettingsMismatchError,
    TableError,
    UnknownNameError,
    WeightsError,
)
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.datasets import dataset_in_use
from oodretrieval.experiment.provenance import provenance, require_current, weights_hash_if_there
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.stores import Stored, Workspace
from oodretrieval.stores.blocks import BLOCK, blocks


@pytest.fixture
def configuration(tmp_path):
    for folder, count in (("photos", 5), ("others", 2)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / folder / f"{number}.png")
    (tmp_path / "w.pth").write_bytes(b"abc")
    return Configuration(
        path=tmp_path / "configuration.py",
        datasets={
            "photos": DatasetEntry("oodretrieval.datasets", "ImageFolder", {"root": str(tmp_path / "photos")})
        },
        models={
            "net": ModelEntry("my", "Net", weights="w.pth"),
            "own": ModelEntry("my", "Net"),
            "gone": ModelEntry("my", "Net", weights="gone.pth", source="ask the author"),
        },
        meta_models={},
        workspace=tmp_path / "work",
        defaults={},
    )


@pytest.mark.parametrize(("limit", "count"), [(0, 5), (2, 2), (5, 5), (99, 5)])
def test_the_limit_takes_the_first_images(configuration, limit, count):
    dataset = dataset_in_use(configuration, "photos", CommonSettings(limit=limit))
    assert [dataset[i].id for i in range(len(dataset))] == [str(i) for i in range(count)]


def test_a_negative_limit_is_refused(configuration):
    with pytest.raises(SettingsError, match=r"args\.limit must be at least 0, got -1"):
        CommonSettings(limit=-1)


def test_args_root_overrides_the_entry(configuration, tmp_path):
    settings = CommonSettings(root=str(tmp_path / "others"))
    assert len(dataset_in_use(configuration, "photos", settings)) == 2
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        dataset_in_use(configuration, "photos", CommonSettings(root=str(tmp_path / "nowhere")))


def test_an_unknown_dataset_lists_the_known_ones(configuration):
    with pytest.raises(UnknownNameError, match="did you mean 'photos'"):
        dataset_in_use(configuration, "photso", CommonSettings())


def test_provenance_distinguishes_weights_and_data(configuration, tmp_path):
    made_by = provenance(configuration, Stored("net", "photos"), CommonSettings())
    assert made_by["model"] == "net"
    assert made_by["weights"] == "ba7816bf8f01cfea"
    assert made_by["dataset_arguments"] == {"root": str(tmp_path / "photos")}
    assert provenance(configuration, Stored("net", "photos"), CommonSettings(limit=3, num_cores=2)) == made_by
    other = provenance(configuration, Stored("net", "photos"), CommonSettings(root="x"))
    assert other["dataset_arguments"] == {"root": str(Path("x").resolve())}
    (tmp_path / "w.pth").write_bytes(b"abd")
    assert (
        provenance(configuration, Stored("net", "photos"), CommonSettings())["weights"] != made_by["weights"]
    )


def test_weights_that_are_not_there_have_no_hash(configuration):
    assert weights_hash_if_there(configuration.model("own")) == ""
    assert provenance(configuration, Stored("gone", "photos"), CommonSettings())["weights"] == ""


def test_only_work_of_the_same_network_weights_and_data_is_current(configuration, tmp_path):
    made_by = provenance(configuration, Stored("net", "photos"), CommonSettings())
    require_current("table", made_by, made_by)
    with pytest.raises(SettingsMismatchError, match="weights: was 'other'"):
        require_current("table", {**made_by, "weights": "other"}, made_by)
    # without the file there is nothing to compare with; published predictions come from no network of ours
    require_current("table", {**made_by, "weights": "other"}, {**made_by, "weights": ""})
    require_current("table", {**made_by, "weights": "", "source": "folder"}, made_by)
    with pytest.raises(SettingsMismatchError, match="dataset: was 'photos', now 'others'"):
        require_current("table", {**made_by, "source": "folder"}, {**made_by, "dataset": "others"})


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK])
def test_blocks_cover_every_index_once_in_order(count):
    parts = list(blocks(count))
    assert [number for number, _ in parts] == list(range(len(parts)))
    assert [index for _, part in parts for index in part] == list(range(count))
    assert all(len(part) == BLOCK for _, part in parts[:-1])


class Trained:
    def __init__(self, **made_by):
        self.quality = {"made_by": {"model": "net", **made_by}}


def write_linear(workspace):
    path = workspace.meta_model_path("linear")
    path.parent.mkdir(parents=True)
    path.touch()


@pytest.fixture
def with_meta_models(configuration):
    entries = {"linear": MetaModelEntry("oodretrieval.meta_models", "LinearMetaModel")}
    entries["trees"] = MetaModelEntry("oodretrieval.meta_models", "BoostedMetaModel")
    entries["kept"] = MetaModelEntry("oodretrieval.meta_models", "BoostedMetaModel", path="kept.skops")
    entries["function"] = MetaModelEntry("torch.nn", "Linear")
    entries["wrong"] = MetaModelEntry("no_such_module", "X")
    return replace(configuration, meta_models=entries)


def test_a_meta_model_lies_where_its_entry_says_or_in_the_workspace(with_meta_models, tmp_path):
    def where(name):
        return Run(with_meta_models, Workspace("w")).trained.meta_model_path(name)

    assert where("linear") == Path("w/meta_models/linear.safetensors")
    assert where("trees") == Path("w/meta_models/trees.skops")
    assert where("kept") == tmp_path / "kept.skops"
    assert where("function") == Path("w/meta_models/function.safetensors")


def test_a_meta_model_without_an_entry_is_found_by_its_file(with_meta_models, tmp_path):
    workspace = Workspace(tmp_path)
    write_linear(workspace)
    for name, suffix in (("mine", ".skops"), ("nets", ".safetensors"), ("note", ".txt")):
        workspace.meta_model_path(name, suffix).touch()
    assert Run(with_meta_models, workspace).trained.meta_model_path("mine").name == "mine.skops"
    assert Run(with_meta_models, workspace).trained.meta_model_path("nets").name == "nets.safetensors"
    with pytest.raises(
        UnknownNameError, match=r"'note'.* Known: function, kept, linear, mine, nets, trees, wrong"
    ):
        Run(with_meta_models, workspace).trained.meta_model_path("note")


def test_a_meta_model_of_another_network_is_refused(with_meta_models, monkeypatch, tmp_path):
    monkeypatch.setattr("oodretrieval.experiment.trained_models.load_meta_model", lambda path: Trained())
    workspace = Workspace(tmp_path)
    write_linear(workspace)
    assert isinstance(Run(with_meta_models, workspace).trained.meta_model("linear", "net"), Trained)
    with pytest.raises(TableError, match=r"trained on segments of 'net', not of 'own'.*args\.model_name=own"):
        Run(with_meta_models, workspace).trained.meta_model("linear", "own")


def test_a_meta_model_of_other_weights_is_refused(with_meta_models, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "oodretrieval.experiment.trained_models.load_meta_model", lambda path: Trained(weights="old")
    )
    write_linear(Workspace(tmp_path))
    with pytest.raises(TableError, match=r"trained with other weights of 'net'.*args\.overwrite=True"):
        Run(with_meta_models, Workspace(tmp_path)).trained.meta_model("linear", "net")


def test_a_command_that_trains_what_is_missing_names_the_workspace_that_was_given(with_meta_models, tmp_path):
    own, other = Path(with_meta_models.workspace), tmp_path / "w s"
    for workspace, named in ((own, []), (other, [f"args.workspace={other}"])):
        trained = Run(with_meta_models, Workspace(workspace)).trained
        with pytest.raises(WeightsError) as refused:
            trained.meta_model("linear", "net")
        typed = shlex.split(re.search(r"scripts/train_meta_nn\.py with ([^,]*),", str(refused.value))[1])
        assert typed == ["args.model_name=net", "args.meta_model_name=linear", *named]
        with pytest.raises(WeightsError) as refused:
            trained.novelty_model("net")
        typed = shlex.split(re.search(r"scripts/train_novelty\.py with (.*)", str(refused.value))[1])
        assert typed == ["args.model_name=net", *named, "args.dataset=…"]


def test_a_meta_model_that_is_not_trained_or_not_there(with_meta_models, tmp_path):
    with pytest.raises(
        WeightsError, match=r"no meta model .*linear\.safetensors.*train_meta_nn.*that is there .*: none"
    ):
        Run(with_meta_models, Workspace(tmp_path)).trained.meta_model("linear", "net")
    with pytest.raises(ConfigurationError, match="no_such_module"):
        Run(with_meta_models, Workspace(tmp_path)).trained.meta_model("wrong", "net")
