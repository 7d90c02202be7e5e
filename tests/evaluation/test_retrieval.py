import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from oodretrieval.clips import frame_positions
from oodretrieval.errors import UnknownNameError
from oodretrieval.evaluation import (
    average_precision,
    block_resamples,
    interval,
    mean_average_precision,
    retrieval,
    retrieval_intervals,
)

vectors_and_labels = st.integers(2, 14).flatmap(
    lambda n: st.tuples(
        st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=n, max_size=n),
        st.lists(st.sampled_from("abc"), min_size=n, max_size=n),
        st.lists(st.integers(0, 12), min_size=n, max_size=n),
    )
)


def plain(vectors, labels, distance, own_group):
    """Slow and obvious: every query's average precision and precisions at k; None where it is left out."""
    results = []
    for q in range(len(vectors)):
        rest = [i for i in range(len(vectors)) if i != q and not own_group(q, i)]
        rest.sort(key=lambda i: (distance(vectors[q], vectors[i]), i))
        hits = [labels[i] == labels[q] for i in rest]
        if not any(hits):
            results.append(None)
            continue
        precisions = [sum(hits[: k + 1]) / (k + 1) for k in range(len(hits))]
        ap = sum(p for p, hit in zip(precisions, hits, strict=True) if hit) / sum(hits)
        results.append((ap, [sum(hits[:k]) / min(k, len(hits)) for k in (1, 5, 10)]))
    return results


def compare(measures, results, labels, min_queries=2):
    per_class = {}
    for label in sorted(set(labels)):
        found = [r for r, other in zip(results, labels, strict=True) if r is not None and other == label]
        if len(found) >= min_queries:
            per_class[label] = found
    means = {label: np.mean([ap for ap, _ in found]) for label, found in per_class.items()}
    assert measures.num_queries == {label: len(found) for label, found in per_class.items()}
    assert measures.per_class == pytest.approx(means)
    everything = [r for found in per_class.values() for r in found]
    if not everything:
        assert np.isnan([measures.mean, measures.weighted, *measures.precision_at.values()]).all()
        return
    assert measures.mean == pytest.approx(np.mean(list(means.values())))
    assert measures.weighted == pytest.approx(np.mean([ap for ap, _ in everything]))
    assert list(measures.precision_at) == [1, 5, 10]
    assert list(measures.precision_at.values()) == pytest.approx(
        np.mean([at for _, at in everything], axis=0)
    )


def squared(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


@given(vectors_and_labels)
def test_against_plain(case):
    vectors, labels, _ = case
    measures = mean_average_precision(np.array(vectors, np.float32), labels)
    compare(measures, plain(vectors, labels, squared, lambda q, i: False), labels)


@given(vectors_and_labels, st.integers(1, 3))
def test_groups_against_plain(case, min_queries):
    vectors, labels, groups = case
    expected = plain(vectors, labels, squared, lambda q, i: groups[q] == groups[i])
    for names in (groups, [f"image {g}" for g in groups]):
        measures = mean_average_precision(vectors, labels, groups=names, min_queries=min_queries)
        compare(measures, expected, labels, min_queries)


@given(vectors_and_labels, st.integers(1, 6))
def test_group_window_against_plain(case, window):
    vectors, labels, groups = case
    expected = plain(vectors, labels, squared, lambda q, i: abs(groups[q] - groups[i]) <= window)
    compare(mean_average_precision(vectors, labels, groups=groups, group_window=window), expected, labels)


def test_cosine_against_plain():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(40, 5))
    vectors[7] = 0
    labels = random.integers(0, 3, 40).tolist()

    def cosine(a, b):
        norm = np.linalg.norm(a) * np.linalg.norm(b)
        return 1 - a @ b / norm if norm else 1.0

    expected = plain(vectors, labels, cosine, lambda q, i: False)
    compare(mean_average_precision(vectors, labels, metric="cosine"), expected, labels)
    scaled = vectors * random.uniform(0.1, 10, (40, 1))
    assert mean_average_precision(scaled, labels, metric="cosine").mean == pytest.approx(
        mean_average_precision(vectors, labels, metric="cosine").mean
    )


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_average_precision_agrees_with_scikit_learn(relevant):
    if any(relevant):
        expected = average_precision_score(relevant, -np.arange(len(relevant)))
        assert average_precision(relevant) == pytest.approx(expected)
    else:
        assert average_precision(relevant) == 0


def test_average_precision_of_nothing_and_of_a_table():
    assert average_precision([]) == 0
    with pytest.raises(ValueError, match=r"\(n,\)"):
        average_precision([[True]])


