"""Regions of an image on disk: what was written is read, and damage never passes for it."""

import numpy as np
import pytest

from oodretrieval.errors import StoreError
from oodretrieval.masks import decode_mask
from oodretrieval.regions import propose_regions
from oodretrieval.stores import Stored, Workspace
from oodretrieval.stores.regions import StoredRegions, has_regions, read_regions, regions_path, write_regions

MADE_BY = {"prediction": "abc", "version": 1}


@pytest.fixture(scope="module")
def regions():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 40, (40, 60, 3)).astype(np.uint8)
    image[10:25, 20:40] += 150
    tree = propose_regions(image, logits=rng.normal(size=(3, 10, 15)))
    features = rng.normal(size=(len(tree.superpixel_areas), 4))
    columns = {"energy": rng.normal(size=len(tree)), "class": np.arange(len(tree)) % 3.0}
    classes = rng.random((len(tree.superpixel_areas), 3))
    return StoredRegions(tree, columns, classes, features)


def test_what_was_written_is_read(tmp_path, regions):
    path = regions_path(Workspace(tmp_path), Stored("net", "data"), "regions", "clip/7")
    write_regions(path, regions, MADE_BY)
    found = read_regions(path)
    for name in ("superpixels", "members", "spans", "parent", "source"):
        np.testing.assert_array_equal(getattr(found.tree, name), getattr(regions.tree, name))
    assert (found.tree.step, found.tree.size) == (regions.tree.step, regions.tree.size)
    assert list(found.columns) == ["energy", "class"]
    np.testing.assert_allclose(found.columns["energy"], regions.columns["energy"], rtol=1e-6)
    np.testing.assert_allclose(found.classes, regions.classes, rtol=1e-3)
    np.testing.assert_allclose(found.features, regions.features, rtol=1e-3, atol=1e-6)
    last = len(regions.tree) - 1
    np.testing.assert_array_equal(decode_mask(found.tree.masks[last]), decode_mask(regions.tree.masks[last]))


def test_an_image_without_a_region(tmp_path):
    tree = propose_regions(
        np.zeros((20, 30, 3), np.uint8), logits=np.zeros((2, 5, 5)), min_share=0.9, max_share=0.95
    )
    assert len(tree) == 0
    write_regions(tmp_path / "r.h5", StoredRegions(tree, {"energy": np.zeros(0)}), MADE_BY)
    found = read_regions(tmp_path / "r.h5")
    assert len(found.tree) == 0 and found.classes is found.features is None


def test_regions_of_something_else_are_not_there(tmp_path, regions):
    path = tmp_path / "r.h5"
    assert not has_regions(path, MADE_BY)
    write_regions(path, regions, MADE_BY)
    assert has_regions(path, MADE_BY)
    assert not has_regions(path, {**MADE_BY, "prediction": "other"})


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_damage_is_never_read(tmp_path, regions, place):
    path = tmp_path / "r.h5"
    write_regions(path, regions, MADE_BY)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 255
    path.write_bytes(content)
    assert not has_regions(path, MADE_BY)
    with pytest.raises(StoreError, match="damaged"):
        read_regions(path)


def test_half_a_file_is_damaged(tmp_path, regions):
    path = tmp_path / "r.h5"
    write_regions(path, regions, MADE_BY)
    path.write_bytes(path.read_bytes()[:300])
    assert not has_regions(path, MADE_BY)
    with pytest.raises(StoreError, match="damaged"):
        read_regions(path)


def test_regions_that_are_not_there_name_the_stage_that_makes_them(tmp_path):
    with pytest.raises(
        StoreError, match=r"no file .*; run compute_embeddings\.py with args\.candidates=objects first"
    ):
        read_regions(tmp_path / "none.h5")
