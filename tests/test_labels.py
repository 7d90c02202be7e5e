import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from oodretrieval.charts.class_colours import colourise
from oodretrieval.errors import ConfigurationError, UnknownNameError
from oodretrieval.labels import ANY_CLASS, NO_CLASS, LabelSet, background_in_front, looked_up, lookup_table

NAMES = {0: "void", 3: "road", 5: "car", 8: "cow", 40: "tree"}
LABELS = LabelSet(
    label_mapping={i: (name, (i, 2 * i, 3 * i)) for i, name in NAMES.items()},
    pred_mapping={0: ("road", (1, 1, 1)), 1: ("car", (2, 2, 2)), 2: ("tree", (3, 3, 3))},
    label_to_pred={0: 255, 3: 0, 5: 1, 8: 255, 40: 2},
    void_ids=frozenset({0}),
    category_mapping={
        "flat": (frozenset({3}), frozenset({0})),
        "other": (frozenset({5, 40}), frozenset({1, 2})),
    },
)
ids = arrays(
    st.sampled_from([np.uint8, np.uint16, np.int64]), array_shapes(max_dims=3), elements=st.integers(0, 255)
)


@given(ids)
def test_to_predicted_is_the_table_pixel_by_pixel(labels):
    expected = [LABELS.label_to_pred.get(int(i), NO_CLASS) for i in labels.ravel()]
    predicted = LABELS.to_predicted(labels)
    assert predicted.dtype == np.uint8
    assert predicted.shape == labels.shape
    assert predicted.ravel().tolist() == expected


@given(arrays(np.int32, (3, 4), elements=st.integers(0, 65535)))
def test_ids_beyond_the_table_are_void_and_black(labels):
    assert (LABELS.to_predicted(labels)[labels > 40] == NO_CLASS).all()
    assert (colourise(labels, LABELS.label_mapping)[labels > 40] == 0).all()


def test_unknown_is_what_maps_to_255_and_is_not_void():
    assert LABELS.unknown_ids == {8}
    assert LABELS.num_classes == 3
    assert LABELS.label_name(8) == "cow"
    assert LABELS.label_name(7) == "label 7"


def test_with_unknown_closes_up_the_predicted_ids():
    fewer = LABELS.with_unknown(["car"])
    assert fewer.pred_mapping == {0: LABELS.pred_mapping[0], 1: LABELS.pred_mapping[2]}
    assert fewer.label_to_pred == {0: 255, 3: 0, 5: 255, 8: 255, 40: 1}
    assert fewer.unknown_ids == {5, 8}
    assert fewer.category_mapping["other"] == (frozenset({5, 40}), frozenset({1}))
    assert LABELS.num_classes == 3, "the original stays"


@given(st.sets(st.sampled_from(["road", "car", "tree"])))
def test_with_unknown_changes_nothing_else(names):
    """What stays known keeps its name and colour, what is taken away becomes unknown."""
    fewer = LABELS.with_unknown(names)
    assert sorted(fewer.pred_mapping) == list(range(3 - len(names)))
    for label, before in LABELS.label_to_pred.items():
        after = fewer.label_to_pred[label]
        if before == NO_CLASS or LABELS.pred_mapping[before][0] in names:
            assert after == NO_CLASS
        else:
            assert fewer.pred_mapping[after] == LABELS.pred_mapping[before]
    assert fewer.void_ids == LABELS.void_ids


def test_with_unknown_of_an_unknown_name_lists_the_classes():
    with pytest.raises(UnknownNameError, match="did you mean 'tree'"):
        LABELS.with_unknown(["tre"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_to_pred": {0: 255, 3: 0}}, r"same ids; differ in \[5, 8, 40\]"),
        ({"label_to_pred": {0: 255, 3: 7, 5: 1, 8: 255, 40: 2}}, r"pred_mapping lacks: \{3: 7\}"),
        ({"void_ids": frozenset({0, 3, 5})}, r"void ids must map to 255; these do not: \[3, 5\]"),
    ],
)
def test_tables_that_contradict_each_other_are_refused(change, message):
    tables = {
        "label_mapping": LABELS.label_mapping,
        "pred_mapping": LABELS.pred_mapping,
        "label_to_pred": LABELS.label_to_pred,
        **change,
    }
    with pytest.raises(ConfigurationError, match=message):
        LabelSet(**tables)


