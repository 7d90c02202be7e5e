import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label as connected

from oodretrieval.evaluation import ObjectCounts, TrueObject, selection_measures, true_objects

box = st.tuples(st.integers(0, 8), st.integers(0, 6), st.integers(1, 4), st.integers(1, 4)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
scenes = st.tuples(
    arrays(np.uint8, (8, 10), elements=st.integers(0, 2)),
    arrays(np.bool_, (8, 10)),
    st.lists(box, max_size=4),
    st.integers(1, 3),
)


def plain(labels, boxes, selected, smallest, box_labels=None):
    """Slow and obvious: (label, area, covered, hit, counts) of every object, pixel by pixel."""
    found = []
    parts = connected(labels, background=-1, connectivity=2 if box_labels is None else 1)
    for part in range(1, parts.max() + 1):
        rows, columns = np.nonzero(parts == part)
        label = int(labels[rows[0], columns[0]])
        pixels = list(zip(rows.tolist(), columns.tolist(), strict=True))
        inside = [
            {(r, c) for r, c in pixels if top <= r < bottom and left <= c < right}
            for i, (left, top, right, bottom) in enumerate(boxes)
            if box_labels is None or box_labels[i] == label
        ]
        if box_labels is None:
            covered = len(set().union(*inside))
        else:
            covered = max((len(pixels_in) for pixels_in in inside), default=0)
        counts = min(np.ptp(rows), np.ptp(columns)) + 1 >= smallest
        if counts or box_labels is not None:
            hit = any(selected[pixel] for pixel in pixels)
            found.append((label, len(pixels), covered / len(pixels), bool(hit), bool(counts)))
    return sorted(found)


def as_tuples(objects):
    assert all(item.found == (item.covered >= 0.5) for item in objects)
    return sorted((item.label, item.area, item.covered, item.hit, item.counts) for item in objects)


@settings(max_examples=60)
@given(scenes)
def test_against_plain(scene):
    labels, selected, boxes, smallest = scene
    objects = true_objects(labels, boxes, selected, min_height=smallest, min_width=smallest)
    assert as_tuples(objects) == plain(labels, boxes, selected, smallest)


@settings(max_examples=60)
@given(scenes, st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_published_count_against_plain(scene, majority):
    labels, selected, boxes, smallest = scene
    majority = majority[: len(boxes)]
    objects = true_objects(
        labels, boxes, selected, min_height=smallest, min_width=smallest, published=True, box_labels=majority
    )
    assert as_tuples(objects) == plain(labels, boxes, selected, smallest, majority)


def test_two_boxes_find_together_what_none_finds_alone():
    labels = np.zeros((4, 12), np.uint8)
    labels[1:3, 1:11] = 7
    boxes, nothing = [(1, 0, 4, 4), (8, 0, 11, 4)], np.zeros((4, 12), bool)
    together = true_objects(labels, boxes, nothing, ids={7})
    assert together == [TrueObject(7, 20, 0.6, found=True, hit=False)]
    alone = true_objects(labels, boxes, nothing, ids={7}, published=True, box_labels=[7, 7])
    assert [item.found for item in alone] == [False]


def test_diagonal_neighbours_are_one_object():
    labels = np.eye(3, dtype=np.uint8)
    nothing = np.zeros((3, 3), bool)
    assert len(true_objects(labels, [], nothing, ids={1})) == 1
    assert len(true_objects(labels, [], nothing, ids={1}, published=True, box_labels=[])) == 3


def test_boxes_that_leave_the_image_are_cut():
    labels = np.ones((3, 3), np.uint8)
    nothing = np.zeros((3, 3), bool)
    assert true_objects(labels, [(-5, -5, 2, 99)], nothing)[0].covered == pytest.approx(6 / 9)
    assert true_objects(labels, [(-5, -5, 0, 0)], nothing)[0].covered == 0


def test_measures_over_images():
    objects = [
        TrueObject(9, 10, 0.8, found=True, hit=True),
        TrueObject(4, 10, 0.1, found=False, hit=True),
        TrueObject(9, 2, 0.9, found=True, hit=True, counts=False),
        TrueObject(9, 10, 0.0, found=False, hit=False),
    ]
    measures = selection_measures(objects, [9, 9, 1, 1, 4], [True, False, True, False, False], {9, 4})
    assert measures.per_class == {4: ObjectCounts(1, 0, 1), 9: ObjectCounts(2, 2, 2)}
    assert list(measures.per_class) == [4, 9]
    assert (measures.segments, measures.selected, measures.share_selected) == (5, 2, 0.4)
    assert measures.precision == 0.5
    assert measures.unknown_selected == pytest.approx(1 / 3)
    assert measures.prevalence == pytest.approx(0.6)


def test_nothing_selected_and_nothing_there():
    empty = selection_measures([], [], [], {3})
    assert empty.per_class == {}
    assert np.isnan([empty.share_selected, empty.precision, empty.prevalence, empty.unknown_selected]).all()
    none = selection_measures([], [3, 1], [False, False], {3})
    assert np.isnan(none.precision), "0 of 0 is no share"
    assert (none.share_selected, none.unknown_selected) == (0, 0)


def test_errors():
    labels, selected = np.zeros((3, 4), np.uint8), np.zeros((3, 4), bool)
    with pytest.raises(ValueError, match=r"boxes \(k, 4\)"):
        true_objects(labels, [(1, 2, 3)], selected)
    with pytest.raises(ValueError, match=r"\(4, 3\)"):
        true_objects(labels, [], selected.T)
    with pytest.raises(ValueError, match="needs box_labels"):
        true_objects(labels, [(0, 0, 1, 1)], selected, published=True)
    with pytest.raises(ValueError, match="one shape"):
        selection_measures([], [1, 2], [True], {1})
