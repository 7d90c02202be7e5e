import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.decomposition import PCA

from oodretrieval.errors import ConfigurationError, UnknownNameError
from oodretrieval.parted_arrays import PartedArray
from oodretrieval.search import isomap as isomap_module
from oodretrieval.search import project, projection
from oodretrieval.search.sampled_pca import sampled_pca

METHODS = {"pca": {}, "tsne": {"max_iter": 250}, "isomap": {}}
EXTRAS = {"opentsne": "openTSNE", "umap": "umap", "pacmap": "pacmap"}
every_method = pytest.mark.parametrize("method", list(METHODS))


@every_method
@settings(max_examples=12, deadline=None)
@given(
    vectors=st.tuples(st.integers(0, 12), st.integers(1, 4)).flatmap(
        lambda shape: arrays(np.float32, shape, elements=st.integers(-3, 3))
    ),
    dimensions=st.integers(1, 3),
)
def test_any_table_gives_finite_points(method, vectors, dimensions):
    projected = project(vectors, method, dimensions, **METHODS[method])
    assert projected.shape == (len(vectors), dimensions)
    assert projected.dtype == np.float32
    assert np.isfinite(projected).all()


@every_method
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_few_points(method, count):
    vectors = np.random.default_rng(0).normal(size=(count, 60))
    projected = project(vectors, method, **METHODS[method])
    assert projected.shape == (count, 2)
    assert len(np.unique(projected, axis=0)) == count


@every_method
def test_identical_points_fall_together(method):
    assert not project(np.full((30, 5), 3.3), method).any()


@every_method
def test_same_seed_same_projection(method):
    vectors = np.random.default_rng(0).normal(size=(60, 10))
    first = project(vectors, method, seed=1, **METHODS[method])
    np.random.default_rng(5).random()
    assert np.array_equal(project(vectors, method, seed=1, **METHODS[method]), first)


@every_method
def test_clusters_stay_apart(method):
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    vectors = random.normal(size=(80, 20)) + 30 * labels[:, None]
    projected = (
        project(vectors, method, perplexity=10, max_iter=400)
        if method == "tsne"
        else project(vectors, method)
    )
    distances = np.linalg.norm(projected[:, None] - projected, axis=2) + np.diag(np.full(80, np.inf))
    assert (labels[distances.argmin(1)] == labels).all()


@every_method
def test_more_dimensions_than_there_are(method):
    vectors = np.random.default_rng(0).normal(size=(12, 2))
    projected = project(vectors, method, dimensions=4, **METHODS[method])
    assert projected.shape == (12, 4)
    assert np.isfinite(projected).all()


def test_pca_is_scikit_learns():
    vectors = np.random.default_rng(0).normal(size=(50, 9))
    assert np.allclose(
        project(vectors, "pca", 3), PCA(3, svd_solver="full").fit_transform(vectors), atol=1e-5
    )


def test_isomap_unrolls_an_arc():
    angle = np.linspace(0, 5, 120)
    arc = np.stack([np.cos(angle), np.sin(angle)], 1)
    line = project(arc, "isomap", 1, n_neighbors=3)[:, 0]
    assert abs(np.corrcoef(line, angle)[0, 1]) > 0.9999
    assert np.ptp(line) == pytest.approx(5, rel=0.01)


def test_isomap_agrees_with_dense_and_iterative_eigenvectors(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(150, 3))
    dense = project(vectors, "isomap")
    monkeypatch.setattr(isomap_module, "LARGEST_DENSE", 10)
    assert np.allclose(project(vectors, "isomap"), dense, atol=1e-4)


def test_isomap_keeps_straight_lengths_when_everything_is_a_neighbour():
    vectors = np.random.default_rng(0).normal(size=(40, 2))
    projected = project(vectors, "isomap", n_neighbors=39)
    before = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    after = np.linalg.norm(projected[:, None] - projected, axis=2)
    assert np.allclose(before, after, atol=1e-5)


def test_options_of_tsne_are_used():
    vectors = np.random.default_rng(0).normal(size=(40, 80))
    usual = project(vectors, max_iter=250)
    for option in ({"perplexity": 5}, {"learning_rate": 10.0}, {"early_exaggeration": 4}, {"pca": 3}):
        assert not np.array_equal(project(vectors, max_iter=250, **option), usual)
    assert not np.array_equal(project(vectors, max_iter=260), usual)


