"""The compiled kernels against plain numpy and scipy, in every order, size and number of threads."""

import multiprocessing
import threading
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from plain_metrics import dispersion_of, plain_metrics
from pretended_predictions import street_logits, street_truth

from oodretrieval.segments import pixel_dispersion, segment_metrics, segment_table, segment_table_from_logits
from oodretrieval.segments.pixels import exponential, logarithm


def resized(logits, size, align_corners=False):
    maps = torch.from_numpy(np.asarray(logits, np.float32))[None]
    full = torch.nn.functional.interpolate(maps, size, mode="bilinear", align_corners=align_corners)[0]
    return full.permute(1, 2, 0).numpy()


def softmax(logits):
    p = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
    return p / p.sum(axis=-1, keepdims=True)


def scene(height, width, classes=5, seed=0):
    logits = street_logits(height, width, classes, seed, detail=2)
    p = softmax(np.moveaxis(logits, 0, -1))
    return p, street_truth(p.argmax(axis=2), classes, seed)


def require_equal(table, wanted, tolerance=1e-6):
    assert len(table) == len(wanted) > 0
    for name, values in wanted.items():
        worst = np.max(np.abs(table[name] - values) / np.maximum(1, np.abs(values)))
        assert worst <= tolerance, f"{name}: {worst}"


@pytest.mark.parametrize(
    ("height", "width", "classes"),
    [(97, 300, 19), (33, 257, 2), (1, 600, 3), (70, 1, 8), (64, 64, 9), (5, 40, 300)],
)
def test_agree_with_numpy_and_scipy(height, width, classes):
    p, truth = scene(height, width, classes)
    prediction = p.argmax(axis=2)
    prediction[: height // 2, : width // 4] = 999
    for given_classes in (None, prediction):
        truth_ids = np.where(truth == 255, 999, truth.astype(int))
        wanted, components = plain_metrics(p, truth_ids, given_classes, ignore=999)
        table, ours = segment_metrics(p, truth_ids, prediction=given_classes, ignore=999)
        np.testing.assert_array_equal(ours, components)
        require_equal(table, wanted)
    for name, values in dispersion_of(p.astype(np.float64)).items():
        np.testing.assert_allclose(pixel_dispersion(p)[name], values, rtol=0, atol=1e-6)


def layouts(p):
    yield "classes first", np.moveaxis(np.ascontiguousarray(np.moveaxis(p, -1, 0)), 0, -1)
    yield "columns first", np.asfortranarray(p)
    yield "every other row", p.repeat(2, 0)[::2]
    yield "backwards", np.ascontiguousarray(p[::-1, ::-1])[::-1, ::-1]
    yield "swapped bytes", p.astype(p.dtype.newbyteorder())
    yield "float64", p.astype(np.float64)
    yield "unaligned", np.frombuffer(b"x" + p.tobytes(), np.uint8)[1:].view(np.float32).reshape(p.shape)


@pytest.mark.parametrize("classes", [3, 11])
def test_every_order_in_memory_gives_the_same(classes):
    p, truth = scene(70, 90, classes)
    wanted, components = segment_metrics(p, truth)
    for name, other in layouts(p):
        table, ours = segment_metrics(other, truth)
        np.testing.assert_array_equal(ours, components, err_msg=name)
        assert table.equals(wanted), name
    half = p.astype(np.float16)
    assert segment_metrics(half, truth)[0].equals(segment_metrics(half.astype(np.float32), truth)[0])


@pytest.mark.parametrize("threads", [2, 3, 16, None])
def test_threads_change_no_bit(threads):
    p, truth = scene(200, 150)
    logits = street_logits(50, 38, 5)
    prediction = resized(logits, truth.shape).argmax(axis=2)
    for function, arguments in (
        (segment_metrics, (p, truth)),
        (segment_table, (p, truth)),
        (segment_table_from_logits, (logits, prediction, truth)),
    ):
        one, components = function(*arguments, threads=1)
        table, others = function(*arguments, threads=threads)
        assert table.equals(one)
        np.testing.assert_array_equal(components, others)


@given(
    st.integers(2, 12),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_logits_of_any_stride_agree_with_torch_and_plain_numpy(classes, small, size, align_corners, seed):
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=(classes, *small)) * 5).astype(np.float32)
    full = resized(logits, size, align_corners)
    prediction, truth = full.argmax(axis=2), rng.integers(0, classes, size)
    highest = full.max(axis=2)
    energy = highest + np.log(np.exp(full.astype(np.float64) - highest[..., None]).sum(axis=2))
    scores = {"max_logit": highest, "energy": energy}
    wanted, components = plain_metrics(softmax(full), truth, prediction, scores=scores)
    table, ours = segment_table_from_logits(logits, prediction, truth, align_corners=align_corners)
    np.testing.assert_array_equal(ours, components)
    # A mean times S_rel: without a boundary that is the size of the image, and as many times its rounding error.
    relative = [name for name in wanted if "_rel" in name and not name.startswith("S")]
    require_equal(table, wanted.drop(columns=relative), 1e-5)
    for name in relative:
        ratio = "S_rel_in" if name.endswith("_in") else "S_rel"
        np.testing.assert_allclose(
            table[name] / np.maximum(table[ratio], 1), wanted[name] / np.maximum(wanted[ratio], 1), atol=1e-5
        )


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float16, 1e-3)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_logits_agree_with_the_softmax_that_they_were(dtype, tolerance, align_corners):
    logits = street_logits(40, 80, 19, detail=2) / 8  # as large as those of real networks: some units
    p = softmax(resized(logits, (157, 311), align_corners))
    truth = street_truth(p.argmax(axis=2), 19)
    options = {"label_to_pred": {k: k for k in range(18)} | {18: 255}, "void_ids": {255}}
    wanted, components = segment_table(p, truth, prediction=p.argmax(axis=2), **options)
    table, ours = segment_table_from_logits(
        logits.astype(dtype), p.argmax(axis=2), truth, align_corners=align_corners, **options
    )
    assert list(table.columns)[: wanted.shape[1]] == list(wanted.columns)
    np.testing.assert_array_equal(ours, components)
    require_equal(table, wanted, tolerance)


