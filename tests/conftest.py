"""Fixtures that every test may use."""

import os
from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import settings

mpl.use("Agg")
settings.register_profile("everywhere", deadline=None)
settings.register_profile("CI", deadline=None, derandomize=True)  # a change fails for what it changed
settings.load_profile("CI" if os.environ.get("CI") else "everywhere")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real street scenes next to the checkout; skips where they are missing."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no ../shared/data next to the checkout")
    return path