def test_errors():
    vectors = np.zeros((5, 2))
    with pytest.raises(UnknownNameError, match="Known: isomap, opentsne, pacmap, pca, tsne, umap"):
        project(vectors, "umpa")
    with pytest.raises(UnknownNameError, match="did you mean 'perplexity'"):
        project(vectors, "tsne", perplexty=3)
    with pytest.raises(UnknownNameError, match="option of pca"):
        project(vectors, "pca", perplexity=3)
    with pytest.raises(ValueError, match="perplexity must be > 0"):
        project(vectors, perplexity=0)
    with pytest.raises(ValueError, match="dimensions must be at least 1"):
        project(vectors, dimensions=0)
    with pytest.raises(ValueError, match="finite"):
        project([[np.inf, 0.0]])
    with pytest.raises(ValueError, match=r"\(3,\)"):
        project([1.0, 2.0, 3.0])


@pytest.mark.slow
@pytest.mark.parametrize(("method", "package"), EXTRAS.items())
def test_methods_of_the_extra_obey_the_same_laws(method, package):
    """Any number of points, the same seed the same projection, groups that stay apart."""
    pytest.importorskip(package)
    random = np.random.default_rng(0)
    for count in (0, 1, 3, 5, 9):
        projected = project(random.normal(size=(count, 6)), method)
        assert projected.shape == (count, 2) and np.isfinite(projected).all()
    assert not project(np.full((30, 5), 3.3), method).any()
    labels = np.repeat([0, 1], 40)
    vectors = random.normal(size=(80, 20)) + 30 * labels[:, None]
    projected = project(vectors, method)
    assert np.array_equal(project(vectors, method), projected)
    distances = np.linalg.norm(projected[:, None] - projected, axis=2) + np.diag(np.full(80, np.inf))
    assert (labels[distances.argmin(1)] == labels).all()


def test_a_method_whose_package_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ConfigurationError, match=r"method=umap needs the package 'umap'.*\[projection\]"):
        project(np.random.default_rng(0).normal(size=(12, 3)), "umap")


def test_what_the_extra_cannot_do_is_said():
    vectors = np.random.default_rng(0).normal(size=(12, 5))
    with pytest.raises(ValueError, match="choose tsne"):
        project(vectors, "opentsne", dimensions=3)
    with pytest.raises(ValueError, match="2 dimensions or more"):
        project(vectors, "pacmap", dimensions=1)


def test_sampled_components_are_those_of_all_where_the_sample_is_all():
    vectors = np.random.default_rng(0).normal(size=(200, 12)) * np.arange(1, 13)
    expected = PCA(3, svd_solver="full").fit_transform(vectors)
    for stored in (vectors, PartedArray([vectors[:70], vectors[70:]])):
        found = sampled_pca(stored, 3)
        signs = np.sign((found * expected).sum(axis=0))
        np.testing.assert_allclose(found * signs, expected, atol=1e-3)
    assert np.isfinite(sampled_pca(vectors, 3, sample=50)).all()
    assert not sampled_pca(np.full((9, 4), 2.0), 2).any()
    with pytest.raises(ValueError, match="finite"):
        sampled_pca(np.array([[0.0, np.nan], [1.0, 1.0]]))


@every_method
def test_many_values_are_never_copied_whole(method, monkeypatch):
    """Beyond the bound, what the method gets is few dimensions of them; groups stay apart."""
    monkeypatch.setattr(projection, "LARGEST_COPIED", 1000)
    labels = np.repeat([0, 1], 40)
    vectors = np.random.default_rng(0).normal(size=(80, 60)) + 30 * labels[:, None]
    parted = PartedArray([vectors[:30], vectors[30:]])
    projected = project(parted, method, **({"perplexity": 10, "max_iter": 400} if method == "tsne" else {}))
    distances = np.linalg.norm(projected[:, None] - projected, axis=2) + np.diag(np.full(80, np.inf))
    assert (labels[distances.argmin(1)] == labels).all()


def test_isomap_by_landmarks_unrolls_the_same_arc(monkeypatch):
    monkeypatch.setattr(isomap_module, "LARGEST_WHOLE", 100)
    monkeypatch.setattr(isomap_module, "LANDMARKS", 40)
    angle = np.linspace(0, 5, 200)
    arc = np.stack([np.cos(angle), np.sin(angle)], 1)
    line = project(arc, "isomap", 1, n_neighbors=3)[:, 0]
    assert abs(np.corrcoef(line, angle)[0, 1]) > 0.9999
    assert np.ptp(line) == pytest.approx(5, rel=0.01)


def test_isomap_by_landmarks_links_parts(monkeypatch):
    monkeypatch.setattr(isomap_module, "LARGEST_WHOLE", 100)
    monkeypatch.setattr(isomap_module, "LANDMARKS", 40)
    labels = np.repeat([0, 1, 2], 50)
    vectors = np.random.default_rng(0).normal(size=(150, 3)) + 50 * np.eye(3)[labels]
    projected = project(vectors, "isomap")
    assert np.isfinite(projected).all()
    distances = np.linalg.norm(projected[:, None] - projected, axis=2) + np.diag(np.full(150, np.inf))
    assert (labels[distances.argmin(1)] == labels).mean() > 0.95
