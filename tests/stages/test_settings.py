import importlib
import json
import pkgutil
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oodretrieval
from oodretrieval.errors import SettingsError, UnknownNameError
from oodretrieval.experiment.settings import CommonSettings, changed, flat, from_mapping, group, paths


@dataclass(frozen=True)
class Plot:
    legend: bool = True
    size: tuple[float, float] = (4.0, 3.0)


@dataclass(frozen=True)
class Settings:
    dataset: tuple[str, ...] = ()
    keep: Literal["logits", "nothing"] = "logits"
    rate: float = 0.5
    seed: int | None = None
    bins: int | str = "auto"
    mainplot: Plot = group(Plot)
    common: CommonSettings = CommonSettings()


settings = st.builds(
    Settings,
    common=st.builds(
        CommonSettings, workspace=st.text(max_size=5), gpu=st.integers(), overwrite=st.booleans()
    ),
    dataset=st.lists(st.text(max_size=4), max_size=3).map(tuple),
    keep=st.sampled_from(["logits", "nothing"]),
    rate=st.floats(allow_nan=False),
    seed=st.none() | st.integers(),
    bins=st.integers() | st.text(max_size=3),
    mainplot=st.builds(Plot, st.booleans(), st.tuples(st.floats(0, 9), st.floats(0, 9))),
)


@given(settings)
def test_round_trip_through_plain_dicts_and_lists(value):
    """Sacred hands tuples back as lists, as JSON does."""
    plain = json.loads(json.dumps(flat(value)))
    assert isinstance(plain["dataset"], list)
    assert isinstance(plain["mainplot"]["size"], list)
    assert from_mapping(Settings, plain) == value


def test_nothing_gives_the_defaults():
    assert from_mapping(Settings, {}) == Settings()
    assert from_mapping(Settings, {"mainplot": {"legend": False}}).mainplot == Plot(legend=False)


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ({"rate": 2}, "rate", 2.0),
        ({"dataset": "camvid"}, "dataset", ("camvid",)),
        ({"dataset": []}, "dataset", ()),
        ({"seed": None}, "seed", None),
        ({"bins": 7}, "bins", 7),
        ({"mainplot": {"size": [1, 2]}}, "mainplot", Plot(size=(1.0, 2.0))),
    ],
)
def test_what_the_command_line_writes_is_taken_as_meant(values, name, expected):
    value = getattr(from_mapping(Settings, values), name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gpu": "one"}, r"args\.gpu must be of type int, got 'one' \(str\)"),
        ({"gpu": 1.5}, r"args\.gpu must be of type int, got 1\.5 \(float\)"),
        ({"gpu": True}, r"args\.gpu must be of type int, got True"),
        ({"gpu": None}, r"args\.gpu must be of type int, got None"),
        ({"overwrite": 1}, r"args\.overwrite must be of type bool, got 1"),
        ({"overwrite": "yes"}, r"args\.overwrite must be of type bool, got 'yes'"),
        ({"rate": True}, r"args\.rate must be of type float, got True"),
        ({"rate": "fast"}, r"args\.rate must be of type float, got 'fast'"),
        ({"workspace": 3}, r"args\.workspace must be of type str, got 3"),
        ({"dataset": [1]}, r"args\.dataset must be of type str, got 1"),
        ({"dataset": {"a": 1}}, r"args\.dataset must be of type tuple.*got \{'a': 1\}"),
        (
            {"dataset": "[a, b]"},
            r"args\.dataset: texts in a list need quotes of their own, as in \"args\.dataset=",
        ),
        ({"keep": "all"}, r"args\.keep must be one of logits, nothing, got 'all'"),
        ({"keep": ["logits"]}, r"args\.keep must be one of logits, nothing"),
        ({"seed": "x"}, r"args\.seed must be of type int, got 'x'"),
        ({"bins": 1.5}, r"args\.bins must be of type int.*or args\.bins must be of type str"),
        ({"mainplot": 3}, r"args\.mainplot is a group of settings; set args\.mainplot\.<name>=…"),
        ({"mainplot": {"legend": 1}}, r"args\.mainplot\.legend must be of type bool"),
        ({"mainplot": {"size": [1, 2, 3]}}, r"args\.mainplot\.size must have 2 values, got \[1, 2, 3\]"),
        ({"mainplot": {"size": 1.0}}, r"args\.mainplot\.size must have 2 values"),
    ],
)
def test_a_wrong_type_is_an_error_that_names_it(values, message):
    with pytest.raises(SettingsError, match=message):
        from_mapping(Settings, values)


def test_an_unknown_name_lists_what_exists():
    with pytest.raises(
        UnknownNameError, match=r"setting 'args\.datset'; did you mean 'args\.dataset'"
    ) as caught:
        from_mapping(Settings, {"datset": "x"})
    for name in ("workspace", "gpu", "num_cores", "limit", "keep", "mainplot"):
        assert f"args.{name}" in str(caught.value)


def test_an_unknown_name_in_a_group_lists_the_group():
    with pytest.raises(
        UnknownNameError, match=r"'args\.mainplot\.legnd'; did you mean 'args\.mainplot\.legend'"
    ):
        from_mapping(Settings, {"mainplot": {"legnd": True}})


def test_parts_are_spelled_flat_and_groups_keep_their_name():
    assert paths(Settings)["gpu"] == ("common", "gpu")
    assert paths(Settings)["mainplot"] == ("mainplot",)
    assert from_mapping(Settings, {"gpu": 3, "rate": 1}).common.gpu == 3
    assert flat(Settings())["mainplot"] == {"legend": True, "size": (4.0, 3.0)}


def test_a_change_keeps_all_else_and_is_checked():
    settings = from_mapping(Settings, {"limit": 4, "mainplot": {"legend": False}})
    other = changed(settings, {"gpu": 1, "mainplot": {"size": [1, 2]}})
    assert other.common == CommonSettings(gpu=1, limit=4)
    assert other.mainplot == Plot(legend=False, size=(1.0, 2.0))
    with pytest.raises(SettingsError, match=r"args\.limit must be at least 0, got -1"):
        changed(settings, {"limit": -1})


def test_no_setting_of_a_stage_is_spelled_twice():
    """Two parts with one name would hide each other on the command line."""
    modules = [
        name
        for _, name, _ in pkgutil.walk_packages(oodretrieval.__path__, "oodretrieval.")
        if name.endswith("settings")
    ]
    kinds = {
        kind
        for module in map(importlib.import_module, modules)
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind)
    }
    assert len(kinds) > 20
    for kind in kinds:
        names = list(leaf_names(kind))
        assert len(names) == len(set(names)), kind


def leaf_names(kind):
    for own in fields(kind):
        part = own.default if own.default is not MISSING else None
        if is_dataclass(part):
            yield from leaf_names(type(part))
        else:
            yield own.name
