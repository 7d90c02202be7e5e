"""Candidate classes: what each cluster shows, the order in which they are seen, and which members stand for them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from oodretrieval.search import ClassEvidence, candidate_classes, shown_members
from oodretrieval.search.class_naming import proposed_names
from oodretrieval.search.class_ranking import (
    LEAST_THINGS,
    LOOKS_LIKE,
    WEIGHTS,
    predicted_entropy,
    robust_deviations,
)


def evidence_of(count, **given_):
    own = np.arange(count)
    plain = {
        "novelty": np.zeros(count),
        "predicted": np.zeros(count, int),
        "num_classes": 4,
        "images": own,
        "drives": np.zeros(count, int),
        "things": own,
    }
    return ClassEvidence(**(plain | given_))


def directions_of(count, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, 5))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def two_clusters(weights=WEIGHTS, **second):
    """The order of two clusters of four that differ in what is given for the second alone."""
    groups = np.repeat([0, 1], 4)
    evidence = evidence_of(8, **second)
    return [set(one.rows // 4) for one in candidate_classes(directions_of(8), groups, evidence, weights)]


@pytest.mark.parametrize(
    "better",
    [
        {"novelty": np.r_[0, 1, 2, 3, 2, 3, 4, 5.0]},
        {"strangeness": np.r_[0, 1, 2, 3, 2, 3, 4, 5.0]},
        {"images": np.r_[0, 0, 0, 0, 1, 2, 3, 4]},
        {"predicted": np.r_[0, 0, 0, 0, 0, 1, 2, 3]},
    ],
    ids=lambda better: next(iter(better)),
)
def test_each_term_by_itself_puts_a_class_first_where_it_has_a_weight(better):
    term = next(iter(better)).replace("predicted", "disagreement")
    assert two_clusters({term: 1.0}, **better) == [{1}, {0}]
    assert two_clusters(**better) == ([{1}, {0}] if term in WEIGHTS else [{0}, {1}])


def test_a_wall_called_road_comes_after_a_new_kind():
    """As novel as one, but near to known walls: a known class that merely failed, where strangeness has a weight."""
    novelty = np.r_[np.zeros(4), np.full(8, 9.0)]
    strangeness = np.r_[np.zeros(8), np.full(4, 5.0)]
    evidence = evidence_of(12, novelty=novelty, strangeness=strangeness)
    weights = {"novelty": 1.0, "strangeness": 1.0}
    ranked = candidate_classes(directions_of(12), np.repeat([0, 1, 2], 4), evidence, weights, 2.0)
    assert [int(one.rows[0]) // 4 for one in ranked] == [2, 1, 0]


def test_what_looks_like_an_earlier_class_says_so_and_can_come_after_all_that_look_like_none():
    """Five of one kind, near each other in the space, and two others that are less novel."""
    directions = np.array([[1.0, 0], [0.9, 0.1], [0.8, -0.1], [0, 1.0], [-1.0, 0], [0.1, 0.9]]).repeat(
        3, axis=0
    )
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    groups = np.repeat(np.arange(6), 3)
    evidence = evidence_of(18, novelty=np.arange(18.0)[::-1])
    found = candidate_classes(directions, groups, evidence)
    assert [int(groups[one.rows[0]]) for one in found] == [0, 3, 4, 1, 2, 5]
    assert [one.like for one in found] == [None, None, None, 0, 0, 1]
    said = candidate_classes(directions, groups, evidence, alike_last=False)
    assert [int(groups[one.rows[0]]) for one in said] == [0, 1, 2, 3, 4, 5]
    assert [one.like for one in said] == [None, 0, 0, None, None, 3]
    unlike = candidate_classes(directions, groups, evidence, looks_like=1.1)
    assert [int(groups[one.rows[0]]) for one in unlike] == [0, 1, 2, 3, 4, 5]
    assert {one.like for one in unlike} == {None}


def test_few_things_come_last_however_novel():
    """Eight candidates that are the same thing in eight frames are no class."""
    novelty = np.r_[np.full(8, 9.0), np.arange(4.0)]
    things = np.r_[np.zeros(8, int), np.arange(8, 12)]
    ranked = candidate_classes(
        directions_of(12), np.repeat([0, 1], [8, 4]), evidence_of(12, novelty=novelty, things=things)
    )
    assert [one.things for one in ranked] == [4, 1]
    assert ranked[0].score < ranked[1].score and ranked[1].things < LEAST_THINGS


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_against_what_is_counted_by_hand(count, clusters, seed):
    random = np.random.default_rng(seed)
    groups = random.integers(-1, clusters, count)
    directions = directions_of(count, seed)
    evidence = evidence_of(
        count,
        novelty=random.normal(size=count),
        predicted=random.integers(0, 4, count),
        images=random.integers(0, 6, count),
        drives=random.integers(0, 2, count),
        things=random.integers(0, count, count),
        strangeness=random.normal(size=count),
    )
    found = candidate_classes(directions, groups, evidence, alike_last=True)
    assert sorted(row for one in found for row in one.rows.tolist()) == np.flatnonzero(groups >= 0).tolist()
    for one in found:
        rows = one.rows.tolist()
        assert len({int(groups[row]) for row in rows}) == 1
        for name in ("images", "drives", "things"):
            assert getattr(one, name) == len({int(getattr(evidence, name)[row]) for row in rows})
        assert one.novelty == pytest.approx(sum(evidence.novelty[row] for row in rows) / len(rows))
        centre = sum(directions[row] for row in rows)
        away = [float(directions[row] @ centre) for row in rows]
        assert away == pytest.approx(sorted(away, reverse=True))
    large = [one for one in found if one.things >= LEAST_THINGS]
    apart = [one for one in large if one.like is None]
    assert large[: len(apart)] == apart, "those that look like one of them come after them"
    centres = [directions[one.rows].sum(axis=0) for one in large]
    near = 1 - cdist(centres, centres, "cosine") if large else np.zeros((0, 0))
    for place, one in enumerate(large):
        earlier = sum(other.score > one.score for other in apart)
        assert one.like == (None if place < len(apart) else near[place, :earlier].argmax())
        scores = [other.score for other in (apart if one.like is None else large[len(apart) :])]
        assert scores == sorted(scores, reverse=True)
    assert (near[: len(apart), : len(apart)][~np.eye(len(apart), dtype=bool)] < LOOKS_LIKE).all()
    assert all(near[i, found[i].like] >= LOOKS_LIKE for i in range(len(apart), len(large)))
    plain = candidate_classes(directions, groups, evidence, alike_last=False)
    assert [one.score for one in plain[: len(large)]] == sorted((one.score for one in large), reverse=True)
    said = {one.rows[0]: None if one.like is None else plain[one.like].rows[0] for one in plain}
    assert said == {one.rows[0]: None if one.like is None else found[one.like].rows[0] for one in found}


@given(st.integers(1, 20), st.integers(1, 6), st.integers(0, 6), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_members_that_are_shown(count, central, outlying, seed):
    things = np.random.default_rng(seed).integers(0, count, count)
    evidence = evidence_of(count, things=things)
    (one,) = candidate_classes(directions_of(count, seed), np.zeros(count, int), evidence)
    near, far = shown_members(one, evidence, central, outlying)
    assert not set(near) & set(far)
    assert len(near) == min(central, count) and len(far) == min(outlying, count - len(near))
    assert near[0] == one.rows[0]
    assert len(set(things[near])) == min(central, len(set(things))), "others before a repetition"


def test_deviations_have_no_unit_and_bear_what_is_missing():
    values = np.array([1.0, 2, 3, 4, 100, np.nan])
    found = robust_deviations(values)
    np.testing.assert_allclose(found, robust_deviations(7 * values - 3))
    assert found[5] == 0 and found[4] == 3 and found[2] == 0
    assert robust_deviations(np.full(3, 2.0)).tolist() == [0, 0, 0]
    assert robust_deviations(np.full(2, np.nan)).tolist() == [0, 0]


def test_entropy_of_predicted_classes():
    assert predicted_entropy(np.array([3, 3, 3]), 9) == 0
    assert predicted_entropy(np.arange(9), 9) == pytest.approx(1)


def test_no_candidate_and_noise_alone():
    assert candidate_classes(np.zeros((0, 2)), np.zeros(0, int), evidence_of(0)) == []
    assert candidate_classes(directions_of(3), np.full(3, -1), evidence_of(3)) == []


def test_a_class_is_named_by_the_word_that_fits_it_more_than_the_others():
    """Crops and texts in one space; every crop is nearest to "street", and that names nothing."""
    kinds = np.repeat([0, 1], 5)
    vectors = np.c_[np.eye(2)[kinds] * 0.4, np.ones(10)] + 0.01 * np.random.default_rng(0).normal(
        size=(10, 3)
    )
    texts, words = np.eye(3), ["cone", "dog", "street"]
    classes = candidate_classes(vectors, kinds, evidence_of(10))
    assert (vectors @ texts.T).argmax(axis=1).tolist() == [2] * 10
    for one, names in zip(classes, proposed_names(classes, vectors, texts, words, 2), strict=True):
        kind = int(one.rows[0]) // 5
        assert names[0][0] == words[kind] and names[0][1] > 0 > names[1][1] - names[0][1]
    assert proposed_names(classes, vectors, np.zeros((0, 3)), []) == [[], []]
    with pytest.raises(ValueError, match="3 dimensions for each of 2 words"):
        proposed_names(classes, vectors, texts[:, :2][:2], words[:2])
