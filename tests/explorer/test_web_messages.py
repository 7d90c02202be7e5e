"""What the page's script sends reaches the state, and what that changes reaches the page: without a browser."""

import asyncio
import logging
import socket
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from driving import PATIENCE, make_catalogue, wait_for

pytest.importorskip("panel")

from bokeh.document import Document
from bokeh.server.session import ServerSession
from panel.io.state import set_curdoc
from tornado.ioloop import IOLoop

from oodretrieval.errors import SettingsError
from oodretrieval.explorer.commands.opening import start
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.messages import Messages
from oodretrieval.explorer.web.page_view import PageView
from oodretrieval.explorer.web.server import WebExplorer
from oodretrieval.stores import Workspace

EVERYTHING = [[0, 0], [1, 0], [1, 1], [0, 1]]
SIZE = (700, 600)


class Script:
    """What stands in for the page's script: sends messages, and reads what the page was sent."""

    def __init__(self, session):
        self.view = PageView(session)
        self.answers = []
        self.view.page.answer = self.answers.append
        self.messages = Messages(self.view)

    @property
    def page(self):
        return self.view.page

    @property
    def detail(self):
        return self.page.detail["kind"]

    def send(self, kind, **message):
        self.messages.take({"type": kind, **message})

    def place(self, row):
        """Where a candidate's point is, as shares of the scatter's width and height."""
        view = self.view.scatter.view
        x, y = self.view.session.state.points[row]
        return float((x - view.left) / (view.right - view.left)), float(
            (view.top - y) / (view.top - view.bottom)
        )

    def point_at(self, row):
        x, y = self.place(row)
        self.send("pointer", x=x, y=y)

    def drawn(self):
        """Number of points that are drawn in colour."""
        return sum(len(self.view.scatter.sources[kind].data["x"]) for kind in ("known", "unknown"))


@pytest.fixture
def session(tmp_path):
    catalogue = make_catalogue(tmp_path, 12, select_by="novelty")
    session = Session(State(catalogue, ExplorerSettings(method="pca")), Workspace(tmp_path), immediate=True)
    start(session)
    return session


@pytest.fixture
def script(session):
    script = Script(session)
    script.send("size", width=SIZE[0], height=SIZE[1])
    return script


def test_the_pointer_shows_what_is_known_of_a_candidate(script):
    script.point_at(3)
    card = script.page.card
    assert card["row"] == 3
    assert card["picture"].startswith("data:image/")
    facts = {name: value for name, value, _ in card["facts"]}
    assert facts["Image"] == "clip 1/0001 · segment 2"
    assert facts["Predicted class"] == "car"
    assert facts["Predicted IoU"] == "0.13"
    assert facts["Novelty"].startswith("0.00, above")
    assert all(meaning for _, _, meaning in card["facts"])
    assert script.answers[-1] == {"pointer": "taken"}
    before = script.page.mark
    np.testing.assert_allclose(script.view.scatter.row_at(*before["place"]), 3)
    script.send("key", key="wheel up")
    assert script.page.mark["number"] > before["number"], "the view has moved below it"
    np.testing.assert_allclose(script.view.scatter.row_at(*script.page.mark["place"]), 3)
    script.send("left")
    assert script.page.mark["place"] is None
    assert script.page.card["row"] == 3, "its buttons can still be reached"


def test_buttons_and_keys_do_what_the_table_says(script, session):
    script.point_at(3)
    for trigger, kind in (("left", "image"), ("middle", "panels"), ("right", "grid")):
        script.send("button", trigger=trigger, row=3)
        assert script.detail == kind
    assert session.state.query == 3
    script.send("history", by=-1)
    assert (script.detail, script.page.detail["forward"]) == ("panels", True)
    script.send("key", key="h")
    assert script.page.legend["title"] == "PCA · coloured by predicted class"
    script.send("command", trigger="m")
    assert session.state.metric == "euclidean"
    script.send("key", key="?")
    assert script.page.cover["help"]
    script.send("key", key="escape")
    assert not script.page.cover["help"]


