"""Projections are kept with the catalogue by what made them."""

import json

import numpy as np
import pytest
from driving import make_catalogue, open_explorer

from oodretrieval.explorer.projections import Projections
from oodretrieval.explorer.settings import ExplorerSettings, TsneSettings
from oodretrieval.search import project
from oodretrieval.stores import Catalogue, CatalogueWriter


def kept(catalogue):
    return sorted(path.name for path in (catalogue.path / "projections").glob("*.npy"))


@pytest.fixture
def counted(monkeypatch):
    """How often something was really projected."""
    from oodretrieval.explorer import worker_process

    calls = []

    def counting(vectors, **options):
        calls.append(options)
        return project(vectors, **options)

    monkeypatch.setitem(worker_process.FUNCTIONS, "project", counting)
    return calls


@pytest.mark.parametrize("method", ["pca", "isomap", "tsne"])
def test_a_projection_is_computed_once(catalogue, counted, method):
    first = open_explorer(catalogue, method=method).state.points
    np.testing.assert_array_equal(first, project(catalogue.vectors, method))
    again = open_explorer(catalogue, method=method).state.points
    np.testing.assert_array_equal(first, again)
    assert len(counted) == 1
    (name,) = kept(catalogue)
    recipe = json.loads((catalogue.path / "projections" / name).with_suffix(".json").read_text())
    assert (recipe["method"], recipe["dimensions"]) == (method, 2)


@pytest.mark.parametrize(
    "other",
    [{"method": "isomap"}, {"seed": 3}, {"tsne": {"perplexity": 2.0}}, {"tsne": {"early_exaggeration": 4.0}}],
)
def test_other_settings_are_another_projection(catalogue, counted, other):
    settings = {"method": "tsne", "tsne": {"perplexity": 3.0}}
    open_explorer(catalogue, **settings)
    open_explorer(catalogue, **{**settings, **other})
    assert len(counted) == len(kept(catalogue)) == 2


def test_parameters_of_tsne_do_not_matter_to_others(catalogue):
    one, other = (ExplorerSettings(method="pca", tsne=TsneSettings(perplexity=p)) for p in (3.0, 4.0))
    assert Projections(catalogue, "embedding", one).path(2) == Projections(
        catalogue, "embedding", other
    ).path(2)


def test_tsne_gets_its_parameters(catalogue, counted):
    open_explorer(
        catalogue, method="tsne", tsne={"perplexity": 2, "learning_rate": 50.0, "early_exaggeration": 3}
    )
    assert counted == [
        {"method": "tsne", "dimensions": 2, "seed": 0, "perplexity": 2.0, "learning_rate": 50.0,
         "early_exaggeration": 3.0}
    ]  # fmt: skip


def test_overwrite_embeddings_computes_again(catalogue, counted):
    open_explorer(catalogue)
    open_explorer(catalogue, overwrite_embeddings=True)
    assert len(counted) == 2 and len(kept(catalogue)) == 1


@pytest.mark.parametrize("damage", [b"", b"no numbers", None])
def test_a_damaged_file_is_made_again(catalogue, damage):
    first = open_explorer(catalogue).state.points
    path = catalogue.path / "projections" / kept(catalogue)[0]
    if damage is None:
        np.save(path, first[:3])
    else:
        path.write_bytes(damage)
    np.testing.assert_array_equal(open_explorer(catalogue).state.points, first)
    np.testing.assert_array_equal(np.load(path), first)


def test_a_catalogue_made_again_is_projected_again(tmp_path):
    first = open_explorer(make_catalogue(tmp_path, 12))
    second = open_explorer(make_catalogue(tmp_path, 10))
    assert len(first.state.points) == 12 and len(second.state.points) == 10
    assert len(kept(second.state.catalogue)) == 2


def test_where_nothing_can_be_kept_one_can_look_all_the_same(catalogue, caplog):
    (catalogue.path / "projections").write_text("in the way")
    drive = open_explorer(catalogue)
    assert drive.state.points.shape == (12, 2)
    assert "not kept" in caplog.text


@pytest.mark.parametrize(("size", "dimensions"), [(0, 6), (2, 2), (3, 3)])
def test_embedding_size_is_the_space_that_is_searched(catalogue, size, dimensions):
    drive = open_explorer(catalogue, embedding_size=size)
    assert drive.state.space.shape == (12, dimensions)
    drive.click(4, "right")
    away = np.linalg.norm(drive.state.space.astype(float) - drive.state.space[4], axis=1)
    expected = [int(i) for i in np.argsort(away, kind="stable") if i != 4][:10]
    assert list(drive.rows.values()) == [4, *expected]
    assert drive.state.points.shape == (12, 2)


def test_until_the_space_is_there_the_window_says_so(catalogue):
    drive = open_explorer(catalogue, embedding_size=3)
    space, drive.state.space = drive.state.space, None
    drive.click(4, "right")
    assert "still being computed" in drive.presentation.status and drive.state.query == 4
    drive.press("c")
    assert drive.presentation.prompt is None and "still being computed" in drive.presentation.status
    drive.press("m", "g", "h", "b", "d", "#")
    drive.state.space = space
    assert drive.detail == "neighbours", "they come by themselves"


def grown(catalogue, count):
    """The catalogue with more rows, made from its first ones in another order."""
    rows = catalogue.segments.iloc[:count].assign(segment_id=99)
    vectors = catalogue.vectors[:count] + 1e-4
    with CatalogueWriter(catalogue.path, catalogue.settings) as writer:
        writer.add_part(rows, vectors, "embedding")
        writer.commit()
    return Catalogue.open(catalogue.path)


@pytest.mark.parametrize("method", ["tsne", "isomap"])
def test_rows_that_are_added_are_placed_into_the_projection_that_is_there(catalogue, counted, method, caplog):
    caplog.set_level("INFO")
    first = open_explorer(catalogue, method=method).state.points
    second = open_explorer(grown(catalogue, 5), method=method)
    assert len(counted) == 1, "nothing is projected again"
    np.testing.assert_array_equal(second.state.points[:12], first)
    np.testing.assert_allclose(second.state.points[12:], first[:5], atol=1e-2)
    assert "5 segments placed into the projection of the 12 before them" in caplog.text
    open_explorer(second.state.catalogue, method=method)
    open_explorer(second.state.catalogue, method=method, overwrite_embeddings=True)
    assert len(counted) == 2, "unless it is asked for"


def test_principal_components_are_computed_again_when_rows_are_added(catalogue, counted):
    open_explorer(catalogue, method="pca")
    open_explorer(grown(catalogue, 5), method="pca")
    assert len(counted) == 2


def test_a_damaged_projection_places_nothing(catalogue, counted):
    open_explorer(catalogue)
    path = catalogue.path / "projections" / kept(catalogue)[0]
    path.write_bytes(b"no numbers")
    open_explorer(grown(catalogue, 5))
    assert len(counted) == 2
