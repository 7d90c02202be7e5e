"""The page in a real browser, and who is let in."""

import asyncio
import gc
import re
import signal
import urllib.error
import urllib.request
import warnings
from contextlib import suppress
from itertools import pairwise
from urllib.parse import urlsplit

import numpy as np
import pytest
from driving import PATIENCE, make_catalogue
from web_driving import Visitor, browser, served

pytest.importorskip("panel")
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, websocket_connect

from oodretrieval.explorer.commands.table import COMMANDS
from oodretrieval.explorer.web.server import LONGEST_MESSAGE
from oodretrieval.stores.tag_journal import TagJournal
from oodretrieval.stores.tags import TagTable


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("web"), 12, select_by="novelty")


@pytest.fixture(scope="module")
def address(catalogue, tmp_path_factory):
    with served(catalogue, tmp_path_factory.mktemp("served")) as (found, _):
        yield found


# -- who is let in ------------------------------------------------------------------------------------------


def answer(url, **headers):
    """Status of an answer, and its text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=600) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_address_opens_the_page_and_nothing_else_does(address):
    parts = urlsplit(address)
    token, root = parts.path.strip("/"), f"http://{parts.netloc}"
    assert parts.hostname == "127.0.0.1"
    assert len(token) >= 32
    assert answer(address)[0] == 200
    assert 'rel="icon" href="data:,"' in answer(address)[1], "else the browser asks for a picture of the site"
    for path in (
        "/",
        "/ws",
        f"/{token[:-1]}/",
        f"/{token}x/",
        "/static/js/bokeh.min.js",
        "/favicon.ico",
        "//",
    ):
        status, text = answer(root + path)
        assert (status, "token" in text) == (403, True), path
    assert answer(f"{root}/{token}/", Host="evil.example:80")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "static/../../../../../../../../etc/passwd",
        "static/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "static/extensions/panel/../../../../../../../etc/passwd",
        "static/%2e%2e/%2e%2e/%2e%2e/pyproject.toml",
        "../etc/passwd",
        "images/field/clip 1/0000.png".replace(" ", "%20"),
        "component-resources/oodretrieval.explorer.web.page/Page/__module__/page.js",
    ],
)
def test_no_file_is_served_but_the_page_s_own_scripts(address, path):
    status, text = answer(address + path)
    assert status in (400, 403, 404), text[:200]
    assert "root:" not in text


def waited_for(function):
    """What an asynchronous function gives; a connection that the server ended may be collected at any moment."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Unclosed WebSocketClientConnection", ResourceWarning)
        loop = IOLoop(make_current=False)
        try:
            return loop.run_sync(function, timeout=PATIENCE)
        finally:
            loop.close(all_fds=True)
            gc.collect()


async def connect(address, session="none", **headers):
    url = f"ws{address.removeprefix('http')}ws"
    return await websocket_connect(HTTPRequest(url, headers=headers), subprotocols=["bokeh", session])


def refused(address, **headers):
    async def attempt():
        await connect(address, **headers)

    code = None
    try:
        waited_for(attempt)
    except HTTPClientError as error:
        code = error.code
    return code


def test_a_page_of_another_site_gets_no_connection(address):
    port = urlsplit(address).port
    assert refused(address, Origin="https://evil.example") == 403
    assert refused(address, Origin=f"http://localhost:{port + 1}") == 403
    assert refused(address.replace("127.0.0.1", "localhost"), Origin="null") == 403
    assert refused(address[:-2] + "/", Origin=f"http://127.0.0.1:{port}") == 403


