"""Pictures of a catalogue's candidates: what they show, and what is said where an image is not what it was."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from oodretrieval.charts.candidate_pictures import CandidatePictures, Recent, Surroundings
from oodretrieval.charts.outlines import outlined
from oodretrieval.errors import ImageError, StoreError
from oodretrieval.masks import encode_mask
from oodretrieval.segments import Box

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
MASK = np.zeros((40, 60), bool)
MASK[10:20, 30:50] = True
SIDES = {"left": 30, "top": 10, "right": 50, "bottom": 20}
CROP = {"crop_left": 25, "crop_top": 5, "crop_right": 55, "crop_bottom": 25}


@pytest.fixture
def catalogue(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    rows = [{**SIDES, **CROP, "image_path": str(tmp_path / "a.png")}] * 2
    return SimpleNamespace(segments=pd.DataFrame(rows), masks=[encode_mask(MASK), None])


def test_each_picture_is_cut_out_of_the_outlined_image(catalogue):
    pictures, whole = CandidatePictures(catalogue), outlined(PIXELS, MASK)
    np.testing.assert_array_equal(pictures.image(0), PIXELS)
    np.testing.assert_array_equal(pictures.outlined_image(0), whole)
    np.testing.assert_array_equal(pictures.picture(0), whole[5:25, 25:55])
    np.testing.assert_array_equal(pictures.embedded(0), PIXELS[5:25, 25:55])
    around = pictures.picture(0, surroundings=Surroundings(share=1.2, margin=2))
    np.testing.assert_array_equal(around, whole[8:22, 27:53])
    assert pictures.picture(0, longest=15).shape == (10, 15, 3)


def test_without_a_mask_there_is_no_outline(catalogue):
    np.testing.assert_array_equal(CandidatePictures(catalogue).picture(1), PIXELS[5:25, 25:55])


def test_an_image_is_read_once(catalogue, tmp_path):
    pictures = CandidatePictures(catalogue)
    pictures.picture(0)
    (tmp_path / "a.png").unlink()
    pictures.picture(1)
    with pytest.raises(ImageError, match=r"a\.png has gone; bring it back"):
        CandidatePictures(catalogue).picture(1)


@pytest.mark.parametrize(
    "show",
    [
        lambda pictures: pictures.picture(0),
        lambda pictures: pictures.picture(1),
        lambda pictures: pictures.picture(1, surroundings=Surroundings(share=2)),
        lambda pictures: pictures.embedded(1),
        lambda pictures: pictures.outlined_image(0),
    ],
)
def test_another_image_of_the_same_name_is_refused(catalogue, tmp_path, show):
    Image.new("RGB", (45, 20)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="not the image it was"):
        show(CandidatePictures(catalogue))


def test_damaged_masks_are_said(catalogue):
    class Damaged(SimpleNamespace):
        @property
        def masks(self):
            raise StoreError("part-00000.masks.parquet is damaged")

    with pytest.raises(ImageError, match="cannot be outlined: part-00000"):
        CandidatePictures(Damaged(segments=catalogue.segments)).picture(0)


@given(
    box=st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(21, 40), st.integers(21, 30)),
    surroundings=st.builds(
        Surroundings, st.floats(1, 3), st.integers(0, 20), st.integers(1, 50), st.booleans()
    ),
)
def test_surroundings_contain_the_candidate_and_lie_in_the_image(box, surroundings):
    around = surroundings.around(Box(*box), (30, 40, 3))
    assert 0 <= around.left <= box[0] < box[2] <= around.right <= 40
    assert 0 <= around.top <= box[1] < box[3] <= around.bottom <= 30
    assert around.height >= min(30, surroundings.smallest) and around.width >= min(40, surroundings.smallest)
    if surroundings.square and max(around.height, around.width) < 30:
        assert around.height == around.width


def test_the_values_that_were_used_last_are_kept():
    recent = Recent(2)
    recent.put("a", 1), recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)


def test_threads_that_ask_for_one_thing_wait_for_one_making():
    recent, started, release, made = Recent(2), threading.Event(), threading.Event(), []

    def make():
        made.append(1)
        started.set()
        release.wait(60)
        return object()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(recent.get_or_make, "a", make)
        assert started.wait(60)
        second = pool.submit(recent.get_or_make, "a", make)
        release.set()
        assert first.result() is second.result() is recent.get("a") and len(made) == 1


def test_what_could_not_be_made_is_made_again():
    recent = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.get_or_make("a", lambda: 1 / 0)
    assert recent.get_or_make("a", lambda: 2) == 2