BINARY = LabelSet(
    label_mapping={0: ("known", (9, 9, 9)), 1: ("unknown", (8, 8, 8)), 255: ("void", (0, 0, 0))},
    pred_mapping={},
    label_to_pred={0: ANY_CLASS, 1: NO_CLASS, 255: NO_CLASS},
    void_ids=frozenset({255}),
)


def test_labels_without_classes_distinguish_known_from_unknown():
    assert BINARY.unknown_ids == {1} and BINARY.num_classes == 0 and BINARY.background_id is None
    assert BINARY.to_predicted(np.array([0, 1, 255, 7])).tolist() == [ANY_CLASS, NO_CLASS, NO_CLASS, NO_CLASS]
    assert BINARY.with_unknown([]) == BINARY
    with pytest.raises(ConfigurationError, match="nothing of a background"):
        BINARY.with_background()


def test_known_without_a_class_is_refused_next_to_classes():
    with pytest.raises(ConfigurationError, match=r"pred_mapping lacks: \{3: 254\}"):
        LabelSet(
            LABELS.label_mapping, LABELS.pred_mapping, {**LABELS.label_to_pred, 3: ANY_CLASS}, LABELS.void_ids
        )


@given(st.dictionaries(st.integers(0, 300), st.integers(0, 255), max_size=20), st.integers(0, 300))
def test_lookup_table_is_the_mapping(mapping, key):
    table = lookup_table(mapping)
    for kind in (np.uint8, np.uint16, np.int64):
        if key <= np.iinfo(kind).max:
            assert looked_up(np.array([[key]], kind), table).tolist() == [[mapping.get(key, NO_CLASS)]]


@given(ids)
def test_colourise_paints_pixel_by_pixel(image):
    painted = colourise(image, LABELS.label_mapping)
    assert painted.shape == (*image.shape, 3)
    expected = [LABELS.label_mapping.get(int(i), ("", (0, 0, 0)))[1] for i in image.ravel()]
    assert painted.reshape(-1, 3).tolist() == [list(colour) for colour in expected]


def test_an_empty_mapping_is_black_and_void():
    image = np.array([[0, 9]])
    assert not colourise(image, {}).any()
    assert looked_up(image, lookup_table({})).tolist() == [[255, 255]]


@given(ids, st.booleans(), st.booleans())
def test_with_background_puts_it_in_front_and_moves_the_others_up(labels, void, unknown):
    taken = {label for label, asked in ((0, void), (8, unknown)) if asked}
    if not taken:
        with pytest.raises(ConfigurationError, match="no label id would become background"):
            LABELS.with_background(void=void, unknown=unknown)
        return
    behind = LABELS.with_background(void=void, unknown=unknown)
    assert behind.background_id == 0 and LABELS.background_id is None
    assert behind.num_classes == LABELS.num_classes + 1
    before, after = LABELS.to_predicted(labels), behind.to_predicted(labels)
    assert (after[np.isin(labels, list(taken))] == 0).all()
    assert np.array_equal(after[before != NO_CLASS], before[before != NO_CLASS] + 1)
    assert (after[(before == NO_CLASS) & ~np.isin(labels, list(taken))] == NO_CLASS).all()
    assert behind.void_ids == LABELS.void_ids - taken
    assert behind.unknown_ids == LABELS.unknown_ids - taken
    assert behind.category_mapping["other"] == (frozenset({5, 40}), frozenset({2, 3}))
    assert behind.label_mapping == LABELS.label_mapping


def test_background_in_front_keeps_names_and_colours():
    moved = background_in_front(LABELS.pred_mapping)
    assert moved[0][0] == "background"
    assert {i - 1: shown for i, shown in moved.items() if i} == LABELS.pred_mapping


def test_binary_labels_need_ids_of_their_own():
    labels = LabelSet.binary(known=3, unknown=7, void=0)
    assert (labels.unknown_ids, labels.void_ids, labels.num_classes) == ({7}, {0}, 0)
    with pytest.raises(ConfigurationError, match="got 1, 1, 255"):
        LabelSet.binary(known=1)
