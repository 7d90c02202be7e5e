"""Every command of the table, given by real mouse, wheel and key events on the canvas of an Agg figure."""

import textwrap
from itertools import combinations

import numpy as np
import pytest
from driving import make_catalogue, open_explorer
from matplotlib.backend_bases import ResizeEvent
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from oodretrieval.charts.fixations import DOT
from oodretrieval.charts.image_view import ImageView
from oodretrieval.charts.palette import RED
from oodretrieval.experiment import example_vectors
from oodretrieval.explorer.commands import triggers
from oodretrieval.explorer.commands.table import COMMANDS, command_for
from oodretrieval.explorer.desktop.detail_view import DetailView
from oodretrieval.explorer.desktop.overlay import help_text
from oodretrieval.explorer.details import CandidatePage, FourPanels, KeysHelp, NeighbourPage, ReviewPage
from oodretrieval.images import read_image
from oodretrieval.search import cluster
from oodretrieval.stores.boxes import crop_boxes

GIVEN, RAN = set(), set()
CROPS = tuple([np.zeros((8, 8, 3), np.uint8)] * 12)


def candidate_page(caption):
    return CandidatePage("", tuple(range(12)), CROPS, (caption,) * 12, 5, 4)


def neighbour_page(caption):
    return NeighbourPage("", tuple(range(12)), CROPS, (caption,) * 12, (True,) * 11)


def review_page(caption):
    return ReviewPage("", tuple(range(12)), CROPS, (caption,) * 12, ("",) * 12, 0, np.zeros(0, np.int64))


@pytest.fixture(autouse=True)
def note_commands(request, monkeypatch):
    """Which commands the tests of this file gave, and which tests ran."""
    RAN.add(request.node.nodeid)

    def noting(trigger):
        command = command_for(trigger)
        GIVEN.add(command)
        return command

    monkeypatch.setattr(triggers, "command_for", noting)


def changed(drive, do):
    """Whether what is seen changes."""
    before = drive.pixels()
    do()
    return bool((before != drive.pixels()).any())


def pictures_of(axes):
    return [np.asarray(image.get_array()) for image in axes.images]


def frames(axes):
    return [
        tuple(patch.get_bbox().extents + 0.5)
        for patch in axes.patches
        if isinstance(patch, Rectangle) and to_hex(patch.get_edgecolor()).upper() == RED
    ]


# -- pointer -----------------------------------------------------------------------------------------------


def test_hover_shows_the_thumbnail_next_to_the_pointer_and_takes_it_away(drive):
    assert changed(drive, lambda: drive.hover(3))
    assert drive.presentation.hovered == 3
    box = drive.overlay.thumbnail
    picture, text, meaning = box.offsetbox.get_children()
    image = read_image(drive.session.pictures.image_path(3))
    [(left, top, right, bottom)] = crop_boxes(drive.state.segments.table.iloc[[3]])
    np.testing.assert_array_equal(picture.get_data(), image[top:bottom, left:right])
    assert "predicted car, IoU 0.13" in text.get_text()
    said = "Predicted IoU: Estimated overlap with a true object, 0 to 1."
    assert meaning.get_text().replace("\n", " ") == said
    extent = box.get_window_extent(drive.canvas.get_renderer())
    assert np.hypot(*(np.clip(drive.place(3), extent.min, extent.max) - drive.place(3))) < 60
    assert extent.x0 >= 0 and extent.y0 >= 0
    assert extent.x1 <= drive.explorer.figure.bbox.width and extent.y1 <= drive.explorer.figure.bbox.height
    assert changed(drive, lambda: drive.hover(drive.empty_pixel()))
    assert drive.presentation.hovered is None and drive.overlay.thumbnail is None


def test_hover_leaves_the_picture_below_as_it_was(drive):
    before = drive.pixels()
    for row in range(len(drive.state)):
        drive.hover(row)
    drive.hover(drive.empty_pixel())
    np.testing.assert_array_equal(before, drive.pixels())


def test_what_a_command_said_stays_until_the_next_one(drive):
    said = drive.presentation.status
    drive.hover(3)
    assert drive.presentation.status == said
    assert "field · clip 1/0001 · segment 2" in caption(drive), "where it comes from is next to the pointer"
    drive.press("w", *"cone", "enter")
    for row in (4, 5):
        drive.hover(row)
        drive.wheel(row, 1)
    drive.hover(drive.empty_pixel())
    assert drive.presentation.status == "1 tagged as cone; Ctrl + z takes it back"
    drive.press("h")
    assert drive.presentation.status == "", "of another command"
    drive.press("ctrl+y", "ctrl+y")
    assert drive.presentation.status == "nothing to do again", "however often it is said"


def test_what_is_known_of_the_hovered_segment_is_said_again_when_it_changes(drive):
    drive.hover(3)
    drive.press("w", *"cone", "enter")
    assert "tagged cone" in caption(drive)
    drive.press("c", "2", "enter")
    assert "cluster" in caption(drive) and "tagged cone" in caption(drive)
    drive.press("ctrl+z", "ctrl+z")
    assert "cluster" not in caption(drive) and "cone" not in caption(drive)
    drive.hover(drive.empty_pixel())
    drive.press("ctrl+y")
    assert drive.overlay.thumbnail is None


@pytest.mark.parametrize("progress", ["", "t-SNE of 242 segments · iteration 100 · 11 s"])
def test_a_long_path_is_said_to_its_end(drive, progress):
    path = "/".join(["", *(f"a folder {number} with a long name" for number in range(9)), "the end.png"])
    with drive.presentation.together():
        drive.presentation.status, drive.presentation.progress = f"saved {path}", progress
    said, working = drive.overlay.bottom, drive.overlay.working
    assert said.get_text().replace("\n", " ") == f"saved {path}"
    extent = said.get_window_extent(drive.canvas.get_renderer())
    assert extent.x1 < (working.get_window_extent().x0 if progress else drive.explorer.figure.bbox.width)


def caption(drive):
    """What is said next to the pointer, without its breaks."""
    return drive.overlay.thumbnail.offsetbox.get_children()[1].get_text().replace("\n", " ")


@pytest.mark.parametrize("size", [(12.8, 6.7), (16, 9.8)])
def test_what_is_said_next_to_the_pointer_is_within_the_window(tmp_path, size):
    drive = open_explorer(make_catalogue(tmp_path, 60, select_by="novelty"), size=size)
    for row in range(60):
        drive.hover(row)
        box = drive.overlay.thumbnail
        said = box.offsetbox.get_children()[-1].get_text()
        assert said.splitlines()[0].startswith("Predicted IoU: ") and "Novelty: Higher is more" in said
        extent = box.get_window_extent(drive.canvas.get_renderer())
        whole = drive.explorer.figure.bbox
        assert min(extent.x0, extent.y0) >= 0 and extent.x1 <= whole.x1 and extent.y1 <= whole.y1


def test_hover_takes_the_nearest_of_two_points(drive):
    place = drive.place(5)
    others = np.hypot(*(drive.scatter.transData.transform(drive.state.points) - place).T)
    assert others.argmin() == 5
    drive.hover((place[0] + 2, place[1] - 2))
    assert drive.presentation.hovered == 5


