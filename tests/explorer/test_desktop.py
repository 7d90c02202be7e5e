"""The real window: Qt under Xvfb, driven with xdotool; and what happens where there is no display."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from driving import PATIENCE, make_catalogue, wait_for
from virtual_screen import screen

import oodretrieval
from oodretrieval.explorer.commands.menus import IN_NO_MENU
from oodretrieval.explorer.commands.table import COMMANDS
from oodretrieval.explorer.desktop import window as desktop_window
from oodretrieval.images import read_image

ROOT = Path(oodretrieval.__file__).parents[1]
SCRIPT = ROOT / "scripts" / "discover_embedding_space.py"
TOOLS = ("Xvfb", "xdotool")
PROBE = "from oodretrieval.explorer.desktop.window import display_problem; print(display_problem())"


def environment(**more):
    kept = {
        k: v
        for k, v in os.environ.items()
        if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "MPLBACKEND")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **more}


@pytest.fixture
def display(request):
    """A display of its own."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}; on Debian: apt-get install xvfb xdotool")
    with screen(*getattr(request, "param", (1700, 1000))) as name:
        yield name


class Window:
    """The watched process, and a person's hands."""

    def __init__(self, catalogue, folder, display):
        self.file, self.environment = folder / "standing.json", environment(DISPLAY=display)
        probe = subprocess.run(
            [sys.executable, "-c", PROBE], env=self.environment, capture_output=True, text=True, check=False
        )
        if probe.stdout.strip() != "None":
            pytest.skip(f"Qt opens no window under Xvfb: {(probe.stdout + probe.stderr).strip()[:200]}")
        command = [
            sys.executable,
            str(Path(__file__).with_name("window_under_test.py")),
            str(catalogue),
            str(self.file),
        ]
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=self.log)

    def now(self):
        return json.loads(self.file.read_text()) if self.file.is_file() else {}

    def until(self, **expected):
        end = time.monotonic() + PATIENCE
        while not expected.items() <= (now := self.now()).items():
            assert self.process.poll() is None, Path(self.log.name).read_text()
            assert time.monotonic() < end, f"{expected} never happened: { {k: now.get(k) for k in expected} }"
            time.sleep(0.03)
        return now

    def do(self, *arguments):
        subprocess.run(["xdotool", *map(str, arguments)], env=self.environment, check=True)

    def point_at(self, row):
        self.do("mousemove", *self.now()["points"][row])
        self.until(hovered=row)


