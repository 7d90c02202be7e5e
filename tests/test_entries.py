import sys
from types import ModuleType

import pytest

from oodretrieval.entries import DatasetEntry, Entry, ModelEntry, build, factory_of
from oodretrieval.errors import ConfigurationError, DatasetNotFoundError


class Thing:
    def __init__(self, size, *, colour="red", fail=None):
        if fail is not None:
            raise fail
        self.size, self.colour = size, colour


@pytest.fixture
def entry(monkeypatch):
    """Entries of a module of the user's, made up on the spot."""
    module = ModuleType("users_module")
    module.Thing, module.make_thing, module.NUMBER = Thing, lambda size: Thing(size, colour="made"), 3
    monkeypatch.setitem(sys.modules, "users_module", module)
    return lambda name="Thing", **kwargs: Entry("users_module", name, kwargs)


def test_builds_with_the_entrys_arguments_and_overrides(entry):
    original = entry(size=3, colour="blue")
    assert vars(build(original)) == {"size": 3, "colour": "blue"}
    assert vars(build(original, colour="green")) == {"size": 3, "colour": "green"}
    assert vars(build(entry(colour="blue"), 7)) == {"size": 7, "colour": "blue"}
    assert original.kwargs == {"size": 3, "colour": "blue"}


def test_a_function_will_do(entry):
    assert vars(build(entry("make_thing", size=1))) == {"size": 1, "colour": "made"}


def test_a_class_that_says_no_signature_will_do():
    assert build(Entry("builtins", "dict", {"a": 1})) == {"a": 1}
    assert build(Entry("builtins", "int"), "12") == 12


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, "missing a required argument: 'size'; its signature is .size, \\*, colour="),
        ({"size": 1, "shape": 2}, "unexpected keyword argument 'shape'"),
        ({"size": 1, "fail": ValueError("too red")}, "too red"),
    ],
)
def test_wrong_arguments_name_the_entry_and_the_signature(entry, kwargs, message):
    with pytest.raises(ConfigurationError, match=f"entry users_module.Thing.*{message}"):
        build(entry(**kwargs))


def test_our_own_errors_pass(entry):
    with pytest.raises(DatasetNotFoundError, match="no root"):
        build(entry(size=1, fail=DatasetNotFoundError("no root")))


@pytest.mark.parametrize("function", [build, factory_of])
def test_a_misspelt_class_is_corrected(entry, function):
    with pytest.raises(ConfigurationError, match="did you mean 'Thing'"):
        function(entry("Thinf", size=1))


@pytest.mark.parametrize("function", [build, factory_of])
def test_what_cannot_be_called_is_refused(entry, function):
    with pytest.raises(
        ConfigurationError, match=r"users_module\.NUMBER must be a class or a function, is a int"
    ):
        function(entry("NUMBER"))


@pytest.mark.parametrize("name", ["no_such_module_here", "oodretrieval.no_such_module", ""])
def test_a_missing_module_says_what_to_correct(name):
    with pytest.raises(
        ConfigurationError, match=r"correct `module` in configuration\.py, or install the package"
    ):
        build(Entry(name, "Thing"))


def test_a_module_that_fails_is_named_with_its_error(tmp_path, monkeypatch):
    (tmp_path / "broken_user_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match=r"broken_user_module.*ZeroDivisionError"):
        build(Entry("broken_user_module", "Thing"))


def test_entries_are_distinguished_by_kind():
    assert ModelEntry("m", "C") != DatasetEntry("m", "C")
    assert ModelEntry("m", "C").weights is None