def test_left_shows_the_full_image_with_a_red_box(drive):
    assert changed(drive, lambda: drive.click(4))
    assert drive.detail == "image"
    (axes,) = drive.detail_axes()
    (picture,) = pictures_of(axes)
    np.testing.assert_array_equal(picture, read_image(drive.session.pictures.image_path(4)))
    assert frames(axes) == [drive.state.segments.box(4)]
    heading, meanings = axes.texts
    assert "clip 1/0002" in heading.get_text()
    assert meanings.get_text().startswith("Predicted IoU 0.14: Estimated overlap")
    drive.click(3)
    _, meanings = drive.detail_axes()[0].texts
    assert "0.13" in meanings.get_text()


def test_heading_and_meanings_are_seen_above_and_below_the_image(drive):
    drive.click(4)
    (axes,) = drive.detail_axes()
    high, box = drive.canvas.figure.bbox.height, axes.get_window_extent()
    across = slice(round(box.x0) + 40, round(box.x1) - 40)
    shown = drive.pixels()[..., :3].min(axis=2)
    above, below = shown[: round(high - box.y1) - 5, across], shown[round(high - box.y0) + 5 :, across]
    assert above.min() < 100 and below[:60].min() < 140


@pytest.mark.parametrize("size", [(12.8, 6.9), (16, 9.8)])
def test_numbers_of_colour_bars_overprint_no_panel_and_are_not_cut_off(size):
    flat = np.zeros((20, 40))
    view = ImageView(
        np.zeros((20, 40, 3), np.uint8), flat.astype(np.uint8), {0: ("road", (0, 0, 0))},
        flat, flat, value_name="novelty", limits=(-5.0, 3.5), high_is_unknown=True,
    )  # fmt: skip
    figure = Figure(figsize=size, dpi=100)
    canvas = FigureCanvasAgg(figure)
    half = figure.subfigures(1, 2)[1]
    DetailView(half).draw(FourPanels("heading", view))
    canvas.draw()
    panels = [axes.get_window_extent() for axes in half.axes]
    bars = [bar for axes in half.axes for bar in axes.child_axes]
    numbers = [text.get_window_extent() for bar in bars for text in bar.get_yticklabels() if text.get_text()]
    assert len(panels) == 4 and len(bars) == 2 and len(numbers) > 4
    assert all(number.x1 <= figure.bbox.x1 for number in numbers)
    assert not [number for number in numbers for panel in panels if number.overlaps(panel)]


@pytest.mark.parametrize("name", ["W" * 60, "illiterate wheelie bin, filled · " * 4])
@pytest.mark.parametrize("page", [candidate_page, neighbour_page, review_page])
def test_captions_never_overprint(page, name):
    figure = Figure(figsize=(12.8, 6.9), dpi=100)
    canvas = FigureCanvasAgg(figure)
    half = figure.subfigures(1, 2)[1]
    view = DetailView(half)
    view.draw(page(f"{name}\n0.123"))
    canvas.draw()
    captions = [axes.xaxis.label.get_window_extent() for axes in view.rows]
    assert len(captions) >= 8 and all(axes.get_xlabel().endswith("\n0.123") for axes in view.rows)
    assert not [1 for one, other in combinations(captions, 2) if one.overlaps(other)]
    assert max(caption.x1 for caption in captions) <= figure.bbox.x1


@pytest.mark.parametrize("size", [(12.8, 6.9), (16, 9.8), (16, 40)])
def test_keys_next_to_the_scatter_are_not_cut_off(size):
    figure = Figure(figsize=size, dpi=100)
    canvas = FigureCanvasAgg(figure)
    half = figure.subfigures(1, 2)[1]
    DetailView(half).draw(KeysHelp())
    canvas.draw()
    (text,) = half.texts
    box, lines = text.get_window_extent(), text.get_text().splitlines()
    assert box.y0 >= 0 and box.y1 <= figure.bbox.y1
    if size[1] == 40:
        assert len(lines) >= len(COMMANDS) and "Ctrl + w" in text.get_text()
    else:
        assert lines[-1].split() == ["?", "all", "of", "this"]


def test_no_line_of_a_heading_begins_with_a_dot(drive):
    drive.explorer.view.detail.draw(CandidatePage("1 of interest · " * 30, (), (), (), 5, 4))
    lines = drive.right.get_suptitle().splitlines()
    assert len(lines) > 2 and not any(line.startswith("·") for line in lines)


def test_middle_shows_four_panels(drive):
    assert changed(drive, lambda: drive.click(1, "middle"))
    assert drive.detail == "panels"
    entropy, iou, truth, classes = drive.detail_axes()
    assert [axes.get_title() for axes in (truth, classes)] == [
        "image with truth overlaid",
        "predicted classes",
    ]
    assert "entropy" in entropy.get_title() and "IoU" in iou.get_title()
    painted = pictures_of(iou)[0]
    assert painted[0, 0] == pytest.approx(0.3) and painted[-1, -1] == pytest.approx(0.6)
    assert all(frames(axes) == [drive.state.segments.box(1)] for axes in drive.detail_axes())
    right = drive.explorer.figure.bbox.width
    for axes in drive.right.axes:
        assert axes.get_tightbbox(drive.canvas.get_renderer()).x1 <= right, "nothing is cut off"


def test_right_shows_the_nearest_neighbours_and_rings_them(drive):
    assert changed(drive, lambda: drive.click(2, "right"))
    assert drive.detail == "neighbours" and drive.state.query == 2
    vectors = np.asarray(drive.state.vectors, float)
    away = np.linalg.norm(vectors - vectors[2], axis=1)
    expected = [int(i) for i in np.argsort(away) if i != 2][:10]
    assert list(drive.rows.values()) == [2, *expected]
    for axes, row in drive.rows.items():
        np.testing.assert_array_equal(pictures_of(axes)[0], drive.explorer.session.thumbnails.read(row))
    query, neighbours = drive.overlay.rings.query, drive.overlay.rings.neighbours
    np.testing.assert_allclose(np.column_stack(query.get_data()), drive.state.points[[2]])
    np.testing.assert_allclose(np.column_stack(neighbours.get_data()), drive.state.points[expected])


def test_the_mouse_does_the_same_among_the_neighbours(drive, tmp_path):
    drive.click(2, "right")
    (axes, row), *_ = [item for item in drive.rows.items() if item[1] != 2]
    drive.hover(axes)
    assert drive.presentation.hovered == row
    ring = drive.overlay.rings.marked
    np.testing.assert_allclose(np.column_stack(ring.get_data()), drive.state.points[[row]])
    drive.click(axes, "left", held="t")
    assert [path.name for path in (drive.state.catalogue.path / "pictures").iterdir()] == [
        f"field_clip_1_{row // 2:04d}_{row % 2 + 1}_crop.png"
    ]
    drive.click(axes, "right")
    assert drive.state.query == row
    axes = next(axes for axes, other in drive.rows.items() if other == 2)
    drive.click(axes)
    assert drive.detail == "image" and frames(drive.detail_axes()[0]) == [drive.state.segments.box(2)]


def test_ctrl_and_the_wheel_show_more_and_fewer_neighbours(drive):
    drive.click(2, "right")
    drive.wheel(2, 1, held="control")
    assert drive.state.neighbours == 11 and len(drive.rows) == 12
    drive.press("]")
    assert drive.state.neighbours == 11, "there are no more"
    assert "no more" in drive.presentation.status
    drive.wheel(next(iter(drive.rows)), -1)
    assert drive.state.neighbours == 11, "among candidates the wheel turns pages, and there is one"
    drive.wheel(next(iter(drive.rows)), -1, held="control")
    drive.wheel(next(iter(drive.rows)), -1, held="control")
    assert drive.state.neighbours == 9 and len(drive.rows) == 10
    assert drive.presentation.status == "9 neighbours"


