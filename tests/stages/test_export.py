"""Tagged candidates in every form, read back by those who read them: pycocotools, PIL, pandas."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from oodretrieval.choices import EXPORT_FORMATS
from oodretrieval.errors import PartialFailure, SettingsError, StoreError, UnknownNameError
from oodretrieval.export.coco import coco_annotations
from oodretrieval.export.export_candidates import export_candidates
from oodretrieval.export.export_folder import ExportFolder
from oodretrieval.export.label_images import new_classes, painted_labels
from oodretrieval.export.tagged_candidates import TaggedCandidate
from oodretrieval.masks import decode_mask, encode_mask
from oodretrieval.results.tagged import CandidateRows, read_tags
from oodretrieval.stages.export.settings import ExportSettings
from oodretrieval.stores import (
    Catalogue,
    CatalogueWriter,
    Prediction,
    Stored,
    Workspace,
    read_prediction,
    write_prediction,
)
from oodretrieval.stores.tag_journal import TagJournal
from oodretrieval.stores.tags import CandidateKey

PRED = {"0": ["road", [128, 64, 128]], "1": ["car", [0, 0, 142]]}
SIZE = (20, 30)
COPY = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools 2.0 with numpy 2."""


def make_catalogue(folder, *, with_masks=True):
    """Three images of two predicted segments each: above road, below cars."""
    workspace, rng, rows, masks = Workspace(folder), np.random.default_rng(0), [], []
    predicted = np.repeat(np.array([0, 1], np.uint8), [8, 12])[:, None].repeat(SIZE[1], axis=1)
    for number in range(3):
        image_id = f"clip/{number}"
        path = folder / "images" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)).save(path)
        stored = Prediction(
            prediction=predicted, labels=None, image_path=str(path), image_id=image_id, label_to_pred={},
            void_ids=frozenset(), logits=rng.normal(size=(2, *SIZE)).astype(np.float16), num_classes=2,
        )  # fmt: skip
        write_prediction(workspace.prediction_path(Stored("net", "street"), image_id), stored)
        for segment, (top, bottom) in enumerate([(0, 8), (8, 20)], 1):
            rows.append(
                {
                    "dataset": "street", "image_id": image_id, "segment_id": segment,
                    "left": 0, "top": top, "right": SIZE[1], "bottom": bottom,
                    "crop_left": 0, "crop_top": top, "crop_right": SIZE[1], "crop_bottom": bottom,
                    "class": segment - 1, "predicted_iou": 0.1 * segment, "image_path": str(path),
                }
            )  # fmt: skip
            masks.append(encode_mask(predicted == segment - 1))
    settings = {"model": "net", "pred_mapping": PRED, "label_mapping": {"street": {}}}
    with CatalogueWriter(workspace.catalogue_folder("street"), settings) as writer:
        options = {"masks": masks} if with_masks else {}
        writer.add_part(pd.DataFrame(rows), rng.normal(size=(6, 4)), "embedding", **options)
        writer.commit()
    return Catalogue.open(workspace.catalogue_folder("street")), workspace


def tag(catalogue, **rows):
    journal, table = TagJournal(catalogue.path), read_tags(catalogue)
    for name, chosen in rows.items():
        for step in journal.append(table.tagging(CandidateRows(catalogue).keys(chosen), name, "#112233")):
            table.apply(step)


@pytest.fixture(params=[True, False], ids=["masks", "of before masks were kept"])
def made(request, tmp_path):
    catalogue, workspace = make_catalogue(tmp_path, with_masks=request.param)
    tag(catalogue, cone=[1, 3], bin=[2], car=[3])
    return catalogue, workspace


@pytest.mark.filterwarnings("ignore")  # its own
def test_datumaro_reads_every_mask_by_the_line_of_the_documentation(made, tmp_path):
    datumaro = pytest.importorskip("datumaro")
    catalogue, workspace = made
    done = export_candidates(catalogue, workspace, everything(catalogue), ["coco"])
    content = json.loads(Path(done["folder"], "coco.json").read_text())
    (tmp_path / "dm" / "annotations").mkdir(parents=True)
    (tmp_path / "dm" / "annotations" / "instances_default.json").write_text(json.dumps(content))
    (tmp_path / "dm" / "images").symlink_to(content["info"]["images_root"])
    read = datumaro.Dataset.import_from(str(tmp_path / "dm"), "coco_instances")
    masks = [each for item in read for each in item.annotations if each.type == datumaro.AnnotationType.mask]
    assert [each.name for each in read.categories()[datumaro.AnnotationType.label]] == ["bin", "car", "cone"]
    assert all(item.media.data is not None for item in read) and len(read) == 2
    assert sorted(int(each.image.sum()) for each in masks) == sorted(
        each["area"] for each in content["annotations"]
    )


