import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oodretrieval.errors import SettingsMismatchError, StoreError, UnknownNameError
from oodretrieval.masks import encode_mask
from oodretrieval.stores import CANDIDATES, Catalogue, CatalogueWriter
from oodretrieval.stores.masks import read_masks, write_masks
from oodretrieval.stores.segments import write_table

from .earlier import without_checksum
from .test_workspace import names_in, run_python

SETTINGS = {"net": "densenet201", "datasets": ("a", "b"), "iou_threshold": 0.5}


def part(seed, n=4, dimensions=3):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"image_id": [f"{seed}/{i}" for i in range(n)], "iou": rng.random(n)})
    return rows, rng.normal(size=(n, dimensions)).astype(np.float32)


def build(path, seeds, **options):
    with CatalogueWriter(path, SETTINGS, **options) as writer:
        for seed in seeds:
            writer.add_part(*part(seed), embedding="net", done=("a", seed))
        writer.commit()


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
def test_round_trip(tmp_path, seeds):
    build(tmp_path / "cat", seeds)
    catalogue = Catalogue.open(tmp_path / "cat")
    rows = pd.concat([part(seed)[0] for seed in seeds], ignore_index=True)
    pd.testing.assert_frame_equal(catalogue.segments, rows, check_dtype=False)
    np.testing.assert_array_equal(catalogue.vectors, np.concatenate([part(seed)[1] for seed in seeds]))
    assert catalogue.vectors.dtype == np.float32
    assert not catalogue.vectors.flags.writeable
    assert isinstance(catalogue.vectors, np.memmap) == (len(seeds) == 1)
    assert (catalogue.name, catalogue.default_embedding, catalogue.embedding_names) == ("cat", "net", ["net"])
    assert catalogue.settings == {"net": "densenet201", "datasets": ["a", "b"], "iou_threshold": 0.5}
    assert len(catalogue) == len(rows)
    assert names_in(tmp_path / "cat/vectors/net") == [f"part-{s:05d}.npy" for s in seeds]


def test_parts_without_a_row(tmp_path):
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.add_part(part(0)[0].iloc[:0], np.zeros((0, 3)), embedding="net", done="empty")
        writer.add_part(*part(1), embedding="net", done="full")
        assert writer.done == ["empty", "full"]
        writer.commit()
    catalogue = Catalogue.open(tmp_path)
    assert len(catalogue.segments) == len(catalogue.vectors) == 4


def test_readers_see_parts_after_the_commit_only(tmp_path):
    build(tmp_path, [0])
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        assert writer.done == [("a", 0)]
        writer.add_part(*part(1), embedding="net", done=("a", 1))
        assert len(Catalogue.open(tmp_path).segments) == 4
        writer.commit()
        assert len(Catalogue.open(tmp_path).segments) == 8


def test_a_run_that_broke_off_goes_on(tmp_path):
    with pytest.raises(RuntimeError), CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.add_part(*part(0), embedding="net", done=("a", 0))
        raise RuntimeError
    with pytest.raises(StoreError, match="manifest"):
        Catalogue.open(tmp_path)
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        assert ("a", 0) in writer.done
        writer.add_part(*part(1), embedding="net", done=("a", 1))
        writer.commit()
    catalogue = Catalogue.open(tmp_path)
    np.testing.assert_array_equal(catalogue.vectors, np.concatenate([part(0)[1], part(1)[1]]))
    assert not (tmp_path / "pending.json").exists()


KILLED = """
    import os, sys
    import numpy as np, pandas as pd
    from oodretrieval.stores import CatalogueWriter, catalogue_writer
    killed_at = sys.argv[2]
    with CatalogueWriter(sys.argv[1], {"s": 1}) as writer:
        rows = pd.DataFrame({"iou": [0.5, 0.25]})
        writer.add_part(rows, np.ones((2, 3)), embedding="net", done="one")
        replace = os.replace
        def fatal(source, target):
            if str(target).endswith(killed_at):
                os._exit(9)
            replace(source, target)
        os.replace = fatal
        writer.add_part(rows, np.ones((2, 3)), embedding="net", done="two")
        writer.commit()
"""


