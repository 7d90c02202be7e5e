"""The filter language: what it means, by a slow reading of Python's own, and where it says that something is wrong."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.errors import FilterError
from oodretrieval.search.row_comparisons import Groups
from oodretrieval.search.row_filter import LONGEST, parse_filter

TAGS = Groups({"bin": np.array([1, 0, 0, 1], bool), "a b": np.array([1, 1, 0, 0], bool)}, 4)
COLUMNS = {
    "class": np.array([2, 5, 2, 7]),
    "iou": np.array([0.1, 0.5, np.nan, 0.9]),
    "name": np.array(["Bin", "car", "cabin", "ünder"]),
    "loose": np.array(["x", None, "y", "x"], dtype=object),
    "unknown": np.array([True, False, False, True]),
    "tags": TAGS,
}


def rows(text):
    return parse_filter(text, COLUMNS).rows(COLUMNS).astype(int).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class == 2", [1, 0, 1, 0]),
        ("  class==2  ", [1, 0, 1, 0]),
        ("class != 2 and iou >= .5", [0, 1, 0, 1]),
        ("class in (2, 7)", [1, 0, 1, 1]),
        ("class not in [2]", [0, 1, 0, 1]),
        ("class in []", [0, 0, 0, 0]),
        ("0.1 < iou <= 0.9", [0, 1, 0, 1]),
        ("iou != 0.5", [1, 0, 0, 1]),
        ("not iou < 0.6", [0, 0, 1, 1]),
        ("iou * 10 - 1 == 8", [0, 0, 0, 1]),
        ("-iou < -0.4", [0, 1, 0, 1]),
        ("iou / 0 > 1", [1, 1, 0, 1]),
        ('name == "car"', [0, 1, 0, 0]),
        ('name contains "BIN"', [1, 0, 1, 0]),
        ('not name contains "bin"', [0, 1, 0, 1]),
        ('"bin" in name', [1, 0, 1, 0]),
        ('name in ("car", "ünder") and class > 0', [0, 1, 0, 1]),
        ('name contains "ü" or class == 5', [0, 1, 0, 1]),
        ('loose contains "x"', [1, 0, 0, 1]),
        ("unknown", [1, 0, 0, 1]),
        ("NOT unknown OR class == 7", [0, 1, 1, 1]),
        ("unknown == False", [0, 1, 1, 0]),
        ("tags", [1, 1, 0, 1]),
        ("not tags", [0, 0, 1, 0]),
        ('tags contains "bin"', [1, 0, 0, 1]),
        ('"a b" in tags and tags != "bin"', [0, 1, 0, 0]),
        ('tags in ("a b", "nobody")', [1, 1, 0, 0]),
        ('tags == "nobody"', [0, 0, 0, 0]),
        ('name contains "is"  or class == 2', [1, 0, 1, 0]),
    ],
)
def test_what_a_filter_means(text, expected):
    assert rows(text) == expected


def marked(text):
    """The message of a filter that is refused, and the part of it that is pointed at."""
    with pytest.raises(FilterError) as refused:
        rows(text)
    error = refused.value
    assert str(error).splitlines()[-1].index("^") == 2 + error.start
    return error.problem, error.text[error.start : error.end]


@pytest.mark.parametrize("text", ["iou <", "iou < 1 and  ", "not"])
def test_what_is_missing_is_missing_at_the_end(text):
    assert marked(text) == ("something is missing at the end", "")
    with pytest.raises(FilterError) as refused:
        rows(text)
    assert refused.value.start == len(text.rstrip())


@pytest.mark.parametrize(
    ("text", "says", "place"),
    [
        ("class = 2", "write == to compare", "="),
        ("iou < 1 and class = 2", "write == to compare", "="),
        ("klass == 2", "did you mean 'class'", "klass"),
        ('name contains "ü" and clas == 2', "did you mean 'class'", "clas"),
        ("name == car", 'in quotes: "car"', "car"),
        ("name == 3", "cannot be compared", "3"),
        ('class == "2"', "cannot be compared", '"2"'),
        ('name < "b"', "texts are compared by", '"b"'),
        ("class", "expected a comparison", "class"),
        ("class == 2 & iou < 1", "write and, or, not", "2 & iou"),
        ("iou is 3", "unknown column|cannot be read", None),
        ('class contains "2"', "expected a list", '"2"'),
        ("name contains 2", "in quotes", "2"),
        ("__import__('os').system('x') == 0", "expected a column", "__import__('os').system('x')"),
        ("iou.real == 1", "expected a column", "iou.real"),
        ("(lambda: 1)() == 1", "cannot be read", None),
        ("iou ** 9 > 1", "expected a column", "iou ** 9"),
        ("{iou} == 1", "expected a column", "{iou}"),
        ("name + 1 > 2", "numbers to calculate", "name + 1"),
        ("iou * 1" + "0" * 400 + " > 1", "too large", None),
        ("1 / 0 > iou", "division", "1 / 0"),
        ("1 == 1", "names a column", "1 == 1"),
        ("(class == 2", "cannot be read", None),
        ("class == 2 and (", "never closed", "("),
        ('name == "car', "cannot be read", None),
        ("", "empty", None),
        ("not " * 900, "at most|cannot be read", None),
        ("(" * 900 + "class", "cannot be read", None),
        ("class == 2 " + " " * LONGEST + "and unknown", "at most", None),
        ("class == \0", "cannot be read", None),
    ],
)
def test_what_is_refused_and_where(text, says, place):
    problem, shown = marked(text)
    assert re.search(says, problem)
    assert place is None or shown == place


atoms = st.sampled_from(["a < 3", "b == 2", "a in (1, 4)", "b not in (0, 5)", "not a == b", "1 <= b < 4"])
expressions = st.recursive(
    atoms,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("not {}".format, inner)
    ),
    max_leaves=6,
)


@given(expressions, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_a_filter_means_what_python_says_of_each_row(text, values):
    a, b = np.array(values).T
    found = parse_filter(text, {"a", "b"}).rows({"a": a, "b": b})
    assert found.tolist() == [bool(eval(text, {}, {"a": x, "b": y})) for x, y in values]


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_refused_with_a_place(text):
    try:
        found = parse_filter(text, COLUMNS).rows(COLUMNS)
    except FilterError as error:
        assert 0 <= error.start < error.end
    else:
        assert found.shape == (4,) and found.dtype == bool
