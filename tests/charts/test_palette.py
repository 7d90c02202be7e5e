"""Colours differ for every common colour vision."""

import numpy as np
import pytest

from oodretrieval.charts.palette import CIVIDIS, CLUSTERS, FAINT, PALETTE

VISION = {
    "all cones": np.eye(3),
    "no long ones": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "no middle ones": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ],
    "no short ones": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip
"""Machado, Oliveira, Fernandes, A physiologically-based model for simulation of color vision deficiency, TVCG 2009:
what linear red, green, blue look like."""
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colours, vision):
    """CIELAB of colours as somebody sees them."""
    rgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.array(VISION[vision]).T, 0, 1) @ XYZ.T / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def nearest(colours, vision):
    seen = lab(colours, vision)
    away = np.linalg.norm(seen[:, None] - seen, axis=-1)
    return away[np.triu_indices(len(colours), 1)].min()


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colours", [PALETTE, CLUSTERS, (*CLUSTERS, "#FFFFFF"), (*CIVIDIS[::3], "#FFFFFF")])
def test_colours_differ(colours, vision):
    assert nearest(colours, vision) > 10, "a difference of 2.3 is just noticed"


@pytest.mark.parametrize("vision", VISION)
def test_numbers_go_from_dark_to_light(vision):
    lightness = lab(CIVIDIS, vision)[:, 0]
    assert (np.diff(lightness) > 3).all() and lab([FAINT], vision)[0, 0] < 95


def test_this_test_notices():
    assert nearest(["#E69F00", "#B8A800"], "no long ones") < 2
