import numpy as np
import pytest

from oodretrieval.segments import segment_metrics, segment_table, segment_table_from_logits

MAPPING = {7: 0, 8: 1, 9: 255, 0: 255}  # 9 is unknown, 0 void; 30 is not in the table


def halves():
    """Two segments of 2×3 pixels side by side."""
    p = np.zeros((2, 6, 2), np.float32)
    p[:, :3, 0], p[:, :3, 1], p[:, 3:, 0], p[:, 3:, 1] = 0.75, 0.25, 0.25, 0.75
    return p


def test_places_labels_and_shares():
    labels = np.array([[7, 7, 9, 8, 0, 30], [7, 9, 9, 8, 0, 0]])
    table, components = segment_table(halves(), labels, label_to_pred=MAPPING, void_ids={0})
    assert table["segment_id"].tolist() == [1, 2]
    assert table[["left", "top", "right", "bottom"]].to_numpy().tolist() == [[0, 0, 3, 2], [3, 0, 6, 2]]
    assert table["label"].tolist() == [7, 0]  # three of 7 and three of 9: the smaller id
    assert table["unknown_fraction"].tolist() == [0.5, 0]
    np.testing.assert_allclose(table["void_fraction"], [0, 4 / 6])
    np.testing.assert_allclose(table["iou"], [3 / 6, 2 / 6])
    np.testing.assert_array_equal(np.abs(components), [[1, 1, 1, 2, 2, 2]] * 2)


def test_the_metrics_are_those_of_segment_metrics():
    labels = np.array([[7, 7, 9, 8, 0, 30], [7, 9, 9, 8, 0, 0]])
    truth = np.array([[0, 0, 255, 1, 255, 255], [0, 255, 255, 1, 255, 255]])
    table, components = segment_table(halves(), labels, label_to_pred=MAPPING, void_ids={0})
    metrics, other = segment_metrics(halves(), truth)
    assert table[metrics.columns].equals(metrics)
    np.testing.assert_array_equal(components, other)


def test_without_truth_everything_about_it_is_minus_one():
    table, _ = segment_table(halves())
    assert (table[["iou", "iou0", "label", "unknown_fraction", "void_fraction"]] == -1).all(axis=None)
    assert "energy" not in table


def test_known_without_a_class_leaves_the_iou_open_and_the_shares_as_they_are():
    labels = np.array([[7, 7, 9, 8, 0, 30], [7, 9, 9, 8, 0, 0]])
    classes = segment_table(halves(), labels, label_to_pred=MAPPING, void_ids={0})[0]
    binary = {label: 254 if predicted < 2 else 255 for label, predicted in MAPPING.items()}
    table = segment_table(halves(), labels, label_to_pred=binary, void_ids={0})[0]
    assert (table[["iou", "iou0"]] == -1).all(axis=None)
    others = [name for name in table.columns if name not in ("iou", "iou0")]
    assert table[others].equals(classes[others])


def test_without_mapping_label_ids_are_predicted_ids():
    labels = np.array([[0, 0, 0, 1, 1, 255]] * 2)
    table, _ = segment_table(halves(), labels)
    np.testing.assert_allclose(table["iou"], [1, 4 / 6])
    np.testing.assert_allclose(table["void_fraction"], [0, 2 / 6])
    assert (table["unknown_fraction"] == 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_the_label_255_may_be_in_the_mapping(dtype):
    labels = np.array([[0, 0, 0, 1, 1, 255]] * 2, dtype)
    table, _ = segment_table(halves(), labels, label_to_pred={0: 0, 1: 1, 255: 255}, void_ids={255})
    np.testing.assert_allclose(table["iou"], [1, 4 / 6])
    np.testing.assert_allclose(table["void_fraction"], [0, 2 / 6])
    assert (table["unknown_fraction"] == 0).all()


def test_truth_of_another_ignore_value():
    labels = np.array([[0, 0, 0, 1, 1, 255]] * 2)
    table, _ = segment_table(halves(), labels, ignore=1000)
    np.testing.assert_allclose(table["iou"], [1, 4 / 6])


def test_logit_columns():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 2, 6)).astype(np.float16) * 50
    table, components = segment_table_from_logits(logits, halves().argmax(axis=2))
    wide = logits.astype(np.float64)
    energy = np.log(np.exp(wide).sum(axis=0))
    for name, values in {"max_logit": wide.max(axis=0), "energy": energy}.items():
        for suffix, ids in {"": np.abs(components), "_in": components, "_bd": -components}.items():
            wanted = [values[ids == i].mean() for i in (1, 2)]
            np.testing.assert_allclose(table[name + suffix], wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.zeros((3, 6), np.uint8), {}, r"labels \(3, 6\)"),
        (np.full((2, 6), -1), {}, "0…65535"),
        (np.full((2, 6), 65536), {}, "0…65535"),
        (np.zeros((2, 6), np.uint8), {"label_to_pred": {0: 2}}, "label_to_pred must lead to classes 0…1"),
    ],
)
def test_refuses(labels, options, message):
    with pytest.raises(ValueError, match=message):
        segment_table(halves(), labels, **options)


@pytest.mark.parametrize(
    ("logits", "prediction", "message"),
    [
        (np.zeros((1, 2, 2)), np.zeros((2, 2), int), "C >= 2"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "C >= 2"),
        (np.zeros((2, 2, 2), int), np.zeros((2, 2), int), "floating"),
        (np.zeros((2, 0, 2)), np.zeros((2, 2), int), "hold no pixel"),
        (np.full((2, 2, 2), np.nan), np.zeros((2, 2), int), "NaN"),
        (np.zeros((2, 2, 2)), np.zeros((0, 2), int), "holds no pixel"),
        (np.zeros((2, 2, 2)), np.full((2, 2), 2), "must hold classes 0…1"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2)), "integer array"),
    ],
)
def test_refuses_logits(logits, prediction, message):
    with pytest.raises(ValueError, match=message):
        segment_table_from_logits(logits, prediction)
