"""Learning from answers: laws over generated items and answers, a plain reference, and what a person runs into."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from oodretrieval.errors import UnknownNameError
from oodretrieval.search import FeedbackOptions, RelevanceFeedback
from oodretrieval.search.offset_logistic import fit_around_offset
from oodretrieval.search.principal_directions import principal_directions

PAGE = 12
GREEDY = FeedbackOptions(explore_every=0)


@st.composite
def conversations(draw, words=(True, False, "dog", "cone")):
    """Vectors with duplicates among them, a prior or none, and answers on some rows."""
    n, size = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    vectors = random.normal(size=(n, size))[random.integers(n, size=n)]
    if draw(st.booleans()):
        vectors = np.full((n, size), draw(st.sampled_from([0.0, 0.1, -3e7])))
    vectors = vectors.astype(draw(st.sampled_from([np.float32, np.float64])))
    prior = draw(st.none() | st.lists(st.floats(-1e9, 1e9), min_size=n, max_size=n))
    rows = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=n))
    return vectors, prior, rows, [draw(st.sampled_from(words)) for _ in rows]


@settings(deadline=None)
@given(conversations())
def test_scores_are_finite_whatever_is_said(conversation):
    vectors, prior, rows, answers = conversation
    feedback = RelevanceFeedback(vectors, prior)
    feedback.update(rows, answers)
    scores = feedback.scores()
    assert scores.shape == (len(vectors),)
    assert np.isfinite(scores).all()
    for kind in feedback.kinds:
        assert np.isfinite(feedback.scores(kind)).all()


@settings(deadline=None)
@given(conversations())
def test_what_was_answered_stands_above_or_below_the_rest(conversation):
    vectors, prior, rows, answers = conversation
    feedback = RelevanceFeedback(vectors, prior)
    feedback.update(rows, answers)
    scores = feedback.scores()
    rest = np.delete(scores, rows)
    for row, answer in zip(rows, answers, strict=True):
        assert (rest > scores[row]).all() if answer is False else (rest < scores[row]).all()


@settings(deadline=None)
@given(conversations(), st.randoms(use_true_random=False), st.integers(0, 3))
def test_only_the_answers_count_not_when_they_are_given(conversation, random, seed):
    vectors, prior, rows, answers = conversation
    at_once = RelevanceFeedback(vectors, prior, seed)
    at_once.update(rows, answers)
    one_by_one = RelevanceFeedback(vectors, prior, seed)
    said = list(zip(rows, answers, strict=True))
    random.shuffle(said)
    for row, answer in said:
        one_by_one.update([row], ["something else"])
        one_by_one.scores()
        one_by_one.update([row], [answer])
    np.testing.assert_array_equal(one_by_one.scores(), at_once.scores())
    assert dict(one_by_one.answers) == dict(at_once.answers)


@settings(deadline=None)
@given(conversations())
def test_answers_taken_back_leave_nothing(conversation):
    vectors, prior, rows, answers = conversation
    feedback = RelevanceFeedback(vectors, prior)
    before = feedback.scores()
    feedback.update(rows, answers)
    feedback.update(rows, [None] * len(rows))
    np.testing.assert_array_equal(feedback.scores(), before)
    assert not feedback.answers


@settings(deadline=None)
@given(conversations(words=(True, False)), st.data())
def test_yes_raises_an_exact_duplicate_and_no_lowers_it(conversation, data):
    vectors, prior, rows, answers = conversation
    row = data.draw(st.integers(0, len(vectors) - 1))
    vectors = np.concatenate([vectors, vectors[[row]]])
    prior = None if prior is None else [*prior, prior[row]]
    twin = len(vectors) - 1
    if prior is None:
        prior = np.zeros(len(vectors))
    feedback = RelevanceFeedback(vectors, prior, options=GREEDY)
    kept = [(r, a) for r, a in zip(rows, answers, strict=True) if r != row]
    feedback.update([r for r, _ in kept], [a for _, a in kept])
    before = feedback.scores()[twin]
    feedback.update([row], [True])
    raised = feedback.scores()[twin]
    feedback.update([row], [False])
    lowered = feedback.scores()[twin]
    assert lowered < before < raised


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_before_the_first_answer_the_prior_ranks(prior):
    scores = RelevanceFeedback(np.ones((len(prior), 2)), prior).scores()
    for i, a in enumerate(prior):
        for j, b in enumerate(prior):
            assert (scores[i] > scores[j]) == (a > b)


def two_clusters(n=600, size=16, share=0.1, seed=0):
    """Items of which a tenth are of interest, a cluster apart; the prior knows next to nothing."""
    random = np.random.default_rng(seed)
    relevant = random.random(n) < share
    vectors = random.normal(size=(n, size)) + 3.0 * np.outer(relevant, np.eye(size)[0])
    return vectors.astype(np.float32), relevant, random.normal(size=n) + 0.3 * relevant


def inspected(feedback, truth, pages, errs=()):
    """Rows in the order in which a person sees them, twelve by twelve."""
    shown = []
    for _ in range(pages):
        scores = feedback.scores()
        scores[shown] = -np.inf
        page = np.argsort(-scores, kind="stable")[:PAGE].tolist()
        feedback.update(page, [bool(truth[row]) ^ (len(shown) + i in errs) for i, row in enumerate(page)])
        shown += page
    return shown


@pytest.mark.parametrize("kind_of_zero", [0, np.int64(0), np.uint8(0)])
def test_learns_from_the_first_answer(kind_of_zero):
    vectors, relevant, prior = two_clusters()
    yes = int(np.flatnonzero(relevant)[0])
    feedback = RelevanceFeedback(vectors, prior, options=GREEDY)
    before = feedback.scores()
    feedback.update([yes + kind_of_zero], [True])
    moved = feedback.scores() - before
    others = np.arange(len(vectors)) != yes
    assert moved[relevant & others].mean() > moved[~relevant].mean() + 0.1


def test_answers_that_are_all_no_move_the_ranking_away_from_them():
    vectors, relevant, prior = two_clusters()
    no = np.flatnonzero(~relevant)[:PAGE]
    feedback = RelevanceFeedback(vectors, np.zeros(len(prior)), options=GREEDY)
    feedback.update(no, [False] * PAGE)
    rest = np.setdiff1d(np.arange(len(vectors)), no)
    first = rest[np.argsort(-feedback.scores()[rest])[:50]]
    assert relevant[first].mean() > 3 * relevant.mean()


def test_answers_that_are_all_yes_find_their_like():
    vectors, relevant, prior = two_clusters()
    yes = np.flatnonzero(relevant)[:PAGE]
    feedback = RelevanceFeedback(vectors, prior)
    feedback.update(yes, [True] * PAGE)
    rest = np.setdiff1d(np.arange(len(vectors)), yes)
    first = rest[np.argsort(-feedback.scores()[rest])[:PAGE]]
    assert relevant[first].mean() > 5 * relevant.mean()


@pytest.mark.parametrize("errs", [(), (0,), (5, 17), range(0, 120, 10)])
def test_finds_most_of_what_is_of_interest_even_with_wrong_answers(errs):
    vectors, relevant, prior = two_clusters()
    shown = inspected(RelevanceFeedback(vectors, prior), relevant, 10, errs)
    assert len(set(shown)) == 120
    assert relevant[shown].sum() >= 0.85 * relevant.sum()


def test_never_forgets_the_unseen():
    """Two hundred of one kind bury a second one, which the prior ranks in the upper third."""
    first, second = np.arange(200), np.arange(200, 220)
    relevant = np.arange(1500) < 220
    met = dict.fromkeys((GREEDY, FeedbackOptions()), 0)
    for seed in range(6):
        random = np.random.default_rng(seed)
        vectors = random.normal(size=(1500, 20)).astype(np.float32)
        vectors[first, 0] += 8
        vectors[second, 1] += 8
        prior = random.normal(size=1500)
        prior[first] += 3
        prior[second] += 1
        for options in met:
            shown = inspected(RelevanceFeedback(vectors, prior, options=options), relevant, 10)
            met[options] += bool(np.isin(second, shown).any())
    assert met[GREEDY] == 0
    assert met[FeedbackOptions()] >= 4


@pytest.mark.parametrize("every", [4, 7, 12])
def test_every_nth_place_explores(every):
    vectors, relevant, prior = two_clusters()
    answered = np.arange(48)
    rankings = []
    for options in (GREEDY, FeedbackOptions(explore_every=every)):
        feedback = RelevanceFeedback(vectors, prior, options=options)
        feedback.update(answered, relevant[answered])
        rest = np.arange(48, len(vectors))
        rankings.append(rest[np.argsort(-feedback.scores()[rest], kind="stable")])
    greedy, explores = rankings
    moved = [place for place in range(60) if explores[place] not in greedy[: place + 1]]
    assert moved
    exploring = {place for place in range(60) if (place + 1) % every == every // 2}
    assert set(moved) <= exploring
    kept = [row for place, row in enumerate(explores[:60]) if place not in exploring]
    raised = {explores[place] for place in exploring}
    assert kept == [row for row in greedy if row not in raised][: len(kept)]


def test_few_answers_do_not_explore():
    vectors, relevant, prior = two_clusters()
    rankings = []
    for options in (GREEDY, FeedbackOptions(explore_after=31), FeedbackOptions(explore_after=30)):
        feedback = RelevanceFeedback(vectors, prior, options=options)
        feedback.update(range(30), relevant[:30])
        rankings.append(np.argsort(-feedback.scores(), kind="stable").tolist())
    greedy, before, after = rankings
    assert before == greedy
    assert after != greedy


def test_a_kind_of_one_member_ranks_its_like():
    vectors, relevant, prior = two_clusters()
    dog, other = np.flatnonzero(relevant)[0], np.flatnonzero(~relevant)[0]
    feedback = RelevanceFeedback(vectors, prior)
    feedback.update([dog, other], ["dog", "cone"])
    assert feedback.kinds == ("cone", "dog")
    margin = feedback.scores("dog") - feedback.scores("cone")
    assert margin[relevant].mean() > margin[~relevant].mean() + 0.3
    assert feedback.scores("dog").argmax() == dog


def test_any_kind_is_of_interest():
    vectors, relevant, prior = two_clusters()
    yes, named = RelevanceFeedback(vectors, prior), RelevanceFeedback(vectors, prior)
    yes.update(np.arange(60), relevant[:60])
    named.update(np.arange(60), [["dog", "cone"][i % 2] if r else False for i, r in enumerate(relevant[:60])])
    np.testing.assert_array_equal(yes.scores(), named.scores())


def test_equal_vectors_with_contradicting_answers_are_undecided():
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    feedback = RelevanceFeedback(vectors, options=GREEDY)
    feedback.update([0, 1, 4, 8], [True, False, True, False])
    undecided, liked, disliked = feedback.scores()[[2, 5, 9]]
    assert disliked < undecided < liked


def test_the_seed_decides():
    vectors, _, _ = two_clusters()
    a, b, c = (RelevanceFeedback(vectors, seed=seed).scores() for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a.argsort() != c.argsort()).any()
    assert len(set(a)) == len(a)


def test_half_precision_and_memory_maps_are_read_as_they_are(tmp_path):
    vectors, relevant, prior = two_clusters()
    np.save(tmp_path / "v.npy", vectors.astype(np.float16))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    feedback = RelevanceFeedback(mapped, prior)
    plain = RelevanceFeedback(mapped.astype(np.float64), prior)
    for learner in (feedback, plain):
        learner.update(np.arange(60), relevant[:60])
    np.testing.assert_allclose(feedback.scores(), plain.scores(), atol=1e-3)


@pytest.mark.parametrize(
    ("vectors", "prior", "message"),
    [
        (np.ones(3), None, r"vectors must be \(n, D\)"),
        (np.ones((0, 3)), None, "at least 1"),
        (np.ones((3, 0)), None, "at least 1"),
        ([[1.0], [np.nan]], None, "finite"),
        ([[1.0], [np.inf]], None, "finite"),
        ([[1.0], [2.0]], [1.0], "prior"),
        ([[1.0], [2.0]], [1.0, np.nan], "prior"),
    ],
)
def test_refuses_what_it_cannot_learn_from(vectors, prior, message):
    with pytest.raises(ValueError, match=message):
        RelevanceFeedback(vectors, prior)


def test_finds_nan_beyond_its_sample():
    vectors = np.zeros((9000, 2), np.float32)
    vectors[:, 0] = np.arange(9000)
    random = np.random.default_rng(0)
    outside = np.setdiff1d(np.arange(9000), random.choice(9000, 8192, replace=False))
    vectors[outside[0], 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        RelevanceFeedback(vectors)


@pytest.mark.parametrize(
    ("rows", "answers", "message"),
    [
        ([0, 1], [True], "one answer for each row"),
        ([3], [True], "0…2"),
        ([-1], [True], "0…2"),
        ([0.5], [True], "whole numbers"),
        ([True], [True], "whole numbers"),
        ([1, 0], [True, 2], "True, False, a kind"),
        ([1, 0], [True, " "], "True, False, a kind"),
        ([1, 0], [True, float("nan")], "True, False, a kind"),
    ],
)
def test_refuses_answers_it_cannot_use_and_takes_none_of_them(rows, answers, message):
    feedback = RelevanceFeedback(np.eye(3))
    with pytest.raises(ValueError, match=message):
        feedback.update(rows, answers)
    assert not feedback.answers


def test_what_is_of_no_named_kind_teaches_nothing_about_kinds():
    vectors, relevant, prior = two_clusters()
    named, more = (RelevanceFeedback(vectors, prior) for _ in range(2))
    rows = np.flatnonzero(relevant)
    named.update(rows[:3], ["dog", "cone", False])
    more.update(rows[:9], ["dog", "cone", False] + [True] * 6)
    others = np.setdiff1d(np.arange(len(vectors)), rows[:9])
    np.testing.assert_array_equal(more.scores("dog")[others], named.scores("dog")[others])


def test_unknown_kind_lists_the_known_ones():
    feedback = RelevanceFeedback(np.eye(3))
    feedback.update([0], ["dog"])
    with pytest.raises(UnknownNameError, match="dog"):
        feedback.scores("cat")


def test_no_answers_at_all_change_nothing():
    feedback = RelevanceFeedback(np.eye(3), [3, 1, 2])
    feedback.update([], [])
    assert feedback.scores().argsort().tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    "wrong",
    [{"dimensions": 0}, {"variance": 0.0}, {"explore_every": 1}, {"explore_after": -1}],
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="expected|at least|must be"):
        FeedbackOptions(**wrong)


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(1, 5), st.integers(0, 99))
def test_regression_matches_a_plain_minimiser(n, size, seed):
    random = np.random.default_rng(seed)
    features, positive = random.normal(size=(n, size)), random.random(n) < 0.4
    offset, precision = 3 * random.normal(size=n), random.uniform(0.1, 3, size)

    def loss(weights):
        odds = offset + features @ weights
        nats = sum(np.logaddexp(0, -o if p else o) for o, p in zip(odds, positive, strict=True))
        return nats + (precision * weights**2).sum() / 2

    expected = minimize(loss, np.zeros(size), method="BFGS", options={"gtol": 1e-8}).x
    posterior = fit_around_offset(features, positive, offset, precision)
    np.testing.assert_allclose(posterior.weights, expected, atol=1e-4)
    chances = 1 / (1 + np.exp(-(offset + features @ posterior.weights)))
    curvature = np.diag(precision) + sum(
        (c * (1 - c) * np.outer(x, x) for c, x in zip(chances, features, strict=True)), np.zeros((size, size))
    )
    probe = random.normal(size=(4, size))
    expected_deviation = [np.sqrt(x @ np.linalg.inv(curvature) @ x) for x in probe]
    np.testing.assert_allclose(posterior.deviation(probe), expected_deviation, rtol=1e-6)


@given(st.integers(2, 40), st.integers(1, 6), st.sampled_from([1e-20, 1.0, 1e20]), st.integers(0, 99))
def test_unprincipal_directions_keep_the_angles(n, size, unit, seed):
    vectors = np.random.default_rng(seed).normal(size=(n, size)) * unit
    directions = principal_directions(vectors, size)
    centred = (vectors - vectors.mean(axis=0)) / unit
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(directions @ directions.T, units @ units.T, atol=1e-3)


def test_fewer_directions_are_those_of_largest_variance():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(400, 3)) * [1.0, 100.0, 0.01]
    directions = principal_directions(vectors, 1)
    assert directions.shape == (400, 1)
    centred = vectors - vectors.mean(axis=0)
    agreement = np.sign(directions[:, 0]) * np.sign(centred[:, 1])
    assert abs(agreement.mean()) > 0.97
    np.testing.assert_allclose(np.abs(directions), 1)


def test_directions_read_in_blocks_are_those_read_at_once(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    at_once = principal_directions(vectors, 4)
    monkeypatch.setattr("oodretrieval.search.principal_directions.BYTES_AT_ONCE", 8 * 7 * 3)
    np.testing.assert_allclose(principal_directions(vectors, 4), at_once, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_equal_vectors_have_no_directions(value):
    assert principal_directions(np.full((20, 5), value, np.float32), 4).shape == (20, 0)
