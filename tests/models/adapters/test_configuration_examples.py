"""The examples in configuration.py are comments: they must be right all the same."""

import re
from inspect import signature
from pathlib import Path

import pytest

import oodretrieval
from oodretrieval.entries import ModelEntry, factory_of
from oodretrieval.models import adapters, weights_in_use

TEXT = (Path(oodretrieval.__file__).parents[1] / "configuration.py").read_text(encoding="utf-8")
EXAMPLE = re.compile(r'^    # ("\w+": ModelEntry\((?:.*?\),$|\n.*?^    # \),$))', re.DOTALL | re.MULTILINE)


def examples():
    models = TEXT[TEXT.index("MODELS = {") : TEXT.index("META_MODELS = {")]
    code = "\n".join(found[1] for found in EXAMPLE.finditer(models))
    namespace = {"ModelEntry": ModelEntry}
    return eval("{" + re.sub(r"^    # ", "", code, flags=re.MULTILINE) + "}", namespace)


EXAMPLES = {name: entry for name, entry in examples().items() if entry.module == adapters.__name__}


def test_every_adapter_has_its_example():
    # MaskGenerator proposes objects (args.proposals), it is no entry
    assert {entry.class_name for entry in EXAMPLES.values()} == set(adapters.__all__) - {"MaskGenerator"}
    assert '"mine"' in TEXT, "and a class of one's own"


@pytest.mark.parametrize("entry", EXAMPLES.values(), ids=EXAMPLES)
def test_examples_fit_the_classes(entry, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = {} if entry.weights is None else {"weights_file": entry.weights}
    signature(factory_of(entry)).bind(**entry.kwargs, **file)
    fetched = {"published", "repository"} & set(entry.kwargs)
    assert bool(fetched) != bool(file), "weights come from a hub or from a file"
    assert weights_in_use(entry) is None