def test_keys_down_to_no_neighbours(drive):
    drive.click(2, "right")
    drive.press(*["["] * 12)
    assert drive.state.neighbours == 0 and list(drive.rows.values()) == [2]
    assert "no less" in drive.presentation.status


def test_ctrl_and_the_wheel_without_a_query_set_the_number(drive):
    drive.wheel(drive.empty_pixel(), -1, held="control")
    assert drive.state.neighbours == 9 and drive.detail == "keys"


def window_of(drive):
    return (*drive.scatter.get_xlim(), *drive.scatter.get_ylim())


def test_the_wheel_zooms_at_the_pointer_and_home_shows_everything(drive):
    before = window_of(drive)
    place = drive.place(3)
    for step in (1, 1, -1, 1):
        drive.wheel(3, step)
        np.testing.assert_allclose(drive.place(3), place, atol=0.5)
    zoomed = window_of(drive)
    assert zoomed[1] - zoomed[0] == pytest.approx((before[1] - before[0]) / 1.25**2)
    drive.press("home")
    assert window_of(drive) == pytest.approx(before)


def test_a_drag_moves_the_view_and_is_no_click(drive):
    start = drive.place(3)
    drive.drag(tuple(start), tuple(np.add(start, (30, 0))), tuple(np.add(start, (60, -20))))
    np.testing.assert_allclose(drive.place(3), np.add(start, (60, -20)), atol=0.5)
    assert drive.detail == "keys"


@pytest.mark.parametrize("keys", [("h",), ("b",), ("d",), ("c", "2", "enter"), ("/", *"class==1", "enter")])
def test_recolouring_and_filtering_keep_the_view(drive, keys):
    drive.wheel(3, 1)
    before = window_of(drive)
    assert changed(drive, lambda: drive.press(*keys))
    assert window_of(drive) == before


def test_resizing_keeps_the_middle_of_the_view(drive):
    drive.wheel(3, 1)
    left, right, bottom, top = window_of(drive)
    drive.explorer.figure.set_size_inches(9, 8)
    drive.send(ResizeEvent("resize_event", drive.canvas))
    now = window_of(drive)
    assert (now[0] + now[1], now[2] + now[3]) == pytest.approx((left + right, bottom + top))
    assert now[0] <= left + 1e-6 and now[3] >= top - 1e-6, "nothing that was seen is gone"


def test_resizing_keeps_title_and_heading_within_the_window(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, select_by="novelty"))
    drive.press("s")
    drive.explorer.figure.set_size_inches(6, 4)
    drive.send(ResizeEvent("resize_event", drive.canvas))
    drive.pixels()
    halves = {
        drive.scatter.get_title(loc="left"): drive.scatter.get_figure(),
        drive.right.get_suptitle(): drive.right,
    }
    assert all(halves)
    for text in drive.explorer.figure.findobj(Text):
        if text.get_text() in halves:
            extent, half = text.get_window_extent(drive.canvas.get_renderer()), halves.pop(text.get_text())
            assert half.bbox.x0 <= extent.x0 and extent.x1 <= half.bbox.x1, text.get_text()
    assert not halves


def test_the_wheel_outside_the_scatter_does_nothing(drive):
    before = window_of(drive)
    drive.wheel(drive.right, 1)
    assert drive.state.neighbours == 10 and window_of(drive) == before


# -- selecting and naming ------------------------------------------------------------------------------------


def corners_around(drive, rows):
    """Pixels of a lasso around points, a little off each."""
    pixels = np.array([drive.place(row) for row in rows])
    low, high = pixels.min(axis=0) - 3, pixels.max(axis=0) + 3
    return [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])], low, high


def inside(drive, low, high):
    pixels = np.array([drive.place(row) for row in range(len(drive.state))])
    return set(np.flatnonzero(((pixels >= low) & (pixels <= high)).all(axis=1)).tolist())


def selected(drive):
    found = drive.state.selection.selected
    return set() if found is None else set(np.flatnonzero(found).tolist())


@pytest.mark.parametrize("key", ["l", "r"])
def test_a_lasso_and_a_rectangle_select_add_and_take_away(drive, key):
    drive.press(key)
    path, low, high = corners_around(drive, (2, 3))
    path = path if key == "l" else [path[0], path[2]]
    first = inside(drive, low, high)
    assert changed(drive, lambda: drive.drag(*path))
    assert selected(drive) == first and drive.presentation.status == f"{len(first)} of 12 selected"
    other, low, high = corners_around(drive, (7,))
    more = inside(drive, low, high)
    drive.drag(*(other if key == "l" else [other[0], other[2]]), held="shift")
    assert selected(drive) == first | more
    drive.drag(*path, held="control")
    assert selected(drive) == more - first
    drive.press("escape")
    assert drive.presentation.tool == "" and selected(drive) == more - first
    drive.press("escape")
    assert selected(drive) == set()


def test_keys_select_groups_neighbours_all_the_others_and_nothing(drive):
    drive.press("h")
    drive.hover(3)
    drive.press("k")
    assert selected(drive) == {row for row in range(12) if row % 2 == 1}
    assert legend(drive)[0].endswith("/ 6)")
    drive.press("i")
    assert selected(drive) == {row for row in range(12) if row % 2 == 0}
    drive.click(0, held="shift")
    drive.click(1, held="shift")
    assert 0 not in selected(drive) and 1 in selected(drive)
    drive.press("x")
    assert selected(drive) == set()
    drive.press("o")
    assert "no neighbours are shown" in drive.presentation.status
    drive.click(2, "right")
    drive.press("[", "[", "o")
    assert selected(drive) == {2, *(row for row, _ in drive.state.nearest(2))} and len(selected(drive)) == 9
    drive.press("a")
    assert len(selected(drive)) == 12


def test_what_is_selected_is_shown_until_nothing_is(drive):
    drive.press("a")
    assert drive.detail == "selection" and sorted(drive.rows.values()) == list(range(12))
    first = next(axes for axes, row in drive.rows.items() if row == 4)
    drive.click(first, held="shift")
    assert selected(drive) == set(range(12)) - {4} and 4 not in drive.rows.values()
    assert drive.presentation.detail.heading.startswith("11 selected;")
    drive.press("w", *"bin", "enter")
    assert set(drive.presentation.detail.captions) == {"tagged bin"}
    drive.press("/", *"class == 1", "enter")
    assert sorted(drive.rows.values()) == [1, 3, 5, 7, 9, 11], "what is filtered away is not shown"
    drive.press("x")
    assert drive.detail == "keys"


def test_the_contact_sheet_keeps_to_the_filter(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, select_by="novelty"))
    drive.press("n", "n", "n", "s")
    before = list(drive.rows.values())
    drive.press("/", *"class == 1", "enter")
    assert drive.detail == "candidates" and list(drive.rows.values()) == [row for row in before if row % 2]
    drive.press("n")
    assert drive.presentation.marked == 7, "the fourth of those that are shown"
    drive.press("/", *["backspace"] * 10, *"class == 9", "enter")
    for key in ("s", "n", "pagedown"):
        drive.press(key)
        assert "no candidate is shown" in drive.presentation.status
    drive.press("+", "-", "/", "delete", "enter", "s")
    assert list(drive.rows.values()) == before


def ticked(drive):
    """Rows of the candidates next to the scatter that have a tick."""
    return {row for axes, row in drive.rows.items() if "✓" in [text.get_text() for text in axes.texts]}


