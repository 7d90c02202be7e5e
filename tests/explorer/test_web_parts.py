"""Parts of the page that need no browser: who is let in, what part of the plane is shown, pictures, menus."""

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

pytest.importorskip("panel")

from oodretrieval.charts.image_view import ImageView
from oodretrieval.explorer.categories import Category
from oodretrieval.explorer.commands.menus import (
    IN_NO_MENU,
    LAST,
    MENUS,
    ON_THE_PAGE,
    candidate_buttons,
    menus,
)
from oodretrieval.explorer.commands.table import COMMANDS, Command
from oodretrieval.explorer.details import (
    CandidatePage,
    ElbowCurve,
    FoundPage,
    FourPanels,
    KeysHelp,
    Message,
    NeighbourPage,
    ReviewPage,
    SelectionPage,
    SilhouetteCurve,
    WholeImage,
)
from oodretrieval.explorer.raster import inside, layers_of, points_picture
from oodretrieval.explorer.view_port import ViewPort, nearest_point
from oodretrieval.explorer.visited import Visited
from oodretrieval.explorer.web.contents import detail_content
from oodretrieval.explorer.web.density_picture import density_picture
from oodretrieval.explorer.web.gate import refusal
from oodretrieval.explorer.web.pictures import picture_address
from oodretrieval.search import elbow

TOKEN = "a-token"
NUMBERS = st.floats(-1e4, 1e4, width=32)
POINTS = arrays(np.float32, st.tuples(st.integers(1, 30), st.just(2)), elements=NUMBERS)
SIDES = st.floats(50, 3000)


# -- who is let in ------------------------------------------------------------------------------------------

HOSTS = st.sampled_from(["127.0.0.1:5", "localhost:5", "[::1]:5", "evil.example:5", "", "localhost.evil:5"])
ORIGINS = st.sampled_from(
    [None, "http://127.0.0.1:5", "http://localhost:5", "https://evil.example", "null", ""]
)
PATHS = st.one_of(
    st.sampled_from(["/a-token/", "/a-token/ws", "/", "", "/a-tokens/", "//a-token/", "a-token/"]), st.text()
)


@given(PATHS, HOSTS, ORIGINS)
def test_only_the_token_opens_and_only_to_the_page_itself(path, host, origin):
    right_path = path == f"/{TOKEN}" or path.startswith(f"/{TOKEN}/")
    right_host = host in ("127.0.0.1:5", "localhost:5", "[::1]:5")
    right_origin = origin is None or origin == f"http://{host}"
    assert (refusal(path, host, origin, TOKEN) == "") is (right_path and right_host and right_origin)


# -- the part of the plane that is shown --------------------------------------------------------------------


@given(POINTS, SIDES, SIDES)
def test_a_view_around_points_shows_them_all(points, width, height):
    view = ViewPort.around(points, width, height)
    slack = 1e-3 * (1 + np.abs(points).max())
    assert view.left - slack <= points[:, 0].min() <= points[:, 0].max() <= view.right + slack
    assert view.bottom - slack <= points[:, 1].min() <= points[:, 1].max() <= view.top + slack


