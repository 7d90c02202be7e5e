import json
import os
import pickle

import numpy as np
import pytest
import skops.io
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer

from oodretrieval.errors import StoreError, TableError, WeightsError
from oodretrieval.meta_models import (
    BoostedMetaModel,
    LinearMetaModel,
    LogisticMetaModel,
    MetaNetwork,
    NeuralMetaModel,
    feature_matrix,
    feature_names,
    load_meta_model,
    save_meta_model,
)


def described(file):
    """Description of an open file, without the checksum of all that tests change."""
    return {key: text for key, text in file.metadata().items() if key != "checksum"}


BUILT = {
    "linear": lambda: LinearMetaModel(ridge=1e-5),
    "logistic": lambda: LogisticMetaModel(features=["extended"]),
    "neural": lambda: NeuralMetaModel(epochs=2, seed=4),
    "boosting": lambda: BoostedMetaModel(features=["extended"], trees=5, leaves=4),
}


@pytest.fixture(params=[*BUILT, "constant"])
def saved_kind(request, make_table):
    """Every kind, and one whose classifier is a constant."""
    if request.param == "constant":
        return BoostedMetaModel(trees=2).fit(make_table(50).query("iou > 0"))
    return BUILT[request.param]().fit(make_table(200))


@pytest.fixture(params=["linear", "neural", "logistic"])
def model(request, make_table):
    return BUILT[request.param]().fit(make_table(200))


def test_comes_back_as_it_was(saved_kind, make_table, tmp_path):
    model = saved_kind
    path = tmp_path / "new" / f"model{model.suffix}"
    save_meta_model(model, path, class_names=list("abcd"), quality={"r2": 0.5})
    loaded = load_meta_model(str(path))
    table = make_table(60, seed=1)
    assert type(loaded) is type(model)
    assert np.array_equal(loaded.predict(table), model.predict(table))
    assert np.array_equal(loaded.predict_positive(table), model.predict_positive(table))
    assert loaded.classifies
    assert loaded.feature_names == model.feature_names
    assert loaded.num_classes == 4
    assert loaded.class_names == ("a", "b", "c", "d")
    assert loaded.quality == {**model.quality, "r2": 0.5}
    assert loaded.settings == model.settings
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_saved_twice_is_the_same_file_but_for_what_changed(model, tmp_path):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_meta_model(model, first)
    save_meta_model(load_meta_model(first), second)
    with safe_open(first, "numpy") as a, safe_open(second, "numpy") as b:
        assert described(a) == described(b)
        for name in a.keys():  # noqa: SIM118
            assert np.array_equal(a.get_tensor(name), b.get_tensor(name))


def test_description_can_be_read_by_others(model, tmp_path):
    path = tmp_path / "m.safetensors"
    save_meta_model(model, path)
    with safe_open(path, "numpy") as file:
        description = described(file)
    assert description["kind"] == model.kind
    assert json.loads(description["feature_names"]) == list(model.feature_names)
    assert json.loads(description["settings"]) == model.settings


