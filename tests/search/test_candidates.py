"""Candidates by score, and each thing once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.choices import NEAR_FRAMES
from oodretrieval.parted_arrays import PartedArray
from oodretrieval.search import first_sightings, inspection_order, near_duplicates
from oodretrieval.search.candidates import ALIKE, ALIKE_PERHAPS, ALIKE_THERE, OVERLAP


def overlap(a, b):
    """Intersection over union, pixel by pixel."""
    pixels = [{(x, y) for x in range(l, r) for y in range(t, d)} for l, t, r, d in (a, b)]  # noqa: E741
    return len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])


def plain(scores, frames, boxes, vectors, video):
    """The same, candidate by candidate."""
    first = {}
    for row in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        best = None
        for other in list(first):
            if not 0 < abs(frames[other] - frames[row]) <= NEAR_FRAMES:
                continue
            a, b = vectors[other], vectors[row]
            alike = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
            there = overlap(boxes[other], boxes[row]) >= OVERLAP
            same = alike >= ALIKE or (there and alike >= (ALIKE_THERE if video[row] else ALIKE_PERHAPS))
            if same and (best is None or alike > best[0]):
                best = alike, first[other]
        first[row] = row if best is None else best[1]
    return [first[row] for row in range(len(scores))]


@given(st.data(), st.integers(0, 14))
def test_as_counted_one_by_one(data, n):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    scores = data.draw(arrays(np.float64, n, elements=st.integers(0, 4)))
    frames = rng.integers(0, 90, n)
    corners = rng.integers(0, 6, (n, 2))
    boxes = np.concatenate([corners, corners + rng.integers(1, 6, (n, 2))], axis=1)
    vectors = rng.normal(size=(n, 3)) + 1
    video = rng.random(n) < 0.5
    found = first_sightings(scores, frames, boxes, vectors, video)
    assert found.tolist() == plain(scores, frames, boxes.tolist(), vectors, video)
    assert (found[found] == found).all(), "what is repeated is no repetition"
    assert (scores[found] >= scores).all()


def test_clips_do_not_mix_and_one_image_shows_two_things():
    boxes, vectors = np.tile([0, 0, 5, 5], (4, 1)), np.ones((4, 2))
    assert first_sightings([4, 3, 2, 1], [0, 0, 10**12, 31], boxes, vectors).tolist() == [0, 1, 2, 3]
    assert first_sightings([4, 3, 2, 1], [0, 30, 60, 91], boxes, vectors).tolist() == [0, 0, 0, 3]


def test_the_order_is_by_score_and_what_has_none_is_last():
    assert inspection_order([np.nan, 1.0, 3.0, 1.0]).tolist() == [2, 1, 3, 0]
    with pytest.raises(ValueError, match="scores 2, frames 1, boxes 2 and vectors 2 must be of equal length"):
        first_sightings([1, 2], [0], np.zeros((2, 4)), np.zeros((2, 3)))


def test_groups_without_scores_follow_a_thing_through_the_frames():
    frames, boxes = np.array([0, 20, 45, 200, 0]), np.tile([0, 0, 5, 5], (5, 1))
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.2], [1, 0], [0, 1]], np.float32)
    assert near_duplicates(frames, boxes, vectors).tolist() == [0, 0, 0, 3, 4]
    parted = PartedArray([vectors[:2], vectors[2:]])
    assert near_duplicates(frames, boxes, parted).tolist() == [0, 0, 0, 3, 4]
    assert near_duplicates(frames, boxes, vectors, near=10).tolist() == [0, 1, 2, 3, 4]