@given(NUMBERS, NUMBERS, st.floats(1e-3, 1e3), SIDES, SIDES, SIDES, SIDES)
def test_another_size_keeps_the_middle_and_the_unit(left, bottom, unit, width, height, wider, higher):
    view = ViewPort(left, bottom, unit, width, height)
    after = view.resized(wider, higher)
    middle = view.place(np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(after.place(np.array([[0.5, 0.5]])), middle, rtol=1e-6, atol=1e-3)
    assert after.unit == unit
    assert (after.width, after.height) == (wider, higher)


@given(POINTS, st.tuples(NUMBERS, NUMBERS), st.floats(0.125, 1e4), st.data())
def test_the_nearest_point_is_that_of_a_plain_search(points, place, reach, data):
    visible = data.draw(arrays(np.bool_, len(points)))
    found = nearest_point(points, place, reach, visible)
    away = [
        float(np.hypot(*(p.astype(float) - place))) if v else np.inf
        for p, v in zip(points, visible, strict=True)
    ]
    if found is None:
        assert min(away) > reach * 0.999
    else:
        assert visible[found]
        assert away[found] <= min(away) * 1.001 + 1e-2


# -- very many points ---------------------------------------------------------------------------------------

VIEW = ViewPort(0, 0, 1, 20, 10)
RED, BLUE, GREY = "#ff0000", "#0000ff", "#dddddd"


def test_every_point_of_the_view_is_in_the_picture_and_rare_ones_on_top():
    points = np.array([[2.5, 3.5]] * 50 + [[2.5, 3.5], [15.2, 0.1], [25.0, 3.0]], np.float32)
    often, rare = Category("often", BLUE, np.arange(50)), Category("rare", RED, np.array([50, 51, 52]))
    picture = points_picture(points, layers_of([rare, often]), VIEW)
    assert picture.shape == (10, 20, 4)
    assert picture[3, 2].tolist() == [255, 0, 0, 255]
    assert picture[0, 15, :3].tolist() == [255, 0, 0]
    assert 0 < picture[0, 15, 3] < 255, "a single point is fainter than many"
    assert picture[9].max() == 0
    assert inside(points, VIEW).tolist() == [True] * 52 + [False]


@given(
    st.lists(st.tuples(st.integers(-3, 23), st.integers(-3, 13), st.integers(0, 2)), min_size=1, max_size=40),
    st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_the_picture_is_that_of_a_plain_loop(drawn, chosen):
    points = np.array([(x + 0.5, y + 0.5) for x, y, _ in drawn], np.float32)
    kinds = np.array([kind for *_, kind in drawn])
    found = [Category(str(kind), (BLUE, RED, GREY)[kind], np.flatnonzero(kinds == kind)) for kind in range(3)]
    layers = layers_of(found, np.array(chosen[: len(drawn)]))
    assert sorted(row for layer in layers for row in layer.rows) == list(range(len(drawn)))
    expected = np.zeros((10, 20, 3), int)
    for layer in layers:
        for row in layer.rows:
            x, y, _ = drawn[row]
            if 0 <= x < 20 and 0 <= y < 10:
                for up, right in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)):
                    if 0 <= y + up < 10 and 0 <= x + right < 20:
                        expected[y + up, x + right] = tuple(bytes.fromhex(layer.colour[1:]))
    picture = points_picture(points, layers, VIEW)
    np.testing.assert_array_equal(picture[..., :3], expected)
    assert ((picture[..., 3] > 0) == expected.any(axis=2)).all()


def test_what_is_left_out_lies_below():
    points = np.array([[5, 5], [5, 5]], np.float32)
    shown, left_out = (
        Category("shown", BLUE, np.array([0])),
        Category("left", GREY, np.array([1]), faint=True),
    )
    assert points_picture(points, layers_of([shown, left_out]), VIEW)[5, 5, :3].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    "points",
    [
        np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32),
        np.array([[3, -2]], np.float32),
        np.array([[0, -3130.5], *[[0, 0]] * 13], np.float32),
    ],
    ids=["a bell", "one point", "a line"],
)
def test_a_density_is_there_where_points_are(points):
    picture, view = density_picture(points)
    assert picture.shape == (round(view.height), round(view.width), 4)
    assert picture[..., 3].max() == 255
    column = int((points[-1, 0] - view.left) / view.unit)
    line = int((points[-1, 1] - view.bottom) / view.unit)
    assert picture[line, column, 3] == 255
    assert picture[0, 0, 3] == 0


# -- what was inspected -------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.integers(0, 5), st.sampled_from(["back", "forward"])), max_size=30))
def test_back_and_forward_are_those_of_a_browser(steps):
    visited, seen, place = Visited(-1), [-1], 0
    for step in steps:
        if isinstance(step, int):
            if step != seen[place]:
                seen, place = [*seen[: place + 1], step], place + 1
            visited.visit(step)
        else:
            by = 1 if step == "forward" else -1
            assert visited.can(by) is (0 <= place + by < len(seen))
            place = min(max(place + by, 0), len(seen) - 1)
            assert visited.move(by) == seen[place]


# -- menus --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", [ON_THE_PAGE, IN_NO_MENU], ids=["page", "window"])
def test_every_command_has_its_place_on_the_page_and_in_the_window(elsewhere):
    keys = {command.trigger for command in COMMANDS if isinstance(command, Command)}
    in_menus = [item["trigger"] for menu in menus(elsewhere=elsewhere) for item in menu["items"]]
    on_buttons = [item["trigger"] for item in candidate_buttons()]
    assert len(in_menus) == len(set(in_menus))
    assert set(in_menus) == keys - elsewhere
    assert set(on_buttons) | elsewhere | keys == {command.trigger for command in COMMANDS}
    assert {trigger for labels in MENUS.values() for trigger in labels} <= {*in_menus, *elsewhere}
    assert all(item["text"] and item["shown"] for menu in menus() for item in menu["items"])
    assert LAST not in [menu["label"] for menu in menus(elsewhere=elsewhere)], "each has a name of its own"