def test_what_is_selected_has_a_tick_on_the_contact_sheet_and_among_neighbours(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, select_by="novelty"))
    for row in (3, 5):
        drive.click(next(axes for axes, shown in drive.rows.items() if shown == row), held="shift")
    assert ticked(drive) == {3, 5}
    drive.press("h", "s")
    assert ticked(drive) == {3, 5}
    before = drive.pixels()
    drive.click(next(axes for axes, shown in drive.rows.items() if shown == 3), held="shift")
    assert ticked(drive) == {5} and (before != drive.pixels()).any()
    drive.click(4, "right")
    assert ticked(drive) == {5}
    drive.press("x")
    assert not ticked(drive)


def test_what_is_selected_and_filtered_away_neither_counts_nor_gets_a_name(drive):
    drive.press("/", *"class == 0", "enter", "a", "w", *"bin", "enter", "/")
    drive.press(*["backspace"] * 10, *"not tags", "enter")
    assert selected(drive) == {0, 2, 4, 6, 8, 10} and drive.state.selection.count_shown == 0
    assert {alpha for points in drive.scatter.collections for alpha in [points.get_alpha()]} == {1.0}, (
        "not pale"
    )
    drive.click(1, held="shift")
    assert drive.presentation.status == "1 of 6 selected"
    drive.press("w", *"cow", "enter")
    assert drive.state.tags.count("cow") == 1 and drive.state.tags.count("bin") == 6
    assert selected(drive) == {1}, "it was added to what was seen"


def test_a_thumbnail_goes_with_the_sheet_that_it_was_of(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, 60, select_by="novelty", truth=False))
    drive.hover(next(iter(drive.rows)))
    assert drive.overlay.thumbnail is not None
    drive.press("pagedown")
    assert drive.overlay.thumbnail is None and drive.presentation.marked is None
    drive.hover(0)
    drive.press("pageup")
    assert drive.presentation.hovered == 0, "the pointer is over a point, which stays"


def test_pages_of_what_is_selected(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, 50, select_by="novelty"))
    drive.press("a")
    scores = drive.state.segments.scores
    shown = list(drive.rows.values())
    assert len(shown) == 48 and drive.presentation.detail.heading.startswith("50 selected, 1 to 48")
    drive.press("pagedown", "pagedown")
    shown += list(drive.rows.values())
    assert sorted(shown) == list(range(50)) and (np.diff(scores[shown]) <= 0).all()
    drive.press("pageup")
    assert len(drive.rows) == 48
    drive.press("x")
    assert drive.detail == "candidates"
    drive.hover(3)
    drive.press("w", *"bin", "enter")
    page = drive.presentation.detail
    assert drive.detail == "candidates" and page.captions[page.rows.index(3)].endswith("\ntagged bin")


def test_a_filter_says_what_is_wrong_and_shows_what_is_right(drive):
    drive.press("/", *"clas==1", "enter")
    assert "did you mean 'class'" in drive.presentation.prompt.problem
    assert "^^^^" in drive.overlay.question.get_text()
    drive.press(*["backspace"] * 7, *"pred", "tab")
    assert drive.presentation.prompt.text == "predicted"
    drive.press(*["=", "=", '"', "c", "a", "r", '"'], "enter")
    assert drive.presentation.prompt is None and drive.presentation.status == "6 of 12 candidates shown"
    drive.hover(0)
    assert drive.presentation.hovered is None, "a road, which is filtered away"
    drive.hover(1)
    assert drive.presentation.hovered == 1
    drive.press("ctrl+z")
    assert drive.state.selection.visible.all()
    drive.press("ctrl+y")
    assert not drive.state.selection.visible.all()


def test_a_filter_and_colours_take_the_score_by_the_name_that_is_shown(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, select_by="novelty"))
    assert "by novelty" in drive.scatter.get_title() or "highest novelty" in drive.presentation.detail.heading
    drive.press("/", *"novelty > 0", "enter")
    np.testing.assert_array_equal(drive.state.selection.visible, drive.state.segments.scores > 0)
    assert 0 < drive.state.selection.visible.sum() < 12
    drive.press("j", *"novelty", "enter")
    assert drive.state.colouring == "novelty" and drive.presentation.prompt is None


def test_a_click_in_the_legend_hides_a_colour_and_shows_it_again(drive):
    drive.press("h")
    text = drive.scatter.get_legend().get_texts()[0]
    name = drive.state.categories()[0].name
    place = tuple(text.get_window_extent().get_points().mean(axis=0))
    drive.click(place)
    assert drive.state.selection.hidden == {name} and drive.presentation.status.startswith(
        f"{name} is hidden"
    )
    drive.click(place)
    assert not drive.state.selection.hidden and drive.detail == "keys"


def test_names_are_given_changed_and_taken_off(drive):
    drive.press("w")
    assert "nothing is selected" in drive.presentation.status
    drive.hover(3)
    drive.press("w", *"cone", "enter")
    assert drive.state.tags.of_row(3) == ("cone",)
    drive.click(4, held="shift")
    drive.click(5, held="shift")
    drive.press("w", *"big bin", "enter", "y")
    assert "big bin (2 / 2)" in legend(drive) and "no tag (0 / 9)" in legend(drive)
    drive.press("z", *"big", "tab", "enter")
    drive.press(*"cone", "enter")
    assert drive.state.tags.names == ("cone",) and drive.state.tags.count("cone") == 3
    drive.press("q")
    assert drive.state.tags.count("cone") == 1, "the one tag that both have"
    drive.press("z", *"cone", "enter", "enter")
    assert drive.state.tags.names == ()
    for names in (("cone",), ("cone",), ("big bin", "cone")):
        drive.press("ctrl+z")
        assert drive.state.tags.names == names
    drive.press("w", *"x" * 81, "enter")
    assert "a tag is one line" in drive.presentation.prompt.problem


def test_j_colours_by_any_column(drive):
    drive.press("j", *"predicted_", "tab", "enter")
    assert drive.state.colouring == "predicted_iou" and legend(drive) == []
    assert bar(drive) == ("predicted_iou", ["≤ 0.101", "0.155", "≥ 0.209"])
    drive.press("j", *"nothing", "enter")
    assert "unknown colouring" in drive.presentation.prompt.problem


# -- reviewing -----------------------------------------------------------------------------------------------


def test_a_tag_that_differs_by_capitals_alone_is_said(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, count=30, select_by="novelty"))
    drive.hover(3)
    drive.press("w", *"cone", "enter")
    assert drive.presentation.status == "1 tagged as cone; Ctrl + z takes it back"
    drive.hover(5)
    drive.press("w", *"Cone", "enter")
    said = "cone is another tag, z merges the two"
    assert drive.presentation.status == f"1 tagged as Cone; {said}; Ctrl + z takes it back"
    drive.press("v", "w", *"cOne", "enter")
    assert drive.presentation.status.endswith("; Cone is another tag, z merges the two"), "in a review, too"


