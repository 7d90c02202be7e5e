import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.backends import cudnn
from torch.backends.cuda import matmul

from oodretrieval.embedding import EmbeddingNetwork, embed, embed_crops, embedding_network

SIZES = [(40, 40), (32, 50), (40, 40), (5, 7), (32, 50), (1, 1), (64, 33), (40, 40)]


@pytest.fixture(scope="module")
def crops():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


@pytest.fixture(scope="module")
def network():
    return embedding_network()


@pytest.fixture(scope="module")
def alone(network, crops):
    return np.concatenate([embed_crops(network, [crop]) for crop in crops])


def mean_colour():
    """A network whose vector is the normalised mean colour: what it should give can be computed by hand."""
    return EmbeddingNetwork("colour", torch.nn.Identity(), 3, (0.5, 0.5, 0.5), (0.25, 0.5, 1.0), min_size=4)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_a_vector_does_not_depend_on_its_batch(network, crops, alone, batch_size):
    together = embed_crops(network, iter(crops), batch_size=batch_size)
    assert together.shape == (len(crops), network.dim)
    assert together.dtype == np.float32
    assert np.allclose(together, alone, rtol=0, atol=1e-5 * np.abs(alone).max())


def test_order_is_kept(network, crops, alone):
    backwards = embed_crops(network, crops[::-1])
    assert np.allclose(backwards[::-1], alone, rtol=0, atol=1e-5 * np.abs(alone).max())


def test_different_crops_differ(alone):
    assert len(np.unique(alone.round(3), axis=0)) == len(alone)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 255)), max_size=20),
    st.integers(1, 5),
    st.sampled_from([None, 6, (5, 9)]),
    st.sampled_from([1, 40, 2**22]),
)
def test_rows_belong_to_their_crops(sizes, batch_size, size, pixels):
    crops = [np.full((h, w, 3), value, np.uint8) for h, w, value in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "PIXELS_AT_ONCE", pixels)
        vectors = embed_crops(mean_colour(), crops, batch_size=batch_size, size=size)
    values = np.array([value for *_, value in sizes], float).reshape(-1, 1) / 255
    expected = (values - 0.5) / [0.25, 0.5, 1.0]
    assert vectors.shape == (len(crops), 3)
    assert np.allclose(vectors, expected, atol=1e-5)


def test_a_batch_holds_no_more_pixels_than_there_is_memory_for(monkeypatch):
    seen = []

    class Trunk(torch.nn.Module):
        def forward(self, x):
            seen.append(x.shape[0] * x.shape[2] * x.shape[3])
            return x

    monkeypatch.setattr(embed, "PIXELS_AT_ONCE", 1000)
    monkeypatch.setattr(embed, "PIXELS_WAITING", 3000)
    rng, read = np.random.default_rng(0), []

    def crops():
        for side in rng.integers(4, 30, 300):
            waiting = sum(read) - sum(seen)
            assert waiting < 3000 + 1000, "what is read ahead is bounded"
            read.append(int(side) * 20)
            yield np.zeros((side, 20, 3), np.uint8)
        yield np.zeros((60, 50, 3), np.uint8)

    network = EmbeddingNetwork("spy", Trunk(), 3, (0, 0, 0), (1, 1, 1), min_size=4)
    assert len(embed_crops(network, crops())) == 301
    assert sorted(seen)[-2] <= 1000 and max(seen) == 3000, "what is larger goes alone"


