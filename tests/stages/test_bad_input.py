"""Files that cannot be used, put in place for real: no run ends for them, and each is listed with its reason."""

import logging
import shutil
import struct
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image
from steps import CPU, NETWORK, predict_and_measure

from oodretrieval.datasets import CamVid, ImageFolder
from oodretrieval.datasets.anomalies import AnomalySet
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import AllFailedError, DatasetError, ImageError, PartialFailure, StoreError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.script import FAILED, report_error
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.images import FORMATS, read_image, read_label_image
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict import flow as stage
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import (
    FAILURES,
    PublishedPredictions,
    Stored,
    Workspace,
    blocks,
    read_failures,
    read_segments,
)

IDS = [f"0016E5_{100 * number:05d}" for number in range(6)]
VAL = Stored("colour", "val")


def png_claiming(width, height, bits=8, colour=2):
    """A PNG of a few bytes with an honest checksum that claims a size."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


TERABYTE = png_claiming(600_000, 600_000)
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"


@pytest.fixture
def root(camvid, tmp_path):
    """A copy of the miniature of which all images but the last are broken, each in a way of its own."""
    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    whole = (root / "val" / f"{IDS[0]}.png").read_bytes()
    for image, content in enumerate(
        (whole[:300], b"%PDF-1.7 no picture", TERABYTE, png_claiming(96, 72, bits=16))
    ):
        (root / "val" / f"{IDS[image]}.png").write_bytes(content)
    Image.new("L", (40, 30)).save(root / "valannot" / f"{IDS[4]}.png")
    return root


def predict(root, configuration, workspace, **options):
    settings = {"dataset": "val", **NETWORK, **CPU, "root": str(root), **options}
    return pred_images(from_mapping(PredictSettings, settings), Run(configuration, workspace))


def measure(root, configuration, workspace, **options):
    settings = {"dataset": "val", **NETWORK, "root": str(root), **options}
    return compute_metrics(from_mapping(MetricsSettings, settings), Run(configuration, workspace))


def test_broken_images_are_listed_skipped_tried_again_and_left_out(
    root, configuration, workspace, tmp_path, monkeypatch, caplog
):
    caplog.set_level(logging.INFO)
    with pytest.raises(PartialFailure) as caught:
        predict(root, configuration, workspace, keep="logits")
    folder = workspace.prediction_folder(VAL)
    assert str(caught.value).splitlines()[-1].startswith(f"5 image(s) failed: {folder / FAILURES} lists them")
    listed = read_failures(folder)
    assert [failure.image_id for failure in listed] == IDS[:5] == list(caught.value.failures)
    assert [failure.path for failure in listed] == [str(root / "val" / f"{image}.png") for image in IDS[:5]]
    for failure, reason in zip(listed, ("damaged", "cannot read", "pixels", "8 bits", "40×30"), strict=True):
        assert failure[0] == "val" and failure[3] == "pred_images" and reason in failure.reason

    other = Workspace(tmp_path / "other")  # nothing of when and where it was written
    with pytest.raises(PartialFailure):
        predict(root, configuration, other, num_cores=0)
    assert (other.prediction_folder(VAL) / FAILURES).read_bytes() == (folder / FAILURES).read_bytes()

    with monkeypatch.context() as patch:  # skipped and named
        patch.setattr(CamVid, "__getitem__", once(CamVid.__getitem__, IDS[5]))
        patch.setattr(stage, "Segmenter", lambda *_: pytest.fail("built a network for nothing"))
        with pytest.raises(PartialFailure) as again:
            predict(root, configuration, workspace)
    assert str(again.value) == str(caught.value)

    (root / "val" / f"{IDS[1]}.png").write_bytes((root / "val" / f"{IDS[5]}.png").read_bytes())
    with pytest.raises(PartialFailure, match=r"^pred_images: 4 image"):  # what was mended is tried by itself
        predict(root, configuration, workspace)
    with pytest.raises(PartialFailure, match=r"^pred_images: 4 image"):
        predict(root, configuration, workspace, retry_failed=True)
    assert [failure.image_id for failure in read_failures(folder)] == [*IDS[:1], *IDS[2:5]]

    caplog.clear()
    assert measure(root, configuration, workspace)["images"] == 2
    assert "4 of 6 images have no prediction and are left out; 4 of them failed" in caplog.text
    assert read_segments(workspace, "colour", "val")["image_id"].unique().tolist() == [IDS[1], IDS[5]]
    for number in (0, 2, 3, 4):
        for part in ("val", "valannot"):
            shutil.copy(root / part / f"{IDS[5]}.png", root / part / f"{IDS[number]}.png")
    assert predict(root, configuration, workspace)["predicted"] == 4
    assert not (folder / FAILURES).exists()


def once(read, allowed):
    """A dataset's reading of one image, as a check of the contract does it; of no other."""

    def reading(self, index):
        if self.ids[index] != allowed:
            raise ImageError("not to be read but by the check of the contract")
        return read(self, index)

    return reading


