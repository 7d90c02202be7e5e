import numpy as np
import pytest
import torch

from oodretrieval.embedding import View, embed_views, embedding_network
from oodretrieval.embedding.taught import TaughtEmbedding, load_directions, save_directions, taught_by
from oodretrieval.embedding.teaching import DIRECTIONS, taught_directions
from oodretrieval.entries import EmbeddingEntry
from oodretrieval.errors import WeightsError
from oodretrieval.experiment.configuration import load_configuration

NETWORK = "efficientnet_lite0_layers"


def labelled(seed=0, each=40, dimensions=30):
    """Two scenes, three classes that differ along the first three values, and much more noise along the rest."""
    random = np.random.default_rng(seed)
    classes, scenes = np.repeat(["a", "b", "c"], each), np.tile(["x", "y"], 3 * each // 2)
    vectors = random.normal(size=(3 * each, dimensions))
    vectors[:, :3] *= 0.2
    vectors[np.arange(3 * each), np.repeat(np.arange(3), each)] += 1.5
    vectors[scenes == "y", 3] += 20  # light of the other scene
    return vectors, classes, scenes


def test_directions_distinguish_classes_that_were_hidden_among_others():
    vectors, classes, scenes = labelled()
    directions = taught_directions(vectors, classes, scenes)
    assert directions.shape == (30, 4)  # two more classes than one in each scene
    new, names, places = labelled(seed=1)
    new = new[places == "x"] / np.linalg.norm(new[places == "x"], axis=1, keepdims=True)
    names = names[places == "x"]

    def right(rows):
        rows = rows - rows.mean(axis=0)
        cosines = rows @ rows.T / np.outer(*[np.linalg.norm(rows, axis=1)] * 2)
        np.fill_diagonal(cosines, -2)
        return np.mean(names[cosines.argmax(axis=1)] == names)

    assert right(new @ directions) > right(new) + 0.15
    assert right(np.hstack([new, new @ directions])) > right(new)


def test_they_are_as_long_as_the_vectors_and_know_no_scene():
    vectors, classes, scenes = labelled()
    directions = taught_directions(vectors, classes, scenes)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for scene in "xy":
        units[scenes == scene] -= units[scenes == scene].mean(axis=0)
    assert np.square(units @ directions).sum() == pytest.approx(np.square(units).sum())
    order = np.random.default_rng(2).permutation(len(vectors))
    again = taught_directions(vectors[order], classes[order], scenes[order])
    np.testing.assert_allclose(again @ again.T, directions @ directions.T, atol=1e-8)
    other = taught_directions(3 * vectors, classes, scenes)  # the length of a vector says nothing
    np.testing.assert_allclose(other @ other.T, directions @ directions.T, atol=1e-8)


def test_a_small_number_is_kept_and_the_best_first():
    vectors, classes, scenes = labelled()
    all_of_them, first = (taught_directions(vectors, classes, scenes, n) for n in (DIRECTIONS, 1))
    cosine = abs(first[:, 0] @ all_of_them[:, 0]) / np.prod(
        [np.linalg.norm(one[:, 0]) for one in (first, all_of_them)]
    )
    assert first.shape == (30, 1) and cosine == pytest.approx(1)


def test_too_few_classes_are_refused():
    vectors, _, _ = labelled()
    with pytest.raises(ValueError, match="at least two classes must have 3"):
        taught_directions(vectors, np.full(len(vectors), "a"), np.full(len(vectors), "x"))
    with pytest.raises(ValueError, match="do not differ"):
        taught_directions(np.tile(np.arange(1.0, 5), (12, 1)), np.repeat(["a", "b"], 6), np.full(12, "x"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "taught.safetensors"
    random = np.random.default_rng(0)
    save_directions(random.normal(size=(1712, 4)), NETWORK, path, {"recipe": "chance"})
    return path


def test_vectors_are_those_of_the_network_with_directions_behind_them(file):
    torch.manual_seed(0)
    network = embedding_network(EmbeddingEntry("oodretrieval.embedding", "TaughtEmbedding", weights=file))
    plain, directions = embedding_network(NETWORK), load_directions(file)[1]
    assert network.name == f"{NETWORK}_taught" and network.dim == 1716
    image = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    mask = np.zeros((64, 96), bool)
    mask[:, :40] = True
    views = [View(image), View(image, [mask])]
    found, expected = embed_views(network, views), embed_views(plain, views)
    np.testing.assert_allclose(found[:, :1712], expected, atol=1e-6)
    np.testing.assert_allclose(found[:, 1712:], expected @ directions, atol=1e-4)
    assert not np.allclose(found[0], found[1], atol=0.01)


def test_files_that_do_not_fit_are_refused(file, tmp_path):
    with pytest.raises(WeightsError, match="no file of taught directions.*teach_embedding"):
        TaughtEmbedding(tmp_path / "nothing.safetensors")
    short = tmp_path / "short.safetensors"
    save_directions(np.ones((7, 2)), NETWORK, short, {})
    with pytest.raises(WeightsError, match="of vectors of 7 values, and those of .* have 1712"):
        TaughtEmbedding(short, pretrained=False)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        load_directions(file)[1]
    nan = tmp_path / "nan.safetensors"
    save_directions(np.full((1712, 1), np.nan), NETWORK, nan, {})
    with pytest.raises(WeightsError, match="holds no"):
        load_directions(nan)


def test_the_one_that_ships_is_whole():
    entry = load_configuration().embedding("efficientnet_lite0_taught")
    network, directions = load_directions(entry.weights)
    assert network == NETWORK and directions.shape == (1712, DIRECTIONS) and np.abs(directions).max() > 0
    assert taught_by(entry) == ("camvid_0001tp_12", "camvid_0006r0", "camvid_0016e5")
    assert taught_by(NETWORK) == taught_by(EmbeddingEntry("oodretrieval.embedding", "TimmEmbedding")) == ()