def test_unfitted_or_misnamed_is_not_saved(make_table, tmp_path):
    with pytest.raises(TableError, match="call fit"):
        save_meta_model(LinearMetaModel(), tmp_path / "m.safetensors")
    model = LinearMetaModel().fit(make_table(9))
    with pytest.raises(TableError, match="2 class names for a meta model of 4"):
        save_meta_model(model, tmp_path / "m.safetensors", class_names=["a", "b"])
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(make_table, tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    save_meta_model(LinearMetaModel().fit(make_table(9)), path)
    before = path.read_bytes()

    def full(_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="no space"):
        save_meta_model(LinearMetaModel().fit(make_table(30)), path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_missing_damaged_and_foreign_files(model, tmp_path):
    with pytest.raises(WeightsError, match="train_meta_nn"):
        load_meta_model(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="cannot read"):
        load_meta_model(tmp_path)
    path = tmp_path / "m.safetensors"
    save_meta_model(model, path)
    content = path.read_bytes()
    for damaged in (content[:-5], content[:100], b"", b"\0" * 50, content[:8] + b"{]" + content[10:]):
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"m\.safetensors"):
            load_meta_model(path)
    save_file({"a": np.zeros(2)}, path, {"format": "pt"})
    with pytest.raises(WeightsError, match=r"its format is 'pt'"):
        load_meta_model(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "oracle"),
        ("feature_names", "[]"),
        ("feature_names", '["E"]'),
        ("num_classes", "many"),
        ("settings", '{"depth": 3}'),
        ("settings", "not json"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(model, tmp_path, key, value):
    path = tmp_path / "m.safetensors"
    save_meta_model(model, path)
    with safe_open(path, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        description = described(file)
    save_file(arrays, path, {**description, key: value})
    with pytest.raises(WeightsError, match="does not fit its description"):
        load_meta_model(path)
    arrays.pop(next(name for name in arrays if name.startswith("model.")))
    save_file(arrays, path, description)
    with pytest.raises(WeightsError, match="does not fit its description"):
        load_meta_model(path)


def test_a_kind_is_saved_with_its_suffix(make_table, tmp_path):
    trees, linear = (BUILT[name]().fit(make_table(60)) for name in ("boosting", "linear"))
    with pytest.raises(WeightsError, match=r"saved as \*\.skops, not as 'm\.safetensors'"):
        save_meta_model(trees, tmp_path / "m.safetensors")
    with pytest.raises(WeightsError, match=r"saved as \*\.safetensors, not as 'm\.skops'"):
        save_meta_model(linear, tmp_path / "m.skops")
    assert not list(tmp_path.iterdir())


def test_trees_of_an_earlier_version_are_to_be_trained_again(make_table, tmp_path):
    path = tmp_path / "boosting.safetensors"
    save_meta_model(LinearMetaModel().fit(make_table(50)), path)
    with safe_open(path, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        description = {**described(file), "kind": "boosting", "settings": '{"trees": 3}'}
    save_file(arrays, path, description)
    with pytest.raises(
        WeightsError, match=r"boosting\.safetensors.*\.skops.*train it again with train_meta_nn"
    ):
        load_meta_model(path)


def test_files_of_before_the_classifiers(make_table, tmp_path):
    path, table = tmp_path / "m.safetensors", make_table(50)
    model = LinearMetaModel().fit(table)
    save_meta_model(model, path)
    with safe_open(path, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys() if "positive" not in name}  # noqa: SIM118
        description = {k: v for k, v in described(file).items() if k != "constants"}
    save_file(arrays, path, description)
    loaded = load_meta_model(path)
    assert not loaded.classifies
    assert np.array_equal(loaded.predict(table), model.predict(table))
    assert np.array_equal(loaded.predict_positive(table), model.predict(table))


def test_damaged_trees(make_table, tmp_path):
    path = tmp_path / "m.skops"
    save_meta_model(BUILT["boosting"]().fit(make_table(80)), path)
    content = path.read_bytes()
    for damaged in (content[:-40], content[:200], content[:500] + b"\0" * 60 + content[560:]):
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"m\.skops"):
            load_meta_model(path)
    path.write_bytes(skops.io.dumps({"estimators": {}, "description": {"format": "other"}, "arrays": {}}))
    with pytest.raises(WeightsError, match="its format is 'other'"):
        load_meta_model(path)
    path.write_bytes(skops.io.dumps([1, 2]))
    with pytest.raises(WeightsError, match=r"m\.skops"):
        load_meta_model(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("left", 0, "left leads out"),
        ("right", 4_000_000_000, "right leads out"),
        ("feature_idx", 10**9, "asks for more than"),
        ("feature_idx", -1, "asks for more than"),
        ("is_categorical", 1, "of categories"),
    ],
)
def test_trees_that_lead_astray_are_refused(make_table, tmp_path, field, value, message):
    model = BUILT["boosting"]().fit(make_table(80))
    model.learned["iou"]._predictors[2][0].nodes[field][0] = value
    save_meta_model(model, tmp_path / "m.skops")
    with pytest.raises(WeightsError, match=message):
        load_meta_model(tmp_path / "m.skops")


def test_trees_of_other_nodes_or_features_are_refused(make_table, tmp_path):
    model = BUILT["boosting"]().fit(make_table(80))
    model.learned["iou"]._predictors[0][0].nodes = np.zeros(3)
    save_meta_model(model, tmp_path / "m.skops")
    with pytest.raises(WeightsError, match="is damaged"):
        load_meta_model(tmp_path / "m.skops")
    model = BUILT["boosting"]().fit(make_table(80))
    model.learned["iou"] = BoostedMetaModel(features=["E"], trees=2).fit(make_table(80)).learned["iou"]
    save_meta_model(model, tmp_path / "m.skops")
    with pytest.raises(WeightsError, match="grown on 1 features"):
        load_meta_model(tmp_path / "m.skops")


def test_another_network_is_named_when_loading(make_table, tmp_path):
    def small(features):
        return torch.nn.Linear(features, 1)

    path, table = tmp_path / "m.safetensors", make_table(50)
    model = NeuralMetaModel(epochs=1, network=small).fit(table)
    save_meta_model(model, path)
    assert np.array_equal(load_meta_model(path, network=small).predict(table), model.predict(table))
    with pytest.raises(WeightsError, match="Missing key"):
        load_meta_model(path)


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Bomb()}, tmp_path / "new_format.pth")
    torch.save({"state_dict": Bomb()}, tmp_path / "old_format.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Bomb()))
    for name in ("new_format.pth", "old_format.pth", "plain.pkl"):
        with pytest.raises(WeightsError, match="without running code"):
            load_meta_model(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_skops_with_other_types_is_refused(make_table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = BUILT["boosting"]().fit(make_table(80))
    model.learned["positive"] = FunctionTransformer(os.system)
    save_meta_model(model, tmp_path / "function.skops")
    with pytest.raises(WeightsError, match=r"may run code: .*system"):
        load_meta_model(tmp_path / "function.skops")
    model.learned["positive"] = Own()
    save_meta_model(model, tmp_path / "own.skops")
    with pytest.raises(WeightsError, match=r"may run code: .*Own"):
        load_meta_model(tmp_path / "own.skops")
    model.learned["positive"] = LinearRegression()
    save_meta_model(model, tmp_path / "harmless.skops")
    with pytest.raises(WeightsError, match="positive is a LinearRegression"):
        load_meta_model(tmp_path / "harmless.skops")
    assert not (tmp_path / "exploded").exists()


class Own:
    """A type that nobody trusts; building it from its file would say so."""

    def __setstate__(self, state):
        os.system("touch exploded")

    def __getstate__(self):
        return {"a": 1}


def published(num_classes=19):
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    return {
        "state_dict": MetaNetwork(37 + 2 * num_classes).state_dict(),
        "train_xa_mean": random.random(37 + num_classes),
        "train_xa_std": random.random(37 + num_classes),
        "train_classes_mean": random.random(num_classes),
        "train_classes_std": random.random(num_classes),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoint_in_the_published_form(make_table, tmp_path, zipped):
    checkpoint = published(4)
    path = tmp_path / "meta_nn.pth"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    table = make_table(30)
    model = load_meta_model(path)
    assert model.num_classes == 4 and not model.classifies
    network = MetaNetwork(45)
    network.load_state_dict(checkpoint["state_dict"])
    mean = np.concatenate([checkpoint["train_xa_mean"], checkpoint["train_classes_mean"]])
    std = np.concatenate([checkpoint["train_xa_std"], checkpoint["train_classes_std"]])
    inputs = (feature_matrix(table, feature_names(4)) - mean) / (std + 1e-10)
    expected = torch.sigmoid(network(torch.from_numpy(inputs).float()))[:, 0].detach().numpy()
    assert np.allclose(model.predict(table), expected, atol=1e-5)
    converted = tmp_path / "converted.safetensors"
    save_meta_model(model, converted)
    assert np.array_equal(load_meta_model(converted).predict(table), model.predict(table))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_xa_mean": None}, "lacks train_xa_mean"),
        ({"train_xa_mean": np.zeros(3)}, "does not fit together"),
        ({"train_classes_mean": np.zeros(7)}, "does not fit together"),
        ({"state_dict": MetaNetwork(12).state_dict()}, "size mismatch"),
        ({"state_dict": 3}, "does not fit together"),
    ],
)
def test_broken_published_checkpoints(tmp_path, changes, message):
    checkpoint = {k: v for k, v in {**published(), **changes}.items() if v is not None}
    torch.save(checkpoint, tmp_path / "m.pth")
    with pytest.raises(WeightsError, match=message):
        load_meta_model(tmp_path / "m.pth")


def test_the_published_checkpoint(shared_data, make_table):
    path = shared_data / "original" / "meta_nn.pth"
    if not path.is_file():
        pytest.skip("the published checkpoint is not at hand")
    model = load_meta_model(path)
    assert model.num_classes == 19
    assert list(model.feature_names) == feature_names(19)
    typical = make_table(200, num_classes=19)
    random = np.random.default_rng(0)
    spread = random.standard_normal((200, 75))
    typical[list(model.feature_names)] = model.standardisation.mean + spread * model.standardisation.std
    predicted = model.predict(typical)
    assert predicted.std() > 0.1
    # a large certain segment is predicted to be better than a small uncertain one
    names = list(model.feature_names)
    good, bad = typical[:1].copy(), typical[:1].copy()
    for table, sign in ((good, -1), (bad, 1)):
        table[names] = model.standardisation.mean
        for name in ("E", "E_bd", "E_in", "D", "D_bd", "D_in", "V", "V_bd", "V_in"):
            table[name] += sign * model.standardisation.std[names.index(name)]
        table["S_rel"] -= sign * 0.3 * model.standardisation.std[names.index("S_rel")]
    assert model.predict(good)[0] > model.predict(bad)[0] + 0.1
