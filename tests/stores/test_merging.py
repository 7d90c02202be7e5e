"""Catalogues that were made alike become one, and nothing of them is computed again."""

import shutil

import numpy as np
import pandas as pd
import pytest

from oodretrieval.errors import SettingsMismatchError, StoreError
from oodretrieval.masks import decode_mask, encode_mask
from oodretrieval.stores import Catalogue, CatalogueWriter, catalogue_writer
from oodretrieval.stores.merging import merged_catalogue
from oodretrieval.stores.tag_journal import TagJournal
from oodretrieval.stores.tags import CandidateKey, TagTable

MASK = encode_mask(np.eye(4, dtype=bool))


def made(folder, dataset, images, embeddings=("net",), seed=0, **settings):
    """Two candidates an image, in a part for each image."""
    noted = {
        "model": "m",
        "datasets": [dataset],
        "video": [],
        "select_by": "entropy",
        "select_number": len(images),
        "segments": {dataset: {"keep": "logits"}},
        "label_mapping": {dataset: {"0": ["sky", [0, 0, 0]]}},
        **settings,
    }
    random = np.random.default_rng(seed)
    with CatalogueWriter(folder, noted) as writer:
        for image in images:
            rows = pd.DataFrame(
                {"dataset": dataset, "image_id": image, "segment_id": [1, 2], "E": random.random(2)}
            )
            for number, name in enumerate(embeddings):
                vectors = random.normal(size=(2, len(name)))
                if number == 0:
                    writer.add_part(rows, vectors, name, image, [MASK, None])
                else:
                    writer.add_vectors(len(writer.rows) - 1, name, vectors)
        writer.add_table("predicted_iou", writer.segments)
        writer.commit()
    return Catalogue.open(folder)


def test_rows_vectors_masks_and_tables_of_both(tmp_path):
    one = made(tmp_path / "one", "a", ["x", "y"], ("net", "other"))
    two = made(tmp_path / "two", "b", ["x"], ("other", "net"), seed=1)
    with_both = merged_catalogue([one, two], tmp_path / "both")
    rows = pd.concat([one.segments, two.segments], ignore_index=True)
    pd.testing.assert_frame_equal(with_both.segments, rows)
    assert with_both.default_embedding == "net" and set(with_both.embedding_names) == {"net", "other"}
    for name in ("net", "other"):
        expected = np.concatenate([one.vectors_of(name), two.vectors_of(name)])
        np.testing.assert_array_equal(with_both.vectors_of(name), expected)
        np.testing.assert_array_equal(
            with_both.lengths_of(name), np.concatenate([one.lengths_of(name), two.lengths_of(name)])
        )
    assert [mask is None for mask in with_both.masks] == [False, True] * 3
    assert decode_mask(with_both.masks[4]).sum() == 4
    pd.testing.assert_frame_equal(with_both.table("predicted_iou"), rows)
    assert with_both.settings["datasets"] == ["a", "b"]
    assert set(with_both.settings["label_mapping"]) == set(with_both.settings["segments"]) == {"a", "b"}
    assert [extent["select_number"] for extent in with_both.settings["merged"]] == [2, 1]
    assert one.settings["datasets"] == ["a"] and len(Catalogue.open(tmp_path / "one")) == 4


def test_what_both_hold_is_taken_from_the_first_once(tmp_path):
    one = made(tmp_path / "one", "a", ["x", "y"])
    two = made(tmp_path / "two", "a", ["y", "z"], seed=1)
    both = merged_catalogue([one, two], tmp_path / "both")
    assert both.segments["image_id"].tolist() == ["x", "x", "y", "y", "z", "z"]
    np.testing.assert_array_equal(both.vectors, np.concatenate([one.vectors, two.vectors[2:]]))
    assert len(both.table("predicted_iou")) == 6
    again = merged_catalogue([both, one], tmp_path / "again")
    np.testing.assert_array_equal(again.vectors, both.vectors)


def test_a_merge_that_broke_off_goes_on(tmp_path, monkeypatch):
    one, two = made(tmp_path / "one", "a", ["x", "y"]), made(tmp_path / "two", "b", ["x"], seed=1)
    real, left = catalogue_writer.CatalogueWriter.add_part, [2]

    def killed(self, *arguments, **options):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        real(self, *arguments, **options)

    monkeypatch.setattr(catalogue_writer.CatalogueWriter, "add_part", killed)
    with pytest.raises(KeyboardInterrupt):
        merged_catalogue([one, two], tmp_path / "both")
    left[0] = 1
    both = merged_catalogue([one, two], tmp_path / "both")
    np.testing.assert_array_equal(both.vectors, np.concatenate([one.vectors, two.vectors]))


