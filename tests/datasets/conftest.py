"""Miniature datasets, written once a session."""

import pytest
from make_miniatures import WRITERS, write_all


@pytest.fixture(scope="session")
def miniatures(tmp_path_factory):
    """Folder with one miniature of each dataset; tests that change files use ``fresh``."""
    return write_all(tmp_path_factory.mktemp("miniatures"))


@pytest.fixture
def fresh(tmp_path):
    """``fresh("cityscapes")`` writes a miniature of this test's own."""
    return lambda name: WRITERS[name](tmp_path / name)
