"""Candidate classes of a catalogue: ranked, listed, drawn, compared with the truth where there is one."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from steps import embed
from threadpoolctl import threadpool_info, threadpool_limits

from oodretrieval.errors import StoreError, UnknownNameError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.novelty import MIN_PIXELS
from oodretrieval.search import ClassEvidence, candidate_classes, cluster
from oodretrieval.stages.discover.class_evidence import CandidateTruth
from oodretrieval.stages.discover.discover_classes import default_number, discover_classes, first_classes
from oodretrieval.stages.discover.known_distance import strangeness
from oodretrieval.stages.discover.settings import DiscoverClassesSettings
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stores import Catalogue, current_segments


def test_classes_of_a_catalogue(configuration, embedded, caplog):
    name = next((embedded.path / "catalogues").iterdir()).name
    settings = DiscoverClassesSettings(embeddings_file=name, clusters=3, classes=2)
    found = discover_classes(settings, Run(configuration, embedded))
    catalogue = Catalogue.named(embedded, name)
    assert found["candidates"] == len(catalogue)
    assert sum(one["candidates"] for one in found["classes"]) == len(catalogue)
    assert found["first"]["classes"] == len(found["classes"]) <= 3
    assert "shown without the distance to what is known" in caplog.text  # no novelty model was fitted
    by_suffix = {
        suffix: [f for f in found["files"] if f.endswith(suffix)] for suffix in ("json", "png", "csv")
    }
    assert len(by_suffix["json"]) == 1
    assert len(by_suffix["png"]) == 1 + min(2, len(found["classes"])), "all classes, and each of those shown"
    members = pd.read_csv(next(f for f in by_suffix["csv"] if f.endswith("_members.csv")))
    assert sorted(members["row"]) == list(range(len(catalogue)))
    segments = catalogue.segments.iloc[members["row"]].reset_index(drop=True)
    for column in ("dataset", "image_id", "segment_id", "left", "bottom"):
        assert (members[column] == segments[column]).all()


def test_clusters_do_not_follow_the_number_of_threads(configuration, embedded, monkeypatch):
    threads = []

    def noted(*arguments):
        threads.extend(pool["num_threads"] for pool in threadpool_info())
        return cluster(*arguments)

    monkeypatch.setattr("oodretrieval.stages.discover.discover_classes.cluster", noted)
    name = next((embedded.path / "catalogues").iterdir()).name
    with threadpool_limits(2):
        discover_classes(
            DiscoverClassesSettings(embeddings_file=name, clusters=3), Run(configuration, embedded)
        )
    assert set(threads) == {1}


def test_a_catalogue_or_method_that_is_not_there(configuration, embedded):
    run = Run(configuration, embedded)
    name = next((embedded.path / "catalogues").iterdir()).name
    with pytest.raises(UnknownNameError, match=name):
        discover_classes(DiscoverClassesSettings(embeddings_file="other"), run)
    with pytest.raises(UnknownNameError, match="agglomerative"):
        discover_classes(DiscoverClassesSettings(embeddings_file=name, method="wards"), run)


def test_a_folder_that_cannot_be_written_to_names_the_way_out(configuration, embedded, tmp_path):
    (tmp_path / "file").touch()
    settings = DiscoverClassesSettings(embeddings_file="val", save_dir=str(tmp_path / "file" / "out"))
    with pytest.raises(StoreError, match=r"cannot write .*out.*args\.save_dir where a script has it"):
        discover_classes(settings, Run(configuration, embedded))


def test_strangeness_is_the_distance_to_all_that_is_known_next_to_the_same_images(
    configuration, fitted, monkeypatch
):
    run = Run(configuration, fitted)
    embed(run)
    catalogue = Catalogue.named(fitted, "val")
    found = strangeness(catalogue, run, CommonSettings(gpu=-1))
    work = run.stored("colour", "val", CommonSettings(gpu=-1))
    table, bank = work.table(), run.trained.novelty_model("colour").bank
    features, _ = SegmentFeatures("tf_efficientnet_lite0", torch.device("cpu")).of(work, table)
    known = bank.vectors.astype(np.float64)
    standardised = (features.deep.astype(np.float64) - bank.mean) / bank.std
    nearest = np.log([np.linalg.norm(known - row, axis=1).min() for row in standardised])
    large = nearest[table["S"].to_numpy() >= MIN_PIXELS]
    scale = 1.4826 * np.median(np.abs(large - np.median(large)))
    expected = dict(
        zip(
            zip(table["image_id"], table["segment_id"], strict=True),
            (nearest - np.median(large)) / scale,
            strict=True,
        )
    )
    rows = zip(catalogue.segments["image_id"], catalogue.segments["segment_id"], strict=True)
    np.testing.assert_allclose(found, [expected[row] for row in rows], rtol=1e-3, atol=1e-3)
    monkeypatch.setattr(current_segments, "IMAGES_AT_ONCE", 2)
    assert strangeness(catalogue, run, CommonSettings(gpu=-1)).tobytes() == found.tobytes()


def test_what_leads_the_first_classes():
    names = np.array(["dog", "dog", "road", "", "cat", "road", "road", "road", "", "", "", ""])
    truth = CandidateTruth(names, np.isin(names, ["dog", "cat"]))
    own = np.arange(12)
    same = np.zeros(12, int)
    evidence = ClassEvidence(np.repeat([3.0, 2, 1], 4), same, 2, own, same, own)
    found = candidate_classes(np.eye(3).repeat(4, axis=0), np.repeat([0, 1, 2], 4), evidence)
    assert [truth.leading(one) for one in found] == [("dog", 2 / 3), ("road", 0.75), ("", 0.0)]
    assert first_classes(found, truth) == {
        "classes": 3,
        "unknown": 1,
        "kinds": {"dog": 2, "cat": 1},
        "led": {"dog": 1},
    }


def test_the_number_of_clusters_is_said_with_its_reason(configuration, embedded, tmp_path):
    run = Run(configuration, embedded)
    for given, said in (
        (0, r"clusters: \d+ \(one for every six .* at least 8 .* at most 60\)"),
        (3, "clusters: 3$"),
    ):
        settings = DiscoverClassesSettings(embeddings_file="val", clusters=given, save_dir=str(tmp_path))
        found = discover_classes(settings, run)
        content = json.loads(Path(next(f for f in found["files"] if f.endswith("json"))).read_text())
        assert re.search(said, content["context"]["resolution"])
        table = pd.read_csv(next(f for f in found["files"] if f.endswith("_classes.csv")))
        several = any(one["drives"] > 1 for one in found["classes"])
        assert ("drives" in table.columns) == several, "one drive says nothing"


@pytest.mark.parametrize(("things", "number"), [(1, 1), (5, 5), (40, 8), (240, 40), (4000, 60)])
def test_one_cluster_for_every_six_things(things, number):
    same = np.zeros(things, int)
    own = np.arange(things)
    assert default_number(ClassEvidence(np.ones(things), same, 2, own, same, own)) == number
