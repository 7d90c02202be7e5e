"""Damaged files for every reader of files from elsewhere: see benchmarks/fuzzing.py, which tries many more."""

import faulthandler
import os
import random

import pytest
from fuzzed_readers import Reader, readers
from fuzzing_batches import batch, tried
from fuzzing_damage import damaged, input_of
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.errors import OODRetrievalError, StoreError

READERS = readers()
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name, tmp_path):
    reader = READERS[name]
    counts, findings = batch(reader, seed=7, start=0, count=150)
    assert findings == []
    assert sum(counts.values()) == 150


@pytest.mark.parametrize("name", [name for name in READERS if name not in ("configuration", "tags")])
@settings(max_examples=25)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(name, content, tmp_path_factory):
    outcome = tried(READERS[name], content, tmp_path_factory.mktemp("any"))
    assert outcome in ("read", "refused")


def test_what_goes_wrong_is_found(tmp_path):
    def read(content, folder):
        if content[:1] == b"a":
            raise KeyError("a")
        if content[:1] == b"b":
            faulthandler.disable()  # its report of a crash that is meant would fill the log
            os.abort()
        if content[:1] == b"c":
            raise StoreError("refused")

    reader = Reader(tuple(letter * 40 for letter in (b"a", b"b", b"c", b"d")), read)
    kinds = {input_of(reader, 0, number)[:1] for number in range(60)}
    assert kinds >= {b"a", b"b", b"c", b"d"}
    counts, findings = batch(reader, seed=0, start=0, count=60)
    assert sum(counts.values()) == 60 and min(counts.values()) > 0
    assert any("KeyError" in finding for finding in findings)
    assert any("ends the process with -6" in finding for finding in findings)


def test_damage_is_the_same_each_time_and_differs_from_the_whole():
    reader = READERS["images"]
    assert input_of(reader, 3, 5) == input_of(reader, 3, 5)
    changed = [damaged(reader.seeds[0], random.Random(i)) != reader.seeds[0] for i in range(40)]
    assert sum(changed) > 30
    assert issubclass(StoreError, OODRetrievalError)