def test_from_a_lasso_to_a_name_and_back(script, session):
    script.send("select", polygon=EVERYTHING, how="replace")
    assert script.page.choice["selected"] == 12
    script.send("tag", name="bin")
    assert script.page.choice["tags"][0][0::2] == ["bin", 12]
    script.point_at(2)
    assert script.page.card["tags"][0][0] == "bin"
    script.send("untag", row=2, name="bin")
    assert script.page.card["tags"] == []
    script.send("key", key="ctrl+z")
    assert script.page.card["tags"][0][0] == "bin"
    script.send("selection", do="clear")
    script.send("tag", name="cow")
    assert script.page.status["said"] == "nothing is selected"
    script.send("tag", row=5, name="cow")
    assert [name for name, *_ in script.page.choice["tags"]] == ["bin", "cow"]
    script.send("tag", row=5, name="   ")
    assert [name for name, *_ in script.page.choice["tags"]] == ["bin", "cow"]


def test_the_page_shows_what_is_selected_and_a_bar_for_numbers(script, session):
    script.send("select", polygon=EVERYTHING, how="replace")
    assert script.page.detail["heading"] == "12 selected; Shift + click takes one out"
    script.send("button", trigger="shift+left", row=script.page.detail["items"][0]["row"])
    assert len(script.page.detail["items"]) == 11
    assert script.page.legend["bar"] is None
    session.state.colour_by("predicted_iou")
    assert script.page.legend["bar"]["count"] == "11 / 12" and script.page.legend["entries"] == []
    assert [text for _, text in script.page.legend["bar"]["ticks"]] == ["≤ 0.101", "0.155", "≥ 0.209"]
    script.send("filter", text="class == 0")
    assert script.page.legend["bar"]["count"] == "5 / 6"
    assert [entry["name"] for entry in script.page.legend["entries"]] == ["left out"]


def test_what_is_selected_and_filtered_away_gets_no_name_and_nothing_else_does(script, session):
    session.state.selection.select([0, 2])
    script.send("filter", text="class == 1")
    assert script.page.choice["selected"] == 0
    script.send("tag", name="cow")
    assert script.page.status["said"] == "nothing is selected" and not session.state.tags.names
    script.send("key", key="s")
    script.send("button", trigger="shift+left", row=3)
    assert script.page.choice["selected"] == 1 and script.page.choice["rows"] == [3], "which gets a tick"


@pytest.mark.parametrize("how", [{"kind": "command", "trigger": "w"}, {"kind": "key", "key": "w"}])
def test_away_from_the_points_commands_are_for_the_candidate_of_the_card(script, session, how):
    script.send(**how)
    assert script.page.cover["prompt"] is None
    script.point_at(3)
    script.send("left")
    script.send(**how)
    assert "segment 2" in script.page.cover["prompt"]["question"]
    script.send("answer", text="bin")
    assert session.state.tags.of_row(3) == ("bin",)


def test_a_filter_is_applied_or_what_is_wrong_is_said(script):
    assert script.drawn() == 12
    script.send("filter", text='predicted == "car"')
    assert script.answers[-1] == {"filter": ""}
    assert (script.page.choice["shown"], script.drawn()) == (6, 6)
    script.send("filter", text="__import__('os')")
    assert script.answers[-1]["filter"]
    assert script.page.choice["shown"] == 6
    script.send("filter", text="")
    script.send("legend", name=script.page.legend["entries"][0]["name"])
    assert script.page.legend["entries"][0]["hidden"]
    assert script.drawn() < 12


def test_recolouring_filtering_and_resizing_keep_the_view(script, session):
    figure = script.view.scatter.figure
    figure.x_range.update(start=-1.0, end=1.0)
    figure.y_range.update(start=0.0, end=2.0 * SIZE[1] / SIZE[0])
    script.view.note_view()
    before = script.view.scatter.view
    for key in "hbug":
        script.send("key", key=key)
    script.send("filter", text="S > 0")
    assert script.view.scatter.view == before
    script.send("size", width=500, height=400)
    assert script.view.scatter.view == before.resized(500, 400)
    assert session.presentation.limits is not None
    script.send("key", key="home")
    assert script.view.scatter.view.unit > before.unit


def test_a_second_page_shows_the_same(script, session):
    script.send("select", polygon=EVERYTHING, how="replace")
    script.send("key", key="h")
    script.send("button", trigger="left", row=1)
    other = Script(session)
    assert other.page.choice == script.page.choice
    assert other.page.legend == script.page.legend
    assert other.page.detail["heading"] == script.page.detail["heading"]
    other.view.close()
    script.send("key", key="b")
    assert other.page.legend != script.page.legend, "a page that is gone follows nothing"


