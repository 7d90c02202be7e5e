import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.errors import TableError
from oodretrieval.meta_models import (
    GROUPS,
    FeatureStandardisation,
    baseline_names,
    feature_matrix,
    feature_names,
    num_classes_of,
    select_features,
    training_rows,
)

# written out from METRICS.md, section 4
# fmt: off
PUBLISHED = [
    "D", "D_bd", "D_in", "D_rel", "D_rel_in", "D_var", "D_var_bd", "D_var_in", "D_var_rel",
    "D_var_rel_in", "E", "E_bd", "E_in", "E_rel", "E_rel_in", "E_var", "E_var_bd", "E_var_in",
    "E_var_rel", "E_var_rel_in", "S", "S_bd", "S_in", "S_rel", "S_rel_in", "V", "V_bd", "V_in", "V_rel",
    "V_rel_in", "V_var", "V_var_bd", "V_var_in", "V_var_rel", "V_var_rel_in", "mean_x", "mean_y",
    "ndist0", "ndist1", "ndist10", "ndist11", "ndist12", "ndist13", "ndist14", "ndist15", "ndist16",
    "ndist17", "ndist18", "ndist2", "ndist3", "ndist4", "ndist5", "ndist6", "ndist7", "ndist8",
    "ndist9", "cprob0", "cprob1", "cprob2", "cprob3", "cprob4", "cprob5", "cprob6", "cprob7", "cprob8",
    "cprob9", "cprob10", "cprob11", "cprob12", "cprob13", "cprob14", "cprob15", "cprob16", "cprob17",
    "cprob18",
]
# fmt: on


def test_published_order():
    assert feature_names(19) == PUBLISHED
    assert len(PUBLISHED) == 75


@given(st.integers(2, 200))
def test_every_number_of_classes_follows_the_same_rule(num_classes):
    names = feature_names(num_classes)
    assert len(names) == len(set(names)) == 37 + 2 * num_classes
    assert names[:-num_classes] == sorted(names[:-num_classes])
    assert names[-num_classes:] == [f"cprob{k}" for k in range(num_classes)]
    assert num_classes_of(pd.DataFrame(columns=names)) == num_classes


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2, got 1"):
        feature_names(1)


def test_baselines_are_parts_of_the_features():
    kinds = [baseline_names(prefix, 19) for prefix in "DESV"]
    assert [len(kind) for kind in kinds] == [10, 10, 5, 10]
    assert {name for kind in kinds for name in kind} == set(feature_names(19)[:35])
    with pytest.raises(ValueError, match="'X'"):
        baseline_names("X", 19)


@pytest.mark.parametrize("gone", ["cprob0", "cprob3", "ndist2"])
def test_class_columns_with_gaps_are_refused(make_table, gone):
    table = make_table(5)
    with pytest.raises(TableError, match="compute_metrics"):
        num_classes_of(table.drop(columns=gone))


def test_matrix_takes_the_columns_in_order(make_table):
    table = make_table(7)
    shuffled = table[sorted(table.columns, key=lambda name: json.dumps(name)[::-1])]
    names = feature_names(4)
    assert np.array_equal(feature_matrix(shuffled, names), np.stack([table[name] for name in names], 1))
    assert feature_matrix(table[:0], names).shape == (0, 45)


def test_matrix_names_what_is_wrong(make_table):
    table = make_table(5)
    with pytest.raises(TableError, match="E_var, V"):
        feature_matrix(table.drop(columns=["V", "E_var"]), feature_names(4))
    with pytest.raises(TableError, match=r"4 classes, the meta model was trained for one with 19"):
        feature_matrix(table, ["E"], 19)
    with pytest.raises(TableError, match=r"not finite in column.* S_in"):
        feature_matrix(table.assign(S_in=np.nan), feature_names(4))
    with pytest.raises(TableError, match="must be numbers"):
        feature_matrix(table.assign(E="much"), feature_names(4))