def test_a_review_by_keys(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, count=30, select_by="novelty"))
    drive.press("1", "backspace")
    assert drive.presentation.status == "nothing to cancel"
    drive.press("1")
    assert "v starts one" in drive.presentation.status
    drive.press("v")
    review = drive.session.review
    assert drive.detail == "review" and len(drive.rows) == 12 and review.place == 0
    first = review.page
    assert list(first) == drive.state.ranking.rows[:12], "before anything is said in the order of the score"
    drive.press("a", "1", "0", "w", *"pony", "enter")
    assert drive.state.tags.count("pony") == 1, "the one at hand, whatever is selected"
    assert [review.answer_of(row) for row in first[:3]] == [True, False, "pony"]
    assert drive.presentation.marked == first[3]
    drive.press("2", "right", "left", "0")
    assert [review.answer_of(row) for row in first[3:5]] == ["pony", False]
    assert drive.presentation.status == "3 of interest in 5 looks"
    drive.press("ctrl+z")
    assert review.answer_of(first[4]) is None and review.looks == 4
    drive.press(*["0"] * 8)
    assert not set(review.page) & set(first) and review.looks == 12, "the next page"
    assert review.curve.tolist() == [1, 1, 2, 3, *[3] * 8]
    drive.press("9")
    assert "no name on 9" in drive.presentation.status
    drive.press("w", "enter")
    assert "a tag is one line" in drive.presentation.prompt.problem
    drive.press("escape", "enter", "escape")
    assert drive.session.review is None and drive.state.tags.count("not of interest") == 9
    assert drive.detail == "selection", "what was there before"
    drive.press("v")
    assert drive.detail == "review" and drive.session.review is review and review.looks == 12, "it goes on"
    row = review.page[0]
    drive.press("escape")
    drive.state.tags.tag([row], "pony")
    drive.press("v")
    assert review.progress == "3 of interest in 12 looks; 1 of these had an answer or a name before"
    drive.press("escape", "x", "/", *"class == 1", "enter", "v")
    assert drive.session.review is not review and drive.session.review.looks == 0, "of other candidates"


def test_no_line_of_a_review_s_heading_ends_with_a_key(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, count=30, select_by="novelty"))
    drive.state.tags.tag([3], "thing")
    drive.press("v")
    for length in range(50, 75):  # wherever the line is broken
        drive.state.tags.rename(drive.state.tags.names[0], "t" * length)
        lines = drive.right.get_suptitle().splitlines()
        assert any("ttt" in line for line in lines) and not [
            line for line in lines if line.endswith(("2", " w"))
        ]


def test_what_had_a_name_before_a_review_is_no_look(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, count=30, select_by="novelty"))
    rows = drive.state.ranking.rows
    drive.state.selection.select(rows[:3])
    drive.press("w", *"pony", "enter", "x", "v")
    review = drive.session.review
    assert not set(review.page) & set(rows[:3]), "they are not asked for again"
    assert (review.looks, review.curve.tolist()) == (0, [])
    assert review.progress == "0 of interest in 0 looks; 3 of these had an answer or a name before"
    first = review.page[0]
    drive.press("0", "1")
    assert drive.presentation.status.startswith("1 of interest in 2 looks; 3 of these")
    assert review.curve.tolist() == [0, 1]
    drive.press("ctrl+z", "ctrl+z")
    assert review.looks == 0 and review.answer_of(first) is None
    drive.press("ctrl+z", "ctrl+z")
    assert review.progress == "0 of interest in 0 looks", "the names were taken back, too"


def test_w_in_a_review_names_what_is_shown(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, count=30, select_by="novelty"))
    drive.press("v")
    first = drive.session.review.page[0]
    drive.state.selection.select([20, 25])
    drive.press("w", *"pony", "enter")
    assert drive.state.tags.of_row(first) == ("pony",) and drive.state.tags.count("pony") == 1
    drive.press("a", "w", *"thing", "enter")
    assert drive.state.tags.count("thing") == 30, "what is selected, which is shown"
    drive.press("x")
    other = next(row for row in range(30) if row not in drive.session.review.page)
    drive.hover(other)
    drive.click(other)
    drive.press("w", *"dog", "enter")
    assert drive.state.tags.of_row(other) == ("dog", "thing"), "whose image is shown, and which is marked"
    drive.press("s")
    drive.hover(drive.empty_pixel())
    drive.press("w")
    assert drive.presentation.prompt is None and "nothing is selected" in drive.presentation.status
    drive.press("2")
    assert drive.detail == "review", "answers go on"


@pytest.mark.parametrize(("button", "kind"), [("left", "image"), ("middle", "panels")])
def test_ctrl_saves_instead_of_showing(drive, button, kind):
    drive.click(3, button, held="control")
    path = drive.state.catalogue.path / "pictures" / f"field_clip_1_0001_2_{kind}.png"
    assert drive.detail == "keys", "not shown"
    assert str(path) in drive.presentation.status
    saved = read_image(path)
    if kind == "image":
        original = read_image(drive.session.pictures.image_path(3))
        assert saved.shape == original.shape
        left, top, right, bottom = drive.state.segments.box(3)
        np.testing.assert_array_equal(saved[top:bottom, left:right], original[top:bottom, left:right])
        assert {tuple(pixel) for pixel in saved[top - 1, left - 1 : right + 1]} == {(214, 39, 40)}
    else:
        assert saved.shape[1] > 1400 and saved.shape[0] > 700
        assert len(np.unique(saved.reshape(-1, 3), axis=0)) > 100


def test_t_left_saves_the_crop_alone(drive):
    drive.click(3, "left", held="t")
    saved = read_image(drive.state.catalogue.path / "pictures" / "field_clip_1_0001_2_crop.png")
    np.testing.assert_array_equal(saved, drive.explorer.session.pictures.embedded(3))
    assert drive.detail == "keys"


