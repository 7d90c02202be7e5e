import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.errors import TableError
from oodretrieval.meta_models.sampling import folds_of, held_out_rows, sample_of_images

IMAGES = st.lists(st.sampled_from([f"image{i}" for i in range(9)]), min_size=1, max_size=60)


@given(IMAGES, st.integers(1, 60), st.integers(0, 3))
def test_a_sample_holds_whole_images_and_no_more_than_asked(images, most, seed):
    table = pd.DataFrame({"image_id": images, "row": range(len(images))})
    sample = sample_of_images(table, most, seed)
    assert 1 <= len(sample) <= most
    assert sample["row"].is_monotonic_increasing
    left = table.groupby("image_id").size().reindex(sample["image_id"].unique())
    whole = sample.groupby("image_id").size().reindex(left.index)
    assert (whole == left).all() or len(whole) == 1
    assert sample_of_images(table, most, seed).equals(sample)
    if len(table) <= most:
        assert sample is table


def test_a_sample_fills_what_it_may_and_follows_the_seed():
    table = pd.DataFrame({"image_id": np.repeat(np.arange(100).astype(str), 7)})
    samples = [sample_of_images(table, 70, seed)["image_id"].unique().tolist() for seed in range(5)]
    assert all(len(sample) == 10 for sample in samples)
    assert len({tuple(sample) for sample in samples}) == 5
    with pytest.raises(TableError, match="700 segments are more than the 70"):
        sample_of_images(table.rename(columns={"image_id": "name"}), 70, 0)


@given(IMAGES, st.integers(2, 5), st.integers(0, 3))
def test_folds_keep_groups_together(groups, folds, seed):
    if len(set(groups)) < folds:
        with pytest.raises(ValueError, match=f"from 2 to {len(set(groups))} folds"):
            folds_of(groups, folds, seed)
        return
    fold = folds_of(groups, folds, seed)
    assert set(fold) == set(range(folds))
    assert pd.DataFrame({"group": groups, "fold": fold}).groupby("group")["fold"].nunique().max() == 1
    assert np.array_equal(folds_of(groups, folds, seed), fold)


def test_folds_follow_the_seed():
    groups = list(range(40))
    assert len({tuple(folds_of(groups, 4, seed)) for seed in range(6)}) == 6


def test_images_are_held_out_whole():
    table = pd.DataFrame({"image_id": np.repeat(np.arange(20).astype(str), 20)})
    held = held_out_rows(table, seed=0)
    assert held.sum() == 80
    assert not set(table["image_id"][held]) & set(table["image_id"][~held])
    assert not held_out_rows(table[:20], 0).any()
    assert not held_out_rows(table.rename(columns={"image_id": "name"}), 0).any()
