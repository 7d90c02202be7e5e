"""Opening entries: our form, a user's class, the published project's form."""

import numpy as np
import pytest
import torch
from PIL import Image

from oodretrieval.datasets import AdaptedDataset, Sample, contract, open_dataset, subset_by_class
from oodretrieval.datasets.contract import image_array, label_array
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import (
    ConfigurationError,
    DatasetError,
    DatasetNotFoundError,
    ImageError,
    SettingsError,
    UnpairedFilesError,
)

PUBLISHED = '''
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

mean = (0.1, 0.2, 0.3)
std = (0.4, 0.5, 0.6)
pred_class_selection = [1]
LABELS = {
    0: ("unlabeled", (0, 0, 0)), 7: ("road", (128, 64, 128)), 24: ("person", (220, 20, 60)),
    26: ("moose", (9, 9, 9)), -1: ("plate", (0, 0, 0)),
}
PREDICTED = {0: ("road", (128, 64, 128)), 1: ("person", (220, 20, 60)), 255: ("unlabeled", (0, 0, 0))}


class Streets(Dataset):
    def __init__(self, root, transform=Image.Image.rotate, label_mapping=LABELS, pred_mapping=PREDICTED):
        self.root, self.transform = root, transform
        self.label_mapping, self.pred_mapping = label_mapping, pred_mapping
        self.filenames = [(str(p), 0) for p in sorted(Path(root).rglob("*.png"))]
        self.reads = 0

    def __len__(self):
        return len(self.filenames)

    def __getitem__(self, index):
        self.reads += 1
        image = Image.open(self.filenames[index][0]).convert("RGB")
        target = self.truth(image)
        if self.transform is not None:
            image, target = self.transform(image, target)
        return image, target, self.filenames[index][0]

    def truth(self, image):
        target = torch.zeros(image.size[::-1], dtype=torch.long)
        target[:2], target[2], target[3], target[4] = 7, 24, 26, 255
        return target


class WithoutTruth(Streets):
    def __init__(self, root, transform=None):
        super().__init__(root, transform, None, None)

    def truth(self, image):
        return Image.fromarray(np.zeros(image.size[::-1]))


class Unlisted(Streets):
    """Keeps its files where nobody finds them."""

    def __init__(self, root, transform=None):
        super().__init__(root, transform)
        self.filenames = dict(enumerate(self.filenames))


class Normalised(Streets):
    def __getitem__(self, index):
        return torch.zeros(3, 6, 8), torch.zeros(6, 8), self.filenames[index][0]


class BadTruth(Streets):
    def truth(self, image):
        return self.answer(image)


class SmallTruth(BadTruth):
    answer = staticmethod(lambda image: np.zeros((2, 2), np.int64))


class StrangeTruth(BadTruth):
    answer = staticmethod(lambda image: np.full(image.size[::-1], 99))


class StrangeOnce(BadTruth):
    answer = staticmethod(lambda image: np.full(image.size[::-1], 0))

    def __getitem__(self, index):
        image, truth, path = super().__getitem__(index)
        return image, np.full_like(truth, 99) if index == 0 else truth, path


class NegativeTruth(BadTruth):
    answer = staticmethod(lambda image: np.full(image.size[::-1], -1))


class Identity(Streets):
    void_ids = (0,)

    def __init__(self, root, transform=None):
        mapping = {0: ("rest", (0, 0, 0)), 1: ("a", (1, 1, 1)), 2: ("b", (2, 2, 2))}
        super().__init__(root, transform, mapping, None)

    def truth(self, image):
        return np.full(image.size[::-1], 2)


class Gaps(Identity):
    def __init__(self, root, transform=None):
        Streets.__init__(self, root, transform, {1: ("a", (1, 1, 1)), 5: ("b", (2, 2, 2))}, None)


class BadMapping(Streets):
    def __init__(self, root, transform=None):
        super().__init__(root, transform, {0: "road"})


class Pairs(Streets):
    def __getitem__(self, index):
        return super().__getitem__(index)[:2]


class Lazy(Dataset):
    """Neither length nor root."""

    def __init__(self, count=1):
        self.count = count


class Contract(Dataset):
    """Our items, tables as attributes."""

    label_mapping = {0: ("ground", (0, 0, 0)), 3: ("bear", (1, 2, 3)), 9: ("dust", (4, 5, 6))}
    pred_mapping = {0: ("floor", (0, 0, 0))}
    label_to_pred = {0: 0, 3: 255, 9: 0}
    void_ids = {9}
    pred_class_selection = (0,)

    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index >= 3:
            raise IndexError
        image, labels = np.zeros((4, 5, 3), np.uint8), np.full((4, 5), 3, np.uint8)
        return image, labels, f"nowhere/{index}.png", f"scene/{index}"


class SameIds(Contract):
    ids = ("a", "b", "a")


class FewIds(Contract):
    ids = ("a", "b")
'''


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(path)
    return tmp_path / "images"