def test_failures_of_other_settings_and_other_images_do_not_count(root, configuration, workspace):
    with pytest.raises(AllFailedError, match="all 2 image.*lists them all; mend them"):
        predict(root, configuration, workspace, limit=2)
    with pytest.raises(AllFailedError, match="all 5 image"):
        predict(
            root, configuration, workspace, limit=5, keep="nothing"
        )  # all are tried, and the list starts again
    assert len(read_failures(workspace.prediction_folder(VAL))) == 5
    with pytest.raises(AllFailedError, match="all 1 image"):
        predict(root, configuration, workspace, limit=1, keep="nothing", retry_failed=True)
    assert len(read_failures(workspace.prediction_folder(VAL))) == 5


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_fail_their_images(configuration, workspace, camvid, value):
    colours = configuration.models["colour"].kwargs["colours"]
    broken = {"colours": [(value, 0, 0), *colours[1:]]}
    configuration.models["colour"] = ModelEntry("colour_network", "ColourNetwork", broken, mean=(0, 0, 0))
    with pytest.raises(AllFailedError, match="the network's output is not finite; check its weights"):
        predict(camvid, configuration, workspace)
    assert len(read_failures(workspace.prediction_folder(VAL))) == 6


def test_predictions_and_tables_that_are_cut_off(configuration, workspace, camvid, caplog):
    run = Run(configuration, workspace)
    predict_and_measure(run, "val")
    whole = read_segments(workspace, "colour", "val")
    path = workspace.prediction_path(VAL, IDS[2])
    path.write_bytes(path.read_bytes()[:-100])
    part = workspace.segments_folder(VAL) / "part-00000.parquet"
    part.unlink()
    for _ in range(2):  # listed, and then skipped
        with pytest.raises(
            PartialFailure, match=f"1 image.*\n  {IDS[2]}: .*is damaged.*predict this image again"
        ):
            measure("", configuration, workspace)
    assert read_failures(workspace.segments_folder(VAL))[0].path == str(path)
    assert predict("", configuration, workspace)["predicted"] == 1
    assert measure("", configuration, workspace)["images"] == 1
    assert not (workspace.segments_folder(VAL) / FAILURES).exists()
    assert read_segments(workspace, "colour", "val").equals(whole)


@pytest.mark.parametrize(
    "keep", ["logits", pytest.param("nothing", marks=pytest.mark.slow)]
)  # measured by compute_metrics, and by pred_images
def test_a_part_of_the_segment_table_that_is_cut_off_is_computed_again(
    configuration, workspace, camvid, caplog, monkeypatch, keep
):
    monkeypatch.setattr(blocks, "BLOCK", 4)
    stage = measure if keep == "logits" else predict
    predict("", configuration, workspace, keep=keep)
    stage("", configuration, workspace, **({} if stage is measure else {"keep": keep}))
    folder = workspace.segments_folder(VAL)
    before = {path.name: path.read_bytes() for path in folder.glob("part-*.parquet")}
    assert len(before) == 2
    part = folder / "part-00000.parquet"
    for damage in (before[part.name][:-9], b"", before[part.name][:400] + b"x" + before[part.name][401:]):
        part.write_bytes(damage)
        with pytest.raises(
            StoreError, match=r"part-00000\.parquet is damaged .*; run scripts/compute_metrics\.py"
        ):
            read_segments(workspace, "colour", "val")
        caplog.clear()
        done = stage("", configuration, workspace, **({} if stage is measure else {"keep": keep}))
        assert done["images" if stage is measure else "predicted"] == 4
        assert "part-00000.parquet is damaged" in caplog.text and "are computed again" in caplog.text
        assert {path.name: path.read_bytes() for path in folder.glob("part-*.parquet")} == before


