"""Every column and every map against what the published implementation gave."""

from pathlib import Path

import numpy as np
import pytest

from oodretrieval.segments import label_components, pixel_dispersion, segment_metrics

FILES = sorted((Path(__file__).resolve().parents[1] / "golden" / "segment_metrics").glob("*.npz"))


def load(path):
    with np.load(path) as data:
        return dict(data)


def test_golden_files_are_there():
    assert len(FILES) == 13


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_matches_golden(path):
    data = load(path)
    prediction = data["pred"] if path.stem.endswith("__predignore") else None
    table, components = segment_metrics(data["probs"], data["gt"], prediction=prediction)
    assert components.dtype == np.int32
    np.testing.assert_array_equal(components, data["components"])
    wanted = {key[2:]: value for key, value in data.items() if key.startswith("m_")}
    assert set(table.columns) == set(wanted)
    for name, values in wanted.items():
        ours = table[name].to_numpy()
        assert ours.shape == values.shape, name
        worst = np.max(np.abs(ours - values) / np.maximum(1, np.abs(values)))
        assert worst <= 1e-6, f"{name}: {worst}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_heat_maps_match_golden(path):
    data = load(path)
    for name, values in pixel_dispersion(data["probs"]).items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, data[f"h_{name}"], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_unsigned_ids_match_golden(path):
    data = load(path)
    ignore = 255 if path.stem.endswith("__predignore") else None
    ids = label_components(data["pred"], ignore=ignore)
    np.testing.assert_array_equal(ids, np.abs(data["components"].astype(np.int64)))