@pytest.fixture
def entry(tmp_path, monkeypatch, root):
    (tmp_path / "users_own.py").write_text(PUBLISHED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "users_own", raising=False)

    def make(class_name, **kwargs):
        takes_root = class_name not in ("Lazy", "Contract", "SameIds", "FewIds")
        return DatasetEntry("users_own", class_name, {"root": str(root), **kwargs} if takes_root else kwargs)

    return make


def test_the_published_form_becomes_ours(entry, root):
    dataset = open_dataset(entry("Streets"), "mine")
    assert isinstance(dataset, AdaptedDataset)
    assert dataset.ids == ["a/1", "a/2", "b/1"]
    sample = dataset[2]
    assert isinstance(sample, Sample) and sample.id == "b/1" and sample.path == str(root / "b/1.png")
    assert np.array_equal(sample.image, np.asarray(Image.open(root / "b/1.png")))
    assert sample.labels.dtype == np.uint8 and sample.labels[:, 0].tolist() == [7, 7, 24, 26, 255, 0]
    assert (dataset.mean, dataset.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert dataset.pred_class_selection == [1]


def test_labels_meet_predictions_by_name(entry):
    label_set = open_dataset(entry("Streets")).label_set
    assert label_set.label_to_pred == {0: 255, 7: 0, 24: 1, 26: 255, 255: 255}
    assert sorted(label_set.pred_mapping) == [0, 1]
    assert label_set.void_ids == {0, 255} and label_set.unknown_ids == {26}


def test_zeros_without_a_mapping_are_no_truth(entry):
    dataset = open_dataset(entry("WithoutTruth"))
    assert dataset.label_set is None and dataset[0].labels is None


def test_paths_are_taken_from_a_list_where_there_is_one(entry):
    dataset = open_dataset(entry("Streets"))
    assert dataset.source.reads == 3, "first and last to find the list, first to check it"
    assert open_dataset(entry("Unlisted")).ids == dataset.ids


def test_one_mapping_for_both_is_the_identity(entry):
    label_set = open_dataset(entry("Identity")).label_set
    assert label_set.label_to_pred == {0: 255, 1: 1, 2: 2, 255: 255}
    assert sorted(label_set.pred_mapping) == [0, 1, 2] and label_set.void_ids == {0, 255}


def test_items_of_our_form_with_tables_as_attributes(entry):
    dataset = open_dataset(entry("Contract"))
    assert dataset.ids == ["scene/0", "scene/1", "scene/2"]
    assert dataset.label_set.label_to_pred == {0: 0, 3: 255, 9: 255, 255: 255}
    assert dataset.label_set.void_ids == {9, 255} and dataset.label_set.unknown_ids == {3}
    assert dataset.pred_class_selection == (0,)
    assert len(subset_by_class(dataset, "bear")) == 3
    with pytest.raises(IndexError):
        dataset[3]


def test_root_overrides_the_entry(entry, root):
    assert open_dataset(entry("Streets"), root=root / "a").ids == ["1", "2"]
    with pytest.raises(SettingsError, match=r"args\.root=.*dataset 'c' takes no `root` \(it takes: count\)"):
        open_dataset(entry("Lazy"), "c", root=root)


def test_refuses_an_empty_dataset_and_one_without_length(entry, tmp_path):
    with pytest.raises(DatasetNotFoundError, match="dataset 'c' is empty"):
        open_dataset(entry("Streets"), "c", root=tmp_path / "none")
    with pytest.raises(ConfigurationError, match="needs a length"):
        open_dataset(entry("Lazy"))


def test_wrong_entries_are_explained_by_build(entry):
    with pytest.raises(ConfigurationError, match="cannot import module"):
        open_dataset(DatasetEntry("no_such_module", "X"))
    with pytest.raises(ConfigurationError, match="did you mean 'Streets'"):
        open_dataset(entry("Street"))


@pytest.mark.parametrize(
    ("class_name", "error", "message"),
    [
        (
            "Normalised",
            ConfigurationError,
            r"expected an RGB image \(H, W, 3\) of uint8.*float32; normalisation",
        ),
        ("SmallTruth", ConfigurationError, r"expected labels \(6, 8\) \(the image's size\).*\(2, 2\)"),
        ("StrangeTruth", ConfigurationError, r"label_mapping does not name: \[99\]"),
        ("NegativeTruth", ConfigurationError, r"0 … 65535, got -1"),
        ("Gaps", ConfigurationError, r"without gaps, got \[1, 5\].*pred_mapping"),
        ("BadMapping", ConfigurationError, r"`label_mapping` must map an id to .*0: 'road'"),
        ("Pairs", ConfigurationError, r"expected items .* got tuple of 2"),
        ("SameIds", UnpairedFilesError, "'a'"),
        ("FewIds", DatasetError, "`ids` has 2 entries for 3 samples"),
    ],
)
def test_says_what_was_expected(class_name, error, message, entry):
    with pytest.raises(error, match=message):
        open_dataset(entry(class_name))


def test_a_damaged_first_image_does_not_close_the_dataset(entry, root, tmp_path):
    ours = DatasetEntry("oodretrieval.datasets.folder", "ImageFolder", {"root": root})
    (root / "a/1.png").write_bytes(b"no image")
    dataset = open_dataset(ours)
    with pytest.raises(ImageError, match=r"1\.png"):
        dataset[0]
    for path in root.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"a/1\.png"):
        open_dataset(ours)
    with pytest.raises(DatasetError, match="cannot read sample 0"):
        open_dataset(entry("Streets"))


