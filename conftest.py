"""What pytest collects."""

from pathlib import Path

PACKAGE = Path(__file__).parent / "oodretrieval"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out modules without an example: doctest would import each, and some take seconds to import."""
    if PACKAGE in collection_path.parents and collection_path.suffix == ".py":
        return ">>>" not in collection_path.read_text(encoding="utf-8") or None
    return None
