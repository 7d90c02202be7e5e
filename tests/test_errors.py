import inspect

import pytest

from oodretrieval import errors
from oodretrieval.errors import (
    LISTED,
    OODRetrievalError,
    PartialFailure,
    SettingsError,
    SettingsMismatchError,
    StoreError,
    UnknownNameError,
)

CLASSES = [
    value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_of_the_family_and_in_the_diagram(kind):
    assert issubclass(kind, OODRetrievalError)
    diagram = errors.__doc__
    line = next(line for line in diagram.splitlines() if kind.__name__ in line.replace("─", " ").split())
    depth = len(kind.__mro__) - len(OODRetrievalError.__mro__)
    assert (len(line) - len(line.lstrip("│├└─ "))) // 4 == depth + 1


def test_an_unknown_name_lists_the_known_ones_in_order_and_the_closest_first():
    error = UnknownNameError("dataset", "camvid_tset", ["streets", "camvid_test"])
    assert isinstance(error, SettingsError)
    assert (
        str(error) == "unknown dataset 'camvid_tset'; did you mean 'camvid_test'? Known: camvid_test, streets"
    )


def test_without_a_close_or_any_name_it_says_so():
    assert str(UnknownNameError("model", "xyz", ["deeplab"])) == "unknown model 'xyz'; Known: deeplab"
    assert str(UnknownNameError("model", "xyz", [])) == "unknown model 'xyz'; Known: none"


def test_of_a_thousand_names_only_close_ones_are_listed():
    message = str(UnknownNameError("backbone", "name_17x", (f"name_{i}" for i in range(1000))))
    assert "1000 names" in message
    assert "'name_17'" in message
    assert len(message) < 300
    assert str(UnknownNameError("backbone", "§", map(str, range(99)))).endswith("99 names, close to it: none")


def test_other_settings_are_named_with_both_values_and_the_remedy():
    error = SettingsMismatchError("predictions/x", {"weights": ("ab", "cd"), "keep": ("logits", "nothing")})
    assert isinstance(error, StoreError)
    for part in ("predictions/x", "weights: was 'ab', now 'cd'", "keep: was 'logits'", "args.overwrite=True"):
        assert part in str(error)


def test_a_partial_failure_lists_every_image():
    failures = {"a/1": "unreadable", "b/2": "too small"}
    error = PartialFailure("predict", failures)
    failures.clear()
    assert error.failures == {"a/1": "unreadable", "b/2": "too small"}
    assert str(error).splitlines()[0] == "predict: 2 image(s) failed, all others are done:"
    assert str(error).splitlines()[1:] == ["  a/1: unreadable", "  b/2: too small"]


def test_a_partial_failure_of_many_images_lists_the_first_and_ends_with_how_to_go_on():
    error = PartialFailure(
        "predict", {f"i{n}": "unreadable" for n in range(LISTED + 7)}, "w/failures.parquet"
    )
    _, *listed, more, last = str(error).splitlines()
    assert len(error.failures) == LISTED + 7 and len(listed) == LISTED and more == "  … and 7 more"
    assert (
        last
        == f"{LISTED + 7} image(s) failed: w/failures.parquet lists them; args.retry_failed=True tries them again"
    )
