"""The path against scikit-learn's own solver, and against the conditions of an optimum."""

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from oodretrieval.meta_models import LogisticMetaModel, logistic_path
from oodretrieval.meta_models.logistic_regression import fit_logistic, log_loss


@pytest.fixture(scope="module")
def problem():
    random = np.random.default_rng(0)
    x = random.standard_normal((800, 6))
    x[:, 5] = x[:, 0] + 0.1 * random.standard_normal(800)
    y = (random.random(800) < expit(1.5 * x[:, 0] - x[:, 1] + 0.4)).astype(float)
    return (x - x.mean(0)) / x.std(0), y


def test_path_satisfies_the_conditions_of_an_optimum(problem):
    """The gradient is λ against the sign where a weight stands, and at most λ where none does."""
    x, y = problem
    path = logistic_path(x, y, count=12)
    assert np.all(path.weights[0] == 0) and np.all(np.diff(path.penalties) < 0)
    for penalty, w, b in zip(path.penalties, path.weights, path.intercepts, strict=True):
        residual = expit(x @ w + b) - y
        gradient = x.T @ residual / len(y)
        assert abs(residual.mean()) < 1e-5
        assert np.allclose(gradient[w != 0], -penalty * np.sign(w[w != 0]), atol=1e-5)
        assert np.all(np.abs(gradient[w == 0]) <= penalty + 1e-5)


def test_features_that_repeat_each_other_are_no_trouble(problem):
    """Sums, differences and copies, as among the extended features: the loss is the same, nothing warns."""
    x, y = problem
    again = np.column_stack([x, x[:, 0] - x[:, 1], x[:, 2], x[:, 0] + 1e-3 * x[:, 3], np.zeros(len(x))])
    again[:, 6:9] /= again[:, 6:9].std(axis=0)
    path = logistic_path(again, y, count=15, least=1e-4)
    largest = logistic_path(x, y).penalties[0]
    assert path.penalties[0] >= largest * (1 - 1e-9)
    for penalty, w, b in zip(path.penalties, path.weights, path.intercepts, strict=True):
        oracle = LogisticRegression(
            C=1 / (penalty * len(y)), l1_ratio=1.0, solver="saga", max_iter=300, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it finds these features as hard
            oracle.fit(again, y)
        theirs = log_loss(y, expit(again @ oracle.coef_[0] + oracle.intercept_[0]))
        ours = log_loss(y, expit(again @ w + b))
        assert ours + penalty * np.abs(w).sum() <= theirs + penalty * np.abs(oracle.coef_[0]).sum() + 1e-6


def test_path_agrees_with_scikit_learn(problem):
    x, y = problem
    path = logistic_path(x, y, count=6)
    for penalty, w, b in zip(path.penalties[1:], path.weights[1:], path.intercepts[1:], strict=True):
        oracle = LogisticRegression(
            C=1 / (penalty * len(y)), l1_ratio=1.0, solver="saga", tol=1e-8, max_iter=20_000, random_state=0
        ).fit(x, y)
        assert np.allclose(w, oracle.coef_[0], atol=2e-4)
        assert b == pytest.approx(oracle.intercept_[0], abs=2e-4)


def test_more_survive_as_the_penalty_falls(problem):
    path = logistic_path(*problem, count=20)
    alive = (path.weights != 0).sum(axis=1)
    assert alive[0] == 0 and alive[-1] >= 4
    assert path.weights[1:4, 0].any() or path.weights[1:4, 5].any(), "what matters most enters first"


def test_shares_as_targets_equal_repeated_segments():
    random = np.random.default_rng(1)
    x = random.standard_normal((60, 2))
    quarter = np.full(60, 0.25) + 0.5 * (x[:, 0] > 0)
    weights, intercept = fit_logistic(x, quarter, ridge=1e-6)
    repeated = np.repeat(x, 4, axis=0)
    classes = np.concatenate([np.arange(4) < round(4 * share) for share in quarter]).astype(float)
    expected, offset = fit_logistic(repeated, classes, ridge=1e-6)
    assert np.allclose(weights, expected, atol=1e-4) and intercept == pytest.approx(offset, abs=1e-4)
    assert log_loss(quarter, expit(x @ weights + intercept)) < log_loss(quarter, np.full(60, quarter.mean()))


def test_refit_is_without_penalty_and_on_the_survivors_only(make_table):
    table = make_table(600)
    model = LogisticMetaModel().fit(table)
    assert {"E", "S"} <= set(model.survivors)
    assert len(model.survivors) < 40
    kept = [model.feature_names.index(name) for name in model.survivors]
    x = model.standardisation(table[list(model.feature_names)].to_numpy(float))[:, kept]
    residual = model.predict_positive(table) - (table["iou"] > 0)
    assert np.abs(x.T @ residual.to_numpy() / len(table)).max() < 1e-4, "nothing pulls the weights to 0"
    shares = model.predict(table) - table["iou"]
    assert np.abs(x.T @ shares.to_numpy() / len(table)).max() < 1e-4


def test_a_penalty_of_ones_own(make_table):
    table = make_table(400)
    few, many = (LogisticMetaModel(penalty=penalty).fit(table) for penalty in (0.1, 0.005))
    assert len(few.survivors) < len(many.survivors)
    assert few.quality["penalty"] >= 0.1
    nothing = LogisticMetaModel(penalty=5.0).fit(table)
    assert nothing.survivors == ()
    assert np.allclose(nothing.predict(table), table["iou"].mean())
    assert np.allclose(nothing.predict_positive(table), (table["iou"] > 0).mean())


def test_errors(problem):
    x, y = problem
    with pytest.raises(ValueError, match="all are of one kind"):
        logistic_path(x, np.ones(len(x)))
    with pytest.raises(ValueError, match="count >= 2"):
        logistic_path(x, y, count=1)