def test_save_dir_is_where_pictures_go(catalogue, tmp_path):
    drive = open_explorer(catalogue, save_dir=str(tmp_path / "mine"))
    drive.click(0, "left", held="control")
    assert len(list((tmp_path / "mine").iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_said(catalogue, tmp_path):
    (tmp_path / "mine").write_text("in the way")
    drive = open_explorer(catalogue, save_dir=str(tmp_path / "mine"))
    drive.click(0, "left", held="control")
    assert drive.detail == "message"
    assert "cannot write" in drive.right.texts[0].get_text().replace("\n", " ")


def test_a_click_far_from_all_points_says_so(drive):
    drive.click(drive.empty_pixel())
    assert drive.presentation.status == "no segment under the pointer" and drive.detail == "keys"


# -- keys --------------------------------------------------------------------------------------------------


def legend(drive):
    box = drive.scatter.get_legend()
    return [] if box is None else [text.get_text() for text in box.get_texts()]


def bar(drive):
    """Title and numbers of the colour bar."""
    (axes,) = drive.scatter.child_axes
    return axes.get_title(loc="left"), [text.get_text() for text in axes.get_yticklabels()]


def point_colours(drive):
    return {to_hex(points.get_facecolor()[0]) for points in drive.scatter.collections}


def test_m_cycles_the_metric(drive):
    drive.click(2, "right")
    first = list(drive.rows.values())
    assert changed(drive, lambda: drive.press("m"))
    assert drive.state.metric == "cosine"
    assert "cosine" in drive.scatter.get_title(loc="left")
    units = np.asarray(drive.state.vectors, float)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    expected = [int(i) for i in np.argsort(-(units @ units[2])) if i != 2][:10]
    assert list(drive.rows.values()) == [2, *expected] != first
    drive.press("m")
    assert drive.state.metric == "centred_cosine"
    assert "centred cosine distance" in drive.scatter.get_title(loc="left")
    drive.press("m")
    assert drive.state.metric == "expanded_cosine"
    assert "expanded cosine distance" in drive.scatter.get_title(loc="left")
    drive.press("m")
    assert drive.state.metric == "euclidean" and list(drive.rows.values()) == first


def test_equals_finds_each_thing_once_or_every_segment(drive):
    drive.click(2, "right")
    everything = list(drive.rows.values())
    drive.press("=")
    assert drive.state.once and "each thing once" in drive.presentation.status
    found = [row for row, _ in drive.state.nearest(2)]
    assert list(drive.rows.values()) == [2, *found]
    drive.press("=")
    assert not drive.state.once and list(drive.rows.values()) == everything


def test_g_colours_by_truth(drive):
    drive.press("h")
    assert changed(drive, lambda: drive.press("g"))
    labels = drive.state.segments.classes.labels.tolist()
    names = {7: "cow", 0: "road", 1: "car"}
    known = sorted((0, 1), key=lambda i: -labels.count(i))
    assert legend(drive) == [f"{names[i]} ({labels.count(i)})" for i in (7, *known)], "unknown first"
    assert point_colours(drive) == {"#804080", "#00008e", "#fac814"}
    assert "truth" in drive.scatter.get_title(loc="left")


def test_h_colours_by_predicted_class(drive):
    drive.press("b")
    assert changed(drive, lambda: drive.press("h"))
    assert legend(drive) == ["car (6)", "road (6)"]
    assert point_colours(drive) == {"#804080", "#00008e"}


def test_b_gives_all_one_colour(drive):
    assert changed(drive, lambda: drive.press("b"))
    assert legend(drive) == [] and len(point_colours(drive)) == 1
    drawn = np.concatenate([points.get_offsets() for points in drive.scatter.collections])
    np.testing.assert_allclose(drawn, drive.state.points)


def test_u_colours_by_the_score_that_selected(drive, tmp_path):
    drive.press("u")
    assert "no score" in drive.presentation.status and drive.state.colouring == "truth"
    scored = open_explorer(make_catalogue(tmp_path, select_by="nearest_neighbour"))
    assert changed(scored, lambda: scored.press("u"))
    title, numbers = bar(scored)
    assert (
        title == "nearest neighbour" and numbers[0].startswith("≤ -7.8") and numbers[-1].startswith("≥ 2.8")
    )
    highest, lowest = scored.state.categories()[0], scored.state.categories()[-1]
    assert highest.rows.tolist() == [0] and lowest.rows.tolist() == [11]
    assert sum(bytes.fromhex(highest.colour[1:])) < 0.5 * sum(bytes.fromhex(lowest.colour[1:])), (
        "high is dark"
    )
    scored.hover(3)
    text = scored.overlay.thumbnail.offsetbox.get_children()[1].get_text()
    assert "predicted car, IoU 0.13, nearest neighbour 0.00" in text


def test_very_many_points_are_drawn_as_a_picture_of_the_view(catalogue, monkeypatch):
    for module in ("scatter", "scatter_view"):
        monkeypatch.setattr(f"oodretrieval.explorer.desktop.{module}.EXACT", 4)
    drive = open_explorer(catalogue)
    (picture,) = drive.scatter.images
    assert picture.get_array()[..., 3].any() and not drive.scatter.collections
    assert changed(drive, lambda: drive.press("h"))
    drive.hover(3)
    assert drive.presentation.hovered == 3
    drive.press("k")
    assert changed(drive, lambda: drive.press("x")), "what is not selected was pale"
    for _ in range(40):
        drive.wheel(3, 1)
        if not drive.scatter.images:
            break
    shown = sum(len(points.get_offsets()) for points in drive.scatter.collections)
    assert 1 <= shown <= 4, "few are in the view: each is drawn"
    drive.press("home")
    assert drive.scatter.images


def test_what_is_drawn_again_leaves_nothing_of_what_was_drawn_before(tmp_path):
    def drawn(drive):
        axes = drive.scatter
        return [len(each) for each in (axes.collections, axes.images, axes.child_axes, axes.get_children())]

    catalogue = make_catalogue(tmp_path, select_by="novelty")
    drive = open_explorer(catalogue)
    for key in "gudhdbugh":
        drive.press(key)
    other = open_explorer(catalogue)
    other.press("h")
    assert drawn(drive) == drawn(other)
    np.testing.assert_array_equal(drive.pixels(), other.pixels())


def test_one_image_after_the_other_is_shown_whole_whatever_its_size(drive):
    drive.click(0)
    row = next(
        row for row in range(len(drive.state)) if drive.state.segments.image_of(row)[1] != "clip 1/0000"
    )
    path = drive.session.pictures.image_path(row)
    Image.fromarray(np.zeros((30, 90, 3), np.uint8)).save(path)
    drive.click(row)
    (axes,) = drive.detail_axes()
    assert axes.get_xlim() == (-0.5, 89.5) and axes.get_ylim() == (29.5, -0.5)
    assert len(axes.images) == len(axes.patches) == 1


def test_the_legend_only_where_asked(catalogue):
    drive = open_explorer(catalogue, mainplot={"legend": False})
    for key in "ghb":
        drive.press(key)
        assert legend(drive) == []
    drive.press("j", *"predicted_iou", "enter")
    assert not drive.scatter.child_axes


def test_d_shades_the_density(drive):
    drive.presentation.status = ""
    plain = drive.pixels()
    limits = drive.scatter.get_xlim()
    assert changed(drive, lambda: drive.press("d"))
    assert drive.presentation.density and drive.scatter.get_xlim() == limits
    drive.press("d")
    assert not drive.presentation.density
    np.testing.assert_array_equal(drive.pixels(), plain)


def test_c_asks_for_the_number_in_the_window(drive):
    assert changed(drive, lambda: drive.press("c"))
    assert "k-means" in drive.presentation.prompt.question
    assert changed(drive, lambda: drive.press("3"))
    assert drive.presentation.prompt.text == "3"
    drive.press("enter")
    assert drive.presentation.prompt is None
    assert drive.state.colouring == "clusters"
    assert np.unique(drive.state.clusters).tolist() == [0, 1, 2]
    counts = np.bincount(drive.state.clusters)
    assert legend(drive) == [f"cluster {i + 1} ({n})" for i, n in enumerate(counts)]
    assert "3 clusters by k-means" in drive.presentation.status


def test_keys_are_text_while_a_question_is_open(drive):
    drive.press("c", "m", "g", "d", "backspace", "?")
    assert drive.presentation.prompt.text == "mg?"
    assert (
        drive.state.metric == "euclidean" and not drive.presentation.density and not drive.presentation.help
    )
    drive.click(3)
    drive.wheel(3, -1, held="control")
    drive.hover(3)
    assert drive.detail == "keys" and drive.state.neighbours == 10 and drive.presentation.hovered is None
    drive.press("escape")
    assert drive.presentation.prompt is None and drive.state.clusters is None
    drive.press("m")
    assert drive.state.metric == "cosine"


@pytest.mark.parametrize("answer", ["", "0", "13", "-2", "many", "2.5"])
def test_a_useless_answer_is_asked_again(drive, answer):
    drive.press("c", *answer, "enter")
    assert f"{answer!r} is no number from 1 to 12" in drive.presentation.prompt.problem
    drive.press(*["backspace"] * 5, "2", "enter")
    assert drive.presentation.prompt is None and drive.state.clusters.max() == 1


def test_the_elbow_takes_the_number_by_a_click(drive):
    drive.press("c", *"elbow", "enter")
    assert drive.detail == "elbow"
    (axes,) = drive.detail_axes()
    curve = axes.lines[0]
    assert list(curve.get_xdata()) == list(range(1, 13))
    assert (np.diff(curve.get_ydata()) <= 0).all()
    pixel = axes.transData.transform((4.3, curve.get_ydata()[3]))
    drive.click(tuple(pixel))
    assert drive.state.clusters.max() + 1 == 4 and drive.state.colouring == "clusters"
    assert drive.detail == "keys"


def test_the_silhouette_takes_the_number_by_a_click(drive):
    drive.press("c", *"silhouette", "enter")
    assert drive.detail == "silhouette"
    (axes,) = drive.detail_axes()
    curve = axes.lines[0]
    space, expected = drive.state.space, {}
    for number in range(2, 12):
        groups = cluster(space, "kmeans", number)
        expected[number] = plain_silhouette(space, groups)
    assert list(curve.get_xdata()) == list(expected)
    np.testing.assert_allclose(curve.get_ydata(), list(expected.values()), rtol=1e-5)
    drive.click(tuple(axes.transData.transform((3.2, curve.get_ydata()[1]))))
    assert drive.state.clusters.max() + 1 == 3 and drive.detail == "keys"
    drive.press("#", "c", *"silhouette", "enter")
    assert drive.presentation.detail.method == "spectral clustering"
    drive.press("escape")
    assert drive.detail == "keys"


def plain_silhouette(vectors, groups):
    """Rousseeuw's definition, point by point."""
    away = np.linalg.norm(vectors[:, None] - vectors, axis=-1)
    found = []
    for row, own in enumerate(groups):
        mates = (groups == own) & (np.arange(len(groups)) != row)
        if not mates.any():
            found.append(0.0)
            continue
        inside = away[row][mates].mean()
        outside = min(away[row][groups == other].mean() for other in set(groups) - {own})
        found.append((outside - inside) / max(inside, outside))
    return float(np.mean(found))


def test_escape_leaves_the_elbow(drive):
    before = drive.presentation.detail
    drive.press("c", *"elbow", "enter", "escape")
    assert drive.presentation.detail is before and drive.state.clusters is None
    drive.press("c", *"elbow", "enter")
    drive.click(0)
    assert drive.detail == "image"


def test_clusters_are_of_what_is_selected_or_shown(drive):
    drive.press("/", *"class==1", "enter", "c")
    assert "of the 6 segments that are selected or shown\n1 to 6" in drive.presentation.prompt.question
    drive.press("7", "enter")
    assert "no number from 1 to 6" in drive.presentation.prompt.problem
    drive.press("backspace", "2", "enter")
    assert np.flatnonzero(drive.state.clusters >= 0).tolist() == [1, 3, 5, 7, 9, 11]
    assert drive.state.clusters.max() == 1


def test_hash_cycles_the_clustering(drive):
    names = []
    for _ in range(5):
        drive.press("#")
        names.append(drive.state.clustering)
        assert "clustering" in drive.presentation.status
    assert names == ["spectral", "agglomerative", "dbscan", "hdbscan", "kmeans"]
    assert drive.state.clusters is None, "none were asked for"


def test_hash_clusters_again_what_is_shown(drive):
    drive.press("c", "4", "enter")
    kmeans = drive.state.clusters
    drive.press("#", "#")
    assert drive.state.clustering == "agglomerative"
    assert drive.state.clusters is not kmeans and drive.state.clusters.max() == 3
    assert "Ward" in drive.presentation.status
    drive.press("c", *"elbow", "enter")
    assert "k-means" in drive.presentation.prompt.problem


def test_clusters_by_density_ask_for_no_number_and_say_what_is_in_none(drive):
    drive.press("c", "3", "enter", "#", "#", "#")
    assert drive.state.clustering == "dbscan" and drive.presentation.prompt is None
    places = np.r_[np.zeros((6, 2)), np.full((5, 2), 5.0), [[10.0, -5.0]]]
    drive.state.space = (places + np.random.default_rng(0).normal(scale=0.1, size=(12, 2))).astype(np.float32)
    drive.press("c")
    assert drive.presentation.prompt is None
    assert drive.state.clusters.tolist() == [0] * 6 + [1] * 5 + [-1]
    assert drive.presentation.status == "2 clusters by DBSCAN, 8% in none"
    assert drive.state.groups == 3, "what was asked for of others"


def test_question_mark_shows_everything_of_the_table(drive):
    assert changed(drive, lambda: drive.press("?"))
    assert drive.overlay.help_text.get_text() == help_text()
    for command in COMMANDS:
        assert command.shown in help_text() and textwrap.wrap(command.text, 50)[0] in help_text()
    extent = drive.overlay.help_text.get_window_extent(drive.canvas.get_renderer())
    assert extent.x0 > 0 and extent.x1 < drive.explorer.figure.bbox.width
    assert changed(drive, lambda: drive.press("?"))
    assert not drive.presentation.help
    drive.press("?", "escape")
    assert not drive.presentation.help
    drive.press("?", "g")
    assert not drive.presentation.help and drive.state.colouring == "truth"


def test_candidates_by_rank_are_a_key_away(tmp_path):
    scored = open_explorer(make_catalogue(tmp_path, select_by="novelty"))
    for key, shown in (("n", "image"), ("p", "image"), ("s", "candidates"), ("pagedown", "candidates")):
        scored.press(key)
        assert scored.detail == shown
    scored.press("pageup", "+")
    assert "candidates shown: novelty from" in scored.presentation.status and scored.state.ranking.step == 1
    scored.press("-")
    assert scored.state.ranking.step == 0


def test_files_are_a_key_away(drive):
    drive.press("f")
    assert drive.presentation.status == "nothing that is shown has a name; w gives one"
    drive.press("ctrl+s")
    assert "save the view as" in drive.presentation.prompt.question
    drive.press("escape")


NETWORK = """
from oodretrieval.entries import ModelEntry
CONVOLUTION = {"in_channels": 3, "out_channels": 2, "kernel_size": 3, "padding": 1}
MODELS = {"net": ModelEntry("torch.nn", "Conv2d", CONVOLUTION)}
DATASETS, META_MODELS, WORKSPACE = {}, {}, "workspace"
DATASET = TRAIN_DATASET = VAL_DATASET = MODEL = META_MODEL = EMBEDDING = ""
"""


def test_e_asks_the_network_why(drive, tmp_path, monkeypatch):
    """The segment's image with the pixels that speak for its class; without a segment it says what to do."""
    (tmp_path / "configuration.py").write_text(NETWORK, encoding="utf-8")
    monkeypatch.setenv("OODRETRIEVAL_CONFIGURATION", str(tmp_path / "configuration.py"))
    drive.press("e")
    assert "point at a segment" in drive.presentation.status and drive.detail == "keys"
    drive.hover(3)
    drive.press("e")
    assert drive.detail == "image" and "fixations" in drive.presentation.detail.heading
    image, box = drive.presentation.detail.image, drive.presentation.detail.box
    assert box == drive.state.segments.box(3)
    assert (image == DOT).all(axis=2).sum() > 100


def test_escape_never_closes_and_ctrl_w_does(drive):
    left = []
    drive.explorer.session.close = lambda: left.append(True)
    drive.press("escape", "escape", "escape")
    assert left == [] and "Ctrl + w" in drive.presentation.status
    drive.press("ctrl+w")
    assert left == [True]


def test_back_and_forward_through_what_was_shown(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, select_by="novelty"))
    sheet = drive.presentation.detail
    drive.click(4)
    drive.click(1, "right")
    neighbours = drive.presentation.detail
    drive.press(",")
    assert drive.detail == "image"
    assert changed(drive, lambda: drive.press(","))
    assert drive.presentation.detail is sheet
    drive.press(".", ".")
    assert drive.presentation.detail is neighbours
    drive.press(".")
    assert drive.presentation.status == "nothing was shown after this"


def test_a_sheet_that_is_drawn_again_is_no_step_back(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, select_by="novelty"))
    drive.click(4)
    drive.press("s")
    sheet = drive.presentation.detail
    drive.click(0)
    drive.press(",")
    drive.hover(3)
    drive.press("w", *"bin", "enter")
    again = drive.presentation.detail
    assert again is not sheet and again.rows == sheet.rows
    drive.press(",")
    assert drive.detail == "image"
    drive.press(".")
    assert drive.presentation.detail is again
    drive.press(".")
    assert drive.detail == "image", "what was ahead is still there"