def test_strict_training_leaves_out_what_is_mostly_void_or_unknown():
    table = pd.DataFrame(
        {
            "iou": [0.5, 0.5, 0.5, 0.5, -1.0, 0.0],
            "void_fraction": [0.0, 0.5, 0.3, 0.0, 0.0, 0.25],
            "unknown_fraction": [0.0, 0.0, 0.3, 1.0, 0.0, 0.25],
        }
    )
    assert training_rows(table).index.tolist() == [0, 1, 5]
    assert training_rows(table, strict=False).index.tolist() == [0, 1, 2, 3, 5]
    with pytest.raises(TableError, match=r"unknown_fraction; .*strict=False"):
        training_rows(table.drop(columns="unknown_fraction"))
    assert len(training_rows(table[["iou"]], strict=False)) == 5
    with pytest.raises(TableError, match="iou"):
        training_rows(table.drop(columns="iou"))


@given(arrays(np.float64, (6, 3), elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 3))))
def test_standardised_features_have_mean_0_and_deviation_1(matrix):
    scaled = FeatureStandardisation.of(matrix)(matrix)
    varies = (matrix != matrix[0]).any(axis=0)
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(scaled.std(axis=0)[varies], 1, atol=1e-6)
    assert np.allclose(scaled[:, ~varies], 0, atol=1e-6)


def test_standardisation_is_the_published_formula():
    scaled = FeatureStandardisation(np.array([2.0]), np.array([0.0]))(np.array([[2.5]]))
    assert scaled[0, 0] == pytest.approx(0.5 / 1e-10)


def test_a_feature_that_never_varied_does_not_explode():
    scaled = FeatureStandardisation.of(np.full((9, 1), 0.1))(np.array([[0.9]]))
    assert abs(scaled[0, 0]) < 1


def test_derived_features_by_hand():
    table = pd.DataFrame(
        {
            "left": [2, 0], "right": [6, 1], "top": [1, 0], "bottom": [3, 1], "S": [8, 1], "S_in": [0, 0],
            "S_bd": [8, 1], "class": [1, 0], "cprob0": [0.25, 0.5], "cprob1": [0.5, 0.5], "cprob2": [0.25, 0.0],
            "ndist0": [1.0, 0.0], "ndist1": [0.0, 0.5], "ndist2": [0.0, 0.5],
        }
    )  # fmt: skip
    expected = {
        "width": [4, 1],
        "height": [2, 1],
        "aspect": [np.log(2), 0],
        "extent": [1, 1],
        "compactness": [np.sqrt(8) / 8, 1],
        "log_S": [np.log(8), 0],
        "log_S_in": [0, 0],
        "own_prob": [0.5, 0.5],
        "second_prob": [0.25, 0.5],
        "own_margin": [0.25, 0],
        "surrounding_prob": [0.25, 0.25],
        "cprob_entropy": [1.5 * np.log(2) / np.log(3), np.log(2) / np.log(3)],
        "ndist_max": [1, 0.5],
        "ndist_entropy": [0, np.log(2) / np.log(3)],
        "class0": [0, 1],
        "class1": [1, 0],
        "class2": [0, 0],
    }
    assert set(expected) == {*GROUPS["shape"](3), *GROUPS["context"](3)}
    for name, values in expected.items():
        assert np.allclose(feature_matrix(table, [name])[:, 0], values, atol=1e-9), name
    with pytest.raises(TableError, match="column class has 7"):
        feature_matrix(table.assign(**{"class": 7}), ["own_prob"])


def test_a_column_of_the_table_goes_before_a_derived_one():
    table = pd.DataFrame({"extent": [0.125], "S": [1]})
    assert feature_matrix(table, ["extent"])[0, 0] == 0.125


def test_groups_and_columns_mix_and_come_once():
    assert select_features(["size", "S", "E", "entropy"], 3)[:6] == [
        "S",
        "S_bd",
        "S_in",
        "S_rel",
        "S_rel_in",
        "E",
    ]
    assert select_features(["published"], 19) == PUBLISHED
    extended = select_features(["extended"], 19)
    assert extended[:75] == PUBLISHED and len(extended) == len(set(extended)) == 75 + 7 + 7 + 19
    with pytest.raises(ValueError, match="at least one"):
        select_features([], 3)
