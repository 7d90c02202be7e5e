"""A small catalogue, and an explorer of it."""

import pytest
from driving import make_catalogue, open_explorer


@pytest.fixture
def catalogue(tmp_path):
    return make_catalogue(tmp_path)


@pytest.fixture
def drive(catalogue):
    return open_explorer(catalogue)