def searching(tmp_path):
    """Thirty candidates, compared by Euclidean distance, each by itself."""
    drive = open_explorer(make_catalogue(tmp_path, 30, select_by="novelty"))
    while drive.state.metric != "euclidean":
        drive.press("m")
    if drive.state.once:
        drive.press("=")
    return drive


def nearest_to(drive, vector, left_out=()):
    away = np.linalg.norm(drive.state.vectors - vector, axis=1)
    return [row for row in np.argsort(away, kind="stable").tolist() if row not in left_out]


def test_a_search_finds_what_is_like_the_selection_and_nothing_of_no_interest(tmp_path):
    drive = searching(tmp_path)
    drive.state.selection.select([0, 4, 9])
    drive.press(";", "enter")
    assert drive.detail == "found"
    middle = drive.state.vectors[[0, 4, 9]].astype(float).mean(axis=0)
    wanted = nearest_to(drive, middle, {0, 4, 9})[:10]
    assert list(drive.presentation.detail.rows) == wanted
    drive.press("o")
    assert set(np.flatnonzero(drive.state.selection.selected)) == {0, 4, 9, *wanted}
    drive.state.selection.select([0, 4, 9])
    drive.state.tags.tag(wanted[:2], "not of interest")
    drive.press(";", "enter")
    found = set(drive.presentation.detail.rows)
    assert len(found) == 10 and not found & {0, 4, 9, *wanted[:2]}
    assert "unlike 2 that are not of interest" in drive.presentation.detail.heading


