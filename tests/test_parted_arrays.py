"""Rows that lie in several arrays are read as from one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.parted_arrays import PartedArray, parts_of, row_blocks

lengths = st.lists(st.integers(0, 4), min_size=1, max_size=4)


def of(lengths):
    whole = np.arange(3 * sum(lengths), dtype=np.float32).reshape(-1, 3)
    return whole, PartedArray(np.split(whole, np.cumsum(lengths)[:-1]))


@given(lengths, st.data())
def test_every_way_to_take_rows_gives_what_one_array_gives(lengths, data):
    whole, parted = of(lengths)
    n = len(whole)
    assert (len(parted), parted.shape, parted.ndim, parted.size) == (n, whole.shape, 2, whole.size)
    assert parted.dtype == whole.dtype and parted.nbytes == whole.nbytes
    keys = [
        data.draw(st.slices(n)),
        data.draw(st.lists(st.booleans(), min_size=n, max_size=n).map(lambda mask: np.array(mask, bool))),
    ]
    if n:
        row = data.draw(st.integers(-n, n - 1))
        rows = np.array(data.draw(st.lists(st.integers(-n, n - 1), max_size=6)), int)
        keys += [
            row,
            np.int64(row),
            rows,
            rows.tolist() or slice(0),
            (row, 1),
            (rows, slice(1, 3)),
            rows[None],
        ]
    for key in keys:
        taken = parted[key]
        assert np.array_equal(taken, whole[key]) and np.shape(taken) == whole[key].shape
    assert np.array_equal(np.asarray(parted), whole)
    assert parted.astype(np.float64).dtype == np.float64
    assert np.array_equal([*parted], whole) or not n


@given(lengths, st.integers(1, 40))
def test_blocks_are_views_and_leave_nothing_out(lengths, size):
    whole, parted = of(lengths)
    found = list(row_blocks(parted, size))
    assert np.array_equal(np.concatenate([block for _, block in found] or [whole]), whole)
    for rows, block in found:
        assert np.array_equal(whole[rows], block) and len(block) == rows.stop - rows.start
        assert np.shares_memory(whole, block) and (block.nbytes <= size or len(block) == 1)


def test_rows_of_one_part_are_not_copied():
    whole, parted = of([4, 5])
    assert np.shares_memory(parted[4:9], whole) and np.shares_memory(parted[5], whole)
    assert not np.shares_memory(parted[3:5], whole)
    assert parts_of(whole)[0] is whole and parts_of(parted) is parted.parts


def test_refuses_what_is_no_table():
    with pytest.raises(ValueError, match="one width and type"):
        PartedArray([np.zeros((2, 3)), np.zeros((2, 4))])
    with pytest.raises(ValueError, match="one width and type"):
        PartedArray([])
    with pytest.raises(IndexError, match="row 5 of 5"):
        of([2, 3])[1][5]
    with pytest.raises(ValueError, match="by a copy only"):
        np.asarray(of([2])[1], copy=False)
