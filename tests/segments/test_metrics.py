import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.segments import (
    adjusted_iou,
    entropy,
    label_components,
    pixel_dispersion,
    segment_metrics,
    segment_table,
    segment_table_from_logits,
)

from .plain import plain_segment_metrics


@st.composite
def scenes(draw):
    """A small softmax, truth with 255, and a prediction with 255 (or None)."""
    height, width, classes = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    block = draw(st.integers(1, 3))
    coarse = rng.random((height // block + 1, width // block + 1, classes)) ** draw(st.integers(1, 4))
    p = coarse.repeat(block, 0).repeat(block, 1)[:height, :width] + 1e-3 * rng.random(
        (height, width, classes)
    )
    p = (p / p.sum(axis=2, keepdims=True)).astype(np.float32)
    truth = p.argmax(axis=2)
    flipped = rng.random(truth.shape) < draw(st.sampled_from([0.1, 0.5, 1.0]))
    truth = np.where(flipped, rng.integers(0, classes, truth.shape), truth)
    truth[rng.random(truth.shape) < 0.1] = 255
    prediction = np.where(rng.random(truth.shape) < 0.2, 255, p.argmax(axis=2))
    return p, truth, prediction if draw(st.booleans()) else None


def smooth(shape, classes, seed=0):
    rng = np.random.default_rng(seed)
    blocks = rng.normal(size=(shape[0] // 8 + 1, shape[1] // 8 + 1, classes)).repeat(8, 0).repeat(8, 1)
    logits = 3 * blocks[: shape[0], : shape[1]] + rng.normal(size=(*shape, classes))
    p = np.exp(logits)
    return (p / p.sum(axis=2, keepdims=True)).astype(np.float32), logits.astype(np.float32)


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_agrees_with_the_plain_definitions(scene):
    p, truth, prediction = scene
    table, components = segment_metrics(p, truth, prediction=prediction)
    rows, segments = plain_segment_metrics(p, truth, prediction)
    assert len(table) == len(rows)
    ids = np.zeros(truth.shape, np.int32)
    for i, pixels in enumerate(segments, 1):
        for pixel in pixels:
            ids[pixel] = i
    np.testing.assert_array_equal(np.abs(components), ids)
    for i, row in enumerate(rows):
        assert set(row) == set(table.columns)
        for name, value in row.items():
            assert abs(table[name][i] - value) <= 1e-6 * max(1, abs(value)), (i, name)


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_laws_of_segments(scene):
    p, truth, prediction = scene
    table, components = segment_metrics(p, truth, prediction=prediction)
    masked = 0 if prediction is None else int((prediction == 255).sum())
    assert table["S"].sum() == truth.size - masked == (components != 0).sum()
    assert (table["S"] == table["S_in"] + table["S_bd"]).all()
    assert table["iou"].between(0, 1).all()
    assert (table["iou0"] == (table["iou"] == 0)).all()
    cprob = table.filter(regex=r"^cprob\d+$").sum(axis=1)
    np.testing.assert_allclose(cprob, 1, atol=1e-5)
    assert (table.filter(regex=r"^ndist\d+$").sum(axis=1) <= 1 + 1e-12).all()
    assert (table.filter(regex="_var") >= 0).all(axis=None)


@given(scenes(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_renaming_the_classes_renames_the_columns_only(scene, random):
    p, truth, _ = scene
    classes = p.shape[2]
    order = list(range(classes))
    random.shuffle(order)  # new class k is the old class order[k]
    new_name = np.full(256, 255)
    new_name[order] = np.arange(classes)
    # Argmax prefers the first of equals, so a renaming must bring its prediction along.
    table, components = segment_metrics(p, truth)
    other, others = segment_metrics(p[..., order], new_name[truth], prediction=new_name[p.argmax(axis=2)])
    np.testing.assert_array_equal(components, others)
    np.testing.assert_array_equal(new_name[table["class"]], other["class"])
    for k, old in enumerate(order):
        np.testing.assert_array_equal(table[f"ndist{old}"], other[f"ndist{k}"])
        np.testing.assert_allclose(table[f"cprob{old}"], other[f"cprob{k}"])
    for name in ("iou", "S_rel", "D_var_in", "V", "mean_x"):
        np.testing.assert_allclose(table[name], other[name], atol=1e-12)


@given(scenes())
@settings(max_examples=30, deadline=None)
def test_truth_equal_to_the_prediction_is_perfect(scene):
    p, _, _ = scene
    table, _ = segment_metrics(p, p.argmax(axis=2))
    assert (table["iou"] == 1).all()


def test_columns_come_in_the_documented_order_and_types():
    p, _ = smooth((12, 16), 3)
    table, components = segment_metrics(p)
    spread = [f"{n}{s}" for n in ("X", "X_var") for s in ("", "_in", "_bd")]
    spread += [f"{n}{s}" for n in ("X_rel", "X_var_rel") for s in ("", "_in")]
    wanted = ["class", "S", "S_in", "S_bd", "S_rel", "S_rel_in"]
    wanted += [name.replace("X", letter) for letter in "EDV" for name in spread]
    wanted += ["mean_x", "mean_y", "cprob0", "cprob1", "cprob2", "ndist0", "ndist1", "ndist2", "iou", "iou0"]
    assert list(table.columns) == wanted
    whole = [name for name in table if table[name].dtype.kind == "i"]
    assert whole == ["class", "S", "S_in", "S_bd", "iou0"]
    assert (table[["iou", "iou0"]] == -1).all(axis=None)
    assert components.dtype == np.int32


def test_an_image_of_one_class():
    p = np.full((4, 5, 2), [0.75, 0.25], np.float32)
    table, components = segment_metrics(p, np.zeros((4, 5), np.uint8))
    (row,) = table.to_dict("records")
    assert (components == 1).all()
    assert (row["S"], row["S_in"], row["S_bd"], row["S_rel"], row["S_rel_in"]) == (20, 20, 0, 20, 20)
    assert (row["V"], row["V_in"], row["V_bd"], row["V_var_bd"], row["V_rel"]) == (0.25, 0.25, 0, 0, 5)
    assert (row["ndist0"], row["ndist1"], row["iou"]) == (0, 0, 1)


def test_more_segments_than_int16_holds():
    height, width = 200, 400
    prediction = (np.arange(width) % 2 + 2 * (np.arange(height)[:, None] % 2)).astype(np.uint8)
    p = np.eye(4, dtype=np.float32)[prediction]
    table, components = segment_metrics(p, prediction)
    assert len(table) == height * width > 2 * 32767
    assert components.min() == -height * width
    assert (table["iou"] == 1).all()
    assert table["mean_y"].iloc[-1] == width - 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)])
def test_images_one_pixel_wide(shape):
    p, _ = smooth(shape, 3)
    table, components = segment_metrics(p, np.zeros(shape, np.uint8))
    rows, _ = plain_segment_metrics(p, np.zeros(shape, np.uint8))
    assert [row["S_bd"] for row in rows] == table["S_bd"].tolist()
    assert components.shape == shape


def test_a_prediction_masked_everywhere_has_no_segments():
    p, logits = smooth((3, 4), 2)
    masked = np.full((3, 4), 255)
    zeros = np.zeros((3, 4), np.uint8)
    one = segment_table(p, zeros, prediction=masked)
    other = segment_table_from_logits(np.moveaxis(logits, -1, 0), masked, zeros)
    assert "energy_bd" in other[0]
    for table, components in (one, other):
        assert len(table) == 0
        assert {"class", "E_var_rel_in", "ndist1", "iou", "left", "label"} <= set(table.columns)
        assert (components == 0).all()


def test_ignore_masks_nothing_by_itself():
    p, _ = smooth((6, 6), 2)
    table, components = segment_metrics(p, np.full((6, 6), 255))
    assert (components != 0).all()
    assert (table["iou"] == 0).all()
    assert (table["iou0"] == 1).all()


def test_another_value_for_no_class():
    p, _ = smooth((6, 6), 3)
    truth = p.argmax(axis=2)
    truth[:2] = 255
    negative = np.where(truth == 255, 99, truth)
    one, _ = segment_metrics(p, truth)
    other, _ = segment_metrics(p, negative, ignore=99)
    assert one.equals(other)


def test_truth_counts_once_for_several_segments_and_several_times_for_one():
    # Segment 1 and 3 (class 0) both touch the uncovered truth between them; each is charged for it.
    prediction = np.array([[0, 1, 0]])
    truth = np.array([[0, 0, 0]])
    iou = adjusted_iou(label_components(prediction), prediction, truth)
    np.testing.assert_allclose(iou, [1 / 2, 0, 1 / 2])
    # One segment in the middle is charged for the two components next to it, but not for one out of touch.
    prediction = np.array([[1, 0, 1, 2, 1]])
    truth = np.array([[0, 0, 0, 2, 0]])
    iou = adjusted_iou(label_components(prediction), prediction, truth)
    np.testing.assert_allclose(iou, [0, 1 / 3, 0, 1, 0])


def test_dispersion_of_known_pixels():
    maps = pixel_dispersion(np.array([[[0.5, 0.5, 0, 0], [1, 0, 0, 0], [0.25] * 4]], np.float64))
    np.testing.assert_allclose(maps["E"], [[0.5, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(maps["D"], [[1, 0, 1]], atol=1e-7)
    np.testing.assert_allclose(maps["V"], [[0.5, 0, 0.75]], atol=1e-7)
    np.testing.assert_array_equal(
        entropy(np.full((2, 2, 3), 1 / 3)), entropy(np.full((2, 2, 3), 1 / 3, np.float32))
    )


def test_inputs_are_left_as_they_were():
    p, logits = smooth((5, 6), 3)
    labels = np.zeros((5, 6), np.uint8)
    before = p.copy(), labels.copy(), logits.copy()
    for array in (p, labels, logits):
        array.setflags(write=False)
    segment_table(p, labels)
    segment_table_from_logits(np.moveaxis(logits, -1, 0), labels, labels)
    for old, new in zip(before, (p, labels, logits), strict=True):
        np.testing.assert_array_equal(old, new)


GOOD = smooth((4, 5), 3)[0]
ZEROS = np.zeros((4, 5), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((GOOD[..., 0],), {}, r"\(H, W, C\) with C >= 2"),
        ((GOOD[..., :1],), {}, r"\(H, W, C\) with C >= 2"),
        ((GOOD[:0],), {}, "hold no pixel"),
        ((np.full_like(GOOD, np.nan),), {}, "NaN"),
        ((GOOD * 9 - 3,), {}, "apply the softmax"),
        ((GOOD, ZEROS[:3]), {}, r"ground_truth \(3, 5\) must have the size of the probabilities \(4, 5\)"),
        ((GOOD, ZEROS + 7), {}, "translate label ids to predicted ids"),
        ((GOOD, ZEROS.astype(float)), {}, "integer array"),
        ((GOOD,), {"prediction": ZEROS.T}, r"prediction \(5, 4\)"),
        ((GOOD,), {"prediction": ZEROS + 3}, "must hold classes 0…2 or ignore = 255, but holds 3"),
        ((GOOD,), {"ignore": 2}, "at least C = 3"),
        ((GOOD,), {"threads": 0}, "threads"),
    ],
)
def test_refuses(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        segment_metrics(*arguments, **options)
