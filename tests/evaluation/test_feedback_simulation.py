"""A simulated person: what is shown once, in pages, by the scores of the moment; what is answered, and how wrongly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.evaluation import FeedbackRun, mean_found, simulate_feedback


class Recorder:
    """Ranks by fixed scores and keeps the answers that it got."""

    def __init__(self, scores, seed=0):
        self.values, self.seed, self.pages = np.asarray(scores, float), seed, []

    def update(self, rows, answers):
        self.pages.append((list(rows), list(answers)))

    def scores(self):
        return self.values


class Contrary(Recorder):
    """Ranks what is shown next by what was answered last: backwards after a yes."""

    def update(self, rows, answers):
        super().update(rows, answers)
        self.values = -self.values if answers[-1] else self.values


def run_of(scores, truth, ranker=Recorder, **options):
    made = []

    def make(seed):
        made.append(ranker(scores, seed))
        return made[0]

    return simulate_feedback(make, truth, **options), made[0]


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 50),
    st.integers(1, 15),
    st.floats(0, 1),
)
def test_shows_each_candidate_once_in_pages_by_score(items, looks, page, wrong):
    scores, truth = zip(*items, strict=True)
    run, ranker = run_of(scores, truth, looks=looks, page=page, wrong=wrong)
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:looks]
    assert run.rows.tolist() == expected
    assert [row for rows, _ in ranker.pages for row in rows] == expected
    assert {len(rows) for rows, _ in ranker.pages[:-1]} <= {page}
    assert 1 <= len(ranker.pages[-1][0]) <= page
    assert run.relevant.tolist() == [truth[row] for row in expected]
    assert run.found.tolist() == np.cumsum(run.relevant).tolist()
    assert run.total == sum(truth)


def test_what_comes_next_depends_on_the_answers():
    run, _ = run_of([5, 4, 3, 2, 1, 0], [False, True, False, False, False, False], Contrary, looks=6, page=2)
    assert run.rows.tolist() == [0, 1, 5, 4, 3, 2]


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_without_errors_the_truth_is_answered_and_with_certain_errors_its_opposite(truth):
    for wrong in (0.0, 1.0):
        _, ranker = run_of(np.zeros(len(truth)), truth, wrong=wrong)
        said = dict(pair for rows, answers in ranker.pages for pair in zip(rows, answers, strict=True))
        assert said == {row: value != bool(wrong) for row, value in enumerate(truth)}


def test_about_a_tenth_of_the_answers_is_wrong_and_the_looks_go_by_truth():
    truth = np.arange(5000) % 2 == 0
    run, ranker = run_of(np.zeros(5000), truth, looks=5000, wrong=0.1, seed=3)
    errs = [
        answer != truth[row]
        for rows, answers in ranker.pages
        for row, answer in zip(rows, answers, strict=True)
    ]
    assert 0.08 < np.mean(errs) < 0.12
    assert run.found[-1] == 2500
    assert ranker.seed == 3


def test_other_seeds_err_elsewhere_and_equal_ones_alike():
    truth = np.zeros(200, bool)
    pages = [run_of(np.zeros(200), truth, wrong=0.5, seed=seed)[1].pages for seed in (1, 1, 2)]
    assert pages[0] == pages[1] != pages[2]


def test_kinds_are_named_and_mistaken_for_each_other_or_overlooked():
    truth = ["dog", "cone", False, False] * 50
    _, ranker = run_of(np.zeros(200), truth, wrong=0.0)
    assert [answer for _, answers in ranker.pages for answer in answers] == truth
    _, ranker = run_of(np.zeros(200), truth, wrong=1.0)
    said = [answer for _, answers in ranker.pages for answer in answers]
    assert {answer for answer, right in zip(said, truth, strict=True) if right} == {False}
    assert {answer for answer, right in zip(said, truth, strict=True) if not right} == {"dog", "cone"}


def test_answers_are_plain_python_values():
    _, ranker = run_of([1.0, 0.0], np.array([True, False]))
    assert [type(answer) for answer in ranker.pages[0][1]] == [bool, bool]


def test_mean_is_over_runs_look_by_look():
    runs = [FeedbackRun(np.arange(3), np.array(r), 2) for r in ([True, False, True], [False, False, True])]
    assert mean_found(runs).tolist() == [0.5, 0.5, 1.5]


@pytest.mark.parametrize("lengths", [(), (2, 3)])
def test_mean_refuses_runs_that_cannot_be_averaged(lengths):
    runs = [FeedbackRun(np.arange(n), np.zeros(n, bool), 0) for n in lengths]
    with pytest.raises(ValueError, match="one length"):
        mean_found(runs)


@pytest.mark.parametrize("wrong", [{"looks": 0}, {"page": 0}, {"wrong": -0.1}, {"wrong": 1.1}])
def test_refuses_arguments_out_of_range(wrong):
    with pytest.raises(ValueError, match="expected looks"):
        run_of([1.0], [True], **wrong)


@pytest.mark.parametrize("scores", [[1.0], [1.0, np.nan], [[1.0, 2.0]]])
def test_refuses_scores_that_do_not_fit(scores):
    with pytest.raises(ValueError, match="finite scores"):
        run_of(scores, [True, False])
