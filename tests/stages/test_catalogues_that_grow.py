"""A catalogue whose dataset grew: what is new is embedded, what was there stays as it is, to the byte."""

from pathlib import Path

import miniature
import numpy as np
import pandas as pd
import pytest
from miniature import configuration_for, write_miniature_camvid
from steps import embed, predict_and_measure, train_linear

from oodretrieval.experiment.run import Run
from oodretrieval.stages.select.embedder import Embedder
from oodretrieval.stores import Catalogue, Workspace

FOLDERS = "val", "valannot"


@pytest.fixture
def shown(monkeypatch):
    """Images whose candidates are embedded, and how many candidates each has."""
    seen = []
    real = Embedder.__call__

    def counting(self, images):
        def each():
            for one in images:
                seen.append(len(one.boxes))
                yield one

        return real(self, each())

    monkeypatch.setattr(Embedder, "__call__", counting)
    return seen


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("part-*")
        if "tables" not in path.parts
    }


def test_ten_images_in_the_middle_embed_ten_images(tmp_path, monkeypatch, shown):
    monkeypatch.setattr(miniature, "IMAGES", 14)
    root, aside = tmp_path / "camvid", tmp_path / "aside"
    write_miniature_camvid(root, "train", 0)
    write_miniature_camvid(root, "val", 1)
    configuration = configuration_for(root, tmp_path)
    run = Run(configuration, Workspace(configuration.workspace))
    middle = sorted(path.name for path in (root / "val").iterdir())[2:12]
    for folder in FOLDERS:
        (aside / folder).mkdir(parents=True)
        for name in middle:
            (root / folder / name).rename(aside / folder / name)

    predict_and_measure(run, "train", "val")
    train_linear(run)
    embed(run)
    before = Catalogue.named(run.workspace, "val")
    rows, vectors = before.segments, np.array(before.vectors)
    files = content_of(before.path)
    assert len(shown) == rows["image_id"].nunique() <= 4 and sum(shown) == len(rows)

    for folder in FOLDERS:
        for name in middle:
            (aside / folder / name).rename(root / folder / name)
    shown.clear()
    predict_and_measure(run, "val")
    embed(run)
    after = Catalogue.named(run.workspace, "val")
    new = after.segments["image_id"].isin([Path(name).stem for name in middle]).to_numpy()
    assert len(shown) == after.segments["image_id"][new].nunique() == 10
    assert sum(shown) == new.sum()
    pd.testing.assert_frame_equal(after.segments[~new].reset_index(drop=True), rows)
    assert np.asarray(after.vectors)[~new].tobytes() == vectors.tobytes()
    now = content_of(after.path)
    assert {name: now[name] for name in files} == files, "files that were there are not written again"
    shown.clear()
    embed(run)
    assert shown == [] and content_of(after.path) == now
