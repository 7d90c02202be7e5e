"""Numbers and names as colours."""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.explorer.categories import by_name
from oodretrieval.explorer.colour_scale import LEVELS, ColourScale, bar_colours, level_colours
from oodretrieval.results.segment_classes import ClassNames

numbers = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=40)


def rgb(colours):
    return np.array([tuple(bytes.fromhex(colour[1:])) for colour in colours], int)


@pytest.mark.parametrize("colours", [bar_colours(), level_colours()])
def test_the_palette_is_cividis_with_the_high_end_dark(colours):
    ends = (0, 1) if len(colours) != LEVELS else (0.5 / LEVELS, 1 - 0.5 / LEVELS)
    expected = mpl.colormaps["cividis_r"](np.linspace(*ends, len(colours)))[:, :3] * 255
    assert np.abs(rgb(colours) - expected).max() < 9, "a difference that is hardly seen"


@given(numbers)
def test_larger_numbers_are_never_lighter(values):
    array = np.array(values)
    scale = ColourScale.of(array, "x")
    levels, order = scale.levels(array), np.argsort(array, kind="stable")
    assert (np.diff(levels[order]) >= 0).all()
    assert levels.min() >= 0 and levels.max() < LEVELS
    assert scale.low <= scale.high and array.min() <= scale.low and scale.high <= array.max()


@given(numbers)
def test_the_ends_say_what_lies_beyond_them(values):
    array = np.array(values)
    scale = ColourScale.of(array, "x")
    texts = [text for _, text in scale.ticks]
    assert texts[-1].startswith("≥ ") == bool((array > scale.high).any())
    assert len(texts) == (3 if scale.low < scale.high else 1)
    assert len(texts) == 1 or texts[0].startswith("≤ ") == bool((array < scale.low).any())


def test_an_outlier_does_not_take_all_colours():
    scale = ColourScale.of(np.r_[np.linspace(-1, 1, 500), 1e9], "x")
    assert scale.high < 2 and scale.cut == (True, True)


def test_sizes_have_a_logarithmic_scale():
    sizes = np.exp(np.linspace(np.log(50), np.log(500_000), 400))
    scale = ColourScale.of(sizes, "S")
    assert scale.logarithmic
    place = float(scale.share(np.array([np.sqrt(scale.low * scale.high)]))[0])
    assert place == pytest.approx(0.5)
    assert not ColourScale.of(sizes - 100, "x").logarithmic, "no logarithm of what is negative"


def test_the_bar_has_few_digits():
    assert [text for _, text in ColourScale("x", 0.0, 1.0).ticks] == ["0.00", "0.50", "1.00"]
    assert [text for _, text in ColourScale("x", 100.0, 12000.0).ticks] == ["100", "6,050", "12,000"]
    assert [text for _, text in ColourScale("x", 0.001, 0.003, (False, True)).ticks] == [
        "0.001",
        "0.002",
        "≥ 0.003",
    ]


@given(st.lists(st.tuples(st.sampled_from("abcb"), st.booleans()), min_size=1, max_size=30))
def test_groups_by_name_are_those_of_name_and_whether_it_is_known(listed):
    spelt = ["b", "c", "a", "b"]  # one name twice: of two datasets
    codes = np.array([spelt.index(name) if number % 2 else len(spelt) - 1 - spelt[::-1].index(name)
                      for number, (name, _) in enumerate(listed)])  # fmt: skip
    grouping = by_name(
        ClassNames.of(spelt, codes), {"a": (255, 0, 0)}, np.array([each for _, each in listed])
    )
    found = [(grouping.groups[code].name, grouping.groups[code].unknown) for code in grouping.codes]
    assert found == listed and len(grouping.groups) == len(set(listed))
    order = [(not group.unknown, -listed.count((group.name, group.unknown))) for group in grouping.groups]
    assert order == sorted(order), "unknown first, then frequent ones"