def test_a_command_that_no_menu_names_is_in_the_last_one():
    new = Command("f9", "F9", "polish: until it shines", lambda session: None)
    (menu,) = menus([new])
    assert (menu["label"], [item["label"] for item in menu["items"]]) == (LAST, ["Polish"])


# -- what is shown next to the scatter ----------------------------------------------------------------------

PICTURE = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
IDS = np.array([[0, 0, 1, 1]] * 3, np.uint8)
MAPPING = {0: ("road", (128, 64, 128)), 1: ("<b>car</b>", (0, 0, 142))}


def decoded(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4]))))
def test_small_pictures_arrive_as_they_are(picture):
    np.testing.assert_array_equal(decoded(picture_address(picture)), picture)


def image_view(values):
    image = np.repeat(PICTURE[:3, :4], 1, axis=0)
    return ImageView(image, IDS, MAPPING, np.full(IDS.shape, 0.5), values, IDS, MAPPING, (0, 0, 2, 2))


@pytest.mark.parametrize(
    ("detail", "kind"),
    [
        (KeysHelp(), "keys"),
        (Message("no such file"), "message"),
        (WholeImage("an image", PICTURE, (1, 2, 3, 4)), "image"),
        (FourPanels("four", image_view(np.full(IDS.shape, 0.3))), "panels"),
        (CandidatePage("some", (4, 2), (PICTURE, PICTURE), ("a", "b"), 5, 4), "grid"),
        (FoundPage("some", (4, 2), (PICTURE, PICTURE), ("a", "b"), 5, 4), "grid"),
        (SelectionPage("some", (4, 2), (PICTURE, PICTURE), ("a", "b"), 5, 4, 0), "grid"),
        (NeighbourPage("near", (1, 2, 3), (PICTURE,) * 3, ("q", "a", "b"), (True, False)), "grid"),
        (NeighbourPage("near", (1, 2), (PICTURE,) * 2, ("q", "a"), None), "grid"),
        (ReviewPage("r\nkeys", (1, 2), (PICTURE,) * 2, ("a", "b"), ("#ff0000", ""), 1, np.array([1, 1])), "review"),
        (ElbowCurve(np.array([3.0, 1.0])), "elbow"),
        (SilhouetteCurve(np.array([0.5, np.nan]), "k-means"), "elbow"),
    ],
)  # fmt: skip
def test_every_detail_reaches_the_page_as_plain_values(detail, kind):
    content = json.loads(json.dumps(detail_content(detail, ["bin"])))
    assert content["kind"] == kind
    assert content["heading"]


def test_curves_name_the_number_that_they_speak_for():
    spread = np.array([100.0, 30.0, 10.0, 9.0, 8.0])
    content = detail_content(ElbowCurve(spread))
    assert (content["mark"], content["best"]) == ("bends most at", elbow(spread))
    content = detail_content(SilhouetteCurve(np.array([0.1, np.nan, 0.6, 0.2]), "k-means"))
    assert (content["mark"], content["best"], content["values"][1]) == ("highest at", 4, None)
    assert detail_content(SilhouetteCurve(np.array([np.nan]), "k-means"))["best"] is None


def test_neighbours_and_answers_are_marked():
    near = detail_content(NeighbourPage("n", (1, 2, 3), (PICTURE,) * 3, ("q", "a", "b"), (True, False)))
    assert [item["tone"] for item in near["items"]] == ["query", "same", "other"]
    page = ReviewPage(
        "5 of interest\nkeys", (7, 9), (PICTURE,) * 2, ("a", "b"), ("#ff0000", ""), 1, np.array([1])
    )
    review = detail_content(page, ["bin", "cow"])
    assert [(item["row"], item["tone"], item["colour"]) for item in review["items"]] == [
        (7, "", "#ff0000"),
        (9, "now", ""),
    ]
    assert review["answers"] == [["1", "of interest"], ["0", "not"], ["2", "bin"], ["3", "cow"]]
    assert review["heading"] == "5 of interest"


def test_four_panels_are_of_one_size_and_unknown_values_are_grey():
    values = np.where(IDS == 0, np.nan, 1.0)
    content = detail_content(FourPanels("four", image_view(values)))
    pictures = [decoded(panel["picture"]) for panel in content["panels"]]
    assert [picture.shape for picture in pictures] == [(3, 4, 3)] * 4
    assert pictures[1][0, 0].tolist() == [230, 230, 230]
    assert pictures[1][0, 3].tolist() != [230, 230, 230]
    assert pictures[3][0, 0].tolist() == [128, 64, 128]
    assert content["panels"][3]["classes"][1] == ["<b>car</b>", "#00008e"]
