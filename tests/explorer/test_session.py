"""Commands without any view: they change state and presentation, which a view of any toolkit follows."""

import threading

import pytest
from driving import DETAILS, PATIENCE, make_catalogue, wait_for

from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.explorer.commands.opening import start
from oodretrieval.explorer.commands.triggers import move_pointer, press_button, press_key, turn_wheel
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.stores import Workspace


def session_of(state, folder, **options):
    session = Session(state, Workspace(folder), immediate=True, **options)
    start(session)
    return session


@pytest.fixture
def state(tmp_path):
    catalogue = make_catalogue(tmp_path, count=60, select_by="novelty", dimensions=40)
    return State(catalogue, ExplorerSettings(method="pca"))


@pytest.fixture
def session(state, tmp_path):
    return session_of(state, tmp_path)


def shown(session):
    return DETAILS[type(session.presentation.detail)]


def test_a_session_opens_on_the_candidates_with_its_points(session):
    assert shown(session) == "candidates" and session.state.points.shape == (60, 2)
    assert not session.state.preliminary and not session.poll()


def test_buttons_and_keys_show_what_the_table_says(session):
    for trigger, detail in (("left", "image"), ("middle", "panels"), ("right", "neighbours")):
        press_button(session, trigger, 3)
        assert shown(session) == detail
    press_key(session, "s")
    assert shown(session) == "candidates"
    for key in ("c", *"elbow", "enter"):
        press_key(session, key)
    assert shown(session) == "elbow"
    press_key(session, "escape")
    assert shown(session) == "candidates", "what was there before the curve"


def test_a_key_shows_each_thing_once_or_every_segment(tmp_path):
    catalogue = make_catalogue(tmp_path, count=60, select_by="novelty", dimensions=2)
    session = session_of(State(catalogue, ExplorerSettings(method="pca")), tmp_path)
    press_button(session, "right", 3)
    page = session.presentation.detail
    press_key(session, "=")
    assert session.state.once is False and "every segment by itself" in session.presentation.status
    assert not any("×" in caption for caption in session.presentation.detail.captions)
    press_key(session, "=")
    assert session.state.once and session.presentation.detail.captions == page.captions
    counts = [session.state.seen(row) for row in page.rows]
    assert [f"×{count}" in caption for count, caption in zip(counts, page.captions, strict=True)] == [
        count > 1 for count in counts
    ]
    assert max(counts) > 1 and "seen n times in near frames" in page.heading


def test_the_pointer_brings_a_thumbnail_and_takes_it_away(session):
    move_pointer(session, 4, (20.0, 30.0))
    thumbnail = session.presentation.thumbnail
    assert (thumbnail.row, thumbnail.pointer) == (4, (20.0, 30.0)) and thumbnail.picture is not None
    assert session.presentation.marked == 4 and "segment" in thumbnail.caption
    move_pointer(session, None, (0.0, 0.0))
    assert session.presentation.thumbnail is None and session.presentation.marked is None


def test_a_name_that_is_given_while_the_crop_is_read_is_below_it(state, tmp_path, monkeypatch):
    session, named = Session(state, Workspace(tmp_path)), threading.Event()
    read = session.thumbnails.read_or_blank
    monkeypatch.setattr(
        session.thumbnails, "read_or_blank", lambda row: read(row) if named.wait(PATIENCE) else None
    )
    start(session)
    move_pointer(session, 4, (20.0, 30.0))
    assert session.presentation.thumbnail.picture is None
    for key in ("w", *"cone", "enter"):
        press_key(session, key)
    named.set()
    wait_for(lambda: session.presentation.thumbnail.picture is not None, session.poll)
    assert "tagged cone" in session.presentation.thumbnail.caption
    session.work.stop()


@pytest.mark.parametrize("trigger", ["left", "middle"])
def test_a_picture_is_headed_by_the_name_that_its_segment_has_now(session, trigger):
    session.state.tags.tag([3], "cone")
    press_button(session, trigger, 3)
    assert "cone" in session.presentation.detail.heading
    session.state.tags.rename("cone", "bollard")
    now = session.presentation.detail.heading
    assert "bollard" in now and "cone" not in now
    press_button(session, trigger, 5)
    session.state.tags.rename("bollard", "pole")
    press_key(session, ",")
    assert "pole" in session.presentation.detail.heading, "also on the way back"
    press_key(session, ",")
    assert shown(session) == "candidates", "and each picture was visited once"


def test_what_is_proposed_says_where_the_workspace_is(tmp_path):
    catalogue = make_catalogue(tmp_path, count=4)
    settings = ExplorerSettings(method="pca", common=CommonSettings(workspace="elsewhere"))
    session = session_of(State(catalogue, settings), tmp_path / "elsewhere")
    press_button(session, "middle", 3)
    assert shown(session) == "message"
    assert "args.workspace=elsewhere" in session.presentation.detail.text


