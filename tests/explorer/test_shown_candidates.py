"""Candidates by score: the contact sheet first, one after the other, and the threshold."""

import numpy as np
import pytest
from driving import make_catalogue, open_explorer
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.explorer.commands.candidates import PAGE
from oodretrieval.explorer.ranking import STEPS, Ranking


@pytest.fixture
def scored(tmp_path):
    return open_explorer(make_catalogue(tmp_path, count=60, select_by="novelty", truth=False, dimensions=40))


def test_it_opens_on_the_candidates_of_highest_score(scored):
    assert scored.detail == "candidates"
    shown = list(scored.rows.values())
    scores = scored.state.segments.table["select_score"].to_numpy()
    first = scored.state.ranking.first
    expected = [row for row in np.argsort(-scores, kind="stable") if first[row] == row]
    assert shown == expected[:PAGE]
    captions = [axes.get_xlabel() for axes in scored.detail_axes()]
    assert captions[0].startswith("1") and "3.00" in captions[0]
    assert "novelty first" in scored.right.get_suptitle()


def test_without_truth_the_points_say_their_score_and_with_it_their_class(scored, tmp_path):
    assert scored.state.colouring == "score"
    scores = scored.state.segments.table["select_score"]
    assert len({category.colour for category in scored.state.categories()}) > min(scores.nunique(), 64) // 2
    assert open_explorer(make_catalogue(tmp_path / "b", select_by="novelty")).state.colouring == "truth"
    bare = open_explorer(make_catalogue(tmp_path / "c", truth=False))
    assert bare.state.colouring == "prediction" and bare.detail == "keys"


def test_one_candidate_after_the_other(scored):
    rows = scored.state.ranking.rows
    scored.press("n", "n")
    assert scored.detail == "image" and "candidate 2 of" in scored.presentation.status
    heading = scored.detail_axes()[0].texts[0].get_text().replace("\n", " ")
    assert scored.state.segments.origin(rows[1]) in heading
    scored.press("p", "p", "p")
    assert scored.state.ranking.place == 0, "the first is the end"
    scored.click(int(rows[0]), "middle")
    scored.press("n")
    assert scored.detail == "panels", "what is shown stays"


@pytest.mark.slow
def test_pages_and_a_click_on_a_candidate(scored):
    count = len(scored.state.ranking.rows)
    scored.press("pagedown")
    assert list(scored.rows.values()) == scored.state.ranking.rows[PAGE : 2 * PAGE]
    for _ in range(5):
        scored.press("pagedown")
    assert scored.state.ranking.place == (count - 1) // PAGE * PAGE
    scored.press("pageup", "pageup", "pageup", "pageup")
    assert scored.state.ranking.place == 0
    scored.canvas.draw()
    third = scored.detail_axes()[2]
    row = scored.rows[third]
    scored.click(third, "right")
    assert scored.detail == "neighbours" and scored.state.query == row
    scored.press("s")
    assert scored.detail == "candidates"


def test_the_threshold_hides_and_shows(scored):
    total = len(scored.state)
    scored.press("+", "+")
    visible = scored.state.ranking.visible
    assert visible.sum() == round(0.8 * total)
    scores = scored.state.ranking.scores
    assert scores[visible].min() > scores[~visible].max()
    faint = [category for category in scored.state.categories() if category.faint]
    assert [len(category.rows) for category in faint] == [total - visible.sum()]
    assert set(scored.state.ranking.rows) <= set(np.flatnonzero(visible))
    assert f"{visible.sum()} of {total} candidates shown: novelty from" in scored.presentation.status
    hidden = int(np.flatnonzero(~visible)[0])
    scored.hover(hidden)
    assert scored.presentation.hovered != hidden
    scored.press("-", "-", "-")
    assert scored.state.ranking.visible.all()
    assert not any(category.faint for category in scored.state.categories())


def test_a_catalogue_without_scores_says_so(drive):
    for key in ("s", "n", "p", "pagedown", "pageup", "+", "-"):
        drive.press(key)
        assert "no score in this catalogue" in drive.presentation.status


def test_the_panels_show_the_score_that_selected(tmp_path):
    catalogue = make_catalogue(tmp_path, select_by="novelty", measured=False)
    drive = open_explorer(catalogue)
    values = drive.state.segments.values_in_image(0)
    assert values.name == "novelty" and values.high_is_unknown and values.of_segment[1] == 3.0
    drive.click(0, "middle")
    assert "novelty of each segment" in [axes.get_title() for axes in drive.detail_axes()]
    published = open_explorer(make_catalogue(tmp_path / "b", select_by="predicted_iou"))
    assert published.state.segments.values_in_image(0).name == "predicted IoU"
    assert published.state.segments.score_name == "1 - predicted IoU"


def test_without_predicted_iou_everything_works(tmp_path):
    catalogue = make_catalogue(tmp_path, select_by="novelty")
    del catalogue.segments["predicted_iou"]
    drive = open_explorer(catalogue)
    assert "IoU" not in drive.state.caption(0) and "novelty 3.00" in drive.state.caption(0)
    drive.click(0, "middle")
    assert drive.detail == "panels"


@given(st.data(), st.integers(1, 25))
def test_wherever_one_goes_one_stays_among_what_is_shown(data, n):
    scores = data.draw(arrays(np.float64, n, elements=st.floats(-3, 3) | st.just(float("nan"))))
    ranking = Ranking(scores, np.arange(n))
    for step in data.draw(st.lists(st.sampled_from(["next", "before", "raise", "lower"]), max_size=30)):
        if step in ("next", "before"):
            if ranking.rows:
                row = ranking.move(1 if step == "next" else -1)
                assert ranking.rows[ranking.place] == row and ranking.visible[row]
        else:
            ranking.raise_threshold(1 if step == "raise" else -1)
        assert 0 <= ranking.step < STEPS
        assert ranking.place is None or 0 <= ranking.place < len(ranking.rows)
        shown = ranking.scores[ranking.rows]
        finite = shown[np.isfinite(shown)]
        assert (np.diff(finite) <= 0).all()


def test_repetitions_in_near_frames_count_once(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, count=12, select_by="novelty", dimensions=2))
    ranking = drive.state.ranking
    assert len(ranking.rows) < 12, "boxes are at the same place, in frames side by side, and look alike"
    assert sum(ranking.repeats(row) + 1 for row in ranking.rows) == 12
    assert any("×" in axes.get_xlabel() for axes in drive.detail_axes())