def test_predictions_that_are_all_damaged_are_said_to_be(configuration, workspace, camvid):
    predict_and_measure(Run(configuration, workspace), "val")
    for path in workspace.prediction_folder(VAL).glob("*.h5"):
        path.write_bytes(path.read_bytes()[:100])
    folder = workspace.prediction_folder(VAL)
    said = rf"^compute_metrics: all 6 image\(s\) of dataset 'val' .*{folder}.* failed.*{IDS[0]}: .*damaged.*pred_im"
    with pytest.raises(AllFailedError, match=said):
        measure("", configuration, workspace)


def test_a_stage_whose_images_all_fail_lists_them_and_is_not_said_to_be_done(root, configuration, workspace):
    for _ in range(2):  # tried, and then skipped
        with pytest.raises(AllFailedError, match=r"all 4 image\(s\) of dataset 'val' failed") as caught:
            predict(root, configuration, workspace, limit=4)
        assert report_error(caught.value) == FAILED
    assert len(read_failures(workspace.prediction_folder(VAL))) == 4
    for number in range(6):
        (root / "val" / f"{IDS[number]}.png").write_bytes(TERABYTE)
    said = r"^dataset 'val': not one of its 6 images can be read; the first: .*00000\.png"
    with pytest.raises(DatasetError, match=said):
        predict(root, configuration, workspace)


def test_a_list_of_failures_that_is_damaged_is_made_again(root, configuration, workspace, caplog):
    with pytest.raises(PartialFailure):
        predict(root, configuration, workspace)
    path = workspace.prediction_folder(VAL) / FAILURES
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(PartialFailure, match="5 image"):
        predict(root, configuration, workspace)
    assert "images that failed are tried again" in caplog.text
    assert path.read_bytes() == whole


def test_paths_in_other_scripts_and_links_in_circles(configuration, camvid, tmp_path):
    root = tmp_path / "Straße 1" / "街 道's"
    shutil.copytree(camvid / "val", root / "año")
    (root / "año" / "wieder").symlink_to(root)
    (root / "nirgends").symlink_to(root / "nirgends")
    workspace = Workspace(tmp_path / "tôle 'n" / "работа")
    settings = {"dataset": "images", **NETWORK, "root": str(root)}
    run = Run(configuration, workspace)
    assert pred_images(from_mapping(PredictSettings, {**settings, **CPU}), run)["predicted"] == 6
    assert compute_metrics(from_mapping(MetricsSettings, settings), run)["images"] == 6
    table = read_segments(workspace, "colour", "images")
    assert set(table["image_id"]) == {f"año/{image}" for image in IDS} == set(ImageFolder(root).ids)


@pytest.mark.parametrize("read", [read_image, read_label_image])
@pytest.mark.parametrize("content", [TERABYTE, POSTSCRIPT, b"", b"GIF89a" + bytes(9)])
def test_images_that_claim_too_much_or_are_programs(tmp_path, read, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"x\.png.*replace or remove it"):
        read(path)
    assert "EPS" not in FORMATS