@pytest.mark.parametrize("killed_at", [".parquet", ".npy", "pending.json", "manifest.json"])
def test_killed_at_any_step_the_work_before_remains(tmp_path, killed_at):
    assert run_python(KILLED, tmp_path, killed_at).returncode == 9
    with pytest.raises(StoreError, match=r"manifest\.json"):
        Catalogue.open(tmp_path)
    with CatalogueWriter(tmp_path, {"s": 1}) as writer:
        assert writer.done == (["one", "two"] if killed_at == "manifest.json" else ["one"])
        if "two" not in writer.done:
            writer.add_part(pd.DataFrame({"iou": [0.1, 0.2]}), np.zeros((2, 3)), embedding="net", done="two")
        writer.commit()
    catalogue = Catalogue.open(tmp_path)
    assert len(catalogue.segments) == len(catalogue.vectors) == 4
    listed = {entry["table"] for entry in catalogue.manifest["parts"]}
    assert {path.name for path in tmp_path.glob("part-*")} == listed
    assert not list(tmp_path.rglob(".tmp-*"))


OVERWRITING = """
    import os, sys
    import numpy as np, pandas as pd
    from oodretrieval.stores import CatalogueWriter
    with CatalogueWriter(sys.argv[1], {"s": 1}, overwrite=True) as writer:
        writer.add_part(pd.DataFrame({"iou": [0.5]}), np.ones((1, 3)), embedding="net", done="one")
        os.replace = lambda *arguments: os._exit(9)
        writer.commit()
"""


def test_killed_while_overwriting_the_old_catalogue_remains(tmp_path):
    build(tmp_path, [0, 1])
    assert run_python(OVERWRITING, tmp_path).returncode == 9
    catalogue = Catalogue.open(tmp_path)
    np.testing.assert_array_equal(catalogue.vectors, np.concatenate([part(0)[1], part(1)[1]]))
    assert len(catalogue.segments) == 8


def test_other_settings_are_refused_unless_overwritten(tmp_path):
    build(tmp_path, [0, 1])
    other = {**SETTINGS, "iou_threshold": 0.7}
    with (
        pytest.raises(SettingsMismatchError, match=r"iou_threshold: was 0\.5, now 0\.7"),
        CatalogueWriter(tmp_path, other),
    ):
        pass
    with CatalogueWriter(tmp_path, other, overwrite=True) as writer:
        assert writer.done == []
        writer.add_part(*part(5), embedding="net", done="new")
        assert len(Catalogue.open(tmp_path).segments) == 8
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        assert len(writer.done) == 2
    with CatalogueWriter(tmp_path, other) as writer:
        assert writer.done == ["new"]
        writer.commit()
    np.testing.assert_array_equal(Catalogue.open(tmp_path).vectors, part(5)[1])
    assert len(list(tmp_path.rglob("part-*"))) == 2


def test_several_embeddings(tmp_path):
    build(tmp_path, [0, 1])
    more = np.arange(16).reshape(8, 2)
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.add_vectors(0, "other", more[:4])
        writer.add_vectors(1, "other", more[4:])
        writer.commit()
    catalogue = Catalogue.open(tmp_path)
    assert (catalogue.embedding_names, catalogue.default_embedding) == (["net", "other"], "net")
    np.testing.assert_array_equal(catalogue.vectors_of("other"), more)
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.commit(default_embedding="other")
    np.testing.assert_array_equal(Catalogue.open(tmp_path).vectors, more)
    with pytest.raises(UnknownNameError, match="other"):
        catalogue.vectors_of("othr")


