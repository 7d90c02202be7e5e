"""The four panels next to the scatter keep to their part of the window."""

import numpy as np
import pytest
from driving import make_catalogue, open_explorer

from oodretrieval.charts.image_view import ImageView
from oodretrieval.explorer.details import FourPanels

NAMES = (
    "road",
    "pavement",
    "building",
    "a wall of brick",
    "a traffic light",
    "wheelie bin",
    "bicyclist",
    "sky",
)


def panels():
    classes = np.arange(200).reshape(10, 20) % len(NAMES)
    mapping = {place: (name, (20 * place, 0, 0)) for place, name in enumerate(NAMES)}
    flat = np.zeros(classes.shape)
    return ImageView(
        np.zeros((*classes.shape, 3), np.uint8), classes.astype(np.uint8), mapping, flat, flat,
        labels=classes, label_mapping=mapping,
    )  # fmt: skip


@pytest.mark.parametrize("size", [(9, 6), (12.8, 6.7), (16, 9.8)])
def test_panels_leave_nothing_behind_and_no_legend_reaches_out(tmp_path, size):
    drive = open_explorer(make_catalogue(tmp_path), size=size)
    sheet, before = drive.presentation.detail, drive.pixels()
    drive.presentation.detail = FourPanels("heading", panels())
    extents = [axes.get_legend().get_window_extent() for axes in drive.right.axes if axes.get_legend()]
    assert len(extents) == 2 and not extents[0].overlaps(extents[1])
    assert all(drive.right.bbox.x0 <= extent.x0 and extent.x1 <= drive.right.bbox.x1 for extent in extents)
    drive.presentation.detail = sheet
    np.testing.assert_array_equal(drive.pixels(), before)