def test_a_softmax_that_claims_a_terabyte_or_lies_elsewhere(tmp_path):
    with h5py.File(tmp_path / "input0.hdf5", "w") as file:
        file.create_dataset(
            "probabilities", shape=(600_000, 600_000, 19), dtype=np.float32, chunks=(8, 8, 19)
        )
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["probabilities"] = np.full((4, 4, 2), 0.5, np.float32)
    with h5py.File(tmp_path / "input1.hdf5", "w") as file:
        file["probabilities"] = h5py.ExternalLink(secret, "probabilities")
    predictions = PublishedPredictions(tmp_path)
    with pytest.raises(StoreError, match=r"input0\.hdf5 is damaged \(it claims 27360000000000 bytes"):
        predictions[0]
    with pytest.raises(StoreError, match=r"input1\.hdf5 is damaged \(probabilities lies in another file"):
        predictions[1]


def test_a_softmax_whose_chunks_have_other_axes(tmp_path):
    path = tmp_path / "input0.hdf5"
    with h5py.File(path, "w") as file:
        softmax = np.full((6, 8, 2), 0.5, np.float32)
        file.create_dataset("probabilities", data=softmax, chunks=softmax.shape, compression="gzip")
    whole = struct.pack("<BBB5xQQQ", 1, 3, 1, *softmax.shape)  # version, axes, flags, sizes
    content = path.read_bytes()
    assert content.count(whole) == 1
    path.write_bytes(content.replace(whole, struct.pack("<BBB5xQQQ", 1, 1, 1, *softmax.shape)))
    # the HDF5 library itself reads such an array without end
    with pytest.raises(StoreError, match=r"input0\.hdf5 is damaged \(.*lies in chunks of shape \(6, 8, 2\)"):
        PublishedPredictions(tmp_path)[0]


def test_an_array_that_claims_a_terabyte(tmp_path):
    header = {"descr": "<f4", "fortran_order": False, "shape": (600_000, 600_000, 19)}
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(StoreError, match=r"x\.npy is damaged or no array"):
        PublishedPredictions(tmp_path)[0]


def test_an_overlay_that_unpacks_to_more_than_its_photograph(tmp_path):
    frames = tmp_path / "leftImg8bit" / "test" / "town"
    frames.mkdir(parents=True)
    for number, name in ((1, "a"), (2, "b")):
        Image.new("RGB", (8, 6)).save(frames / f"{name}_leftImg8bit.png")
        Image.new("L", (8, 6)).save(tmp_path / f"{number}_{name}_labels.png")
    np.savez_compressed(tmp_path / "1_a_rgb.npz", rgb=np.zeros((1000, 1000, 3)))
    np.savez_compressed(tmp_path / "2_b_rgb.npz", rgb=np.zeros((6, 8, 3), np.int16))
    found = AnomalySet(tmp_path, layout="fishyscapes")
    broken, whole = (found.ids.index(image) for image in sorted(found.ids))
    assert found[whole].image.shape == (6, 8, 3)
    with pytest.raises(ImageError, match="unpacks to 24000128 bytes"):
        found[broken]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_that_is_named_is_read_whatever_the_suffix(tmp_path, kind):
    image = Image.new("RGB", (9, 5), (10, 20, 30))
    image.save(tmp_path / "x", kind)
    assert read_image(tmp_path / "x").shape == (5, 9, 3)
    image.save(tmp_path / "y.mpo", "MPO", save_all=True, append_images=[image])
    assert read_image(tmp_path / "y.mpo").shape == (5, 9, 3)


@pytest.mark.parametrize("named", [np.array([b"a/\xff.png"]), np.zeros(0, "S1")])
def test_published_predictions_whose_image_is_named_in_no_text(tmp_path, named):
    with h5py.File(tmp_path / "input0.hdf5", "w") as file:
        file["probabilities"] = np.full((4, 4, 2), 0.5, np.float32)
        file["image_path"] = named
    (prediction,) = PublishedPredictions(tmp_path)
    assert prediction.image_id in ("\ufffd", "input0")


def test_a_table_whose_columns_are_named_in_no_text_is_damaged(tmp_path):
    import pandas as pd

    from oodretrieval.stores.segments import table_length

    path = tmp_path / "x.parquet"
    pd.DataFrame({"column": [1, 2]}).to_parquet(path)
    path.write_bytes(path.read_bytes().replace(b"column", b"\xffolumn"))
    with pytest.raises(StoreError, match="x.parquet is damaged"):
        table_length(path)
