"""Filter, selection, hidden colours, tags and undo in the state: laws, without any view."""

from dataclasses import replace

import numpy as np
import pytest
from driving import make_catalogue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oodretrieval.charts.palette import CLUSTERS
from oodretrieval.errors import FilterError, SettingsError, StoreError, UnknownNameError
from oodretrieval.explorer.categories import MOST_COLOURS, by_column, by_tag, categories
from oodretrieval.explorer.history import History
from oodretrieval.explorer.polygons import points_inside
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.tagging import Tagging
from oodretrieval.results.candidates import groups_of
from oodretrieval.search.approximate import ApproximateNeighbours
from oodretrieval.search.row_comparisons import Groups
from oodretrieval.stores import Catalogue, CatalogueWriter

PLAIN = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def catalogue(tmp_path):
    return make_catalogue(tmp_path, count=24, datasets=("field", "road"), select_by="novelty")


@pytest.fixture
def state(catalogue):
    state = State(catalogue, ExplorerSettings(method="pca", once=False))
    state.points = np.random.default_rng(0).normal(size=(len(state), 2)).astype(np.float32)
    return state


def inside_plain(point, polygon):
    """Even-odd rule, one crossing after the other."""
    x, y = map(float, point)
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)):
            inside = not inside
    return inside


corner = st.tuples(st.integers(-4, 4), st.integers(-4, 4))


@given(st.lists(corner, max_size=9), st.lists(corner, min_size=1, max_size=30))
def test_points_inside_a_polygon_by_the_plain_rule(polygon, points):
    shifted = np.array(points, np.float32) * 0.9 + 0.05  # off the corners, where rounding decides
    expected = [len(polygon) > 2 and inside_plain(point, polygon) for point in shifted]
    corners = np.array(polygon, float).reshape(-1, 2)
    assert points_inside(shifted, corners).tolist() == expected


@PLAIN
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["replace", "add", "remove", "invert", "clear", "filter", "toggle"]),
            st.sets(st.integers(0, 23)),
        ),
        max_size=8,
    )
)
def test_selecting_is_arithmetic_of_sets_and_everything_can_be_undone(catalogue, steps):
    state, chosen = State(catalogue, ExplorerSettings(method="pca")), set()
    filters = {0: "", 1: "class == 1", 2: "predicted_iou > 0.2 and dataset == 'road'"}
    for what, rows in steps:
        done = state.history.next_undo, len(rows)
        if what == "filter":
            state.selection.filter_by(filters[len(rows) % 3])
        elif what == "toggle":
            state.selection.toggle("road")
        elif what == "invert":
            chosen = set(np.flatnonzero(state.selection.visible).tolist()) - chosen
            assert state.selection.invert() == len(chosen)
        elif what == "clear":
            chosen = set()
            state.selection.clear()
        else:
            shown = set(np.flatnonzero(state.selection.visible).tolist())
            before = chosen if what == "add" else set()
            chosen = chosen - rows if what == "remove" else (before | rows) & shown
            assert state.selection.select(sorted(rows), what) == len(chosen)
        found = state.selection.selected
        assert chosen == (set() if found is None else set(np.flatnonzero(found).tolist())), done
    after = state.selection.selected, state.selection.filter, state.selection.hidden
    undone = 0
    while state.history.undo():
        undone += 1
    assert (state.selection.selected, state.selection.filter) == (None, None) and not state.selection.hidden
    for _ in range(undone):
        assert state.history.redo()
    assert state.history.redo() is None
    assert (state.selection.selected, state.selection.filter, state.selection.hidden) == after


