"""Outlines: they run along the mask, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from oodretrieval.charts.outlines import BRIGHT, DARK, outlined, outlined_crop
from oodretrieval.masks import encode_mask

GREY = np.full((9, 11, 3), 90, np.uint8)


def marked(picture, colour):
    return (picture == colour).all(axis=2)


@given(arrays(bool, (9, 11)))
def test_the_line_follows_the_mask(mask):
    drawn = outlined(GREY, mask)
    neighbours = np.pad(mask, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(neighbours, (3, 3)).reshape(9, 11, 9)
    np.testing.assert_array_equal(marked(drawn, BRIGHT), mask & ~windows.all(axis=2))
    np.testing.assert_array_equal(marked(drawn, DARK), ~mask & windows.any(axis=2))
    assert (GREY == 90).all()


@pytest.mark.parametrize("mask", [np.zeros((9, 11), bool), np.ones((9, 11), bool)])
def test_without_an_edge_there_is_no_line(mask):
    np.testing.assert_array_equal(outlined(GREY, mask), GREY)


def test_a_crop_shows_the_part_of_the_outline_that_lies_in_it():
    mask = np.zeros((9, 11), bool)
    mask[2:7, 3:8] = True
    whole = outlined(GREY, mask)
    np.testing.assert_array_equal(outlined_crop(GREY, (1, 1, 10, 8), encode_mask(mask)), whole[1:8, 1:10])
    np.testing.assert_array_equal(outlined_crop(GREY, (1, 1, 10, 8), None), GREY[1:8, 1:10])


def test_a_small_picture_of_a_large_crop_has_a_fine_line():
    image, mask = np.full((400, 600, 3), 90, np.uint8), np.zeros((400, 600), bool)
    mask[100:300, 150:450] = True
    small = outlined_crop(image, (0, 0, 600, 400), encode_mask(mask), 60)
    assert small.shape == (40, 60, 3)
    assert marked(small, BRIGHT)[20].sum() == 2


def test_a_mask_of_another_image_is_refused():
    with pytest.raises(ValueError, match="mask of"):
        outlined_crop(GREY, (0, 0, 5, 5), encode_mask(np.ones((9, 10), bool)))
    with pytest.raises(ValueError, match="picture"):
        outlined(GREY, np.ones((9, 10), bool))