def test_rows_that_do_not_belong_go_and_the_others_keep_all_their_vectors(tmp_path):
    build(tmp_path, [0, 1, 2])
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        for index in range(3):
            writer.add_vectors(index, "other", part(index)[1] * 2)
        writer.commit()
    before = Catalogue.open(tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("part-*")}
    rows, vectors = before.segments, np.asarray(before.vectors)
    stay = rows["image_id"].isin(["0/1", "0/2", *(f"1/{i}" for i in range(4))]).to_numpy()
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.retain(lambda part: part["image_id"].isin(rows["image_id"][stay]).to_numpy())
        assert len(Catalogue.open(tmp_path).segments) == 12, "before the commit nothing is lost"
        assert writer.rows == [2, 4] and len(writer.segments) == 6
        writer.commit()
    after = Catalogue.open(tmp_path)
    pd.testing.assert_frame_equal(after.segments, rows[stay].reset_index(drop=True))
    np.testing.assert_array_equal(after.vectors, vectors[stay])
    np.testing.assert_array_equal(after.vectors_of("other"), vectors[stay] * 2)
    kept = [path for path in tmp_path.rglob("part-*") if path in files]
    assert len(kept) == 3 and all(path.stat().st_mtime_ns == files[path] for path in kept), (
        "part 1 is as it was"
    )
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.retain(lambda part: np.zeros(len(part), bool))
        assert writer.rows == [] and writer.segments.empty


@pytest.mark.parametrize(
    "file", ["part-00001.parquet", "vectors/net/part-00001.npy", "lengths/net/of-part-00001.npy"]
)
@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:-9]), Path.unlink])
def test_a_part_of_which_a_file_is_damaged_is_left_out_to_be_made_again(tmp_path, caplog, file, damage):
    build(tmp_path, [0, 1, 2])
    whole = Catalogue.open(tmp_path)
    rows, vectors = whole.segments, np.array(whole.vectors)
    damage(tmp_path / file)
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.retain(lambda part: np.ones(len(part), bool))
        assert writer.rows == [4, 4] and file.split("/")[-1] in caplog.text and "made again" in caplog.text
        writer.add_part(*part(1), embedding="net", done=[1])
        writer.commit()
    again = Catalogue.open(tmp_path)
    order = again.segments.sort_values("image_id").index
    pd.testing.assert_frame_equal(again.segments.loc[order].reset_index(drop=True), rows)
    np.testing.assert_array_equal(again.vectors[order], vectors)


def test_a_manifest_that_is_damaged_says_what_helps(tmp_path):
    build(tmp_path, [0])
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(StoreError, match="manifest.json is damaged .*again with args.overwrite=True"):
        CatalogueWriter(tmp_path, SETTINGS).__enter__()
    build(tmp_path, [0], overwrite=True)
    assert len(Catalogue.open(tmp_path)) == 4
    path.unlink()
    with pytest.raises(StoreError, match="no file .*; run scripts/compute_embeddings.py"):
        Catalogue.open(tmp_path)


def test_tables_other_the_segments(tmp_path):
    other = pd.DataFrame({"image_id": ["a", "b"], "predicted_iou": [0.25, 0.5]})
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.add_part(*part(0), embedding="net", done="a")
        writer.add_table("all", other.iloc[:1])
        writer.add_table("all", other)
        with pytest.raises(StoreError, match="no manifest|no file"):
            Catalogue.open(tmp_path)
        writer.commit()
    catalogue = Catalogue.open(tmp_path)
    assert catalogue.table_names == ["all"]
    pd.testing.assert_frame_equal(catalogue.table("all"), other, check_dtype=False)
    assert len(names_in(tmp_path / "tables" / "all")) == 1, "what was replaced is gone"
    with pytest.raises(UnknownNameError, match="Known: all"):
        catalogue.table("al")
    with pytest.raises(StoreError, match="cannot name a table"):
        writer.add_table("a/b", other)


