import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label as connected

from oodretrieval.evaluation import looks_until_found, true_objects

box = st.tuples(st.integers(0, 8), st.integers(0, 6), st.integers(1, 6), st.integers(1, 5)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def plain(labels, boxes, turns, smallest):
    """Look at one segment after the other and count the covered pixels of every object."""
    parts = connected(labels, background=-1, connectivity=2)
    results = []
    for part in range(1, parts.max() + 1):
        rows, columns = np.nonzero(parts == part)
        if min(np.ptp(rows), np.ptp(columns)) + 1 < smallest:
            continue
        covered, found = set(), np.inf
        for place in np.argsort(turns):
            left, top, right, bottom = boxes[place]
            covered |= {
                (r, c)
                for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
                if top <= r < bottom and left <= c < right
            }
            if found == np.inf and 2 * len(covered) >= len(rows):
                found = turns[place]
        results.append((int(labels[rows[0], columns[0]]), found))
    return sorted(results)


@settings(max_examples=150)
@given(
    arrays(np.uint8, (8, 10), elements=st.integers(0, 2)),
    st.lists(box, max_size=6),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_against_plain_in_every_order(labels, boxes, smallest, random):
    orders = [random.sample(range(1, 50), len(boxes)) for _ in range(3)]
    names, looks = looks_until_found(
        labels, boxes, np.reshape(orders, (3, len(boxes))), min_height=smallest, min_width=smallest
    )
    assert looks.shape == (3, len(names))
    for order, found in zip(orders, looks, strict=True):
        assert sorted(zip(names.tolist(), found.tolist(), strict=True)) == plain(
            labels, boxes, order, smallest
        )


@settings(max_examples=50)
@given(arrays(np.uint8, (8, 10), elements=st.integers(0, 2)), st.lists(box, max_size=6))
def test_after_all_looks_as_many_are_found_as_by_selecting_everything(labels, boxes):
    _, looks = looks_until_found(labels, boxes, np.arange(1, len(boxes) + 1)[None])
    selected = true_objects(labels, boxes, np.zeros(labels.shape, bool))
    assert np.isfinite(looks).sum() == sum(item.found for item in selected)


def test_only_what_is_looked_for():
    labels = np.array([[1, 1, 2, 2]])
    names, looks = looks_until_found(labels, [[0, 0, 4, 1]], [[7]], ids={2})
    assert names.tolist() == [2] and looks.tolist() == [[7]]
    names, looks = looks_until_found(labels, np.empty((0, 4)), np.empty((2, 0)), ids={2})
    assert looks.tolist() == [[np.inf], [np.inf]]
    assert looks_until_found(labels, [[0, 0, 4, 1]], [[7]], ids={5})[1].shape == (1, 0)


def test_errors():
    with pytest.raises(ValueError, match=r"looks \(orders, k\)"):
        looks_until_found(np.zeros((2, 2), int), [[0, 0, 1, 1]], [[1, 2]])