def test_what_cannot_be_compared_is_not_merged(tmp_path):
    one = made(tmp_path / "one", "a", ["x"])
    with pytest.raises(SettingsMismatchError, match="select_by: was 'entropy', now 'energy'"):
        merged_catalogue([one, made(tmp_path / "2", "b", ["x"], select_by="energy")], tmp_path / "both")
    other = made(tmp_path / "3", "a", ["x"], segments={"a": {"keep": "nothing"}})
    with pytest.raises(SettingsMismatchError, match="segments of a"):
        merged_catalogue([one, other], tmp_path / "both")
    with pytest.raises(StoreError, match="no embedding in common.*args.load_file"):
        merged_catalogue([one, made(tmp_path / "4", "b", ["x"], ("another",))], tmp_path / "both")
    assert not (tmp_path / "both" / "manifest.json").exists()


def test_a_damaged_source_is_an_error(tmp_path):
    one, two = made(tmp_path / "one", "a", ["x"]), made(tmp_path / "two", "b", ["x"])
    file = tmp_path / "two/vectors/net/part-00000.npy"
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(StoreError, match="damaged"):
        merged_catalogue([one, two], tmp_path / "both")
    shutil.rmtree(tmp_path / "two")


def tagged(catalogue, tags):
    journal, table = TagJournal(catalogue.path), TagTable()
    for name, (colour, keys) in tags.items():
        step = table.tagging([CandidateKey(*key) for key in keys], name, colour)
        table.apply(step)
        journal.append(step)
    return catalogue


def tags_of(catalogue):
    table = TagTable()
    for step in TagJournal(catalogue.path).read():
        table.apply(step)
    return {name: (table.colours[name], set(table.candidates(name))) for name in table.names}


def test_tags_come_along(tmp_path):
    one = tagged(
        made(tmp_path / "one", "a", ["x", "y"]),
        {"bin": ("#111111", [("a", "x", 1), ("a", "y", 2)]), "empty": ("#222222", [])},
    )
    two = tagged(
        made(tmp_path / "two", "a", ["y", "z"], seed=1),
        {"bin": ("#333333", [("a", "z", 2), ("a", "y", 2)]), "dog": ("#444444", [("a", "z", 1)])},
    )
    both = merged_catalogue([one, two], tmp_path / "both")
    expected = {
        "bin": ("#111111", {("a", "x", 1), ("a", "y", 2), ("a", "z", 2)}),
        "dog": ("#444444", {("a", "z", 1)}),
        "empty": ("#222222", set()),
    }
    assert tags_of(both) == expected
    journal = TagJournal(both.path)
    assert [step.title for step in journal.read()] == ["tags of one, two"], (
        "one step, which can be taken back"
    )
    table = TagTable()
    table.apply(step := TagJournal(both.path).read()[0])
    table.apply(step.inverse())
    assert table.names == ()
    content = journal.path.read_bytes()
    merged_catalogue([one, two], tmp_path / "both")
    assert journal.path.read_bytes() == content, "the same merge again has nothing to say"
    tagged(one, {"cat": ("#555555", [("a", "x", 2)])})
    merged_catalogue([one, two], tmp_path / "both")
    assert tags_of(both) == {**expected, "cat": ("#555555", {("a", "x", 2)})}


def test_what_was_taken_off_or_renamed_in_the_merged_catalogue_stays_so(tmp_path):
    one = tagged(
        made(tmp_path / "one", "a", ["x", "y"]),
        {"bin": ("#111111", [("a", "x", 1), ("a", "y", 2)]), "dog": ("#222222", [("a", "x", 2)])},
    )
    two = made(tmp_path / "two", "b", ["x"])
    both = merged_catalogue([one, two], tmp_path / "both")
    journal, table = TagJournal(both.path), TagTable()
    for step in journal.read():
        table.apply(step)
    for step in (table.untagging([CandidateKey("a", "x", 1)], "bin"), table.renaming("dog", "cat")):
        table.apply(step)
        journal.append(step)
    expected = {"bin": ("#111111", {("a", "y", 2)}), "cat": ("#222222", {("a", "x", 2)})}
    content = journal.path.read_bytes()
    merged_catalogue([one, two], tmp_path / "both")
    assert tags_of(both) == expected and journal.path.read_bytes() == content
    tagged(one, {"dog": ("#222222", [("a", "y", 1)])})
    merged_catalogue([one, two], tmp_path / "both")
    assert tags_of(both) == {**expected, "dog": ("#222222", {("a", "y", 1)})}, "what is new comes along"


def test_no_tags_make_no_journal(tmp_path):
    both = merged_catalogue(
        [made(tmp_path / "one", "a", ["x"]), made(tmp_path / "two", "b", ["x"])], tmp_path / "both"
    )
    assert not TagJournal(both.path).path.exists()


def test_a_merge_that_broke_off_before_the_tags_goes_on_with_them(tmp_path, monkeypatch):
    one = tagged(made(tmp_path / "one", "a", ["x"]), {"bin": ("#111111", [("a", "x", 1)])})
    two = made(tmp_path / "two", "b", ["x"])

    def full(*_):
        raise StoreError("no space")

    with monkeypatch.context() as patch, pytest.raises(StoreError, match="no space"):
        patch.setattr(TagJournal, "append", full)
        merged_catalogue([one, two], tmp_path / "both")
    assert tags_of(merged_catalogue([one, two], tmp_path / "both")) == tags_of(one)