def test_tables_survive_a_resumed_run_and_the_old_one_an_overwriting_run_that_broke_off(tmp_path):
    one, two = (pd.DataFrame({"value": [float(i)]}) for i in (1, 2))
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.add_part(*part(0), embedding="net", done="a")
        writer.add_table("all", one)
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.commit()
    with CatalogueWriter(tmp_path, SETTINGS, overwrite=True) as writer:
        writer.add_table("all", two)
    assert Catalogue.open(tmp_path).table("all")["value"].tolist() == [1.0]
    with CatalogueWriter(tmp_path, SETTINGS, overwrite=True) as writer:
        writer.add_part(*part(0), embedding="net", done="a")
        writer.commit()
    assert Catalogue.open(tmp_path).table_names == []
    assert names_in(tmp_path / "tables" / "all") == []


def test_catalogues_of_before_have_no_tables(tmp_path):
    build(tmp_path, [0])
    without_checksum(tmp_path / "manifest.json")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["tables"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert Catalogue.open(tmp_path).table_names == []
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.add_table("all", pd.DataFrame({"value": [1.0]}))
        writer.commit()
    assert Catalogue.open(tmp_path).table_names == ["all"]


def test_a_part_without_the_other_parts_embedding_is_refused(tmp_path):
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.add_part(*part(0), embedding="one")
        writer.add_part(*part(1), embedding="two")
        with pytest.raises(StoreError, match="not every part has vectors of one, two"):
            writer.commit()


@pytest.mark.parametrize(
    ("vectors", "embedding", "message"),
    [
        (np.zeros((3, 3)), "net", r"n = 4"),
        (np.zeros(4), "net", r"n = 4"),
        (np.zeros((4, 5)), "net", "5 dimensions, those before had 3"),
        (np.full((4, 3), np.nan), "net", "NaN"),
        (np.zeros((4, 3)), "../x", "cannot name an embedding"),
    ],
)
def test_vectors_that_do_not_fit(tmp_path, vectors, embedding, message):
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.add_part(*part(0), embedding="net", done=0)
        with pytest.raises(StoreError, match=message):
            writer.add_part(part(1)[0], vectors, embedding=embedding, done=1)
        assert writer.done == [0]
        writer.commit()
    assert len(Catalogue.open(tmp_path).segments) == 4


def test_nothing_to_commit(tmp_path):
    with CatalogueWriter(tmp_path, SETTINGS) as writer, pytest.raises(StoreError, match="nothing to commit"):
        writer.commit()


def test_a_second_writer_is_refused(tmp_path):
    with CatalogueWriter(tmp_path, SETTINGS), pytest.raises(StoreError, match="in use"):
        CatalogueWriter(tmp_path, SETTINGS).__enter__()


@pytest.mark.parametrize("name", ["manifest.json", "part-00000.parquet", "vectors/net/part-00001.npy"])
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "last byte"])
def test_damaged_files_name_themselves(tmp_path, name, damage):
    build(tmp_path, [0, 1])
    path = tmp_path / name
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(whole[: {"empty": 0, "half": len(whole) // 2, "last byte": len(whole) - 3}[damage]])
    with pytest.raises(StoreError, match=path.name.replace(".", r"\.")):
        catalogue = Catalogue.open(tmp_path)
        _ = catalogue.segments, catalogue.vectors


def test_files_of_another_length_name_themselves(tmp_path):
    build(tmp_path, [0])
    without_checksum(tmp_path / "manifest.json")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["parts"][0]["checksums"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    np.save(tmp_path / "vectors/net/part-00000.npy", np.zeros((3, 3), np.float32))
    with pytest.raises(StoreError, match=r"part-00000\.npy holds \(3, 3\) rows, .* says \(4, 3\)"):
        _ = Catalogue.open(tmp_path).vectors
    np.save(tmp_path / "vectors/net/part-00000.npy", np.zeros((4, 3)))
    with pytest.raises(StoreError, match="float64"):
        _ = Catalogue.open(tmp_path).vectors
    part(0, n=2)[0].to_parquet(tmp_path / "part-00000.parquet")
    with pytest.raises(StoreError, match=r"part-00000\.parquet holds 2 rows, but the manifest says 4"):
        _ = Catalogue.open(tmp_path).segments


@pytest.mark.parametrize("change", [{"format_version": 9}, {"parts": [{}]}, {"settings": None}])
def test_manifests_that_cannot_be_used(tmp_path, change):
    build(tmp_path, [0])
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(StoreError, match=r"manifest\.json"):
        Catalogue.open(tmp_path)


def masks_of(seed, n=4):
    rng = np.random.default_rng(seed)
    return [encode_mask(rng.random((5, 6)) < 0.5) for _ in range(n)]


def same_masks(found, expected):
    return len(found) == len(expected) and all(
        (one is None) == (other is None)
        and (one is None or (one.size == other.size and one.counts.tolist() == other.counts.tolist()))
        for one, other in zip(found, expected, strict=True)
    )


def with_masks(path, *seeds):
    with CatalogueWriter(path, SETTINGS) as writer:
        for seed in seeds:
            writer.add_part(*part(seed), embedding="net", done=seed, masks=masks_of(seed))
        writer.commit()
    return path


def test_each_row_has_its_mask(tmp_path):
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.add_part(*part(0), embedding="net", done=0, masks=masks_of(0))
        writer.add_part(*part(1), embedding="net", done=1)  # as before masks were kept
        writer.add_part(*part(2), embedding="net", done=2, masks=[None, *masks_of(2)[1:]])
        writer.commit()
    expected = [*masks_of(0), *[None] * 4, None, *masks_of(2)[1:]]
    assert same_masks(Catalogue.open(tmp_path).masks, expected)


def test_rows_that_stay_keep_their_masks(tmp_path):
    with_masks(tmp_path, 0, 1)
    with CatalogueWriter(tmp_path, SETTINGS) as writer:
        writer.retain(lambda rows: np.array([image in ("0/1", "0/3") for image in rows["image_id"]]))
        writer.commit()
    assert same_masks(Catalogue.open(tmp_path).masks, [masks_of(0)[1], masks_of(0)[3]])
    assert names_in(tmp_path / "masks") == ["part-00002.parquet"]


def test_a_mask_for_each_row(tmp_path):
    with (
        CatalogueWriter(tmp_path, SETTINGS) as writer,
        pytest.raises(StoreError, match="one mask for each of the 4"),
    ):
        writer.add_part(*part(0), embedding="net", done=0, masks=masks_of(0)[:3])


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "other"])
def test_damaged_masks_are_an_error_that_says_what_to_do(tmp_path, damage):
    file = with_masks(tmp_path / "cat", 0) / "masks/part-00000.parquet"
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[len(content) // 3] ^= 4
        file.write_bytes(content)
    elif damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "gone":
        file.unlink()
    else:
        write_masks(file, masks_of(0)[:2], {})
    with pytest.raises(StoreError, match=r"compute_embeddings|run the stage"):
        _ = Catalogue.open(tmp_path / "cat").masks


def test_what_is_no_mask_is_refused(tmp_path):
    table = pd.DataFrame({"height": [2], "width": [2], "counts": [np.array([1, 9], np.uint32)]})
    write_table(tmp_path / "masks.parquet", table, {})
    with pytest.raises(StoreError, match="damaged"):
        read_masks(tmp_path / "masks.parquet", 1)


def test_a_catalogue_says_what_its_rows_are(tmp_path):
    build(tmp_path / "segments", [0])
    with CatalogueWriter(tmp_path / "objects", {**SETTINGS, CANDIDATES: "objects"}) as writer:
        writer.add_part(*part(0), embedding="net", done=0)
        writer.commit()
    assert Catalogue.open(tmp_path / "segments").candidates == "segments"
    assert Catalogue.open(tmp_path / "objects").candidates == "objects"
    with pytest.raises(SettingsMismatchError, match="candidates"):
        build(tmp_path / "objects", [1])