def test_a_filter_reaches_colours_neighbours_and_scope(state):
    assert state.selection.filter_by('predicted == "car"') == 12
    shown = state.selection.visible
    assert state.segments.classes.predicted_names[shown].tolist() == ["car"] * 12
    state.colour_by("prediction")
    (car, rest) = state.categories()
    assert (car.name, car.count, rest.faint, len(rest.rows)) == ("car", "12", True, 12)
    state.want_neighbours(20)
    found = [row for row, _ in state.nearest(0)]
    assert len(found) == 12 and all(shown[found])
    assert state.selection.scope.tolist() == np.flatnonzero(shown).tolist()
    state.selection.select([1, 2, 3])
    assert state.selection.scope.tolist() == [1, 3], "what is filtered away cannot be selected"
    assert state.categories()[0].count == "2 / 12"
    with pytest.raises(FilterError, match="did you mean 'predicted'"):
        state.selection.filter_by("predcted == 1")
    assert state.selection.filter.text == 'predicted == "car"'


def repeating(folder):
    """Twelve frames of two things that hardly change, in one drive, and a state that searches among them."""
    catalogue = make_catalogue(folder, count=24, select_by="novelty", name="again")
    kinds = np.eye(6)[np.arange(24) % 2] + 0.01 * np.random.default_rng(1).normal(size=(24, 6))
    with CatalogueWriter(catalogue.path, catalogue.settings) as writer:
        writer.add_vectors(0, "again", kinds)
        writer.commit("again")
    return State(Catalogue.open(catalogue.path), ExplorerSettings(method="pca", distance_metric="cosine"))


def test_neighbours_of_near_frames_are_one_thing_with_a_count(tmp_path):
    state = repeating(tmp_path)
    things = state.ranking.first
    assert len(set(things)) == 2, "all frames of each of the two things repeat its first"
    [(found, distance)] = state.nearest(0)
    distances = 1 - (unit := state.vectors / np.linalg.norm(state.vectors, axis=1)[:, None])[1::2] @ unit[0]
    assert (found, distance) == (1 + 2 * int(distances.argmin()), pytest.approx(distances.min(), abs=1e-6))
    assert (state.seen(found), state.seen(0)) == (12, 12)
    state.selection.filter_by("predicted_iou < 0.2")  # the first ten
    assert [state.seen(row) for row, _ in state.nearest(0)] == [5], "only what is shown counts"
    state.once = False
    assert [row for row, _ in state.nearest(0)][:4] != [found] and len(state.nearest(0)) == 9
    assert state.seen(found) == 1
    state.once = True
    assert len(state.nearest(0)) == 1


def test_groups_are_found_without_scores_too(tmp_path):
    catalogue = make_catalogue(tmp_path, count=24)
    state = State(catalogue, ExplorerSettings(method="pca"))
    assert state.ranking is None
    found = [row for row, _ in state.nearest(0)]
    things = groups_of(catalogue)
    assert len(set(things[found])) == len(found) and things[0] not in things[found]