@pytest.mark.parametrize(("length", "taken"), [(100, True), (LONGEST_MESSAGE + 1, False)])
def test_a_message_that_is_too_long_ends_its_connection_and_nothing_else(address, length, taken):
    session = re.search(r'"token":\s*"([^"]+)"', answer(address)[1])[1]

    async def send():
        connection = await connect(address, session, Origin=f"http://{urlsplit(address).netloc}")
        await connection.read_message()  # it greets
        await connection.write_message("{" + " " * (length - 2) + "}")
        while await connection.read_message() is not None:
            if taken:
                connection.close()
                return "answered"
        return connection.close_code

    ended = waited_for(send)
    assert ended != 1009 if taken else ended in (1009, 1006, None)
    assert answer(address)[0] == 200


# -- a person at the page -----------------------------------------------------------------------------------


EVERYTHING = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]


@pytest.mark.slow
def test_a_person_at_the_page(address, catalogue):
    """From a look to a named selection that a reload keeps, with nothing asked of the network."""
    with browser() as chromium:
        visitor = Visitor(chromium, address, catalogue)
        assert {urlsplit(url).netloc for url in visitor.asked if url.startswith("http")} == {
            urlsplit(address).netloc
        }
        visitor.hover(3)
        visitor.shows(".card dd", "clip 1/0001 · segment 2")
        ring = visitor.page.locator(".mark").bounding_box()
        middle = ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2
        np.testing.assert_allclose(middle, visitor.pixel(3), atol=1)
        visitor.page.mouse.click(*visitor.pixel(3))
        visitor.shows(".picture img")
        visitor.page.mouse.click(*visitor.pixel(3), button="right")
        visitor.shows(".detail .heading", "nearest neighbours")
        assert visitor.page.get_by_text("Wheel Zoom").count() == 0  # of Bokeh's own menu
        visitor.page.mouse.click(*visitor.pixel(3))
        visitor.shows(".picture img")
        visitor.lasso(EVERYTHING)
        visitor.shows(".selection b", "12 selected")
        visitor.type_into(".selection input", "a <b>bin</b>")
        visitor.says("12 tagged as a <b>bin</b>")
        visitor.hover(3)
        visitor.says("12 tagged as a <b>bin</b>")  # a movement says nothing
        visitor.press("y")  # after Enter keys are commands again
        visitor.shows(".legend .title", "coloured by tag")
        visitor.press(",")
        visitor.shows(".picture img")
        visitor.type_into(".filter", "predicted ==")
        visitor.shows(".problem.open")
        visitor.type_into(".filter", 'predicted == "car"')
        visitor.shows(".filtering .shown", "6 shown")
        visitor.page.reload()
        visitor.wait()
        visitor.shows(".filtering .shown", "6 shown")
        visitor.shows(".selection b", "6 selected")
        visitor.type_into(".filter", "")
        visitor.shows(".selection b", "12 selected")
        assert visitor.failed == []
    table = TagTable()
    for step in TagJournal(catalogue.path).read():
        table.apply(step)
    assert {name: len(table.candidates(name)) for name in table.names} == {"a <b>bin</b>": 12}


