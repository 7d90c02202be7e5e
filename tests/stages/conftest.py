"""A miniature, and workspaces in which the first stages have run on it: once a session, and a copy for each test."""

import shutil
from functools import partial
from pathlib import Path

import pytest
from miniature import configuration_for, write_miniature_camvid
from steps import CPU, NETWORK, embed, fit_novelty, predict_and_measure, train_linear

from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.fit.compute_logit_statistics import compute_logit_statistics
from oodretrieval.stages.fit.settings import LogitStatisticsSettings
from oodretrieval.stores import Workspace


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    """Pictures are drawn and saved in a ninth of the pixels."""
    monkeypatch.setattr("oodretrieval.charts.saving.DPI", 36)


@pytest.fixture(scope="session")
def camvid(tmp_path_factory) -> Path:
    """Root of a miniature in CamVid's layout; not to be written to."""
    root = tmp_path_factory.mktemp("camvid")
    write_miniature_camvid(root, "train", 0)
    write_miniature_camvid(root, "val", 1)
    return root


@pytest.fixture(scope="session")
def configuration_in(camvid):
    """Folder → entries for the miniature, writing to that folder; for fixtures that live longer than a test."""
    return partial(configuration_for, camvid)


@pytest.fixture
def configuration(camvid, tmp_path) -> Configuration:
    """Entries of this test."""
    return configuration_for(camvid, tmp_path)


@pytest.fixture
def workspace(configuration) -> Workspace:
    """Where this test writes."""
    return Workspace(configuration.workspace)


@pytest.fixture(scope="session")
def grown(configuration_in, tmp_path_factory):
    """``grown(workspace or None, step)``: the run of a new workspace that goes on from another, after a step."""

    def grow(before, step) -> Workspace:
        folder = tmp_path_factory.mktemp("grown")
        run = Run(configuration_in(folder), Workspace(folder / "workspace"))
        if before is not None:
            shutil.copytree(before.path, run.workspace.path)
        step(run)
        return run.workspace

    return grow


@pytest.fixture(scope="session")
def measured_once(grown) -> Workspace:
    """``train`` and ``val`` predicted and measured. This and the others of a session are not to be written to."""
    return grown(None, lambda run: predict_and_measure(run, "train", "val"))


@pytest.fixture(scope="session")
def trained_once(grown, measured_once) -> Workspace:
    """And a meta model, and statistics of the logits."""
    statistics = from_mapping(LogitStatisticsSettings, {"dataset": "train", **NETWORK, **CPU})

    def step(run):
        train_linear(run)
        compute_logit_statistics(statistics, run)

    return grown(measured_once, step)


@pytest.fixture(scope="session")
def fitted_once(grown, trained_once) -> Workspace:
    """And a novelty model."""
    return grown(trained_once, fit_novelty)


@pytest.fixture(scope="session")
def embedded_once(grown, trained_once) -> Workspace:
    """And a catalogue of ``val``, by predicted IoU."""
    return grown(trained_once, embed)


def copied(once, workspace):
    shutil.copytree(once.path, workspace.path)
    return workspace


@pytest.fixture
def measured(measured_once, workspace):
    """This test's copy of what is predicted and measured."""
    return copied(measured_once, workspace)


@pytest.fixture
def trained(trained_once, workspace):
    """This test's copy, with a meta model."""
    return copied(trained_once, workspace)


@pytest.fixture
def fitted(fitted_once, workspace):
    """This test's copy, with a meta model and a novelty model."""
    return copied(fitted_once, workspace)


@pytest.fixture
def embedded(embedded_once, workspace):
    """This test's copy, with a meta model and a catalogue."""
    return copied(embedded_once, workspace)