def test_label_ids_without_a_name_in_one_image_of_several_are_void(entry, caplog, monkeypatch):
    dataset = open_dataset(entry("StrangeOnce"))
    assert "a/1 has label ids that label_mapping does not name: [99]; there they count as void" in caplog.text
    assert 99 in dataset[0].labels and 99 not in dataset[1].labels
    monkeypatch.setattr(contract, "TRIES", 1)
    with pytest.raises(ConfigurationError, match=r"a/1 has label ids .* \[99\]; add them to it"):
        open_dataset(entry("StrangeOnce"))


def test_a_damaged_image_of_the_published_form_fails_alone(entry, root):
    dataset = open_dataset(entry("Streets"))
    (root / "a/2.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match="'a/2'"):
        dataset[1]
    assert dataset[2].id == "b/1"


def test_images_of_any_kind_become_uint8_rgb():
    array = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    kinds = (array, Image.fromarray(array), torch.tensor(array), torch.tensor(array).permute(2, 0, 1))
    for image in kinds:
        assert np.array_equal(image_array(image, "x"), array)
    with pytest.raises(ImageError, match="more than 8 bits"):
        image_array(Image.fromarray(np.zeros((2, 2), np.uint16)), "x")


def test_labels_of_any_kind_become_unsigned():
    ids = np.array([[0, 1, 300]])
    assert label_array(torch.tensor(ids)[None], "x").dtype == np.uint16
    assert label_array(ids[:, :2, None], "x").dtype == np.uint8
    assert label_array(Image.fromarray(ids.astype(np.uint16)), "x").tolist() == ids.tolist()
    with pytest.raises(ConfigurationError, match=r"integer type, got \(2, 2\) of float64"):
        label_array(np.zeros((2, 2)), "x")