@pytest.mark.slow
def test_what_is_typed_before_a_field_is_there_is_in_it(catalogue, tmp_path):
    """All keys at once, in one task of the page: no answer can be there in between."""
    with served(catalogue, tmp_path) as (address, _), browser() as chromium:
        visitor = Visitor(chromium, address, catalogue)

        def at_once(*keys):
            return visitor.page.evaluate(
                """keys => keys.map((key) => document.dispatchEvent(
                    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })))""",
                keys,
            )

        visitor.press("h")
        visitor.shows(".legend .title", "predicted class")
        for typed in ("thing", "2 Things"):
            visitor.press("a")
            visitor.shows(".selection b", "12 selected")
            at_once("w", *typed, "Enter")
            visitor.says(f"12 tagged as {typed}")
        at_once("w", *"third", "Enter", "y")  # after Enter keys are commands again
        visitor.shows(".legend .title", "coloured by tag")
        visitor.shows(".legend .label", "third")
        visitor.press("c")
        visitor.shows(".ask input")
        visitor.type_into(".ask input", "banana")
        visitor.shows(".ask .problem", "banana")
        visitor.press("Escape")
        at_once("w", *"fourth", "Enter")  # before the page knows that the question is closed
        visitor.shows(".legend .label", "fourth")
        at_once("h", "/", *"S > 0", "Enter")
        visitor.shows(".filter.active")
        assert visitor.page.locator(".filter").input_value() == "S > 0"
        assert at_once("w", "F5")[1], "the browser's own keys stay the browser's"
        visitor.shows(".ask input")
        assert visitor.failed == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "first", "mark"), [("elbow", 1, "bends most at"), ("silhouette", 2, "highest at")]
)
def test_a_click_in_a_curve_takes_the_number_of_clusters(catalogue, tmp_path, asked, first, mark):
    with served(catalogue, tmp_path) as (address, _), browser() as chromium:
        visitor = Visitor(chromium, address, catalogue)
        visitor.press("a")
        for name in ("a long name", "one more long name", "and the longest name of all"):
            visitor.press("w")
            visitor.type_into(".ask input", name)
            visitor.says(f"tagged as {name}")
        visitor.press("c")
        visitor.type_into(".ask input", asked)
        visitor.shows(".elbow g")
        visitor.shows(".elbow > text", mark)
        labels = visitor.page.locator(".elbow g > text").all_text_contents()
        assert labels == [str(number) for number in range(first, first + len(labels))]
        visitor.page.locator(".elbow g").nth(4 - first).click()
        visitor.shows(".legend .label", "cluster 4")
        assert visitor.page.locator(".legend .label", has_text="cluster").count() == 4
        visitor.hover(3)
        visitor.shows(".card dd", "clip 1/0001 · segment 2")
        facts = visitor.page.locator(".card dl")
        assert facts.evaluate("list => list.scrollHeight <= list.clientHeight"), "all that is known is seen"
        assert visitor.failed == []


@pytest.mark.slow
def test_a_page_survives_a_dropped_connection(catalogue, tmp_path):
    with served(catalogue, tmp_path) as (address, process), browser() as chromium:
        visitor = Visitor(chromium, address, catalogue)
        visitor.press("h")
        visitor.shows(".legend .title", "predicted class")
        process.send_signal(signal.SIGUSR1)
        visitor.page.wait_for_timeout(3000)
        for _ in range(100):  # what is pressed while there is no connection is lost, and may be pressed again
            visitor.press("g")
            visitor.page.wait_for_timeout(1000)
            if "truth" in visitor.page.locator(".legend .title").inner_text():
                break
        visitor.shows(".legend .title", "truth")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1280, 720), (1600, 1000)])
def test_everything_fits_the_screen(address, catalogue, size):
    with browser() as chromium:
        visitor = Visitor(chromium, address, catalogue, size)
        for selector in (".bar", ".map", ".card", ".detail", ".status", ".filter", ".bar .help", ".tools"):
            box = visitor.page.locator(selector).bounding_box()
            assert box["x"] >= 0 and box["y"] >= 0, selector
            assert box["x"] + box["width"] <= size[0] and box["y"] + box["height"] <= size[1], selector
            assert box["width"] > 20 and box["height"] > 15, selector
        menus = [menu.bounding_box() for menu in visitor.page.locator(".menu").all()]
        for left, right in pairwise([*menus, visitor.page.locator(".filter").bounding_box()]):
            assert left["x"] + left["width"] <= right["x"]
        visitor.press("?")
        visitor.shows(".cover.open .pair")
        assert visitor.page.locator(".cover .pair").count() == len(COMMANDS)
        visitor.press("Escape")


