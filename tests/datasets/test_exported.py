"""An export as a dataset, and any dataset with the classes that it adds."""

import json

import numpy as np
import pytest
from PIL import Image

from oodretrieval.datasets import ExportedLabels, with_new_classes
from oodretrieval.datasets.streets import Streets
from oodretrieval.errors import ConfigurationError, DatasetError, DatasetNotFoundError
from oodretrieval.labels import ANY_CLASS, NO_CLASS, LabelSet

GREY = (150, 150, 150)


@pytest.fixture
def export(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (6, 8)).astype(np.uint8)
    Image.fromarray(rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "labels").mkdir()
    Image.fromarray(labels).save(tmp_path / "labels" / "a.png")
    names = {0: ("road", False), 1: ("car", False), 2: ("cone", True), 3: ("bin", True)}
    content = {
        "classes": {
            str(key): {"name": name, "colour": f"#00000{key}", "new": new}
            for key, (name, new) in names.items()
        },
        "images": [{"id": "x/a", "image": str(tmp_path / "a.png"), "labels": "labels/a.png"}],
    }
    (tmp_path / "classes.json").write_text(json.dumps(content))
    return tmp_path, labels


def test_an_export_is_a_dataset_of_its_own_classes(export):
    folder, labels = export
    dataset = ExportedLabels(folder)
    assert dataset.ids == ["x/a"] and dataset.new_classes == {"cone": (0, 0, 2), "bin": (0, 0, 3)}
    np.testing.assert_array_equal(dataset.label_set.to_predicted(dataset[0].labels), labels)


def test_classes_are_translated_by_name_and_others_ignored(export):
    folder, labels = export
    target = {0: ("car", GREY), 1: ("bin", GREY), 2: ("road", GREY)}
    dataset = ExportedLabels(folder, target)
    expected = np.array([2, 0, NO_CLASS, 1], np.uint8)[labels]
    np.testing.assert_array_equal(dataset.label_set.to_predicted(dataset[0].labels), expected)


def test_new_classes_take_the_labels_of_their_name():
    whole = Streets("test", count=1, size=(96, 64))
    more = with_new_classes(whole, ["wheelie bin", "something else", "road"])
    assert more.label_set.num_classes == whole.label_set.num_classes + 2
    (key,) = [key for key, (name, _) in whole.label_set.label_mapping.items() if name == "wheelie bin"]
    assert more.label_set.label_to_pred[key] == 9
    assert more.label_set.unknown_ids == whole.label_set.unknown_ids - {key}
    np.testing.assert_array_equal(more[0].image, whole[0].image)


def test_what_is_refused(tmp_path, export):
    with pytest.raises(DatasetNotFoundError, match=r"scripts/export\.py"):
        ExportedLabels(tmp_path / "nowhere")
    folder, _ = export
    (folder / "classes.json").write_text('{"classes": {"0": {}}}')
    with pytest.raises(DatasetError, match="damaged"):
        ExportedLabels(folder)
    with pytest.raises(ConfigurationError, match="no classes"):
        LabelSet.binary().with_new_classes({"cone": GREY})
    with pytest.raises(ConfigurationError, match="ids end at"):
        Streets("test", count=1).label_set.with_new_classes({str(i): GREY for i in range(ANY_CLASS)})
