"""Sheets of candidates next to the scatter: every caption is read to its end, and the wheel turns pages."""

from itertools import combinations

import numpy as np
import pytest
from driving import make_catalogue, open_explorer

from oodretrieval.explorer.thumbnails import Thumbnails


def check_captions(drive):
    """No caption lies under a crop, over another one, or outside the window."""
    renderer = drive.canvas.get_renderer()
    crops = {axes: axes.get_window_extent(renderer) for axes in drive.rows}
    captions = {axes: axes.xaxis.label.get_window_extent(renderer) for axes in drive.rows}
    for one, caption in captions.items():
        assert caption.y0 >= 0 and caption.x1 <= drive.explorer.figure.bbox.x1
        for other, crop in crops.items():
            assert one is other or not caption.overlaps(crop), one.get_xlabel()
    assert not [1 for one, other in combinations(captions.values(), 2) if one.overlaps(other)]


@pytest.mark.parametrize("size", [(12.8, 6.7), (16, 9.8)])
def test_distances_are_read_however_many_neighbours_are_shown(tmp_path, monkeypatch, size):
    square = np.zeros((60, 60, 3), np.uint8)  # which fills all the height that there is
    monkeypatch.setattr(Thumbnails, "of_rows", lambda self, rows: (square,) * len(rows))
    drive = open_explorer(make_catalogue(tmp_path, 90), size=size)
    drive.click(2, "right")
    for number in (10, 29, 36, 60, 89):
        drive.press(*["]"] * (number - drive.state.neighbours))
        check_captions(drive)
        assert all(len(axes.get_xlabel().splitlines()) == 2 for axes in list(drive.rows)[1:])


def test_many_neighbours_have_pages(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, 90), neighbours=70)
    drive.click(2, "right")
    found = [row for row, _ in drive.state.found]
    assert list(drive.rows.values()) == [2, *found[:40]]
    assert drive.presentation.detail.heading.endswith("distance, 1 to 40 (Page down: more)")
    drive.press("pagedown", "pagedown")
    assert list(drive.rows.values()) == [2, *found[40:]]
    assert drive.presentation.detail.heading.endswith("distance, 41 to 70 (Page up: before)")
    drive.press("]")
    assert len(drive.rows) == 1 + 31, "the page stays"
    drive.press("o")
    assert len(drive.state.selection) == 72, "the query and all 71, not those of the page alone"
    drive.click(5, "right")
    assert len(drive.rows) == 1 + 40, "another query begins with its nearest"


def test_the_wheel_turns_pages_of_candidates(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, 90, select_by="novelty", truth=False), once=False)
    before, number = drive.state.ranking.rows, drive.state.neighbours
    first = list(drive.rows.values())
    drive.wheel(next(iter(drive.rows)), -1)
    assert list(drive.rows.values()) == before[20:40]
    between = np.mean([axes.bbox.get_points().mean(axis=0) for axes in list(drive.rows)[:2]], axis=0)
    drive.wheel(tuple(between), -1)
    assert list(drive.rows.values()) == before[40:60] != [], "also between two crops"
    for _ in range(4):
        drive.wheel(next(iter(drive.rows)), 1)
    assert list(drive.rows.values()) == first
    drive.press("a")
    drive.wheel(next(iter(drive.rows)), -1)
    assert drive.detail == "selection" and len(drive.rows) == 90 - 48
    drive.click(0)
    drive.wheel(drive.detail_axes()[0], -1)
    assert drive.detail == "image" and drive.state.neighbours == number, "an image has no pages"
