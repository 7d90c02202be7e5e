"""The discovery curve against METRICS.md, section 12, written out slowly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.evaluation import discovery_curve, unknown_objects
from oodretrieval.masks import decode_mask, encode_mask

SHAPE = (4, 5)
masks = arrays(np.bool_, SHAPE)
non_empty = masks.filter(lambda mask: mask.any())


def plain_curve(candidates, scores, objects):
    """Shares after every look: one candidate at a time, every object compared pixel by pixel."""
    looks = [(-s, i, k) for i, of_image in enumerate(scores) for k, s in enumerate(of_image)]
    names = [(i, o) for i, of_image in enumerate(objects) for o in range(len(of_image))]
    done = {"touched": set(), "found": set(), "outlined": set()}
    curve = {name: [0.0] for name in done}
    for _, i, k in sorted(looks):
        mask = candidates[i][k]
        for o, thing in enumerate(objects[i]):
            shared, union = (mask & thing).sum(), (mask | thing).sum()
            if mask.any() and shared / mask.sum() > 0.5:
                done["touched"].add((i, o))
            if shared / union >= 0.25:
                done["found"].add((i, o))
            if shared / union >= 0.5:
                done["outlined"].add((i, o))
        for name, seen in done.items():
            curve[name].append(len(seen) / len(names))
    return curve


def plain_objects(labels, unknown, min_share):
    """Flood fill over eight neighbours."""
    left = {(y, x) for y, x in np.ndindex(labels.shape) if labels[y, x] in unknown}
    found = []
    while left:
        start = min(left, key=lambda p: (labels[p], p))
        stack, thing = [start], {start}
        while stack:
            y, x = stack.pop()
            for v, u in np.ndindex(3, 3):
                at = y + v - 1, x + u - 1
                if at in left and at not in thing and labels[at] == labels[start]:
                    thing.add(at)
                    stack.append(at)
        left -= thing
        if len(thing) >= min_share * labels.size:
            found.append((int(labels[start]), sorted(thing)))
    return found


@st.composite
def datasets(draw):
    images = draw(st.integers(1, 3))
    candidates = [draw(st.lists(masks, max_size=5)) for _ in range(images)]
    # few different scores: many ties
    scores = [
        draw(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=len(c), max_size=len(c))) for c in candidates
    ]
    objects = [draw(st.lists(non_empty, max_size=3)) for _ in range(images - 1)]
    objects.append(draw(st.lists(non_empty, min_size=1, max_size=3)))
    return candidates, scores, objects


@given(datasets())
def test_agrees_with_the_plain_curve(dataset):
    candidates, scores, objects = dataset
    curve, plain = discovery_curve(candidates, scores, objects), plain_curve(candidates, scores, objects)
    np.testing.assert_array_equal(curve.looks, np.arange(len(plain["found"])))
    for name, shares in plain.items():
        np.testing.assert_allclose(getattr(curve, name), shares, err_msg=name)
    last = 10 * len(candidates)
    found = [plain["found"][min(look, len(plain["found"]) - 1)] for look in range(1, last + 1)]
    assert curve.area == pytest.approx(np.mean(found))
    for looks in (1, 2, 5, 10):
        place = min(looks * len(candidates), len(plain["found"]) - 1)
        assert curve.per_image[looks]["found"] == pytest.approx(plain["found"][place])


@given(datasets())
def test_encoded_masks_give_the_same_curve(dataset):
    candidates, scores, objects = dataset
    encoded = [[[encode_mask(m) for m in image] for image in part] for part in (candidates, objects)]
    one, other = discovery_curve(candidates, scores, objects), discovery_curve(encoded[0], scores, encoded[1])
    np.testing.assert_array_equal(one.found, other.found)
    np.testing.assert_array_equal(one.best_iou, other.best_iou)


@given(datasets())
def test_laws_of_the_curve(dataset):
    curve = discovery_curve(*dataset)
    for shares in (curve.touched, curve.found, curve.outlined):
        assert shares[0] == 0
        assert (np.diff(shares) >= 0).all()
        assert shares[-1] <= 1
    assert (curve.outlined <= curve.found).all()
    assert curve.oracle == {
        "found": pytest.approx(curve.found[-1]),
        "outlined": pytest.approx(curve.outlined[-1]),
    }
    assert curve.gains.sum() == np.rint(curve.found[-1] * curve.objects)


def test_thresholds_are_those_of_the_definition():
    thing = np.zeros((1, 8), bool)
    thing[0, :4] = True
    quarter = np.zeros((1, 8), bool)
    quarter[0, 0] = True  # IoU 1/4 exactly
    half_off = np.zeros((1, 8), bool)
    half_off[0, [0, 1, 4, 5]] = True  # half of it lies on the object: no touch; IoU 1/3
    half = np.zeros((1, 8), bool)
    half[0, :2] = True  # IoU 1/2 exactly
    curve = discovery_curve([[half_off, quarter, half]], [[3, 2, 1]], [[thing]])
    assert curve.touched.tolist() == [0, 0, 1, 1]
    assert curve.found.tolist() == [0, 1, 1, 1]
    assert curve.outlined.tolist() == [0, 0, 0, 1]
    assert curve.gains.tolist() == [1, 0, 0]


def test_the_area_is_one_where_the_first_look_finds_all():
    thing = np.ones((2, 2), bool)
    assert discovery_curve([[thing]], [[0.0]], [[thing]]).area == 1


def test_looks_in_all_and_best_overlap():
    thing, off = np.eye(2, dtype=bool), ~np.eye(2, dtype=bool)
    curve = discovery_curve([[off, thing], [off]], [[1, 2], [3]], [[thing], []])
    assert curve.in_all[50] == {"touched": 1, "found": 1, "outlined": 1}
    assert curve.best_iou.tolist() == [1]
    assert (curve.images, curve.objects) == (2, 1)


@given(arrays(np.uint8, (5, 6), elements=st.integers(0, 3)), st.sampled_from([0, 0.1, 0.2]))
def test_objects_are_the_components_of_one_unknown_id(labels, min_share):
    found, plain = (
        unknown_objects(labels, [3, 1], min_share=min_share),
        plain_objects(labels, {1, 3}, min_share),
    )
    assert found.labels == [label for label, _ in plain]
    for mask, (_, pixels) in zip(found.masks, plain, strict=True):
        assert sorted(zip(*np.nonzero(decode_mask(mask)), strict=True)) == pixels
    everything = len(plain_objects(labels, {1, 3}, 0))
    assert len(found.masks) + len(found.small) == everything


def test_refuses_scores_of_another_length():
    with pytest.raises(ValueError, match="one score for each of the 1 candidates of image 0"):
        discovery_curve([[np.ones((1, 1), bool)]], [[]], [[]])


def test_refuses_a_score_that_is_no_number():
    thing = np.ones((1, 1), bool)
    with pytest.raises(ValueError, match="1 of them NaN"):
        discovery_curve([[thing]], [[np.nan]], [[thing]])


def test_refuses_other_images():
    with pytest.raises(ValueError, match="of the same images, got 1, 0 and 1"):
        discovery_curve([[]], [], [[]])


def test_refuses_a_dataset_without_objects():
    with pytest.raises(ValueError, match="no unknown object"):
        discovery_curve([[np.ones((1, 1), bool)]], [[1.0]], [[]])


def test_refuses_labels_of_another_shape():
    with pytest.raises(ValueError, match=r"labels \(H, W\)"):
        unknown_objects(np.zeros(3, int), [1])
