"""What the package gives."""

import pytest

import oodretrieval.explorer


def test_the_public_name():
    assert oodretrieval.explorer.__all__ == ["Explorer"]
    with pytest.raises(AttributeError, match="Explore"):
        oodretrieval.explorer.Explore  # noqa: B018
