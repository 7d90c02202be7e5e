import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from oodretrieval.charts import palette
from oodretrieval.charts.saving import DPI, Picture, save_picture, save_pictures
from oodretrieval.errors import StoreError
from oodretrieval.files import file_name


def chart():
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1], [1, 0])
    return figure


def test_a_chart_is_saved_at_the_resolution_of_all_charts(tmp_path):
    path = save_picture(tmp_path / "below" / "chart.png", chart())
    with Image.open(path) as saved:
        assert saved.size == (2 * DPI, DPI)


def test_pixels_are_saved_as_they_are(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 9, 3), np.uint8)
    view = image[:, ::-1]  # in memory the other way round
    with Image.open(save_picture(tmp_path / "image.png", view)) as saved:
        np.testing.assert_array_equal(np.asarray(saved), view)


def test_a_picture_that_breaks_off_leaves_the_old_one(tmp_path):
    class Broken(Figure):
        def savefig(self, path, **_):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    path = save_picture(tmp_path / "chart.png", chart())
    whole = path.read_bytes()
    with pytest.raises(StoreError, match="make room"):
        save_picture(path, Broken())
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_of_a_result_are_named_after_it(tmp_path):
    pictures = [Picture("All", "", chart()), Picture("Scores of a/b", "a/b", chart())]
    saved = save_pictures(tmp_path, "ood_net_set", iter(pictures))
    assert {caption: path.name for caption, path in saved.items()} == {
        "All": "ood_net_set.png",
        "Scores of a/b": "ood_net_set_a_b.png",
    }
    assert all(path.is_file() for path in saved.values())


@given(st.text())
def test_any_text_becomes_part_of_one_file_name(text):
    name = file_name(text)
    assert not set(name) & set('/\\:*?"<>|\0 ')
    name.encode()  # a file can be called so


def test_names_that_differ_in_a_letter_of_any_language_are_two_files():
    assert len({file_name(name) for name in ("ä 1", "ö 1", "道 1", "a 1")}) == 4


def test_every_colour_is_one_and_no_two_of_a_set_are_alike():
    strokes = [stroke for _, stroke in palette.LINES]
    assert len(set(strokes)) == len(strokes)
    for colours in (palette.PALETTE, palette.CLUSTERS, palette.CIVIDIS, [c for c, _ in palette.LINES]):
        assert all(map(is_color_like, colours))
        assert len({to_rgb(colour) for colour in colours}) == len(colours)
