"""Novelty models on disk: what comes back is what went, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from oodretrieval.errors import WeightsError
from oodretrieval.novelty import NoveltyModel, WindowBank, load_novelty_model, save_novelty_model
from oodretrieval.novelty.model import DISTANCE, NOVELTY

from .test_novelty_laws import CLASSES, scene


@pytest.fixture
def saved(tmp_path):
    model = NoveltyModel.fit(*scene(0), num_classes=CLASSES, made_by={"model": "colour", "backbone": "b"})
    path = tmp_path / "models" / "novelty.safetensors"
    save_novelty_model(model, path)
    return model, path


def test_what_comes_back_scores_as_what_went(saved):
    model, path = saved
    loaded = load_novelty_model(path)
    probe = scene(1)
    for name in (NOVELTY, DISTANCE):
        assert loaded.score(*probe, name).tolist() == model.score(*probe, name).tolist()
        assert loaded.threshold(name, 0.9) == model.threshold(name, 0.9)
    assert loaded.made_by == model.made_by and loaded.num_classes == CLASSES


def test_known_windows_travel_with_the_model(saved, tmp_path):
    model, path = saved
    assert load_novelty_model(path).windows is None
    windows = WindowBank.of(np.random.default_rng(0).normal(size=(30, 7)))
    other = tmp_path / "with_windows.safetensors"
    save_novelty_model(replace(model, windows=windows), other)
    loaded = load_novelty_model(other).windows
    assert loaded is not None and loaded.digest == windows.digest
    once = set(load_file(other))
    loaded.log_distance(np.zeros((1, 7)))
    model.bank.log_distance_to_any(model.bank.mean[None])
    save_novelty_model(replace(model, windows=loaded), other)
    assert set(load_file(other)) == once, "a model that was used is written as before"
    wrong = replace(model, windows=replace(windows, mean=windows.mean[1:]))
    save_novelty_model(wrong, other)
    with pytest.raises(WeightsError, match=r"windows\.mean is \(6,\), expected \(7,\)"):
        load_novelty_model(other)


def test_what_is_no_novelty_model_is_refused(saved, tmp_path):
    _, path = saved
    with pytest.raises(WeightsError, match="no novelty model.*train_novelty"):
        load_novelty_model(tmp_path / "none.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(WeightsError, match="damaged"):
        load_novelty_model(damaged)
    other = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(1)}, other)
    with pytest.raises(WeightsError, match="is no novelty model of format version 5"):
        load_novelty_model(other)
    described = {"format": "oodretrieval novelty model", "version": "5", "num_classes": "3", "made_by": "{}"}
    save_file({"bank.mean": np.zeros(1)}, other, described)
    with pytest.raises(WeightsError, match="does not fit together"):
        load_novelty_model(other)


@pytest.mark.parametrize("version", ["1", "2", "3", "4"])
def test_a_model_of_an_earlier_score_is_refused_with_the_way_out(tmp_path, version):
    """Without args.overwrite, train_novelty reads what is there, and would refuse it in a circle."""
    path = tmp_path / "earlier.safetensors"
    described = {
        "format": "oodretrieval novelty model",
        "version": version,
        "num_classes": "3",
        "made_by": "{}",
    }
    save_file({"energy.centre": np.zeros(3), "energy.slope": np.zeros(1)}, path, described)
    with pytest.raises(
        WeightsError, match=f"version {version}.*earlier.*again.*train_novelty.*overwrite=True"
    ):
        load_novelty_model(path)


def test_arrays_that_do_not_belong_together_are_refused(saved, tmp_path):
    from safetensors import safe_open

    with safe_open(saved[1], framework="numpy") as file:
        description = {key: text for key, text in file.metadata().items() if key != "checksum"}
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name in ("bank.mean", "bank.classes", "energy", "distance", "thickness", "quantiles.novelty"):
        path = tmp_path / "wrong.safetensors"
        save_file({**arrays, name: arrays[name][:-1]}, path, description)
        with pytest.raises(WeightsError, match=name):
            load_novelty_model(path)