def test_questions_are_answered_in_a_field(script, session):
    script.send("key", key="c")
    assert "number of clusters" in script.page.cover["prompt"]["question"]
    script.send("answer", text="many")
    assert "'many'" in script.page.cover["prompt"]["problem"]
    script.send("answer", text="3")
    assert script.page.cover["prompt"] is None
    assert session.state.groups == 3
    script.send("clusters", number=4)
    assert session.state.groups == 4


def test_the_page_cancels_what_is_under_way(script, session):
    release, seen = threading.Event(), []
    session.work.immediate = False
    session.work.start("a", "counting", lambda job: release.wait(PATIENCE), seen.append)
    script.send("cancel")
    assert script.page.status == {"said": "cancelled: counting", "progress": ""}
    release.set()
    wait_for(lambda: not session.poll())
    assert not seen


def test_a_review_by_keys_and_clicks(script, session):
    script.send("key", key="v")
    assert (script.detail, script.page.detail["items"][0]["tone"]) == ("review", "now")
    script.send("command", trigger="1")
    assert [item["tone"] for item in script.page.detail["items"][:2]] == ["", "now"]
    script.send("review", place=4)
    script.send("key", key="0")
    assert session.review.looks == 2
    script.send("key", key="w")
    script.send("answer", text="bin")
    assert ["2", "bin"] in script.page.detail["answers"] or session.review.names == ("bin",)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": "no such type"},
        {"type": "pointer"},
        {"type": "pointer", "x": "left", "y": None},
        {"type": "button", "trigger": "left", "row": 10**9},
        {"type": "button", "trigger": "left", "row": "-1"},
        {"type": "select", "polygon": "around", "how": "replace"},
        {"type": "select", "polygon": [[0, 0]], "how": "replace"},
        {"type": "select", "polygon": [[0, 0], [float("nan"), 1], [1, 1]], "how": "replace"},
        {"type": "select", "polygon": EVERYTHING, "how": "destroy"},
        {"type": "tag", "row": 10**9, "name": "x"},
        {"type": "untag", "row": -99, "name": "x"},
        {"type": "size", "width": float("nan"), "height": 5},
        {"type": "clusters", "number": 10**9},
        {"type": "review", "place": 3},
        {"type": "history", "by": []},
    ],
)
def test_a_message_that_makes_no_sense_changes_nothing(script, session, message, caplog):
    before = script.view.scatter.view
    with caplog.at_level(logging.WARNING):
        script.messages.take(message)
    assert session.state.selection.selected is None
    assert session.state.tags.names == ()
    assert script.view.scatter.view == before
    assert script.detail == "grid"


class LoadingDocument(Document):
    """Of a session that is not there yet."""

    session_context = SimpleNamespace(request=SimpleNamespace(arguments={}), destroyed=False)


def test_what_comes_while_a_page_is_loading_waits_for_the_lock_of_its_document(tmp_path):
    state = State(make_catalogue(tmp_path, 12), ExplorerSettings(method="pca"))

    async def load():
        explorer = WebExplorer(state, Workspace(tmp_path))
        try:
            document = LoadingDocument()
            with set_curdoc(document):
                page = explorer.open_page()
            document.add_root(page.get_root(document))
            served = ServerSession("one", document, IOLoop.current())
            answers = []
            page.answer = answers.append
            page.take({"type": "size", "width": 700, "height": 600})  # without the lock
            while not answers:
                await asyncio.sleep(0.01)
            served.destroy()
            return answers
        finally:
            explorer.close()

    assert asyncio.run(asyncio.wait_for(load(), PATIENCE)) == [{"sized": True}]


@pytest.mark.parametrize("port", [-5, 99999])
def test_a_port_that_cannot_be_is_refused(port):
    with pytest.raises(SettingsError, match=rf"args\.port must be in 1…65535.*got {port}"):
        ExplorerSettings(port=port)


def test_a_port_that_is_taken_is_said_and_what_to_do(tmp_path):
    state = State(make_catalogue(tmp_path, 12), ExplorerSettings(method="pca"))

    async def serve(port):
        WebExplorer(state, Workspace(tmp_path), port).close()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"cannot listen at port {port}.*0 takes a free one"):
            asyncio.run(serve(port))
