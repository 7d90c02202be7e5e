"""Fixtures that every test may use."""

import gc
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: each core has a worker of pytest's already

import matplotlib as mpl
import pytest
from hypothesis import settings
from kept_letters import keep_letters

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))  # their own tests, and the references that they share with tests
gc.disable()  # until tests run: what is imported before them stays
mpl.use("Agg")
mpl.rcParams["text.hinting"] = "none"
keep_letters()
os.fsync = lambda descriptor: None  # no power fails in these tests, and each would wait for the disk
for profile, examples in (("quick", 12), ("thorough", 100)):  # of laws that name no number of their own
    derandomized = bool(os.environ.get("CI"))  # a change fails for what it changed
    settings.register_profile(profile, deadline=None, derandomize=derandomized, max_examples=examples)
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    """Collect garbage, of the tests alone: what was imported would cost up to a second each time."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def no_cluster_stays():
    """A process that is still connected to a Ray cluster ends when the cluster does."""
    yield
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        sys.modules["ray"].shutdown()


@pytest.fixture
def at_once(monkeypatch):
    """What waits before it tries again fails: that is what "at once" means, however slow the machine is."""
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waited for {seconds} s"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real street scenes next to the checkout; skips where they are missing."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no ../shared/data next to the checkout")
    return path
