import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label as connected

from oodretrieval.evaluation import ComponentScores, component_intervals, component_scores, pool_components
from oodretrieval.evaluation.ood_components import TAUS

scenes = st.tuples(
    arrays(np.bool_, (9, 11)),
    arrays(np.uint8, (9, 11), elements=st.sampled_from([0, 0, 1, 1, 255])),
    st.integers(1, 6),
    st.integers(1, 6),
)


def pixels_of(mask):
    parts = connected(mask, connectivity=2)
    return [set(zip(*np.nonzero(parts == i), strict=True)) for i in range(1, parts.max() + 1)]


def plain(mask, truth, min_predicted, min_true):
    """Slow and obvious: sets of pixels, by the words of the definition."""
    true = pixels_of(truth == 1)
    void = set(zip(*np.nonzero(truth == 255), strict=True)).union(*(k for k in true if len(k) < min_true))
    true = [k for k in true if len(k) >= min_true]
    left = mask.copy()
    for pixel in void:
        left[pixel] = False
    predicted = [p for p in pixels_of(left) if len(p) >= min_predicted]
    siou = []
    for k in true:
        union = set().union(*(p for p in predicted if p & k))
        others = set().union(*(other for other in true if other is not k))
        siou.append(len(k & union) / (len(k | union) - len(union & others)))
    everything = set().union(*true)
    ppv = [len(p & everything) / len(p) for p in predicted]
    return siou, ppv


def plain_f1(siou, ppv, tau):
    tp = sum(value >= tau for value in siou)
    fn, fp = len(siou) - tp, sum(value < tau for value in ppv)
    return 2 * tp / (2 * tp + fn + fp) if 2 * tp + fn + fp else 0


@settings(max_examples=200)
@given(scenes)
def test_against_plain(scene):
    mask, truth, min_predicted, min_true = scene
    scores = component_scores(mask, truth, min_predicted=min_predicted, min_true=min_true)
    siou, ppv = plain(mask, truth, min_predicted, min_true)
    assert sorted(scores.siou) == pytest.approx(sorted(siou))
    assert sorted(scores.ppv) == pytest.approx(sorted(ppv))
    assert list(scores.f1) == [k / 100 for k in range(25, 76, 5)]
    assert list(scores.f1.values()) == pytest.approx([plain_f1(siou, ppv, tau) for tau in TAUS])
    assert scores.mean_f1 == pytest.approx(np.mean([plain_f1(siou, ppv, tau) for tau in TAUS]))


def scene(*rows):
    """Rows of text: first what is true (# unknown, ? void), after a bar what is predicted (#)."""
    halves = [row.split("|") for row in rows]
    truth = np.array([[{"#": 1, "?": 255}.get(c, 0) for c in left] for left, _ in halves], np.uint8)
    return np.array([[c == "#" for c in right] for _, right in halves]), truth


def scores_of(*rows, min_predicted=1, min_true=1):
    return component_scores(*scene(*rows), min_predicted=min_predicted, min_true=min_true)


def test_what_covers_another_object_is_not_held_against_one():
    """One prediction over two objects: each is charged only with the three pixels on nothing."""
    scores = scores_of("##...##|#######")
    assert scores.siou.tolist() == [2 / 5, 2 / 5]
    assert scores.ppv.tolist() == [4 / 7]
    assert scores.mean_siou == 0.4 and scores.mean_ppv == 4 / 7
    assert scores.f1[0.4] == 1
    assert scores.f1[0.45] == 0


def test_several_predictions_on_one_object_are_united():
    scores = scores_of("#####|##.##")
    assert scores.siou.tolist() == [4 / 5] and scores.ppv.tolist() == [1, 1]


def test_corners_touch():
    assert len(scores_of("#.|..", ".#|..").siou) == 1


def test_an_overlap_of_exactly_tau_counts():
    scores = scores_of("#...|####")
    assert scores.f1[0.25] == 1 and scores.f1[0.3] == 0


def test_small_objects_become_void_before_predictions_are_counted():
    """The pixels on the small object go, and what is left is too small."""
    scores = scores_of("#.....|###...", min_true=2, min_predicted=3)
    assert len(scores.siou) == len(scores.ppv) == 0
    assert scores_of("#.....|###...", min_true=2, min_predicted=2).ppv.tolist() == [0]


def test_void_splits_a_prediction():
    scores = scores_of("#.?.#|#####")
    assert scores.ppv.tolist() == [0.5, 0.5] and scores.siou.tolist() == [0.5, 0.5]


def test_nothing_at_all():
    scores = scores_of("...|...")
    assert scores.mean_siou == scores.mean_ppv == scores.mean_f1 == 0
    assert set(scores.f1.values()) == {0}


def test_a_set_is_pooled_before_f1():
    """The mean of the images' F1 would be a half."""
    found, missed = scores_of("##|##"), scores_of("#.#.#|.....")
    pooled = pool_components([found, missed])
    assert len(pooled.siou) == 4
    assert pooled.mean_f1 == pytest.approx(2 / (2 + 3))
    assert pool_components([]).mean_f1 == 0


def test_another_ignore_value_and_defaults_of_the_benchmark():
    truth = np.zeros((40, 40), int)
    truth[:10, :10], truth[:, 30:] = 1, 7
    mask = np.ones((40, 40), bool)
    scores = component_scores(mask, truth, ignore=7)
    assert scores.siou.tolist() == [100 / 1200]
    truth[9, 9] = 0
    assert len(component_scores(mask, truth, ignore=7).siou) == 0  # 99 pixels


def test_the_interval_is_that_of_pooling_the_resamples():
    rng = np.random.default_rng(0)
    images = [
        ComponentScores(rng.random(rng.integers(0, 4)), rng.random(rng.integers(0, 4))) for _ in range(12)
    ]
    intervals = component_intervals(images, block=1, repetitions=200)
    from oodretrieval.evaluation import block_resamples, interval

    resamples = [
        pool_components([images[i] for i in d]) for d in block_resamples(12, block=1, repetitions=200)
    ]
    for name in ("mean_f1", "mean_siou", "mean_ppv"):
        assert intervals[name] == pytest.approx(interval([getattr(each, name) for each in resamples]))


def test_errors():
    with pytest.raises(ValueError, match=r"\(2, 2\) and \(2, 3\)"):
        component_scores(np.ones((2, 2), bool), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match=r"holds \[3\]"):
        component_scores(np.ones((2, 2), bool), np.full((2, 2), 3))