def test_a_movement_is_announced_once(session):
    heard = []
    session.presentation.subscribe(heard.append)
    move_pointer(session, 4, (20.0, 30.0))
    move_pointer(session, None, (0.0, 0.0))
    move_pointer(session, None, (1.0, 0.0))
    assert heard == [{"thumbnail", "marked"}, {"thumbnail", "marked"}]


def test_an_answer_of_a_review_is_shown_once(session):
    press_key(session, "v")
    heard = []
    session.presentation.subscribe(heard.append)
    press_key(session, "1")
    assert session.review.place == 1 and session.review.looks == 1
    assert ["detail" in changed for changed in heard].count(True) == 1


def test_undoing_an_answer_asks_for_the_same_candidate_again(session):
    press_key(session, "v")
    review, first = session.review, session.review.page
    for key in ("0", "0", "0", "ctrl+z"):
        press_key(session, key)
    assert review.place == 2 and session.presentation.marked == first[2]
    press_key(session, "ctrl+y")
    assert review.place == 3 and session.presentation.marked == first[3], "goes on where it stood"
    press_key(session, "ctrl+z")
    press_key(session, "1")
    assert [review.answer_of(row) for row in first[:4]] == [False, False, True, None]


def test_undoing_the_last_answer_of_a_page_brings_its_candidate_back(session):
    press_key(session, "v")
    review, first = session.review, session.review.page
    for _ in first:
        press_key(session, "0")
    second = review.page
    assert first[-1] not in second
    press_key(session, "ctrl+z")
    assert review.page == (first[-1], *second[:-1]) and review.place == 0
    press_key(session, "ctrl+y")
    assert review.answer_of(first[-1]) is False and review.place == 1


def test_undoing_the_name_of_a_selection_leaves_the_review_where_it_was(session):
    press_key(session, "v")
    press_key(session, "0")
    review, page = session.review, session.review.page
    session.state.tags.tag(list(page[5:8]), "cone")
    session.state.history.undo()
    assert review.page == page and review.place == 1


def test_a_closed_review_is_no_longer_shown(session):
    for key in ("v", "w", *"cone", "enter"):
        press_key(session, key)
    named = session.review.page[0]
    assert session.presentation.status == "1 of interest in 1 look"
    press_key(session, "escape")
    assert session.review is None and shown(session) == "candidates", "its page would take no answer"
    sheet = session.presentation.detail
    assert sheet.captions[sheet.rows.index(named)].endswith("tagged cone"), "with what was answered"


def test_closing_a_review_leaves_what_was_asked_for_since(session):
    press_key(session, "v")
    press_button(session, "right", 3)
    press_key(session, "escape")
    assert session.review is None and shown(session) == "neighbours"


def test_w_names_what_a_lasso_selected_although_it_is_still_being_read(state, tmp_path):
    """In a review, too: else the candidate at hand would get the name, as its page is still shown."""
    session = Session(state, Workspace(tmp_path))
    start(session)
    press_key(session, "v")
    wait_for(lambda: shown(session) == "review", session.poll)
    read, may_read = session.thumbnails.of_rows, threading.Event()
    session.thumbnails.of_rows = lambda rows: (may_read.wait(PATIENCE), read(rows))[1]
    press_key(session, "a")
    press_key(session, "w")
    assert shown(session) == "review" and session.presentation.prompt.question == "name for 60 candidates"
    press_key(session, "escape")
    may_read.set()
    wait_for(lambda: shown(session) == "selection", session.poll)


def test_closing_is_left_to_the_view(state, tmp_path):
    closed = []
    session = session_of(state, tmp_path, close=lambda: closed.append(True))
    press_key(session, "?")
    press_key(session, "escape")
    assert closed == []
    press_key(session, "escape")
    assert closed == []
    press_key(session, "ctrl+w")
    assert closed == [True]


def test_two_views_follow_one_state_and_present_it_in_their_own_way(state, tmp_path):
    one, other = session_of(state, tmp_path), session_of(state, tmp_path)
    press_button(one, "right", 2)
    assert (shown(one), shown(other)) == ("neighbours", "candidates")
    press_key(other, "+")
    assert shown(other) == "candidates" and shown(one) == "neighbours"
    page, before = other.presentation.detail, one.presentation.detail
    press_key(other, "m")
    assert one.presentation.detail is not before and "euclidean" in one.presentation.detail.heading
    turn_wheel(one, up=True, held="ctrl+")
    assert len(one.presentation.detail.rows) == 12 and other.presentation.detail is page
    press_key(one, "-")
    assert other.presentation.detail is not page, "the contact sheet shows what is above the threshold again"
    press_key(one, "?")
    assert one.presentation.help and not other.presentation.help


def test_every_change_of_the_state_is_announced(session):
    changes = set()
    session.state.subscribe(changes.update)
    press_button(session, "right", 2)
    turn_wheel(session, up=False, held="ctrl+")
    for key in ("m", "h", "n", "+", "#", "c", "3", "enter"):
        press_key(session, key)
    expected = {
        "query",
        "found",
        "neighbours",
        "metric",
        "colouring",
        "place",
        "step",
        "clustering",
        "groups",
        "clusters",
        "history",
    }
    assert changes == expected