@pytest.mark.slow
def test_all_names_of_a_candidate_are_on_its_card(tmp_path):
    small = make_catalogue(tmp_path, 12, select_by="novelty")
    names = ("a rather long name of a thing", "another one of these", "cone", "of interest, maybe")
    with served(small, tmp_path) as (address, _), browser() as chromium:
        visitor = Visitor(chromium, address, small)
        visitor.hover(2)
        visitor.shows(".card .buttons button")
        for name in names:
            visitor.type_into(".card .naming input", name)
            visitor.says(f"tagged as {name}")
        for name in names:
            chip, row = (
                visitor.page.locator(found).bounding_box()
                for found in (f'.card .chip[title="Click takes the name {name} off"]', ".card .naming")
            )
            assert chip["width"] > 30 and chip["x"] + chip["width"] <= row["x"] + row["width"] + 1
            assert row["y"] <= chip["y"] and chip["y"] + chip["height"] <= row["y"] + row["height"] + 1


COLOURS = "button => [getComputedStyle(button).color, getComputedStyle(button).backgroundColor]"
IN_VIEW = """item => {
  const [seen, all] = [item.getBoundingClientRect(), item.closest(".body").getBoundingClientRect()]
  return seen.top >= all.top - 1 && seen.bottom <= all.bottom + 1
}"""


@pytest.mark.slow
def test_a_review_scrolls_to_the_one_that_is_asked_for_and_a_chosen_button_is_read(tmp_path):
    wide = make_catalogue(tmp_path, 40, select_by="novelty")
    with served(wide, tmp_path) as (address, _), browser() as chromium:
        visitor = Visitor(chromium, address, wide)
        chosen = visitor.page.locator(".tools button.on")
        before = chosen.evaluate(COLOURS)
        chosen.hover()
        assert chosen.evaluate(COLOURS) == before, "white on blue, also under the pointer"
        visitor.press("v")
        visitor.shows(".review .now")
        for looks in range(1, 12):
            visitor.press("0")
            visitor.shows(".heading", f"in {looks} look")
            assert visitor.page.locator(".review .now").evaluate(IN_VIEW), looks
        visitor.press("Escape")
        visitor.shows(".heading", "Candidates 1 to")
        visitor.press("v")
        visitor.shows(".heading", "0 of interest in 11 looks")


@pytest.mark.slow
def test_half_a_screen_has_room_for_every_menu(address, catalogue):
    with browser() as chromium:
        visitor = Visitor(chromium, address, catalogue, (640, 700))
        for part in (".menu", ".filter", ".bar .help", ".tools button"):
            for box in [found.bounding_box() for found in visitor.page.locator(part).all()]:
                assert box["x"] >= 0 and box["x"] + box["width"] <= 640, part
        tools, legend = (visitor.page.locator(part).bounding_box() for part in (".tools", ".legend"))
        assert tools["y"] + tools["height"] <= legend["y"]
        visitor.press("a")
        visitor.shows(".selection.open")
        visitor.hover(2)
        visitor.shows(".card dd")
        room = visitor.page.locator(".map").bounding_box()
        for part in visitor.page.locator(".selection > *").all():
            box = part.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 640
            assert box["y"] >= room["y"] + room["height"], "it covers no points"
        card, facts = (visitor.page.locator(part).bounding_box() for part in (".card", ".card dl"))
        assert facts["height"] > 60, "what is known of the candidate"
        for part in visitor.page.locator(".card .naming, .card .buttons").all():
            box = part.bounding_box()
            assert box["y"] + box["height"] <= card["y"] + card["height"]


@pytest.mark.slow
def test_the_candidate_at_hand_of_a_review_is_in_sight(tmp_path):
    with (
        served(make_catalogue(tmp_path, 40, select_by="novelty"), tmp_path) as (address, _),
        browser() as chromium,
    ):
        visitor = Visitor(chromium, address, None, (1280, 640))

        def is_in_sight(selector):
            room, box = (visitor.page.locator(each).first.bounding_box() for each in (".body", selector))
            return room["y"] <= box["y"] and box["y"] + box["height"] <= room["y"] + room["height"]

        visitor.press("v")
        for place in range(12):
            visitor.shows(f".review .item:nth-child({place + 1}).now")
            assert is_in_sight(".item.now"), place
            visitor.press("0")
            visitor.says(f"0 of interest in {place + 1} look")
        visitor.shows(".review .item:first-child.now")
        assert is_in_sight(".item.now") and is_in_sight(".answers"), "of the next page"


