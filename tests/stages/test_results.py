import json

import numpy as np
import pandas as pd

from oodretrieval import __version__
from oodretrieval.results.result import Context, Result, save_result
from oodretrieval.results.saved_results import read_results
from oodretrieval.results.tables import markdown_table


def _result(**changes):
    table = pd.DataFrame(
        {"IoU": [0.5, np.nan], "images": [3, 4]}, index=pd.Index(["road", "sky"], name="class")
    )
    context = Context("streets_val", "val", 4, "void left out", "of the images", model="net", weights="ab12")
    values = {
        "title": "Quality",
        "stem": "iou_net",
        "context": context,
        "settings": {"dataset": "streets_val"},
        "measures": {"mean_iou": 0.5},
        "tables": {"IoU by class": table},
        "notes": ("One scene.",),
    }
    return Result(**(values | changes))


def test_json_carries_measures_settings_and_the_rules_they_were_measured_by(tmp_path):
    save_result(tmp_path / "new" / "folder", _result())
    content = json.loads((tmp_path / "new" / "folder" / "iou_net.json").read_text())
    assert content["figures"] == {"mean_iou": 0.5}
    assert content["settings"] == {"dataset": "streets_val"}
    assert content["context"]["void_rule"] == "void left out"
    assert content["context"]["split"] == "val"
    assert __version__ in content["context"]["version"]
    assert content["notes"] == ["One scene."]


def test_markdown_and_csv_hold_the_same_table(tmp_path):
    files = save_result(tmp_path, _result())
    assert [file.name for file in files] == ["iou_net.json", "iou_net.md", "iou_net_iou_by_class.csv"]
    page = files[1].read_text()
    assert "- void rule: void left out" in page
    assert "- weights: ab12" in page
    assert "meta model" not in page  # none took part
    assert "| road | 0.500 | 3 |" in page
    assert "| sky | – | 4 |" in page
    back = pd.read_csv(files[2], index_col="class")
    pd.testing.assert_frame_equal(back, _result().tables["IoU by class"])


def test_the_log_shows_rules_tables_and_files(tmp_path, caplog):
    with caplog.at_level("INFO"):
        save_result(tmp_path, _result())
    assert "void rule: void left out" in caplog.text
    assert "road   0.500       3" in caplog.text
    assert "iou_net.json" in caplog.text


def test_markdown_tables_have_as_many_cells_in_every_row():
    rows = markdown_table(_result().tables["IoU by class"]).splitlines()
    assert len({row.count("|") for row in rows}) == 1


def test_pictures_are_named_relative_to_the_result(tmp_path):
    picture = tmp_path / "iou_net.png"
    picture.write_bytes(b"")
    files = save_result(tmp_path, _result(pictures={"IoU": picture}))
    content = json.loads((tmp_path / "iou_net.json").read_text())
    assert content["pictures"] == {"IoU": "iou_net.png"}
    assert content["tables"] == {"IoU by class": "iou_net_iou_by_class.csv"}
    assert "![IoU](iou_net.png)" in (tmp_path / "iou_net.md").read_text()
    assert picture in files


def test_what_is_undefined_is_null_in_the_json(tmp_path):
    save_result(
        tmp_path, _result(measures={"iou": {"road": float("nan")}, "drawn": [np.float32("nan"), 0.5]})
    )
    text = (tmp_path / "iou_net.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["figures"] == {"iou": {"road": None}, "drawn": [None, 0.5]}


def test_small_fractions_keep_a_digit_and_rounding_shows_no_sign():
    table = pd.DataFrame(
        {"loss": [0.5, 0.0004, -0.00002, -1e-17, 0.0]}, index=pd.Index(list("abcde"), name="metric")
    )
    cells = [row.split(" | ")[1].rstrip(" |") for row in markdown_table(table).splitlines()[2:]]
    assert cells == ["0.500", "0.0004", "-2e-05", "0.000", "0.000"]


def test_a_saved_table_is_read_as_it_was_logged(tmp_path):
    table = pd.DataFrame(
        {"looks": [5, 10.04], "difference": ["+0.033", "-0.028"], "share": [0.25, np.nan]},
        index=pd.Index(["novelty", "random"], name="order"),
        dtype=object,
    )
    save_result(tmp_path, _result(tables={"orders": table}))
    (back,) = read_results(tmp_path)
    assert back.tables["orders"] == [
        ["order", "looks", "difference", "share"],
        ["novelty", "5", "+0.033", "0.250"],
        ["random", "10.040", "-0.028", "–"],
    ]


def test_what_an_earlier_run_wrote_and_this_one_does_not_is_removed(tmp_path):
    table = _result().tables["IoU by class"]
    picture = tmp_path / "iou_net_old.png"
    picture.write_bytes(b"PNG")
    before = save_result(
        tmp_path,
        _result(tables={"difference to energy": table, "IoU by class": table}, pictures={"Old": picture}),
    )
    others = save_result(tmp_path, _result(stem="iou_net_other"))
    unnamed = tmp_path / "iou_net_mine.csv"
    unnamed.write_text("kept\n")
    after = save_result(tmp_path, _result(tables={"difference to entropy": table, "IoU by class": table}))
    gone = {file.name for file in before if not file.exists()}
    assert gone == {"iou_net_difference_to_energy.csv", "iou_net_old.png"}
    assert all(file.is_file() for file in [*after, *others, unnamed])


def test_a_damaged_result_is_replaced_and_its_tables_stay(tmp_path):
    json_path, _, table = save_result(tmp_path, _result())
    json_path.write_text(json_path.read_text().replace("iou_by_class", "iou_by_glass"))
    save_result(tmp_path, _result(tables={}))
    assert json.loads(json_path.read_text())["tables"] == {}
    assert table.is_file()
