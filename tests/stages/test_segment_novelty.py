"""Novelty of a table that is read part by part is that of the whole table."""

import numpy as np
import pytest
import torch

from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.novelty import likeness, model
from oodretrieval.stages.measure.segment_novelty import SegmentNovelty


@pytest.mark.parametrize("images_a_part", [1, 4, 100])
def test_parts_are_scored_as_the_whole(configuration, fitted, monkeypatch, images_a_part):
    monkeypatch.setattr(model, "MIN_PIXELS", 4)
    monkeypatch.setattr(likeness, "PER_NEIGHBOUR", 2)
    monkeypatch.setattr(likeness, "LARGEST_COMPARED", 12)
    run = Run(configuration, fitted)
    work = run.stored("colour", "val", CommonSettings())
    table, novelty = work.table(), SegmentNovelty(run.trained.novelty_model("colour"), torch.device("cpu"))
    vectors, _ = novelty.features.of(work, table)
    alone = novelty.model.score(table, vectors.deep)
    whole = novelty.model.score(table, vectors.deep, fine=vectors.fine)
    assert np.isfinite(whole).all() and not np.allclose(whole, alone)

    images = list(dict.fromkeys(table["image_id"]))
    groups = [images[start : start + images_a_part] for start in range(0, len(images), images_a_part)]
    parts = [table[table["image_id"].isin(group)] for group in groups]
    novelty.begin(work, lambda columns: (part[columns or part.columns] for part in parts))
    scores = [novelty.score(work, part)[0] for part in parts]
    np.testing.assert_allclose(np.concatenate(scores), whole, rtol=0, atol=1e-5)  # distances are rounded
