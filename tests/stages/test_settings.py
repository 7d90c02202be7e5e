from dataclasses import asdict, dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.errors import SettingsError, UnknownNameError
from oodretrieval.experiment.script import _plain
from oodretrieval.experiment.settings import CommonSettings, from_mapping


@dataclass(frozen=True)
class Plot:
    legend: bool = True
    size: tuple[float, float] = (4.0, 3.0)


@dataclass(frozen=True)
class Settings(CommonSettings):
    dataset: tuple[str, ...] = ()
    keep: Literal["logits", "nothing"] = "logits"
    rate: float = 0.5
    seed: int | None = None
    bins: int | str = "auto"
    mainplot: Plot = field(default_factory=Plot)


settings = st.builds(
    Settings,
    workspace=st.text(max_size=5),
    gpu=st.integers(),
    overwrite=st.booleans(),
    dataset=st.lists(st.text(max_size=4), max_size=3).map(tuple),
    keep=st.sampled_from(["logits", "nothing"]),
    rate=st.floats(allow_nan=False),
    seed=st.none() | st.integers(),
    bins=st.integers() | st.text(max_size=3),
    mainplot=st.builds(Plot, st.booleans(), st.tuples(st.floats(0, 9), st.floats(0, 9))),
)


@given(settings)
def test_round_trip_through_plain_dicts_and_lists(value):
    """Sacred hands tuples back as lists."""
    plain = _plain(asdict(value))
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
        ({"gpu": "one"}, r"args\.gpu must be of type int, came 'one' \(str\)"),
        ({"gpu": 1.5}, r"args\.gpu must be of type int, came 1\.5 \(float\)"),
        ({"gpu": True}, r"args\.gpu must be of type int, came True"),
        ({"gpu": None}, r"args\.gpu must be of type int, came None"),
        ({"overwrite": 1}, r"args\.overwrite must be of type bool, came 1"),
        ({"overwrite": "yes"}, r"args\.overwrite must be of type bool, came 'yes'"),
        ({"rate": True}, r"args\.rate must be of type float, came True"),
        ({"rate": "fast"}, r"args\.rate must be of type float, came 'fast'"),
        ({"workspace": 3}, r"args\.workspace must be of type str, came 3"),
        ({"dataset": [1]}, r"args\.dataset must be of type str, came 1"),
        ({"dataset": {"a": 1}}, r"args\.dataset must be of type tuple.*came \{'a': 1\}"),
        (
            {"dataset": "[a, b]"},
            r"args\.dataset: texts in a list need quotes of their own, as in \"args\.dataset=",
        ),
        ({"keep": "all"}, r"args\.keep must be one of logits, nothing, came 'all'"),
        ({"keep": ["logits"]}, r"args\.keep must be one of logits, nothing"),
        ({"seed": "x"}, r"args\.seed must be of type int, came 'x'"),
        ({"bins": 1.5}, r"args\.bins must be of type int.*or args\.bins must be of type str"),
        ({"mainplot": 3}, r"args\.mainplot is a group of settings; set args\.mainplot\.<name>=…"),
        ({"mainplot": {"legend": 1}}, r"args\.mainplot\.legend must be of type bool"),
        ({"mainplot": {"size": [1, 2, 3]}}, r"args\.mainplot\.size must have 2 values, came \[1, 2, 3\]"),
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