def everything(catalogue):
    return np.ones(len(catalogue), bool)


def test_named_candidates_that_the_catalogue_has_no_longer_are_counted(made, caplog):
    catalogue, workspace = made
    assert export_candidates(catalogue, workspace, everything(catalogue), ["csv"])["gone"] == 0
    assert "any more" not in caplog.text
    with CatalogueWriter(catalogue.path, catalogue.settings) as writer:
        writer.retain(lambda rows: (rows["image_id"] != "clip/1").to_numpy())  # of the named ones row 1 stays
        writer.commit()
    less = Catalogue.open(catalogue.path)
    done = export_candidates(less, workspace, everything(less), ["csv"])
    assert (done["candidates"], done["gone"]) == (1, 2), "row 3 has two names, and counts once"
    assert "2 more candidate(s) have a name but are not in catalogue street any more" in caplog.text
    assert "compute_embeddings.py" in caplog.text
    with pytest.raises(StoreError, match="is tagged as bin here"):
        export_candidates(less, workspace, everything(less), ["csv"], ["bin"])


@COPY
def test_pycocotools_reads_every_mask_box_and_area(made):
    coco = pytest.importorskip("pycocotools.coco")
    catalogue, workspace = made
    done = export_candidates(catalogue, workspace, everything(catalogue), ["coco"])
    assert done["tags"] == {"bin": 1, "car": 1, "cone": 2} and done["candidates"] == 3 and done["images"] == 2
    read = coco.COCO(f"{done['folder']}/coco.json")
    assert [(each["id"], each["name"]) for each in read.loadCats(read.getCatIds())] == [
        (1, "bin"), (2, "car"), (3, "cone"),
    ]  # fmt: skip
    expected = {"bin": [2], "car": [3], "cone": [1, 3]}
    found = {name: [] for name in expected}
    for annotation in read.loadAnns(read.getAnnIds()):
        image = read.loadImgs(annotation["image_id"])[0]
        root = read.dataset["info"]["images_root"]
        pixels = np.asarray(Image.open(f"{root}/{image['file_name']}"))
        segment = annotation["attributes"]["candidate"]
        predicted = read_prediction(workspace, "net", "street", annotation["attributes"]["image_id"])
        truth = predicted.components() == segment
        mask = read.annToMask(annotation).astype(bool)
        assert mask.shape == pixels.shape[:2] and (mask == truth).all(), "IoU 1"
        assert annotation["area"] == truth.sum()
        rows, columns = np.nonzero(truth)
        left, top, width, height = annotation["bbox"]
        assert (left, top, left + width, top + height) == (
            columns.min(), rows.min(), columns.max() + 1, rows.max() + 1,
        )  # fmt: skip
        name = read.loadCats(annotation["category_id"])[0]["name"]
        found[name].append(2 * int(annotation["attributes"]["image_id"][-1]) + segment - 1)
    assert found == expected


@COPY
@settings(max_examples=40)
@given(st.lists(arrays(bool, (4, 5)), min_size=1, max_size=4))
def test_any_mask_survives_coco(tmp_path_factory, masks):
    tools = pytest.importorskip("pycocotools.mask")
    path = tmp_path_factory.getbasetemp() / "a.png"
    candidates = [
        TaggedCandidate(i, CandidateKey("d", "a", i), "x", encode_mask(mask), path)
        for i, mask in enumerate(masks)
    ]
    for annotation, mask in zip(
        json.loads(json.dumps(coco_annotations(candidates, ["x"])))["annotations"], masks, strict=True
    ):
        coded = tools.frPyObjects(annotation["segmentation"], 4, 5)
        np.testing.assert_array_equal(tools.decode(coded).astype(bool), mask)
        assert annotation["area"] == tools.area(coded) == mask.sum()
        if mask.any():
            assert annotation["bbox"] == tools.toBbox(coded).tolist()


