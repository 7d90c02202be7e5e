"""Candidates are found by a candidate, by a box in an image, by a description, and by what answers teach."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from oodretrieval.embedding import EmbeddingNetwork
from oodretrieval.errors import FilterError, SettingsError, UnknownNameError
from oodretrieval.experiment import example_vectors
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.discover.find_similar import find_similar
from oodretrieval.stages.discover.settings import SimilarSettings
from oodretrieval.stages.select.merge_catalogues import merge_catalogues
from oodretrieval.stages.select.settings import MergeSettings
from oodretrieval.stores import Catalogue, CatalogueWriter, Workspace

RED, ORANGE, GREEN, BLUE = (250, 10, 10), (250, 90, 10), (10, 250, 10), (10, 10, 250)
NAMES = {RED: "red thing", ORANGE: "red thing", GREEN: "plant", BLUE: "sky"}


class MeanColour(EmbeddingNetwork):
    """Embeds a crop as its mean colour, and the texts that it knows as colours."""

    def __init__(self):
        super().__init__("mean_colour", torch.nn.Identity(), 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), min_size=1)

    def encode_text(self, texts):
        return np.array([{"a red thing": (1, 0.1, 0)}[text] for text in texts], np.float32)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Ten images with a patch left and one right; the first five images are frames that show the same."""
    rows, vectors = [], []
    pairs = [(RED, GREEN)] * 5 + [(ORANGE, BLUE), (GREEN, BLUE), (BLUE, RED), (GREEN, GREEN), (BLUE, ORANGE)]
    for number, pair in enumerate(pairs):
        image = np.full((40, 60, 3), 128, np.uint8)
        path = tmp_path / f"drive_{number if number < 5 else 1000 * number:05d}.png"
        for place, colour in enumerate(pair):
            left = 2 + 30 * place
            image[10:30, left : left + 20] = colour
            box = {"left": left, "top": 10, "right": left + 20, "bottom": 30}
            crop = {f"crop_{side}": value for side, value in box.items()}
            kind = {RED: 0, ORANGE: 0, GREEN: 1, BLUE: 2}[colour]
            rows.append(
                {"dataset": "d", "image_id": path.stem, "segment_id": place + 1, **box, **crop, "class": kind}
            )
            rows[-1] |= {
                "label": -1,
                "image_path": str(path),
                "predicted_iou": number / 10,
                "select_score": 1.0,
            }
            vectors.append(np.array(colour) / 255 + 0.001 * number)
        Image.fromarray(image).save(path)
    settings = {
        "net": "mean_colour",
        "crop_size": 0,
        "video": ["d"],
        "datasets": ["d"],
        "pred_mapping": {"0": ["red thing", [1, 1, 1]], "1": ["plant", [2, 2, 2]], "2": ["sky", [3, 3, 3]]},
    }
    workspace = Workspace(tmp_path / "workspace")
    with CatalogueWriter(workspace.catalogue_folder("found"), settings) as writer:
        writer.add_part(pd.DataFrame(rows), np.array(vectors), "mean_colour")
        writer.commit()
    monkeypatch.setattr(example_vectors, "embedding_network", lambda name: MeanColour())
    return SimpleNamespace(workspace=workspace, configuration=SimpleNamespace(embedding=lambda name: name))


def search(run, **options):
    asked = {"embeddings_file": "found", "gpu": -1, "number": 4, **options}
    return find_similar(from_mapping(SimilarSettings, asked), run)


def names(result):
    return [found["candidate"] for found in result["found"]]


def test_by_a_candidate_each_thing_once_without_the_query(run):
    result = search(run, candidates=(10,), number=3, distance_metric="cosine")
    assert names(result)[:2] == ["drive_09000#2", "drive_07000#2"]
    assert [found["seen"] for found in result["found"]][:2] == [1, 6], (
        "five frames, and the same patch elsewhere"
    )
    table = pd.read_csv(result["files"][0])
    assert table["candidate"].tolist() == names(result) and table["predicted"].tolist() == [
        "red thing"
    ] * 2 + ["plant"]
    assert np.asarray(Image.open(result["files"][1])).std() > 10
    everything = search(run, candidates=(10,), number=30, once=False)
    assert len(everything["found"]) == 19 and {found["seen"] for found in everything["found"]} == {1}


def test_by_a_box_in_an_image_and_by_a_description(run):
    path = str(Catalogue.named(run.workspace, "found").segments["image_path"][10])
    by_box = search(run, image=path, box=(2, 10, 22, 30), number=1)
    assert names(by_box) == ["drive_05000#1"]
    by_text = search(run, text="a red thing", number=4)
    assert {"drive_07000#2", "drive_05000#1"} < set(names(by_text))
    with pytest.raises(SettingsError, match="within the image's 60 x 40 pixels"):
        search(run, image=path, box=(2, 10, 22, 41))


def test_counterexamples_filters_and_answers(run):
    found = names(search(run, candidates=(10,), unlike=("drive_09000#2",), number=2))
    assert found[0] == "drive_07000#2" and "drive_09000#2" not in found
    plants = search(run, candidates=(10,), filter='predicted == "plant" and predicted_iou > 0.4')
    assert names(plants) == ["drive_08000#1"] and plants["found"][0]["seen"] == 3
    assert all(float(row) > 0.4 for row in pd.read_csv(plants["files"][0])["predicted_iou"])
    learned = search(run, candidates=(10, 15), unlike=(13,), by="feedback", number=2, once=False)
    assert len(names(learned)) == 2 and not {10, 15, 13} & {found["row"] for found in learned["found"]}


def test_what_is_not_there_is_said(run):
    with pytest.raises(SettingsError, match=r"args.candidates, args.image"):
        search(run)
    with pytest.raises(SettingsError, match=r"rows 0…19, got 20"):
        search(run, candidates=(20,))
    with pytest.raises(SettingsError, match=r"names 0 candidates.*image id#number, e.g. 'drive_00000#1'"):
        search(run, candidates=("nowhere#1",))
    with pytest.raises(FilterError, match="ious"):
        search(run, candidates=(1,), filter="ious < 1")
    with pytest.raises(UnknownNameError, match="catalogue"):
        search(run, candidates=(1,), embeddings_file="find")
    with pytest.raises(SettingsError, match="args.image"):
        search(run, candidates=(1,), box=(1, 2, 3, 4))
    with pytest.raises(SettingsError, match="leave out"):
        search(run, candidates=(1,), text="a red thing", by="feedback")
    with pytest.raises(SettingsError, match="two catalogues at least"):
        merge_catalogues(MergeSettings(("found",)), run)
    with pytest.raises(SettingsError, match="choose a new name"):
        merge_catalogues(MergeSettings(("found", "other"), "other"), run)
