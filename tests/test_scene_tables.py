"""The tables of benchmarks/scenes.py."""

import numpy as np
import pytest
from scene_tables import MEAN, WORST, Evaluated, report, scene_table, summary_table

from oodretrieval.results.rules import Resampling

EACH = Resampling(block=1, repetitions=50)


def scene(name, right, frames=10, seed=0, rendered=False):
    """Ten segments a frame, three of them unknown; ``right`` is how much the score knows of it."""
    rng = np.random.default_rng(seed)
    unknown = np.tile(np.arange(10) < 3, frames)
    scores = {
        "perfect": unknown + 0.0,
        "right": right * unknown + rng.normal(size=len(unknown)),
        "wrong": 0.0 - unknown,
    }
    return Evaluated(name, "net", scores, unknown, np.repeat(np.arange(frames), 10), 4, 0.6, EACH, rendered)


def test_the_summary_is_the_mean_of_scenes_and_not_of_segments():
    large, small = scene("large", 3.0, frames=50), scene("small", 0.0, frames=5)
    table = summary_table([large, small], [large.resampled(), small.resampled()])
    mean, ends = table.loc["right", MEAN].split(" ")
    assert float(mean) == pytest.approx(
        (table.loc["right", "large"] + table.loc["right", "small"]) / 2, abs=6e-4
    )
    low, high = (float(end) for end in ends.strip("()").split("…"))
    assert low < float(mean) < high
    assert table.loc["right", WORST] == table.loc["right", "small"] < table.loc["right", "large"]
    assert table.loc["perfect", MEAN] == "1.000 (1.000…1.000)"


def test_a_scene_shows_every_score():
    one = scene("one", 1.0)
    table = scene_table(one, one.resampled())
    assert table.loc["perfect", "AUROC"] == 1 and table.loc["wrong", "AUROC"] == 0
    assert list(table["unknown among first 100"]) == [30, 30, 30]


def test_frames_are_resampled_whole():
    """Two frames, one of which shows everything unknown: where that is not taken, there is no AP."""
    unknown, frames = np.array([True, False, False, False]), np.array([0, 0, 1, 1])
    one = Evaluated(
        "one", "net", {"s": np.array([1.0, 0, 0, 0])}, unknown, frames, 0, 0.5, Resampling(1, 200)
    )
    resamples = one.resampled()["s"]
    assert np.isnan(resamples).mean() == pytest.approx(0.25, abs=0.1)
    assert (resamples[~np.isnan(resamples)] == 1).all()


def test_a_scene_that_shows_nothing_unknown_has_no_ap_and_is_not_in_the_mean():
    seen, rng = scene("seen", 2.0), np.random.default_rng(0)
    nothing = Evaluated(
        "nothing",
        "net",
        {name: rng.random(100) for name in seen.scores},
        np.zeros(100, bool),
        seen.frames,
        0,
        0.5,
        EACH,
    )
    scenes = [seen, nothing]
    table = summary_table(scenes, [one.resampled() for one in scenes])
    assert table["nothing"].isna().all()
    assert table.loc["perfect", MEAN] == "1.000 (1.000…1.000)" and table.loc["perfect", WORST] == 1
    assert scene_table(nothing, nothing.resampled()).loc["right", "AP"] is None


def test_rendered_scenes_are_not_in_the_mean():
    real, rendered = scene("real", 1.0), scene("rendered", 9.0, rendered=True)
    scenes = [real, rendered]
    resamples = [one.resampled() for one in scenes]
    table, alone = summary_table(scenes, resamples), summary_table(scenes[:1], resamples[:1])
    assert table.loc["right", "rendered"] > table.loc["right", "real"]
    assert table[[MEAN, WORST]].equals(alone[[MEAN, WORST]])
    assert list(summary_table(scenes[1:], resamples[1:]).columns) == ["rendered"]


def test_the_report_names_scenes_and_what_was_left_out():
    text = report([scene("camvid_0006r0", 1.0)], 400)
    assert "## camvid_0006r0\n\n10 frames, mean IoU of net 0.600; 100 segments, 30 of them" in text
    assert "4 mostly void ones left out" in text and "at least\n400 pixels" in text