@pytest.mark.parametrize("asked", [pytest.param("image", marks=pytest.mark.slow), "box", "text"])
def test_a_search_by_an_image_a_box_in_it_or_a_description(tmp_path, monkeypatch, asked):
    drive, called = searching(tmp_path), []

    class Vectors:
        def of_image(self, path, box, gpu):
            called.append((path.name, box))
            return drive.state.vectors[5].astype(float), np.zeros((2, 2, 3), np.uint8)

        def of_text(self, text):
            called.append(text)
            return drive.state.vectors[5].astype(float)

    monkeypatch.setattr(example_vectors.ExampleVectors, "of", lambda *given: Vectors())
    file = tmp_path / "a photo.png"
    Image.new("RGB", (8, 8)).save(file)
    answer = {"image": f"{file}", "box": f"{file} 1,2,5,6", "text": "a dog"}[asked]
    drive.press(";", *answer, "enter")
    expected = nearest_to(drive, drive.state.vectors[5])[:10]
    if asked == "text":  # whatever metric is chosen: texts do not lie about the mean of the crops
        unit = drive.state.vectors / np.linalg.norm(drive.state.vectors, axis=1, keepdims=True)
        expected = np.argsort(-unit @ unit[5], kind="stable")[:10].tolist()
        assert "cosine" in drive.presentation.detail.heading
    assert list(drive.presentation.detail.rows) == expected
    assert called == [
        {"image": ("a photo.png", ()), "box": ("a photo.png", (1, 2, 5, 6)), "text": "a dog"}[asked]
    ]


def test_a_search_is_done_again_for_another_number_or_filter(tmp_path):
    drive = searching(tmp_path)
    drive.state.selection.select([3])
    drive.press(";", "enter", "[", "[")
    page = drive.presentation.detail
    assert drive.detail == "found" and len(page.rows) == 8 and page.heading.startswith("8 like ")
    drive.press("/", *"class == 1", "enter")
    rows = np.array(drive.presentation.detail.rows)
    assert drive.detail == "found" and (drive.state.segments.table["class"].to_numpy()[rows] == 1).all()
    drive.click(3)
    drive.press("]")
    assert drive.detail == "image", "only where what was found is shown"


def test_a_search_finds_nothing_that_repeats_an_example_in_a_near_frame(tmp_path):
    drive = searching(tmp_path)
    drive.press("=")
    things = drive.state.search.things
    row = int(np.flatnonzero(np.bincount(things, minlength=len(things))[things] > 1)[0])
    drive.state.selection.select([row])
    drive.press(";", "enter")
    found = things[list(drive.presentation.detail.rows)]
    assert len(found) and things[row] not in found and len(set(found)) == len(found)


def test_a_page_of_a_review_is_no_step_back(tmp_path):
    """Its keys answer for the candidate that is asked for now."""
    drive = open_explorer(make_catalogue(tmp_path, count=30, select_by="novelty"))
    drive.press("v", *["0"] * 12)
    second = drive.presentation.detail.rows
    drive.press(",")
    assert drive.detail != "review" or drive.presentation.detail.rows == second


def test_each_way_to_search_has_a_line_of_the_question(tmp_path):
    drive = searching(tmp_path)
    drive.press(";")
    asked = drive.presentation.prompt.question
    assert "Enter" not in asked, "there is nothing yet that it would take"
    assert drive.overlay.question.get_text().splitlines()[:-1] == asked.splitlines(), "no line is broken"
    drive.press("escape")
    drive.hover(3)
    drive.press(";")
    assert drive.presentation.prompt.question.splitlines()[1:] == [
        "· Enter alone: the marked segment",
        *asked.splitlines()[1:],
    ]


def test_a_search_that_cannot_be(tmp_path):
    drive = searching(tmp_path)
    drive.press(";", "enter")
    assert "nothing is selected" in drive.presentation.prompt.problem
    drive.press(*"gone.png", "enter")
    assert "no file 'gone.png'" in drive.presentation.prompt.problem
    drive.press("escape")
    drive.press(";", *"gone.png 1,2,3", "enter")
    assert "a box is left,top,right,bottom" in drive.presentation.prompt.problem
    drive.press("escape")
    for words in ("~nobody", "a " * 200):  # no names of files
        drive.press(";", *words, "enter")
        assert drive.presentation.prompt is None and drive.detail == "message"
    drive.press(";", *"a dog", "enter")
    assert drive.detail == "message", "this network has no text side"


def test_other_keys_do_nothing(drive):
    before = drive.pixels()
    drive.press("~", "left", "backspace", "ctrl+f", "f5", "tab")
    bottom_line = 30
    np.testing.assert_array_equal(before[:-bottom_line], drive.pixels()[:-bottom_line])


def test_every_command_of_the_table_was_given_here(drive, request):
    """What the tests above gave; where several processes share this file, none of them knows."""
    here = [item for item in request.session.items if item.path == request.path]
    above = {item.nodeid for item in here[: here.index(request.node)]}
    if not above <= RAN:
        pytest.skip("other tests of this file ran in another process, or not at all")
    assert set(COMMANDS) <= GIVEN


def test_saved_pictures_are_png(drive):
    drive.click(0, "left", held="control")
    (path,) = (drive.state.catalogue.path / "pictures").iterdir()
    with Image.open(path) as image:
        assert image.format == "PNG"