def test_native_size_unless_too_small():
    seen = []

    class Trunk(torch.nn.Module):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return x

    def sizes(**kwargs):
        seen.clear()
        network = EmbeddingNetwork("spy", Trunk(), 3, (0, 0, 0), (1, 1, 1), min_size=10)
        embed_crops(network, [np.zeros((*s, 3), np.uint8) for s in [(20, 30), (5, 30), (3, 2)]], **kwargs)
        return sorted({shape[2:] for shape in seen})

    assert sizes() == [(10, 10), (10, 30), (20, 30)]
    assert sizes(size=(12, 14)) == [(12, 14)]
    assert sizes(size=16) == [(16, 16)]


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=60),
    st.integers(1, 5),
    st.sampled_from([1, 10, 2**22]),
)
def test_batches_hold_every_crop_once_in_bounded_memory(sizes, batch_size, pixels):
    waiting, most = set(), 0

    def crops():
        nonlocal most
        for place, (height, width) in enumerate(sizes):
            waiting.add(place)
            most = max(most, sum(sizes[i][0] * sizes[i][1] for i in waiting))
            yield np.full((height, width, 3), place, np.uint8)

    def watch(places, height, width):
        assert 1 <= len(places) <= batch_size
        assert len(places) == 1 or len(places) * height * width <= pixels
        assert all(sizes[place] == (height, width) for place in places)
        assert set(places) <= waiting, "each crop once"
        waiting.difference_update(places)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "PIXELS_AT_ONCE", pixels)
        patch.setattr(embed, "PIXELS_WAITING", 8 * pixels)
        vectors = embed_crops(of_places(watch), crops(), batch_size=batch_size)
    assert (vectors[:, 0] * 255).round().tolist() == list(range(len(sizes)))
    assert not waiting
    assert most <= 8 * pixels + 16


def of_places(watch, min_size=1):
    """A network that gives the colour of a crop, which is its place; ``watch(places, height, width)`` of a batch."""

    class Trunk(torch.nn.Module):
        def forward(self, x):
            watch([round(255 * float(value)) for value in x[:, 0, 0, 0]], *x.shape[2:])
            return x[:, :, :1, :1]

    return EmbeddingNetwork("places", Trunk(), 3, (0, 0, 0), (1, 1, 1), min_size=min_size)


def test_equal_sizes_go_together():
    def batches(min_size=1, **options):
        sizes = [(2, 2), (3, 3), (2, 2), (3, 3), (2, 2)]
        crops = [np.full((*size, 3), place, np.uint8) for place, size in enumerate(sizes)]
        seen = []
        embed_crops(of_places(lambda places, *_: seen.append(places), min_size), crops, **options)
        return seen

    assert batches(batch_size=2) == [[0, 2], [1, 3], [4]]
    assert batches(min_size=3, batch_size=3) == [[0, 1, 2], [3, 4]]
    assert batches(size=5, batch_size=4) == [[0, 1, 2, 3], [4]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator at hand")
def test_an_accelerator_gives_the_same_vectors(crops, alone):
    vectors = embed_crops(embedding_network(), crops, device="cuda", batch_size=4)
    assert np.allclose(vectors, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("before", [False, True])
def test_an_accelerator_computes_in_whole_float32_with_cudnn(crops, before):
    """And what was set before holds afterwards."""
    seen = []

    class Watching(torch.nn.Module):
        def forward(self, batch):
            seen.append((cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32))
            return batch

    state = cudnn.enabled, cudnn.deterministic
    network = EmbeddingNetwork("watching", Watching(), 3, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
    usual = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = before
    try:
        embed_crops(network, crops)
        assert (cudnn.allow_tf32, matmul.allow_tf32) == (before, before)
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = usual
    assert set(seen) == {(True, True, False, False)}
    assert (cudnn.enabled, cudnn.deterministic) == state


def test_read_only_and_sliced_crops(network, crops, alone):
    locked = crops[0].copy()
    locked.flags.writeable = False
    padded = np.zeros((60, 60, 3), np.uint8)
    padded[3:43, 5:45] = crops[0]
    vectors = embed_crops(network, [locked, padded[3:43, 5:45], crops[0][..., ::-1][..., ::-1]])
    assert np.allclose(vectors, alone[:1], atol=1e-5)


def test_no_crops(network):
    assert embed_crops(network, []).shape == (0, network.dim)


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((5, 5), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((5, 5, 3), np.float32),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_crops_that_are_none_are_named(crop):
    with pytest.raises(ValueError, match=r"crop 1 must be \(h, w, 3\) uint8"):
        embed_crops(mean_colour(), [np.zeros((5, 5, 3), np.uint8), crop])


def test_other_errors():
    with pytest.raises(ValueError, match="batch_size"):
        embed_crops(mean_colour(), [], batch_size=0)
    with pytest.raises(ValueError, match="at least 4 for colour, got 3"):
        embed_crops(mean_colour(), [], size=3)