def test_the_query_is_dropped_by_index_and_duplicates_count():
    """The duplicates of the first item rank before it when 'the first in the ranking' is dropped."""
    vectors = np.random.default_rng(0).normal(size=(1, 300)).repeat(4, axis=0).astype(np.float32)
    measures = mean_average_precision(vectors, ["a", "b", "a", "b"])
    # 0: b a b, 1: a a b, 2: a b b, 3: a b a → only the order of the indices decides
    assert measures.per_class["a"] == pytest.approx((1 / 2 + 1) / 2)
    assert measures.per_class["b"] == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_equal_vectors_stay_tied_in_any_block(monkeypatch):
    random = np.random.default_rng(1)
    vectors = random.normal(size=(30, 100)).astype(np.float32)[random.integers(0, 30, 200)]
    labels = random.integers(0, 4, 200)
    whole = mean_average_precision(vectors, labels)
    for rows in (1, 3, 64):
        monkeypatch.setattr(retrieval, "BYTES_AT_ONCE", 8 * 200 * rows)
        assert mean_average_precision(vectors, labels).mean == pytest.approx(whole.mean, abs=1e-12)


def test_known_clusters_and_the_random_floor():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    clusters = np.eye(4)[labels] * 10 + random.normal(size=(200, 4))
    assert mean_average_precision(clusters, labels).mean > 0.99
    assert mean_average_precision(random.normal(size=(200, 4)), labels).mean == pytest.approx(0.25, abs=0.03)


def test_single_items_and_empty_tables():
    assert mean_average_precision([[0.0], [1.0], [2.0]], [0, 1, 2]).per_class == {}
    assert np.isnan(mean_average_precision(np.zeros((0, 3)), []).mean)
    assert mean_average_precision([[0.0], [1.0], [2.0]], [7, 7, 9]).num_queries == {7: 2}


def test_frames_of_one_clip_are_on_one_scale():
    positions = frame_positions(["c/a_0005_leftImg", "c/a_0035_leftImg", "d/a_0005_leftImg", "one", "two"])
    gaps = np.abs(positions[:, None] - positions)
    assert gaps[0, 1] == 30
    gaps[0, 1] = gaps[1, 0] = 10**10
    assert gaps[~np.eye(5, dtype=bool)].min() > 10**9


def test_errors():
    with pytest.raises(UnknownNameError, match="euclidean"):
        mean_average_precision([[0.0]], [0], metric="euclid")
    with pytest.raises(ValueError, match=r"\(2, 1\) and \(3,\)"):
        mean_average_precision([[0.0], [1.0]], [0, 1, 2])
    with pytest.raises(ValueError, match="finite"):
        mean_average_precision([[np.nan], [1.0]], [0, 1])
    with pytest.raises(ValueError, match=r"groups \(2,\)"):
        mean_average_precision([[0.0], [1.0]], [0, 1], groups=[1])
    with pytest.raises(ValueError, match="frame_positions"):
        mean_average_precision([[0.0], [1.0]], [0, 1], groups=["a", "b"], group_window=3)


def test_intervals_are_those_of_resampling_the_images_of_the_queries():
    rng = np.random.default_rng(0)
    labels = rng.choice(["dog", "cone", "crate"], 40)
    images = rng.choice([f"frame {i:02d}" for i in range(12)], 40)
    measures = mean_average_precision(rng.normal(size=(40, 2)) + (labels == "dog")[:, None], labels)
    precision = measures.query_precision
    assert measures.weighted == pytest.approx(np.nanmean(precision))
    found = retrieval_intervals(measures, labels, images, block=3, repetitions=50)
    names = np.unique(images)
    means, weighted = [], []
    for resampled in block_resamples(len(names), block=3, repetitions=50):
        rows = np.concatenate([np.flatnonzero(images == names[i]) for i in resampled])
        means.append(np.mean([precision[rows][labels[rows] == c].mean() for c in set(labels[rows])]))
        weighted.append(precision[rows].mean())
    assert found["mean"] == pytest.approx(interval(means))
    assert found["weighted"] == pytest.approx(interval(weighted))


def test_queries_of_classes_that_do_not_count_have_no_precision():
    measures = mean_average_precision([[0.0], [0.1], [5.0]], ["a", "a", "b"])
    assert np.isnan(measures.query_precision).tolist() == [False, False, True]
    nothing = mean_average_precision([[0.0], [1.0]], ["a", "b"])
    assert np.isnan(retrieval_intervals(nothing, ["a", "b"], [0, 1], block=1, repetitions=5)["mean"]).all()
