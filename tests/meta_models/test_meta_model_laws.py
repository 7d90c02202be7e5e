"""Laws that every meta model keeps, and what each learns by itself."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from oodretrieval.errors import SettingsError, TableError
from oodretrieval.evaluation import auroc
from oodretrieval.meta_models import (
    GROUPS,
    KINDS,
    BoostedMetaModel,
    LinearMetaModel,
    LogisticMetaModel,
    MetaNetwork,
    NeuralMetaModel,
    baseline_names,
    contract,
    feature_matrix,
    feature_names,
)

MODELS = {
    "linear": lambda **kwargs: LinearMetaModel(**kwargs),
    "neural": lambda **kwargs: NeuralMetaModel(epochs=25, learning_rate=5e-3, batch_size=64, **kwargs),
    "boosting": lambda **kwargs: BoostedMetaModel(trees=60, leaves=6, **kwargs),
    "logistic": lambda **kwargs: LogisticMetaModel(**kwargs),
}


def test_every_kind_is_under_the_laws():
    assert {build().kind for build in MODELS.values()} == set(KINDS)


@pytest.fixture(scope="module", params=list(MODELS))
def build(request):
    return MODELS[request.param]


@pytest.fixture(scope="module")
def fitted(build, make_table):
    return build().fit(make_table(600))


def test_learns_the_rule(fitted, make_table):
    table = make_table(300, seed=1)
    predicted = fitted.predict(table)
    assert predicted.shape == (300,)
    assert predicted.dtype == np.float64
    assert np.mean((predicted - table["iou"]) ** 2) < 0.25 * table["iou"].var()


def test_predictions_are_shares(fitted, make_table):
    table = make_table(50, seed=2)
    extreme = table.assign(E=table["E"] * 1e4 - 5e3, S=-1e6)
    predicted = fitted.predict(extreme)
    assert np.isfinite(predicted).all()
    assert predicted.min() >= 0
    assert predicted.max() <= 1


def test_predicts_which_segments_hit_something(fitted, make_table):
    table = make_table(300, seed=1)
    hit = table["iou"] > 0
    probability = fitted.predict_positive(table)
    assert fitted.classifies
    assert 0.05 < (~hit).mean() < 0.5, "the rule must give both kinds"
    assert probability.min() >= 0 and probability.max() <= 1
    assert auroc(hit, probability) > 0.9
    assert np.mean((probability - hit) ** 2) < 0.6 * hit.var(), "a probability, not only a rank"


@given(
    arrays(
        np.float64, (9, 45), elements=st.floats(-1e9, 1e9, allow_nan=False, allow_infinity=False, width=32)
    )
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_finite_table_gives_shares(fitted, values):
    table = pd.DataFrame(values, columns=feature_names(4))
    for predicted in (fitted.predict(table), fitted.predict_positive(table)):
        assert np.isfinite(predicted).all() and predicted.min() >= 0 and predicted.max() <= 1


def test_a_long_table_is_predicted_in_pieces(fitted, make_table, monkeypatch, caplog):
    table = make_table(100, seed=6)
    whole = fitted.predict(table), fitted.predict_positive(table)
    seen = []
    monkeypatch.setattr(contract, "ROWS_AT_ONCE", 32)
    monkeypatch.setattr(
        contract, "feature_matrix", lambda part, *rest: seen.append(len(part)) or feature_matrix(part, *rest)
    )
    with caplog.at_level("INFO"):
        pieces = fitted.predict(table), fitted.predict_positive(table)
    assert seen == 2 * [32, 32, 32, 4]
    assert re.search(r"predicting 100 segments; needs at most \d+ MB", caplog.text)
    for piece, all_at_once in zip(pieces, whole, strict=True):
        assert np.allclose(piece, all_at_once, rtol=0, atol=1e-12)


def test_of_too_many_segments_whole_images_are_sampled(build, make_table, monkeypatch, caplog):
    table = make_table(400)
    monkeypatch.setattr(contract, "MAX_SEGMENTS", 130)
    with caplog.at_level("INFO"):
        predicted = build().fit(table).predict(table)
    assert "a sample of 6 of 20 images" in caplog.text
    assert re.search(r"learns from 120 segments and 45 features; needs at most \d+ MB", caplog.text)
    assert np.array_equal(build().fit(table).predict(table), predicted)
    with pytest.raises(TableError, match="image_id"):
        build().fit(table.drop(columns="image_id"))


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_features_by_name(build, make_table, group):
    table = make_table(120)
    if group == "logits":
        with pytest.raises(TableError, match="max_logit"):
            build(features=[group]).fit(table)
        return
    model = build(features=[group, "E_bd"]).fit(table)
    assert {"E_bd", *GROUPS[group](4)} == set(model.feature_names)
    assert model.predict(table).shape == (120,)


def test_unknown_features_are_named(build, make_table):
    with pytest.raises(TableError, match=r"E_bdd.*did you mean 'E_bd'"):
        build(features=["E_bdd"]).fit(make_table(20))
    with pytest.raises(TableError, match="holds the truth"):
        build(features=["E", "iou"]).fit(make_table(20))
    with pytest.raises(TableError, match=r"extent follows from the column right"):
        build(features=["extent"]).fit(make_table(20).drop(columns="right"))


@pytest.mark.parametrize("iou", [0.0, 0.5, 1.0])
def test_truth_that_never_varies(build, make_table, iou):
    table = make_table(40).assign(iou=iou)
    model = build().fit(table)
    assert np.allclose(model.predict(table), iou, atol=1e-9)
    assert np.array_equal(model.predict_positive(table), np.full(40, float(iou > 0)))


def test_each_segment_is_predicted_by_itself(fitted, make_table):
    table = make_table(40, seed=3)
    whole = fitted.predict(table)
    order = np.random.default_rng(0).permutation(40)
    assert np.allclose(fitted.predict(table.iloc[order]), whole[order], rtol=0, atol=1e-12)
    positive = fitted.predict_positive(table)
    assert np.allclose(fitted.predict_positive(table.iloc[order]), positive[order], rtol=0, atol=1e-12)
    assert np.allclose(fitted.predict(table[7:8]), whole[7:8], rtol=0, atol=1e-12)


@pytest.mark.slow
def test_parts_of_a_table_are_predicted_as_the_whole(fitted, make_table):
    table = make_table(1500, seed=3)
    whole = fitted.predict(table)
    for size in (1, 7, 300, 1024, 1100):
        starts = range(0, 60 if size == 1 else len(table), size)
        parts = np.concatenate([fitted.predict(table.iloc[start : start + size]) for start in starts])
        tolerance = 1e-14 if fitted.kind == NeuralMetaModel.kind else 0.0
        np.testing.assert_allclose(parts, whole[: len(parts)], rtol=0, atol=tolerance, strict=True)


def test_no_truth_is_needed_to_predict_and_order_of_columns_does_not_matter(fitted, make_table):
    table = make_table(20, seed=4)
    bare = table[sorted(feature_names(4))]
    assert np.array_equal(fitted.predict(bare), fitted.predict(table))


def test_table_without_rows(fitted, make_table):
    assert fitted.predict(make_table(20)[:0]).shape == (0,)


def test_segments_without_truth_teach_nothing(build, make_table):
    table = make_table(100)
    other = make_table(50, seed=9).assign(iou=-1.0)
    alone = build().fit(table)
    together = build().fit(pd.concat([table, other]))
    assert np.array_equal(alone.predict(other), together.predict(other))


def test_same_data_same_model(build, make_table):
    table, other = make_table(100), make_table(30, seed=5)
    state = torch.get_rng_state()
    first = build().fit(table).predict(other)
    assert torch.equal(torch.get_rng_state(), state), "training must leave the global random state alone"
    torch.manual_seed(123)
    assert np.array_equal(build().fit(table).predict(other), first)


def test_baseline_sees_its_columns_only(build, make_table):
    table = make_table(100)
    model = build(features=baseline_names("E", 4)).fit(table)
    assert list(model.feature_names) == baseline_names("E", 4)
    assert np.array_equal(model.predict(table.assign(S=99.0)), model.predict(table))


def test_knows_its_features_and_classes(fitted):
    assert list(fitted.feature_names) == feature_names(4)
    assert fitted.num_classes == 4


def test_one_segment_suffices(build, make_table):
    table = make_table(1)
    assert 0 <= build().fit(table).predict(table)[0] <= 1


def test_errors(build, fitted, make_table):
    table = make_table(20)
    with pytest.raises(TableError, match="not learned yet"):
        build().predict(table)
    with pytest.raises(TableError, match=r"7 classes, .* one with 4"):
        fitted.predict(make_table(20, num_classes=7))
    with pytest.raises(TableError, match=r"lacks the column.* E_var"):
        fitted.predict(table.drop(columns="E_var"))
    with pytest.raises(TableError, match="none of the 20 training segments has truth"):
        build().fit(table.assign(iou=-1.0))
    with pytest.raises(TableError, match="validation table lacks the column iou"):
        build().fit(table, table.drop(columns="iou"))
    with pytest.raises(TableError, match="validation segments"):
        build().fit(table, table[:0])
    with pytest.raises(TableError, match="iou up to 3"):
        build().fit(table.assign(iou=3.0))
    with pytest.raises(ValueError, match="at least one column"):
        build(features=[])


def test_linear_is_least_squares(make_table):
    table, other = make_table(500), make_table(200, seed=1)
    names = feature_names(4)
    oracle = LinearRegression().fit(feature_matrix(table, names), table["iou"])
    expected = np.clip(oracle.predict(feature_matrix(other, names)), 0, 1)
    assert np.allclose(LinearMetaModel().fit(table).predict(other), expected, atol=1e-5)


def test_boosted_trees_equal_scikit_learn_to_the_bit(make_table):
    table, other = make_table(300), make_table(200, seed=1)
    model = BoostedMetaModel(trees=40).fit(table)
    scale = model.standardisation
    names = feature_names(4)
    oracle = HistGradientBoostingRegressor(
        max_iter=40,
        learning_rate=0.05,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
        random_state=0,
    ).fit(scale(feature_matrix(table, names)), table["iou"])
    for seen in (table, other):
        expected = oracle.predict(scale(feature_matrix(seen, names)))
        assert np.array_equal(model.predict(seen), np.clip(expected, 0, 1))


def test_published_architecture():
    shapes = [tuple(p.shape) for name, p in MetaNetwork(75).named_parameters() if name.endswith("weight")]
    assert shapes == [(50, 75), (40, 50), (30, 40), (20, 30), (10, 20), (1, 10)]


def test_neural_defaults_are_the_published_recipe():
    assert NeuralMetaModel().settings == {
        "epochs": 50,
        "learning_rate": 1e-4,
        "weight_decay": 5e-4,
        "batch_size": 256,
        "patience": 15,
        "seed": 0,
    }


def test_neural_prediction_against_plain_numpy(make_table):
    table = make_table(100)
    model = NeuralMetaModel(epochs=2).fit(table)
    x = (feature_matrix(table, model.feature_names) - model.standardisation.mean) / (
        model.standardisation.std + 1e-10
    )
    weights = [p.detach().numpy().astype(np.float64) for p in model.learned["iou"].parameters()]
    for weight, bias in zip(weights[0:-2:2], weights[1:-2:2], strict=True):
        x = np.maximum(x @ weight.T + bias, 0)
    expected = 1 / (1 + np.exp(-(x @ weights[-2].T + weights[-1])[:, 0]))
    assert np.allclose(model.predict(table), expected, atol=1e-12)


def test_neural_keeps_the_best_epoch(make_table):
    """A far too large step makes later epochs worse; what is kept has the loss that is noted."""
    table, validation = make_table(300), make_table(100, seed=1)
    model = NeuralMetaModel(epochs=12, learning_rate=0.05, batch_size=32, seed=3).fit(table, validation)
    p = model.predict(validation)
    y = validation["iou"].to_numpy()
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert model.quality["iou_validation_loss"] == pytest.approx(loss, rel=1e-5)
    assert 1 <= model.quality["iou_best_epoch"] <= 12


def test_neural_seed_matters_and_network_can_be_exchanged(make_table):
    table = make_table(100)
    first, second = (NeuralMetaModel(epochs=1, seed=seed).fit(table).predict(table) for seed in (0, 1))
    assert not np.array_equal(first, second)
    small = NeuralMetaModel(epochs=1, network=lambda features: torch.nn.Linear(features, 1)).fit(table)
    assert small.predict(table).shape == (100,)


@pytest.mark.parametrize(
    "settings", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"weight_decay": -1.0}]
)
def test_neural_refuses_settings_out_of_range(settings):
    with pytest.raises(ValueError, match="expected epochs >= 1"):
        NeuralMetaModel(**settings)


def test_neural_stops_early(make_table):
    table, validation = make_table(200), make_table(60, seed=1)
    options = {"epochs": 300, "learning_rate": 0.03, "batch_size": 32}
    networks = []

    class Counting(torch.nn.Sequential):
        """Counts how often it is called in evaluation: once after every epoch."""

        epochs = 0

        def forward(self, x):
            self.epochs += not self.training
            return super().forward(x)

    def build(features):
        networks.append(Counting(torch.nn.Linear(features, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1)))
        return networks[-1]

    model = NeuralMetaModel(**options, patience=3, network=build).fit(table, validation)
    best = sorted(value for name, value in model.quality.items() if name.endswith("_best_epoch"))
    assert len(best) == len(networks) == 2
    assert sorted(network.epochs for network in networks) == [epoch + 3 for epoch in best]
    assert best[-1] + 3 < 300


def test_training_that_diverges_says_so(make_table):
    with pytest.raises(SettingsError, match="lower learning_rate"):
        NeuralMetaModel(epochs=2, learning_rate=1e30, network=_diverging).fit(make_table(50))


def _diverging(features):
    network = torch.nn.Linear(features, 1)
    torch.nn.init.constant_(network.weight, float("nan"))
    return network


def test_other_settings_out_of_range():
    with pytest.raises(ValueError, match="ridge"):
        LinearMetaModel(ridge=0.0)
    with pytest.raises(ValueError, match="trees >= 1"):
        BoostedMetaModel(trees=0)
    with pytest.raises(ValueError, match="feature_share"):
        BoostedMetaModel(feature_share=0.0)
    with pytest.raises(ValueError, match="penalty"):
        LogisticMetaModel(penalty=-1.0)