@pytest.mark.slow
def test_escape_closes_an_open_menu_and_nothing_else(tmp_path):
    catalogue = make_catalogue(tmp_path / "own", 12)  # on a shared one, a tool or a review may still be open
    with served(catalogue, tmp_path) as (address, _), browser() as chromium:
        visitor = Visitor(chromium, address, catalogue)
        visitor.press("a")
        visitor.shows(".selection.open b", f"{len(catalogue)} selected")
        visitor.page.locator(".menu > button").first.click()
        visitor.shows(".menu.open")
        visitor.press("Escape")
        visitor.page.wait_for_selector(".menu:not(.open)", state="attached")
        visitor.press("y")  # by then Escape would have been done
        visitor.shows(".legend .title", "coloured by tag")
        assert visitor.page.locator(".selection.open").count() == 1, "what was selected is selected"
        visitor.press("Escape")
        visitor.page.wait_for_selector(".selection:not(.open)", state="attached")


@pytest.mark.slow
def test_every_command_of_the_menus_by_the_mouse(catalogue, tmp_path):
    """None of them breaks the page, whatever was done before."""
    with served(catalogue, tmp_path) as (address, _), browser() as chromium:
        visitor = Visitor(chromium, address, catalogue)
        for menu in visitor.page.locator(".menu").all():
            for place in range(menu.locator(".items button").count()):
                menu.locator("button").first.click()
                menu.locator(".items button").nth(place).click()
                visitor.page.wait_for_selector(".page[aria-busy=false]")  # what it opens is open
                if visitor.page.locator(".cover.open").count():
                    visitor.press("Escape")
                    visitor.page.wait_for_selector(".cover:not(.open)", state="attached")
        visitor.hover(2)
        visitor.shows(".card .buttons button")
        for button in visitor.page.locator(".card .buttons button").all():
            button.click()
        visitor.press("b")
        visitor.shows(".legend .title", "one colour")
        assert visitor.failed == []


@pytest.mark.slow
def test_two_hundred_that_may_not_come_in_do_not_keep_out_one_who_may(address):
    """At once: wrong tokens, other sites, and messages that are too long from pages that were let in."""
    port, origin = urlsplit(address).port, f"http://{urlsplit(address).netloc}"
    sessions = [re.search(r'"token":\s*"([^"]+)"', answer(address)[1])[1] for _ in range(21)]

    async def stranger(number):
        if number % 10 == 0:
            return await shouting(sessions[number // 10])
        wrong = (
            (address[:-3] + "xy/", {"Origin": origin}),
            (f"{origin}/", {}),
            (address, {"Origin": f"http://localhost:{port + number}"}),
            (address, {"Origin": "https://evil.example"}),
            (address, {"Origin": origin, "Host": "evil.example"}),
        )[number % 5]
        try:
            await connect(wrong[0], **wrong[1])
        except HTTPClientError as error:
            return error.code
        return "let in"

    async def shouting(session):
        connection = await connect(address, session, Origin=origin)
        await connection.read_message()
        with suppress(WebSocketClosedError, StreamClosedError):
            await connection.write_message("{" + " " * (LONGEST_MESSAGE + 1))
        while await connection.read_message() is not None:
            pass
        connection.close()
        return "ended"

    async def everybody():
        strangers = asyncio.gather(*(stranger(number) for number in range(200)))
        connection = await connect(address, sessions[20], Origin=origin)  # meanwhile
        greeted = await connection.read_message()
        ended = await strangers
        connection.close()
        return greeted, ended

    greeted, ended = waited_for(everybody)
    assert greeted is not None
    assert ended.count("ended") == 20 and ended.count(403) == 180
    assert answer(address)[0] == 200
