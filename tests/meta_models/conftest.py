"""Segment tables made up from a known rule."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from oodretrieval.meta_models import feature_names


@pytest.fixture(scope="session")
def make_table() -> Callable[..., pd.DataFrame]:
    """A table whose IoU falls with entropy and rises with size, in images of 20 segments."""

    def make(rows: int = 400, num_classes: int = 4, seed: int = 0) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        names = feature_names(num_classes)
        table = pd.DataFrame({name: random.random(rows) for name in names})
        table["class"] = random.integers(0, num_classes, rows)
        table["left"], table["top"] = random.integers(0, 50, (2, rows))
        table["right"] = table["left"] + random.integers(1, 30, rows)
        table["bottom"] = table["top"] + random.integers(1, 30, rows)
        shares = random.dirichlet(np.ones(num_classes), rows)
        table[[f"cprob{k}" for k in range(num_classes)]] = shares
        noise = 0.02 * random.standard_normal(rows)
        table["iou"] = np.clip(0.3 - 0.6 * table["E"] + 0.4 * table["S"] + noise, 0, 1)
        table["image_id"] = [f"image{row // 20}" for row in range(rows)]
        table["void_fraction"] = 0.0
        table["unknown_fraction"] = 0.0
        return table

    return make
