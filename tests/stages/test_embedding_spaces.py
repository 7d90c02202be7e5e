import numpy as np
import pandas as pd
import pytest

from oodretrieval.evaluation import mean_average_precision
from oodretrieval.stages.evaluate.embedding_spaces import MEAN, SceneVectors, over_scenes, space_table


def scene(seed=0, number=60, groups=6):
    """Three classes that differ in direction about a common offset, and that each frame colours a little."""
    random = np.random.default_rng(seed)
    labels = np.arange(number) % 3
    frames = np.arange(number) % groups
    own = (
        np.eye(8)[labels]
        + 0.3 * random.normal(size=(groups, 8))[frames]
        + 0.3 * random.normal(size=(number, 8))
    )
    return SceneVectors("made", labels.astype(str), {"far": own + 20, "near": own}, 100 * frames, 30)


def test_every_space_is_measured_as_the_definitions_say():
    made = scene()
    table = space_table(made)
    assert len(table) == 1 + 2 * 6
    for name, metric in (("near, none, euclidean", "euclidean"), ("near, none, cosine", "cosine")):
        for columns, options in (
            ("", {}),
            (", other frames", {"groups": made.positions, "group_window": 30}),
        ):
            expected = mean_average_precision(made.embeddings["near"], made.labels, metric=metric, **options)
            row = table.loc[name]
            assert row["mAP" + columns] == expected.mean and row["weighted" + columns] == expected.weighted
            assert [row[f"P@{k}{columns}"] for k in (1, 5, 10)] == [*expected.precision_at.values()]
    assert (table.loc["random", "mAP"] < table.drop("random")["mAP"]).all()
    assert table["mAP, other frames"].drop("random").lt(table["mAP"].drop("random")).all()


def test_angles_about_the_mean_do_not_see_an_offset():
    """From far away all candidates lie in one direction; less their mean they do not."""
    table = space_table(scene())["mAP"]
    assert table["far, centred, cosine"] > table["far, none, cosine"] + 0.01
    assert table["far, centred, cosine"] == pytest.approx(table["near, centred, cosine"], abs=0.1)


def test_the_mean_over_scenes_is_not_pooled():
    tables = {
        "a": pd.DataFrame({"mAP, other frames": {"random": 0.9, "one": 0.2, "other": 0.5, "only here": 1.0}}),
        "b": pd.DataFrame({"mAP, other frames": {"random": 0.1, "one": 0.8, "other": 0.3}}),
    }
    together = over_scenes(tables)
    assert list(together.index) == ["one", "other", "random"], (
        "best first, random last, what one scene lacks not at all"
    )
    assert together[MEAN].tolist() == [0.5, 0.4, 0.5]
    assert list(together.columns) == ["a", "b", MEAN]
