"""Masks from elsewhere as a tree: nothing is lost of them, and what lies inside another one knows it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.masks import decode_mask
from oodretrieval.regions import tree_of_masks

masks = st.integers(0, 6).flatmap(lambda n: arrays(bool, (n, 5, 7)))


@given(masks)
def test_the_masks_are_those_given_each_once(given_masks):
    tree = tree_of_masks(given_masks, (5, 7), "sam")
    found = [decode_mask(mask) for mask in tree.masks]
    assert {mask.tobytes() for mask in found} == {mask.tobytes() for mask in given_masks if mask.any()}
    assert len(found) == len({mask.tobytes() for mask in found})
    assert tree.areas.tolist() == [mask.sum() for mask in found] == sorted(tree.areas.tolist())
    assert set(tree.source) <= {"sam"}


@given(masks)
def test_the_parent_is_the_smallest_mask_around(given_masks):
    tree = tree_of_masks(given_masks, (5, 7), "sam")
    found = [decode_mask(mask) for mask in tree.masks]
    for inner, parent in zip(found, tree.parent, strict=True):
        around = [
            (mask.sum(), place)
            for place, mask in enumerate(found)
            if mask.sum() > inner.sum() and (mask >= inner).all()
        ]
        assert (parent >= 0) == bool(around)
        if around:
            assert found[parent].sum() == min(around)[0]
            assert (found[parent] >= inner).all()


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"masks \(n, 5, 7\)"):
        tree_of_masks(np.zeros((2, 7, 5), bool), (5, 7), "sam")
