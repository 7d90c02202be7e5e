"""The demo on a handful of streets: its table, its pictures, and that it can be repeated."""

from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest

from oodretrieval.demo import DemoSettings, demo
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stores import Workspace

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    """The one that ships, with its test streets rendered into a folder of the tests."""
    shipped = load_configuration(ROOT / "configuration.py")
    entry = shipped.datasets["streets_test"]
    cache = {"cache": str(tmp_path_factory.mktemp("streets"))}
    datasets = {
        **shipped.datasets,
        "streets_test": replace(entry, kwargs={**entry.kwargs, **cache, "count": 6}),
    }
    return replace(shipped, datasets=datasets)


@pytest.mark.slow
def test_the_demo_finds_unknown_things_and_draws_them(configuration, tmp_path, caplog):
    caplog.set_level("INFO")
    settings = from_mapping(DemoSettings, {"gpu": -1, "save_dir": str(tmp_path / "demo"), "explore": False})
    for _ in range(2):  # the second run finds everything done
        caplog.clear()
        result = demo(settings, Run(configuration, Workspace(tmp_path / "workspace")))
        assert result["selection"]["objects"] > 0
        assert result["selection"]["hit"] > 0
        assert "unknown" in caplog.text and "retrieval mAP" in caplog.text
        devices = [text for text in caplog.messages if text.startswith("running on")]
        assert devices and all("CPU (as asked)" in text for text in devices)
    assert [Path(path).name for path in result["pictures"]] == [
        "candidates.png",
        "objects.png",
        "embedding_space.png",
        "neighbours.png",
        "four_panels.png",
    ]
    for path in result["pictures"]:
        picture = matplotlib.image.imread(path)
        assert picture.shape[0] > 400 and picture[..., :3].std() > 0.05