def test_as_many_classes_as_there_may_be():
    p = np.zeros((2, 3, 65535), np.float32)
    p[:, :2, 65534] = p[:, 2, 0] = 1
    table, components = segment_metrics(p, np.full((2, 3), 65534), ignore=65535)
    assert components.tolist() == [[1, -1, -2]] * 2
    assert table[["class", "cprob65534", "ndist65534", "iou"]].to_numpy().tolist() == [
        [65534, 1, 0, 4 / 6],
        [0, 0, 1, 0],
    ]


def test_logits_of_many_classes():
    logits = street_logits(5, 7, 700, detail=1)
    full = resized(logits, (9, 20))
    wanted, _ = segment_metrics(softmax(full), prediction=full.argmax(axis=2), ignore=700)
    table, _ = segment_table_from_logits(logits, full.argmax(axis=2), ignore=700)
    require_equal(table, wanted, 1e-5)


def test_extreme_logits_stay_finite():
    logits = np.array([[[6e4, -6e4]], [[-6e4, 6e4]], [[0, 0]]], np.float16)
    table, _ = segment_table_from_logits(logits, np.array([[0, 1]]))
    assert np.isfinite(table.to_numpy()).all()
    np.testing.assert_allclose(table["cprob0"], [1, 0], atol=1e-30)
    np.testing.assert_allclose(table["energy"], np.float16(6e4))


@pytest.mark.parametrize("value", [np.nan, 1.1, -0.1, np.inf, -np.inf, 1e300])
def test_one_bad_pixel_anywhere_is_found(value):
    p = np.full((70, 40, 3), 1 / 3)
    p[69, 39, 1] = value
    with pytest.raises(ValueError, match="0…1"):
        segment_metrics(p)


def test_rounding_beyond_the_range_is_no_error():
    p = np.full((40, 40, 3), 1 / 3, np.float32)
    p[0, 0] = [1 + 1e-6, -0.0, -1e-6]
    with warnings.catch_warnings(action="error"):
        assert len(segment_metrics(p)[0]) == 1


@njit
def apply_logarithm(values, result):
    for i in range(values.size):
        result[i] = logarithm(values[i])


@njit
def apply_exponential(values, result):
    for i in range(values.size):
        result[i] = exponential(values[i])


def test_logarithm_and_exponential_to_a_unit_in_the_last_place():
    values = np.concatenate([np.geomspace(2**-126, 1.01, 100_000), 1 + np.linspace(-1e-3, 1e-3, 10_000)])
    values = np.unique(values.astype(np.float32))
    result = np.empty_like(values)
    apply_logarithm(values, result)
    exact = np.log(values.astype(np.float64))
    assert (
        np.max(np.abs(result - exact) / np.maximum(np.spacing(np.abs(exact).astype(np.float32)), 1e-45)) < 1.5
    )
    values = np.linspace(-87, 0, 100_000, dtype=np.float32)
    result = np.empty_like(values)
    apply_exponential(values, result)
    exact = np.exp(values.astype(np.float64))
    assert np.max(np.abs(result - exact) / np.spacing(exact.astype(np.float32))) < 1.5
    assert result[-1] == 1


def test_several_callers_at_once():
    p, truth = scene(100, 80)
    wanted, _ = segment_metrics(p, truth)
    tables = []
    callers = [
        threading.Thread(target=lambda: tables.append(segment_metrics(p, truth, threads=2)[0]))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(tables) == 4
    assert all(table.equals(wanted) for table in tables)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_survives_a_fork():
    p, truth = scene(100, 80)
    segment_metrics(p, truth, threads=2)
    process = multiprocessing.get_context("fork").Process(
        target=segment_metrics, args=(p, truth), kwargs={"threads": 2}
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_classes_on_the_first_axis_are_refused():
    softmax = np.random.default_rng(0).dirichlet(np.ones(5), (60, 80)).astype(np.float32)
    with pytest.raises(ValueError, match="move the classes to the last axis"):
        segment_metrics(np.ascontiguousarray(softmax.transpose(2, 0, 1)))
