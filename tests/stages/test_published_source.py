"""Which published prediction belongs to which image."""

import numpy as np
import pytest

from oodretrieval.datasets import FileDataset, FileItem, Sample
from oodretrieval.errors import DatasetError
from oodretrieval.stages.predict.published_source import PublishedSource


class Images(FileDataset):
    """Images of these paths below a folder that is not there."""

    def __init__(self, paths, ending=""):
        items = [FileItem(path.rpartition(".")[0].removesuffix(ending), path, None) for path in paths]
        super().__init__(items, None)

    def __getitem__(self, index):
        item = self.items[index]
        return Sample(np.zeros((2, 3, 3), np.uint8), None, str(item.image), item.id)


class Unlisted:
    """Says where its images are only when they are read."""

    label_set = None

    def __init__(self, files):
        self.files, self.ids = files, [f"image {i}" for i in range(len(files))]

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, index):
        return Sample(np.zeros((2, 3, 3), np.uint8), None, self.files[index], self.ids[index])


def matched(tmp_path, dataset, predictions):
    """Image id → file name of its prediction."""
    for name in predictions:
        np.save(tmp_path / f"{name}.npy", np.full((2, 3, 2), 0.5, np.float32))
    outcomes = PublishedSource(str(tmp_path), dataset).run(dataset[i] for i in range(len(dataset)))
    return {outcome.image_id: [path.stem for path in outcome.files.files] for outcome in outcomes}


def test_by_the_name_of_the_image_or_of_its_file(tmp_path):
    images = Images(["b/1_leftImg8bit.png", "b/2_leftImg8bit.png"], "_leftImg8bit")
    assert images.ids == ["b/1", "b/2"]
    found = matched(tmp_path, images, ["1", "2_leftImg8bit"])
    assert found == {"b/1": ["1"], "b/2": ["2_leftImg8bit"]}


def test_by_the_name_of_a_file_that_is_known_when_it_is_read(tmp_path):
    found = matched(tmp_path, Unlisted(["x/left.png", "x/right.png"]), ["left", "right"])
    assert found == {"image 0": ["left"], "image 1": ["right"]}


def test_an_ending_that_all_predictions_share(tmp_path):
    images = Images(["1.png", "2.png", "3.png"])
    assert matched(tmp_path, images, ["1_soft_max", "2_soft_max"]) == {
        "1": ["1_soft_max"],
        "2": ["2_soft_max"],
        "3": [],
    }


def test_no_image_takes_the_prediction_of_another_whose_name_begins_alike(tmp_path):
    images = Images(["shot_1.png", "shot_1_left.png"])
    assert matched(tmp_path, images, ["shot_1_left"]) == {"shot_1": [], "shot_1_left": ["shot_1_left"]}


def test_one_prediction_alone_shares_its_ending_with_none(tmp_path):
    with pytest.raises(DatasetError, match="none of the predictions"):
        matched(tmp_path, Images(["shot_1.png"]), ["shot_1_left"])


def test_one_prediction_for_two_images_names_both(tmp_path):
    with pytest.raises(DatasetError, match=r"0001\.npy could be .* 'a/0001' and of image 'b/0001'"):
        matched(tmp_path, Images(["a/0001.png", "b/0001.png"]), ["0001"])


def test_so_does_one_that_is_found_when_images_are_read(tmp_path):
    with pytest.raises(DatasetError, match=r"0001\.npy could be .* 'image 0' and of image 'image 2'"):
        matched(tmp_path, Unlisted(["a/0001.png", "a/0002.png", "b/0001.png"]), ["0001", "0002"])


def test_two_predictions_for_one_image_name_both(tmp_path):
    import h5py

    for number, folder in enumerate("ab"):
        with h5py.File(tmp_path / f"input{number}.hdf5", "w") as file:
            file["probabilities"] = np.full((2, 3, 2), 0.5, np.float32)
            file["image_path"] = [f"/{folder}/0001.png".encode()]
    assert PublishedSource(str(tmp_path), Images(["input0.png", "input1.png"]))
    from oodretrieval.stores import Prediction, write_prediction

    for number, folder in enumerate("ab"):
        softmax = np.full((2, 3, 2), 0.5, np.float32)
        prediction = Prediction(
            np.zeros((2, 3), np.uint8), image_id=f"{folder}/0001", softmax=softmax, num_classes=2
        )
        write_prediction(tmp_path / f"input{number}.hdf5", prediction, "softmax")
    both = Images(["a/0001.png", "b/0001.png"])
    assert [o.files.ids for o in PublishedSource(str(tmp_path), both).run(both)] == [["a/0001"], ["b/0001"]]
    with pytest.raises(DatasetError, match=r"both .*input0\.hdf5 and .*input1\.hdf5 .* 'c/0001'"):
        PublishedSource(str(tmp_path), Images(["c/0001.png"]))
