"""The stages on a Ray cluster of several nodes, simulated on this machine: the same files, also where a node dies."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from steps import CPU, NETWORK, embed, fit_novelty, train_linear

from oodretrieval.cluster import map_cluster
from oodretrieval.errors import PartialFailure, StoreError, WorkerError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.masks import decode_mask
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict import on_cluster
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Catalogue, Stored, Workspace, read_failures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
    ),
]


def patiently(start, tries=5):
    """Ray gives a node thirty seconds to start, which a busy machine needs now and then."""
    for left in reversed(range(tries)):
        try:
            return start()
        except Exception as error:
            if not left or "timed out" not in str(error):
                raise
    return None


@pytest.fixture(scope="module")
def nodes():
    """A cluster of three nodes of one core each; the classes of these tests can be imported there."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH")
    here, checkout = Path(__file__).resolve().parent, Path(__file__).resolve().parents[2]
    places = (here, checkout / "benchmarks", checkout)
    os.environ["PYTHONPATH"] = os.pathsep.join([*map(str, places), before or ""])
    cluster = Cluster()
    for options in ({"include_dashboard": False}, {}, {}):
        patiently(lambda options=options: cluster.add_node(num_cpus=1, **options))
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture
def in_small_blocks(monkeypatch):
    monkeypatch.setattr("oodretrieval.stores.blocks.BLOCK", 2)


def all_stages(configuration, folder, engine):
    """Everything that can run on a cluster, and what it needs, in a workspace of its own."""
    run = Run(configuration, Workspace(folder))
    for dataset in ("train", "val"):
        options = {"dataset": dataset, **NETWORK, "engine": engine}
        pred_images(from_mapping(PredictSettings, {**options, **CPU}), run)
        compute_metrics(from_mapping(MetricsSettings, options), run)
    train_linear(run)
    fit_novelty(run, engine=engine)
    embed(run, engine=engine)
    embed(
        run,
        engine=engine,
        select_by="nearest_neighbour",
        iou_threshold=0.5,
        select_number=8,
        candidates="objects",
        save_file="objects",
    )
    return run.workspace


def content(path):
    """Bytes of a file; of safetensors, whose metadata lie in any order, what they say."""
    if path.suffix != ".safetensors":
        return path.read_bytes()
    with safe_open(path, framework="numpy") as file:
        noted = {key: value for key, value in file.metadata().items() if key != "checksum"}
        return noted, {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118


def files_of(workspace, *folders):
    return {
        path.relative_to(workspace.path): content(path)
        for folder in folders
        for path in sorted((workspace.path / folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".lock")
    }


def test_every_stage_leaves_the_same_files(nodes, configuration, tmp_path, in_small_blocks):
    wanted = all_stages(configuration, tmp_path / "wanted", "processes")
    all_stages(configuration, tmp_path / "found", "ray")
    same_files(wanted, Workspace(tmp_path / "found"))


def test_every_stage_works_in_a_workspace_by_an_address(
    nodes, configuration, tmp_path, in_small_blocks, monkeypatch
):
    """As an object store would be: workers write elsewhere and put what is whole, and read copies."""
    monkeypatch.setenv("OODRETRIEVAL_CACHE", str(tmp_path / "cache"))
    wanted = all_stages(configuration, tmp_path / "wanted", "processes")
    all_stages(configuration, f"local://{tmp_path}/found", "ray")
    same_files(wanted, Workspace(tmp_path / "found"))


def same_files(wanted, found):
    folders = ("predictions", "segments", "regions", "novelty_models", "meta_models")
    expected = files_of(wanted, *folders)
    assert {
        name for name, content in files_of(found, *folders).items() if expected.pop(name, None) != content
    } == set()
    assert expected == {}
    for name in ("val", "objects"):
        one, other = (Catalogue.open(workspace.catalogue_folder(name)) for workspace in (wanted, found))
        pd.testing.assert_frame_equal(one.segments, other.segments)
        np.testing.assert_array_equal(one.vectors, other.vectors)
        for mask, same in zip(one.masks, other.masks, strict=True):
            np.testing.assert_array_equal(decode_mask(mask), decode_mask(same))


def test_a_node_that_dies_in_the_middle_takes_nothing_with_it(
    nodes, configuration, tmp_path, in_small_blocks, monkeypatch
):
    victim = patiently(lambda: nodes.add_node(num_cpus=1))

    def dying(*given, **options):
        for number, result in enumerate(map_cluster(*given, **options)):
            if number == 0:
                nodes.remove_node(victim, allow_graceful=False)
            yield result

    settings = {"dataset": "val", **NETWORK, **CPU, "keep": "nothing"}
    wanted, found = Workspace(tmp_path / "wanted"), Workspace(tmp_path / "found")
    pred_images(from_mapping(PredictSettings, settings), Run(configuration, wanted))
    monkeypatch.setattr(on_cluster, "map_cluster", dying)
    done = pred_images(
        from_mapping(PredictSettings, {**settings, "engine": "ray"}), Run(configuration, found)
    )
    assert done["predicted"] == 6
    assert files_of(found, "predictions", "segments") == files_of(wanted, "predictions", "segments")


def test_images_that_fail_there_are_listed_here(nodes, configuration, camvid, tmp_path, in_small_blocks):
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    (root / "val" / "0016E5_00200.png").write_bytes(b"no image")
    workspace = Workspace(tmp_path / "workspace")
    settings = {"dataset": "val", **NETWORK, **CPU, "root": str(root), "engine": "ray"}
    with pytest.raises(PartialFailure, match="1 image.*\n  0016E5_00200: cannot read"):
        pred_images(from_mapping(PredictSettings, settings), Run(configuration, workspace))
    (failure,) = read_failures(workspace.prediction_folder(Stored("colour", "val")))
    assert failure.image_id == "0016E5_00200"


class Work:
    """What a worker is to do: die, fail, or double a number."""

    def __call__(self, task):
        if task == "die":
            os._exit(1)
        if task == "fail":
            raise StoreError("no room")
        return 2 * task


def unprepared():
    raise StoreError("no network")


def test_a_worker_that_cannot_open_what_it_needs_says_why(nodes):
    with pytest.raises(StoreError, match="no network"):
        list(map_cluster(unprepared, [1]))


def test_errors_are_those_of_the_worker_and_a_task_that_kills_is_given_up(nodes):
    assert sorted(map_cluster(Work, [1, 2, 3])) == [2, 4, 6]
    assert list(map_cluster(Work, [])) == []
    with pytest.raises(StoreError, match="no room"):
        list(map_cluster(Work, [1, "fail"]))
    with pytest.raises(WorkerError, match="a task lost its worker 5 times.*Run the same command again"):
        list(map_cluster(Work, [1, "die"]))
