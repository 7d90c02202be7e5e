import numpy as np
import pytest

from oodretrieval.evaluation import ObjectCounts
from oodretrieval.results.tables import markdown_table
from oodretrieval.stages.evaluate.selection.selection_tables import (
    SHARES,
    class_table,
    look_notes,
    object_table,
    order_table,
    selection_table,
)


def measures(segments):
    found = {"all": {"50": 4.0, "100": 5.5, "500": 6.0}, "person": {"50": 1.0, "100": 2.0, "500": 2.0}}
    quality = {"auroc": 0.75, "auprc": 0.5, "intervals": {"auroc": (0.5, 0.9), "auprc": (0.25, 0.75)}}
    return {
        "segments": segments,
        "selected": 0,
        **dict.fromkeys(SHARES.values(), np.nan),
        "share_selected": 0.0,
        "intervals": dict.fromkeys(SHARES.values(), (np.nan, np.nan)),
        "orders": {
            "entropy": {**quality, "unknown_among_first": 7, "found": found},
            "random order": {"unknown_among_first": 3.5, "found": found},
        },
    }


@pytest.mark.parametrize(
    ("segments", "looks"), [(20, []), (50, [50]), (120, [50, 100]), (500, [50, 100, 500])]
)
def test_only_looks_that_there_are_segments_for_are_shown(segments, looks):
    orders, classes = order_table(measures(segments)), class_table(measures(segments))
    assert [name for name in orders if name.startswith("objects")] == [f"objects after {n}" for n in looks]
    assert f"unknown among first {min(segments, 100)}" in orders
    assert list(classes.index) == [
        f"{name}, {n} looks" for name in ("entropy", "random order") for n in looks
    ]
    assert bool(look_notes(segments)) == (len(looks) < 3)


def test_orders_have_their_quality_and_random_order_has_none():
    table = order_table(measures(600))
    assert table.loc["entropy", ["AUROC", "AUROC, interval", "objects after 100"]].tolist() == [
        0.75,
        "0.500…0.900",
        "5.5",
    ]
    assert np.isnan(table.loc["random order", "AUROC"])


def test_shares_of_nothing_are_no_numbers():
    rows = dict(
        line.split(" | ", 2)[:2] for line in markdown_table(selection_table(measures(9))).splitlines()
    )
    assert rows["| precision: mostly unknown among the selected"] == "–"
    assert rows["| share of the segments selected"] == "0.000"


def test_objects_are_counted_by_class_and_together():
    table = object_table({"person": ObjectCounts(4, 1, 2), "dog": ObjectCounts(3, 2, 3)})
    assert table.loc["all"].to_dict() == {"objects": 7, "hit": 5, "found": 3}
    assert object_table({}).loc["all"].tolist() == [0, 0, 0]
