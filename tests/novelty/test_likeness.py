"""Scores shared among segments that look alike, next to a slow implementation, and laws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.errors import TableError
from oodretrieval.novelty import NoveltyModel, likeness
from oodretrieval.novelty.likeness import PER_NEIGHBOUR, Likeness, likeness_values, sampled


def searched(seed, count, depth=5):
    random = np.random.default_rng(seed)
    compared = random.random(count) < 0.8
    return random.normal(size=count), random.normal(size=(count, depth)), compared


def shared_scores(scores, vectors, compared, **options):
    """As of a table that is read whole."""
    stored = sampled(compared)
    itself = np.full(len(scores), -1)
    itself[stored] = np.arange(len(stored))
    depth = vectors.shape[1]
    known = Likeness(np.zeros(depth), np.ones(depth), vectors[stored].astype(np.float32), scores[stored])
    return known.shared(scores, (vectors[:, :2], vectors[:, 2:]), itself, **options)


def slowly(scores, vectors, compared, neighbours, share):
    result = []
    for i, vector in enumerate(vectors):
        others = [j for j in np.flatnonzero(compared) if j != i]
        others.sort(key=lambda j: np.linalg.norm(vectors[j] - vector))
        mean = np.mean([scores[j] for j in others[:neighbours]])
        result.append((1 - share) * scores[i] + share * mean)
    return result


@given(st.integers(0, 2**32), st.integers(80, 120), st.integers(1, 3), st.floats(0, 1))
def test_as_the_slow_implementation(seed, count, neighbours, share):
    scores, vectors, compared = searched(seed, count)
    number = min(neighbours, compared.sum() // PER_NEIGHBOUR)
    found = shared_scores(scores, vectors, compared, neighbours=neighbours, share=share)
    np.testing.assert_allclose(found, slowly(scores, vectors, compared, number, share), rtol=0, atol=1e-9)


@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_order_means_nothing_and_equal_scores_stay(seed, random):
    scores, vectors, compared = searched(seed, 90)
    order = np.array(random.sample(range(90), 90))
    found = shared_scores(scores, vectors, compared)
    again = shared_scores(scores[order], vectors[order], compared[order])
    np.testing.assert_allclose(again, found[order], rtol=0, atol=1e-9)
    np.testing.assert_allclose(shared_scores(np.full(90, 3.5), vectors, compared), 3.5)
    assert found.min() >= scores.min() and found.max() <= scores.max()


def test_among_a_few_every_segment_keeps_its_score():
    scores, vectors, _ = searched(0, PER_NEIGHBOUR - 1)
    assert shared_scores(scores, vectors, np.ones(PER_NEIGHBOUR - 1, bool)).tolist() == scores.tolist()


def test_small_segments_take_from_large_ones_and_give_nothing():
    scores, vectors, compared = searched(1, 100)
    found = shared_scores(scores, vectors, compared)
    other = np.where(compared, scores, scores + 100)
    np.testing.assert_allclose(shared_scores(other, vectors, compared)[compared], found[compared])
    assert (found[~compared] != scores[~compared]).all()


def test_of_many_a_sample_is_compared_with(monkeypatch):
    scores, vectors, compared = searched(2, 4000)
    every = shared_scores(scores, vectors, compared)
    monkeypatch.setattr(likeness, "LARGEST_COMPARED", 1000)
    some = shared_scores(scores, vectors, compared)
    assert (some != every).any()
    own = np.corrcoef(some - 0.5 * scores, every - 0.5 * scores)[0, 1]
    assert own > 0.1  # of the same neighbourhoods
    assert shared_scores(scores, vectors, compared).tolist() == some.tolist()


def test_a_false_alarm_among_known_things_falls_below_an_unknown_kind():
    random = np.random.default_rng(3)
    alike = np.repeat(np.eye(3), 40, axis=0) + random.normal(0, 0.05, (120, 3))
    scores = np.concatenate([random.normal(0, 1, 80), random.normal(2, 1, 40)])
    scores[0] = 4.0
    found = shared_scores(scores, alike, np.ones(120, bool))
    unknown = np.arange(120) >= 80

    def misordered(values):
        return (values[unknown][:, None] < values[~unknown][None]).mean()

    assert misordered(found) < misordered(scores) / 3
    assert found[0] < np.median(found[unknown]) + 1


def table(random, count):
    softmax = random.dirichlet(np.ones(3), count)
    columns = {f"cprob{c}": softmax[:, c] for c in range(3)}
    return pd.DataFrame(
        {**columns, "energy": random.normal(8, 2, count), "S": random.integers(50, 900, count)}
    )


def test_both_halves_of_what_segments_look_like_count_alike():
    random = np.random.default_rng(4)
    rows, fine = table(random, 400), 1000 * random.normal(size=(400, 17))
    vectors = Likeness.of(likeness_values(rows, fine), np.zeros(400)).vectors
    assert vectors.shape == (400, 20)
    squares = [(part**2).sum(axis=1).mean() for part in (vectors[:, :3], vectors[:, 3:])]
    np.testing.assert_allclose(squares, 1, rtol=1e-4)
    with pytest.raises(TableError, match="cprob0"):
        likeness_values(rows[["energy", "S"]], fine)


def test_an_image_without_features_takes_no_part():
    random = np.random.default_rng(5)
    count = 200
    rows = table(random, count).assign(
        **{
            "image_id": np.repeat([f"i{n}" for n in range(20)], 10),
            "class": random.integers(0, 3, count),
            "S": 500.0,
            "S_rel": random.uniform(2, 9, count),
            "unknown_fraction": 0.0,
            "void_fraction": 0.0,
        }
    )
    deep, fine = random.normal(size=(count, 6)), random.normal(size=(count, 4))
    model = NoveltyModel.fit(rows, deep, num_classes=3, fine=fine)
    gone = np.arange(count) < 10
    missing = [np.where(gone[:, None], np.nan, values) for values in (deep, fine)]
    found = model.score(rows, missing[0], fine=missing[1])
    assert np.isnan(found[gone]).all() and np.isfinite(found[~gone]).all()
    alone = model.score(rows, deep)
    assert not np.allclose(found[~gone], alone[~gone])
    assert found[~gone].std() < alone[~gone].std()
    before = NoveltyModel.fit(rows, deep, num_classes=3).quantiles["novelty"]
    assert model.quantiles["novelty"].std() < before.std()  # the quantiles are those of shared scores