SIGTERM_IN_THE_LOOP = """
import os, signal, sys
from matplotlib import pyplot as plt
from oodretrieval.explorer import Explorer
from oodretrieval.explorer.desktop.window import ended_by_sigterm
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as of what a shell starts with &
plt.switch_backend("QtAgg")
explorer = Explorer(sys.argv[1], method="pca")
timer = explorer.figure.canvas.new_timer(interval=50)
timer.add_callback(lambda: os.kill(os.getpid(), signal.SIGTERM))
timer.start()
try:
    with ended_by_sigterm():
        plt.show(block=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""

SMALL_SCREEN = """
import sys
from matplotlib import pyplot as plt
from oodretrieval.explorer import Explorer
from oodretrieval.explorer.desktop.window import fit_screen
plt.switch_backend("QtAgg")
explorer = Explorer(sys.argv[1], method="pca")
fit_screen(explorer)
window = explorer.figure.canvas.manager.window
window.show()
explorer.figure.canvas.flush_events()
print(window.width(), window.height(), window.x(), window.y())
"""


@pytest.mark.slow
def test_sigterm_ends_a_window(display, tmp_path):
    """What a handler raises inside of Qt's loop is printed, and the window stays."""
    catalogue = make_catalogue(tmp_path, 14)
    done = subprocess.run(
        [sys.executable, "-c", SIGTERM_IN_THE_LOOP, str(catalogue.path)],
        env=environment(DISPLAY=display), capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("display", [(1280, 720)], indirect=True)
def test_the_window_fits_a_screen_that_is_smaller(display, tmp_path):
    catalogue = make_catalogue(tmp_path, 14)
    done = subprocess.run(
        [sys.executable, "-c", SMALL_SCREEN, str(catalogue.path)],
        env=environment(DISPLAY=display), capture_output=True, text=True, check=True,
    )  # fmt: skip
    width, height, left, top = map(int, done.stdout.split())
    assert 1200 < width <= 1280 and 600 < height < 720 and left <= 0 and top <= 0


MENUS = """
import json, sys
from matplotlib import pyplot as plt
from oodretrieval.explorer import Explorer
from oodretrieval.explorer.desktop.menus import WindowMenus
plt.switch_backend("QtAgg")
explorer = Explorer(sys.argv[1], method="pca")
kept = WindowMenus(explorer)
window = explorer.figure.canvas.manager.window
actions = {a.text(): a for menu in window.menuBar().actions() for a in menu.menu().actions()}
shown, standing = explorer.session.presentation, []
def choose(text):
    actions[text].trigger()
    standing.append([explorer.state.colouring, len(explorer.state.selection), shown.prompt is not None, shown.status])
choose("Image\\tleft button")
shown.marked = 3
shown.marked = None
for text in ("Select\\tShift + left button", "Name …\\tw", "Colour by predicted class\\th", "All shown\\ta"):
    choose(text)
print(json.dumps({"standing": standing, "tips": [a.toolTip() for a in actions.values()],
                  "toolbar": explorer.figure.canvas.manager.toolbar.isVisible(), "shortcuts": [
                  a.shortcut().toString() for a in actions.values() if not a.shortcut().isEmpty()]}))
"""


@pytest.mark.slow
def test_menus_of_the_window(display, tmp_path):
    catalogue = make_catalogue(tmp_path, 14)
    done = subprocess.run(
        [sys.executable, "-c", MENUS, str(catalogue.path)],
        env=environment(DISPLAY=display), capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    image, select, name, colour, everything = found["standing"]
    assert image[3] == "no segment under the pointer"
    assert select[1] == 1 and name[2] and not colour[2], "choosing something else closes a question"
    assert colour[0] == "prediction" and everything[1] == 14
    texts = {command.text for command in COMMANDS if command.trigger not in IN_NO_MENU}
    assert texts == set(found["tips"]) and not found["toolbar"] and not found["shortcuts"]


@pytest.fixture
def window(display, tmp_path):
    catalogue = make_catalogue(tmp_path, 14)
    opened = Window(catalogue.path, tmp_path, display)
    try:
        opened.until(preliminary=False)
        yield opened
    finally:
        opened.process.kill()
        opened.process.wait(PATIENCE)
        opened.log.close()


@pytest.mark.slow
def test_a_person_at_a_real_window(window, tmp_path):
    window.point_at(3)
    assert window.now()["thumbnail"]
    for button, detail in ((1, "image"), (2, "panels"), (3, "neighbours")):
        window.do("click", button)
        window.until(detail=detail)
    assert window.now()["query"] == 3
    window.do("keydown", "ctrl", "click", 4)
    window.until(neighbours=11)
    window.do("click", 5, "click", 5, "keyup", "ctrl")
    window.until(neighbours=9)
    window.do("key", "m")
    window.until(metric="euclidean")
    pictures = tmp_path / "catalogues" / "field" / "pictures"
    for held, button, kind in (("ctrl", 1, "image"), ("ctrl", 2, "panels"), ("t", 1, "crop")):
        path = pictures / f"field_clip_1_0001_2_{kind}.png"
        window.do("keydown", held, "click", button, "keyup", held)
        window.until(status=f"saved {path}")
        assert read_image(path).size
    assert window.now()["detail"] == "neighbours"
    for key, colouring in (("g", "truth"), ("b", "uniform"), ("h", "prediction")):
        window.do("key", key)
        window.until(colouring=colouring)
    window.do("key", "c")
    window.until(prompt="")
    window.do("type", "4")
    window.until(prompt="4")
    window.do("key", "Return")
    window.until(clusters=4, colouring="clusters", prompt=None)
    window.do("key", "c")
    window.until(prompt="")
    window.do("type", "elbow")
    window.do("key", "Return")
    now = window.until(detail="elbow")
    window.do("mousemove", *now["detail_places"][0], "click", 1)
    window.until(detail="neighbours")  # what was there before
    window.do("type", "d#?")
    window.until(help=True)
    window.do("key", "Escape")
    window.until(help=False)
    # matplotlib's own: quit, save, full screen, grid, log scales, home, back, pan, zoom
    window.do("type", "sfkop")
    now = window.until(help=False, figures=1)
    identity = subprocess.run(
        ["xdotool", "search", "--name", "embedding space"],
        env=window.environment,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert len(identity) == 1, "no dialogue opened"
    window.do("windowsize", "--sync", identity[0], 1000, 640)
    window.until(width=1000)
    window.point_at(5)
    window.do("click", 1)
    window.until(detail="image")
    window.do("key", "Escape", "key", "ctrl+w")
    assert window.process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_a_person_selects_and_names_in_a_real_window(window, tmp_path):
    places = np.array(window.until(preliminary=False)["points"])
    low, high = places.min(axis=0) - 8, places.max(axis=0) + 8
    window.do("mousemove", *(low - 4).astype(int), "key", "l")
    window.until(tool="lasso")
    corners = [low, (high[0], low[1]), high, (low[0], high[1]), np.add(low, (0, 12))]
    window.do("mousemove", *low.astype(int), "mousedown", 1)
    for x, y in corners[1:]:  # with a pause: of movements at once the window gets the last only
        window.do("mousemove", int(x), int(y), "sleep", 0.3)
    window.do("mouseup", 1)
    window.until(selected=14)
    window.do("key", "r")
    window.until(tool="rectangle")
    x, y = places[3]
    window.do("keydown", "ctrl", "mousemove", int(x - 5), int(y - 5), "sleep", 0.3, "mousedown", 1)
    window.do("mousemove", int(x + 5), int(y + 5), "sleep", 0.3, "mouseup", 1, "keyup", "ctrl")
    wait_for(lambda: window.now()["selected"] < 14)
    fewer = window.now()["selected"]
    assert 10 <= fewer <= 13
    window.do("key", "w")
    window.until(prompt="")
    window.do("type", "traffic cone")
    window.until(prompt="traffic cone")
    window.do("key", "Return")
    window.until(tags={"traffic cone": fewer}, prompt=None)
    window.do("key", "slash")
    window.until(prompt="")
    window.do("type", "not tags or class == 7")
    window.do("key", "Return")
    window.until(visible=14 - fewer, prompt=None)
    window.do("key", "ctrl+z", "key", "ctrl+z")
    window.until(tags={}, visible=14)
    window.do("key", "ctrl+y")
    window.until(tags={"traffic cone": fewer})
    window.do("key", "Escape", "key", "Escape", "mousemove", int(x), int(y), "click", 4)
    window.until(tool="", selected=0)
    wait_for(lambda: window.now()["limits"] is not None)
    window.process.kill()
    journal = tmp_path / "catalogues" / "field" / "tags" / "journal.jsonl"
    assert journal.read_text().count("traffic cone") >= 3, "killed, and all that was confirmed is there"


def leave(process, env):
    """Press Ctrl + w until the window has the keyboard and closes; returns what the process said."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        subprocess.run(["xdotool", "key", "ctrl+w"], env=env, check=True)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
    return process.communicate(timeout=PATIENCE)[1]


@pytest.mark.slow
def test_the_script_opens_a_window_and_ends_with_it(display, tmp_path):
    make_catalogue(tmp_path, 6)
    env = environment(DISPLAY=display, OODRETRIEVAL_WORKSPACE=str(tmp_path))
    command = [sys.executable, str(SCRIPT), "with", "args.embeddings_file=field", "args.method=pca"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    search = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "field"]
    try:
        subprocess.run(search, env=env, check=True, timeout=PATIENCE, capture_output=True)
        err = leave(process, env)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("broken", [{}, {"DISPLAY": ":4711"}])
def test_without_a_display_a_window_is_refused_and_the_alternatives_are_named(broken, tmp_path):
    make_catalogue(tmp_path, 2)
    env = environment(OODRETRIEVAL_WORKSPACE=str(tmp_path), **broken)
    command = [sys.executable, str(SCRIPT), "with", "args.embeddings_file=field", "args.host=window"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert ("no display" in line) or ("cannot open a window" in line)
    for alternative in (
        "scripts/demo.py",
        "scripts/eval_retrieval.py",
        "figure.savefig",
        "args.host=browser",
    ):
        assert alternative in line


def test_a_qt_that_never_answers(monkeypatch):
    def never(*args, timeout, **kwargs):
        raise subprocess.TimeoutExpired("qt", timeout)

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(desktop_window.subprocess, "run", never)
    assert "did not answer" in desktop_window.display_problem()