def test_label_images_are_predictions_with_tags_as_classes(made):
    catalogue, workspace = made
    done = export_candidates(catalogue, workspace, everything(catalogue), ["labels"])
    content = json.loads((workspace.path / "exports" / "street" / "classes.json").read_text())
    names = {int(key): (entry["name"], entry["new"]) for key, entry in content["classes"].items()}
    assert names == {0: ("road", False), 1: ("car", False), 2: ("bin", True), 3: ("cone", True)}
    assert [entry["id"] for entry in content["images"]] == ["street/clip/0", "street/clip/1"]
    for entry in content["images"]:
        labels = np.asarray(Image.open(f"{done['folder']}/{entry['labels']}"))
        image_id = entry["id"].removeprefix("street/")
        prediction = read_prediction(workspace, "net", "street", image_id)
        expected = prediction.prediction.astype(int)
        components = prediction.components()
        if image_id == "clip/0":
            expected[components == 2] = 3
            expected[components == 1] = 255  # a candidate that nobody named
        else:
            expected[components == 1] = 2
            assert set(labels[components == 2]) <= {1, 3}, "tagged as both"
            labels, expected = labels[components == 1], expected[components == 1]
        np.testing.assert_array_equal(labels, expected)


def test_what_is_not_of_interest_is_what_was_predicted_and_what_nobody_named_is_ignored(made):
    catalogue, workspace = made
    (workspace.path / "images" / "0.png").unlink()  # of no interest to labels
    done = export_candidates(catalogue, workspace, everything(catalogue), ["labels"], ["cone"])
    above = np.asarray(Image.open(f"{done['folder']}/labels/street/clip_1.png"))[:8]
    assert (above == 255).all(), "a bin, but bins are not exported"
    tag(catalogue, **{"not of interest": [0]})
    done = export_candidates(catalogue, workspace, everything(catalogue), ["labels"], ["cone"])
    above = np.asarray(Image.open(f"{done['folder']}/labels/street/clip_0.png"))[:8]
    assert (above == 0).all(), "as predicted"


def test_small_candidates_lie_over_large_ones():
    large, small = np.ones((3, 3), bool), np.eye(3, dtype=bool)
    candidates = [
        TaggedCandidate(0, CandidateKey("d", "a", 0), "s", encode_mask(small), None),
        TaggedCandidate(1, CandidateKey("d", "a", 1), "l", encode_mask(large), None),
    ]
    labels = painted_labels(np.zeros((3, 3), np.uint8), candidates, {"s": 7, "l": 8})
    np.testing.assert_array_equal(labels, np.where(small, 7, 8))
    with pytest.raises(ValueError, match="expected a mask"):
        painted_labels(np.zeros((2, 3), np.uint8), candidates, {"s": 7, "l": 8})
    assert decode_mask(candidates[0].mask).tolist() == small.tolist()


def test_more_classes_than_a_label_image_holds():
    mapping = {i: (f"c{i}", (0, 0, 0)) for i in range(250)}
    assert new_classes(mapping, [f"t{i}" for i in range(5)])["t4"] == 254
    with pytest.raises(SettingsError, match="256 classes"):
        new_classes(mapping, [f"t{i}" for i in range(6)])


def test_tables_and_crops(made):
    catalogue, workspace = made
    rows = np.arange(6) != 1
    done = export_candidates(catalogue, workspace, rows, ["csv", "parquet", "crops"], ["cone", "bin"])
    folder = workspace.path / "exports" / "street"
    for table in (pd.read_csv(folder / "candidates.csv"), pd.read_parquet(folder / "candidates.parquet")):
        assert table[["tag", "image_id", "segment_id", "predicted"]].to_numpy().tolist() == [
            ["bin", "clip/1", 1, "road"], ["cone", "clip/1", 2, "car"],
        ]  # fmt: skip
    picture = np.asarray(Image.open(folder / "crops" / "cone" / "street_clip_1_2.png"))
    image = np.asarray(Image.open(catalogue.segments["image_path"].iloc[3]))
    np.testing.assert_array_equal(picture, image[8:20])
    assert done["tags"] == {"cone": 1, "bin": 1}