def test_an_index_of_faiss_where_it_is_asked_for(tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    catalogue = make_catalogue(tmp_path, count=120)
    usual = ExplorerSettings(method="pca", once=False, distance_metric="centred_cosine")
    exact, state = State(catalogue, usual), State(catalogue, replace(usual, approximate=True))
    assert state.nearest(3) == exact.nearest(3) and not state.search.is_approximate, "too few for an index"
    monkeypatch.setattr(
        ApproximateNeighbours.__init__, "__kwdefaults__", {"norms": None, "least": 100, "seed": 0}
    )
    state = State(catalogue, replace(usual, approximate=True, neighbours=5))
    found = dict(state.nearest(3))
    everything = State(catalogue, replace(usual, neighbours=119)).nearest(3)
    assert len(found) == 5 and state.search.is_approximate
    assert all(distance == dict(everything)[row] for row, distance in found.items())


def test_the_lengths_that_the_catalogue_keeps_are_not_computed_again(state, monkeypatch):
    """Those that it keeps are no lengths here: whoever takes them says so, and whoever computes them does not."""
    monkeypatch.setattr(type(state.catalogue), "lengths_of", lambda self, name: np.full(len(self), np.nan))
    with pytest.raises(ValueError, match="vectors must be finite"):
        state.nearest(0)
    state.space = state.vectors[:, :2]
    assert len(state.nearest(0)) == 10


def test_every_column_can_be_coloured_and_filtered_by(state):
    state.tags.tag([0, 1], "bin")
    state.show_clusters(np.arange(24) % 3)
    for name in state.columns:
        state.colour_by(name)
        found = state.categories()
        assert sum(len(category.rows) for category in found) == 24
        assert not any(category.faint for category in found)
    state.colour_by("drive")
    assert {category.name for category in state.categories()} == {"clip 1/"}
    assert state.selection.filter_by("cluster == 2 and score > -100") == 8
    assert state.selection.filter_by('tags contains "bin" or image contains "0003"') == 4
    with pytest.raises(UnknownNameError, match="did you mean 'drive'"):
        state.colour_by("drvie")


def test_without_truth_and_score_there_is_no_colouring_by_them(tmp_path):
    state = State(make_catalogue(tmp_path, truth=False), ExplorerSettings(method="pca"))
    for name in ("truth", "score"):
        with pytest.raises(SettingsError, match=f"no {name} in this catalogue"):
            state.colour_by(name)
    assert "truth" not in state.columns and "score" not in state.columns


def test_hidden_colours_are_not_shown_and_stay_in_the_legend(state):
    state.colour_by("prediction")
    assert not state.selection.toggle("road")
    found = {category.name: category for category in state.categories()}
    assert (found["road"].hidden, len(found["road"].rows), found["road"].count) == (True, 0, "0 / 12")
    assert found["car"].count == "12" and found["left out"].faint
    state.colour_by("uniform")
    assert state.selection.visible.all(), "other colours, nothing hidden"


def test_clusters_of_some_rows_leave_the_others_without_one(state):
    rows = np.array([2, 5, 7])
    state.show_clusters(np.array([0, 1, 0]), rows)
    assert np.flatnonzero(state.clusters >= 0).tolist() == rows.tolist()
    assert [(category.name, len(category.rows)) for category in state.categories()] == [
        ("cluster 1", 2), ("cluster 2", 1), ("no cluster", 21),
    ]  # fmt: skip
    assert "cluster 2" in state.caption(5) and "cluster" not in state.caption(0)


# -- tags --------------------------------------------------------------------------------------------------


def test_tags_are_kept_by_image_and_number_whatever_the_rows_are(state, catalogue):
    assert state.tags.tag([3, 5], "bin") == 2 and state.tags.tag([5, 7], "bin") == 1
    assert state.tags.tag(np.arange(24) == 5, "cone") == 1
    assert state.tags.of_row(5) == ("bin", "cone") and "tagged bin, cone" in state.caption(5)
    table = catalogue.segments
    catalogue.__dict__["segments"] = table.iloc[::-1].reset_index(drop=True)  # the rows are others now
    turned = State(catalogue, ExplorerSettings(method="pca"))
    assert np.flatnonzero(turned.tags.groups.rows["bin"]).tolist() == [23 - 7, 23 - 5, 23 - 3]
    assert turned.tags.colour("bin") == state.tags.colour("bin") == CLUSTERS[0]
    assert turned.tags.elsewhere == 0


def test_every_tag_step_can_be_undone_and_done_again(state, catalogue):
    tags = state.tags
    steps = [
        lambda: tags.tag([1, 2], "bin"),
        lambda: tags.tag([2, 3], "cone"),
        lambda: tags.untag([2], "bin"),
        lambda: tags.rename("bin", "litter bin"),
        lambda: tags.recolour("cone", "#123456"),
        lambda: tags.rename("cone", "litter bin"),
        lambda: tags.replace(1, "pony", ["litter bin"]),
        lambda: tags.replace(3, "", ["litter bin"]),
        lambda: tags.remove("pony"),
    ]

    def standing(of):
        return {name: (of.colour(name), of.groups.rows[name].tolist()) for name in of.names}

    standings = [standing(tags)]
    for step in steps:
        step()
        standings.append(standing(tags))
        assert standing(State(catalogue, ExplorerSettings(method="pca")).tags) == standings[-1]
    for before in reversed(standings[:-1]):
        assert state.history.undo() and standing(tags) == before
    for after in standings[1:]:
        assert state.history.redo() and standing(tags) == after


def test_nothing_done_is_nothing_to_undo(state):
    state.tags.tag([1], "bin")
    heard = []
    state.subscribe(heard.append)
    state.tags.tag([1], "bin")
    state.tags.untag([2], "bin")
    state.selection.select([])
    assert heard == [] and state.history.next_undo == "tag 1 as bin"


def test_two_explorers_see_what_the_other_tags(state, catalogue):
    other = State(catalogue, ExplorerSettings(method="pca"))
    state.tags.tag([1], "bin")
    other.tags.tag([2], "cone")
    assert other.tags.names == ("bin", "cone") and state.tags.names == ("bin",)
    assert state.tags.refresh() and state.tags.names == ("bin", "cone") and not state.tags.refresh()
    state.history.undo()
    assert other.tags.refresh() and other.tags.count("bin") == 0 and other.tags.count("cone") == 1


def test_a_tag_that_cannot_be_saved_is_not_shown_either(state, monkeypatch):
    state.tags.tag([1], "bin")
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(StoreError, match="not saved"):
        state.tags.tag([2], "bin")
    assert state.tags.count("bin") == 1
    with pytest.raises(StoreError, match="not saved"):
        state.history.undo()
    assert state.tags.count("bin") == 1 and state.history.next_undo == "tag 1 as bin"


def test_candidates_of_another_time_stay_tagged(state, catalogue):
    state.tags.tag([1, 2], "bin")
    catalogue.__dict__["segments"] = catalogue.segments.iloc[:2].reset_index(drop=True)
    catalogue.manifest["parts"][0]["rows"] = 2
    tags = Tagging(catalogue, History())
    assert tags.count("bin") == 1 and tags.elsewhere == 1


# -- groups ------------------------------------------------------------------------------------------------

masks = st.lists(st.lists(st.booleans(), min_size=6, max_size=6), max_size=3)


@given(masks)
def test_groups_by_tag_are_the_sets_of_tags(drawn):
    names = "abc"[: len(drawn)]
    tags = Groups({name: np.array(mask) for name, mask in zip(names, drawn, strict=True)}, 6)
    grouping = by_tag(tags, dict.fromkeys(names, "#123456"))
    found = [grouping.groups[code].name for code in grouping.codes]
    expected = [" + ".join(n for n in names if tags.rows[n][row]) or "no tag" for row in range(6)]
    assert found == expected


@given(st.lists(st.sampled_from([0.5, 1.5, np.nan, np.inf, 3.0]), min_size=1, max_size=20))
def test_groups_by_number_go_from_high_to_low_and_know_what_is_missing(values):
    grouping = by_column(np.array(values), "x")
    assert len(grouping.codes) == len(values) and (grouping.scale is None) == (not np.isfinite(values).any())
    finite = [(code, value) for code, value in zip(grouping.codes, values, strict=True) if np.isfinite(value)]
    assert all(b <= a for (i, a), (j, b) in zip(finite, finite, strict=True) if i < j)
    unknown = {
        grouping.groups[c].name for c, v in zip(grouping.codes, values, strict=True) if not np.isfinite(v)
    }
    assert unknown <= {"x not known"}


def test_a_column_of_many_texts_keeps_the_frequent_ones():
    values = np.array([f"t{i}" for i in range(200) for _ in range(3 if i < 2 else 1)], dtype=object)
    grouping = by_column(values, "x")
    found = categories(grouping, np.ones(len(values), bool))
    assert len(found) == MOST_COLOURS + 1 and found[-1].name == f"{200 - MOST_COLOURS} others"
    assert {found[0].name, found[1].name} == {"t0", "t1"}
