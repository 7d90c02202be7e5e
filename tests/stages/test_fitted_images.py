"""No evaluation measures a model on what it was fitted on, under whatever name, nor on the next frames of a video."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import TableError
from oodretrieval.experiment.fitted_images import FITTED_ON, fingerprints, fitted_on, seen_images

STILLS, VIDEO = SimpleNamespace(video=False), SimpleNamespace(video=True)


def table(images, seed=0.0):
    rows = [
        {"image_id": image, "class": 1, "S": 10 + place + k, "left": k, "top": 0, "right": 9, "bottom": 9}
        for place, image in enumerate(images)
        for k in range(3)
    ]
    return pd.DataFrame(rows).assign(E=0.25 + seed)


def seen(configuration, name, dataset, rows, carried):
    return seen_images(configuration, name, dataset, fingerprints([rows]), {"meta model 'mine'": carried})


def test_the_images_of_the_same_dataset(configuration):
    carried = {FITTED_ON: fitted_on("images", fingerprints([table(["a", "b"])]))}
    found = seen(configuration, "images", STILLS, table(["b", "c"], seed=0.1), carried)
    assert found.images == {"b"} and found.others(["c", "b", "d"]) == ["c", "d"]
    assert found.notes == ("1 of 2 images are left out: meta model 'mine' was fitted on them.",)
    with pytest.raises(TableError, match="very images of 'images'.*has not seen"):
        seen(configuration, "images", STILLS, table(["a"]), carried)


def test_an_image_of_the_same_name_in_another_dataset_is_another(configuration):
    carried = {FITTED_ON: fitted_on("images", fingerprints([table(["a", "b"])]))}
    assert not seen(configuration, "others", STILLS, table(["a", "b"], seed=0.1), carried).images


def test_an_image_under_another_name_is_the_same(configuration):
    carried = {FITTED_ON: fitted_on("images", fingerprints([table(["a", "b"])]))}
    renamed = table(["a", "b"]).replace({"image_id": {"a": "first", "b": "second"}})
    renamed = pd.concat([renamed, table(["third"], seed=0.1)])
    assert seen(configuration, "copies", STILLS, renamed, carried).images == {"first", "second"}


def test_frames_next_to_those_learned_from(configuration):
    carried = {FITTED_ON: fitted_on("train", fingerprints([table(["x_0100", "x_0200"])]))}
    frames = table(["x_0070", "x_0069", "x_0230", "x_0231", "y_0100"], seed=0.1)
    found = seen(configuration, "val", VIDEO, frames, carried)
    assert found.images == {"x_0070", "x_0230"}, "parts of the same files, up to thirty frames apart"
    assert "or on frames within 30 of them" in found.notes[0]
    assert not seen(configuration, "val", STILLS, frames, carried).images
    assert not seen(configuration, "images", VIDEO, frames, carried).images, "of another class"


def test_wrapped_entries_are_of_the_same_files(configuration):
    wrapped = DatasetEntry(
        "oodretrieval.datasets.background", "with_background", {"dataset": configuration.datasets["val"]}
    )
    configuration = replace(configuration, datasets={**configuration.datasets, "val_background": wrapped})
    carried = {FITTED_ON: fitted_on("train", fingerprints([table(["x_0100"])]))}
    assert seen(
        configuration, "val_background", VIDEO, table(["x_0101", "x_0999"], seed=0.1), carried
    ).images == {"x_0101"}


def test_models_without_a_record_are_known_by_the_name_of_their_dataset(configuration):
    ids = [f"0016E5_{100 * number:05d}" for number in range(6)]
    for carried in ({"made_by": {"dataset": "val"}}, {"dataset": "val", "backbone": "any"}):
        with pytest.raises(TableError, match="very images"):
            seen(configuration, "val", VIDEO, table(ids), carried)
    limited = {"made_by": {"dataset": "val", "limit": 2}}
    assert seen(configuration, "val", VIDEO, table(ids), limited).images == set(ids[:2])
    gone = {"dataset": "gone"}
    with pytest.raises(TableError, match="very images"):
        seen(configuration, "gone", VIDEO, table(ids), gone)
    assert not seen(configuration, "val", VIDEO, table(ids), gone).images
    assert not seen(configuration, "val", VIDEO, table(ids), {}).images, (
        "the published checkpoint says nothing"
    )


def test_a_fingerprint_is_of_all_segments_of_an_image():
    whole = table(["a", "b"])
    prints = fingerprints([whole])
    assert list(prints) == ["a", "b"] and len(set(prints.values())) == 2
    assert fingerprints([whole[whole["image_id"] == "b"]])["b"] == prints["b"]
    assert fingerprints([whole.iloc[1:]])["a"] != prints["a"]
    assert fingerprints([whole.assign(E=0.3)])["a"] != prints["a"]