def test_the_next_export_removes_what_it_no_longer_writes_and_nothing_else(made):
    catalogue, workspace = made
    export_candidates(catalogue, workspace, everything(catalogue), EXPORT_FORMATS)
    folder = workspace.path / "exports" / "street"
    (folder / "mine.txt").write_text("mine")
    before = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    export_candidates(catalogue, workspace, everything(catalogue), ["coco", "crops"], ["bin"])
    after = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert after == {"coco.json", "crops/bin/street_clip_1_1.png", "export.json", "mine.txt"} < before


def test_what_was_changed_by_hand_is_not_replaced_unless_asked(made, caplog):
    catalogue, workspace = made
    folder = workspace.path / "exports" / "street"
    again = partial(export_candidates, catalogue, workspace, everything(catalogue))
    again(EXPORT_FORMATS)
    again(EXPORT_FORMATS)  # nothing was changed
    label = next((folder / "labels").rglob("*.png"))
    Image.fromarray(np.full((20, 30), 7, np.uint8)).save(label)
    corrected = label.read_bytes()
    for formats in (EXPORT_FORMATS, ["coco"]):
        with pytest.raises(StoreError, match=rf"1 file\(s\).*changed.*{label.name}.*args\.overwrite=True"):
            again(formats)
        assert label.read_bytes() == corrected
    with caplog.at_level("INFO"):
        again(["coco"], overwrite=True)
    assert not label.exists() and not (folder / "labels").exists()
    assert "of the export before" in caplog.text


@pytest.mark.parametrize("files", [["../mine.txt"], {"../mine.txt": ""}, ["{outside}"], [""]])
def test_a_note_from_elsewhere_removes_nothing_outside_of_its_folder(made, files):
    catalogue, workspace = made
    folder = workspace.path / "exports" / "street"
    folder.mkdir(parents=True)
    mine = folder.parent / "mine.txt"
    mine.write_text("mine")
    noted = json.dumps({"format_version": 1, "files": files}).replace("{outside}", str(mine))
    (folder / "export.json").write_text(noted)
    with pytest.raises(SettingsError, match="of no export"):
        export_candidates(catalogue, workspace, everything(catalogue), ["csv"], overwrite=True)
    assert mine.read_text() == "mine"


def test_an_export_that_broke_off_is_made_again(made, monkeypatch):
    catalogue, workspace = made
    export_candidates(catalogue, workspace, everything(catalogue), EXPORT_FORMATS)
    with monkeypatch.context() as patch:
        patch.setattr(ExportFolder, "finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export_candidates(catalogue, workspace, everything(catalogue), ["coco", "csv"], ["bin"])
    done = export_candidates(catalogue, workspace, everything(catalogue), ["coco"])
    assert json.loads((Path(done["folder"]) / "export.json").read_text())["complete"]


def test_a_missing_image_is_said_and_the_rest_is_written(made):
    catalogue, workspace = made
    (workspace.path / "images" / "0.png").unlink()
    with pytest.raises(PartialFailure, match="street/clip/0: no crop"):
        export_candidates(catalogue, workspace, everything(catalogue), EXPORT_FORMATS)
    folder = workspace.path / "exports" / "street"
    assert (folder / "coco.json").is_file() and len(list(folder.glob("crops/*/*.png"))) == 3


def test_what_is_refused(tmp_path):
    catalogue, workspace = make_catalogue(tmp_path)
    with pytest.raises(StoreError, match="no candidate of catalogue street is tagged as anything"):
        export_candidates(catalogue, workspace, everything(catalogue), EXPORT_FORMATS)
    tag(catalogue, cone=[1])
    with pytest.raises(UnknownNameError, match="did you mean 'cone'"):
        export_candidates(catalogue, workspace, everything(catalogue), EXPORT_FORMATS, ["come"])
    with pytest.raises(StoreError, match="tagged as cone here"):
        export_candidates(catalogue, workspace, np.arange(6) == 0, EXPORT_FORMATS)
    with pytest.raises(UnknownNameError, match="did you mean 'coco'"):
        ExportSettings(formats=("cocoa",))
    folder = workspace.path / "exports" / "street"
    folder.mkdir(parents=True)
    (folder / "export.json").write_text("{}")
    with pytest.raises(SettingsError, match="of no export"):
        export_candidates(catalogue, workspace, everything(catalogue), ["csv"])
