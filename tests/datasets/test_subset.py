"""Subsets by index, class and file list, built or by entry."""

import numpy as np
import pytest

from oodretrieval.datasets import (
    CamVid,
    Cityscapes,
    ImageFolder,
    open_dataset,
    sample,
    subset_by_class,
    subset_by_file_list,
    subset_by_index,
)
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import (
    ConfigurationError,
    DatasetError,
    DatasetNotFoundError,
    SettingsError,
    UnknownNameError,
)


@pytest.fixture
def whole(miniatures):
    return Cityscapes(miniatures / "cityscapes")


def test_keeps_ids_tables_and_selection(whole):
    whole.pred_class_selection = (11, 12)
    part = subset_by_index(whole, [3, 1])
    assert part.ids == [whole.ids[3], whole.ids[1]]
    assert np.array_equal(part[0].image, whole[3].image)
    assert part.label_set is whole.label_set and part.pred_class_selection == (11, 12)
    assert len(subset_by_index(whole, [])) == 0


@pytest.mark.parametrize("indices", [[4], [-1], [0, 0]])
def test_refuses_indices_outside_or_twice(whole, indices):
    with pytest.raises(ConfigurationError, match="indices of a subset must"):
        subset_by_index(whole, indices)


@pytest.mark.parametrize("classes", [("rider",), "rider", 25, [25]])
def test_by_class_keeps_the_images_that_show_it(whole, classes):
    assert subset_by_class(whole, classes).ids == ["train/aachen/aachen_000000_000019"]


@pytest.mark.parametrize("classes", [("car", "person"), (7,), (33, "sky")])
def test_by_class_agrees_with_looking_at_every_label(whole, classes):
    ids = [i for i, (name, _) in whole.label_mapping.items() if i in classes or name in classes]
    expected = [s.id for s in whole if np.isin(s.labels, ids).any()]
    assert subset_by_class(whole, classes).ids == expected


def test_by_class_counts_pixels(whole):
    assert len(subset_by_class(whole, "rider", min_pixels=15)) == 1
    with pytest.raises(DatasetNotFoundError, match="none of 4 images has 16 pixel"):
        subset_by_class(whole, "rider", min_pixels=16)


def test_by_class_decodes_no_image(whole, monkeypatch):
    monkeypatch.setattr(sample, "read_image", lambda path: pytest.fail(f"read {path}"))
    assert len(subset_by_class(subset_by_index(whole, [0, 1]), "rider")) == 1


def test_by_class_needs_truth_and_known_names(whole, miniatures):
    with pytest.raises(DatasetError, match="needs truth"):
        subset_by_class(ImageFolder(miniatures / "folder"), "car")
    with pytest.raises(UnknownNameError, match="'ridr'"):
        subset_by_class(whole, "ridr")
    with pytest.raises(UnknownNameError, match="'99'"):
        subset_by_class(whole, 99)


def test_by_file_list_follows_the_file(miniatures, tmp_path):
    whole = ImageFolder(miniatures / "folder")
    path = tmp_path / "ids.txt"
    path.write_text("\ufeff# two images\ntour/web  # the second\n\n  rgb\n", encoding="utf-8")
    assert subset_by_file_list(whole, path).ids == ["tour/web", "rgb"]


def test_by_file_list_takes_ids_that_hold_a_hash(tmp_path):
    from PIL import Image

    Image.new("RGB", (2, 2)).save(tmp_path / "take #2.png")
    (tmp_path / "ids.txt").write_text("take #2\n")
    assert subset_by_file_list(ImageFolder(tmp_path), tmp_path / "ids.txt").ids == ["take #2"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("rgb\ntour/wbe\n", DatasetError, "1 id.*tour/wbe; an id looks like tour/web"),
        ("rgb\nrgb\n", DatasetError, "'rgb' more than once"),
        ("# nothing\n", DatasetNotFoundError, "lists no id"),
    ],
)
def test_by_file_list_names_what_is_wrong(text, error, message, miniatures, tmp_path):
    (tmp_path / "ids.txt").write_text(text)
    with pytest.raises(error, match=message):
        subset_by_file_list(ImageFolder(miniatures / "folder"), tmp_path / "ids.txt")
    with pytest.raises(DatasetNotFoundError, match="cannot read the list"):
        subset_by_file_list(ImageFolder(miniatures / "folder"), tmp_path / "missing.txt")


def test_a_subset_can_be_an_entry(miniatures):
    inner = DatasetEntry("oodretrieval.datasets.camvid", "CamVid", {"root": "nowhere", "split": "val"})
    by_index = DatasetEntry(
        "oodretrieval.datasets.subset", "subset_by_index", {"dataset": inner, "indices": (1,)}
    )
    outer = DatasetEntry(
        "oodretrieval.datasets.subset", "subset_by_class", {"dataset": by_index, "classes": ("sky", "road")}
    )
    part = open_dataset(outer, "camvid_one", root=miniatures / "camvid")
    assert part.ids == CamVid(miniatures / "camvid", "val").ids[1:]
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        open_dataset(outer, "camvid_one")


def test_root_cannot_reach_a_built_dataset(whole, miniatures):
    with pytest.raises(ConfigurationError, match="DatasetEntry"):
        subset_by_index(whole, [0], root=miniatures)


def test_root_needs_a_dataset_that_takes_it(miniatures):
    entry = DatasetEntry("oodretrieval.datasets.subset", "Subset", {"indices": (0,)})
    with pytest.raises(SettingsError, match="takes no `root`"):
        open_dataset(entry, root=miniatures)
