"""A search by an image or a description loads the network once in a session, and away from the view."""

import sys
import threading

import numpy as np
import pytest
import torch
from driving import DETAILS, make_catalogue, wait_for
from PIL import Image

from oodretrieval.embedding import EmbeddingNetwork
from oodretrieval.errors import WeightsError
from oodretrieval.explorer.commands.opening import start
from oodretrieval.explorer.commands.triggers import press_key
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.stores import Workspace

CONFIGURATION = """
from oodretrieval.entries import EmbeddingEntry
DATASETS, MODELS, META_MODELS, WORKSPACE = {}, {}, {}, "workspace"
DATASET = TRAIN_DATASET = VAL_DATASET = MODEL = META_MODEL = EMBEDDING = ""
EMBEDDINGS = {"embedding": EmbeddingEntry("test_examples", "MeanColour")}
"""


class MeanColour(EmbeddingNetwork):
    """Embeds a crop as its mean colour, and each text as red; notes where it is built."""

    threads, missing = [], 0

    def __init__(self):
        self.threads.append(threading.current_thread())
        if len(self.threads) <= self.missing:
            raise WeightsError("no weights")
        super().__init__("mean_colour", torch.nn.Identity(), 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), min_size=1)

    def encode_text(self, texts):
        return np.array([(1, 0, 0) for _ in texts], np.float32)


@pytest.fixture
def session(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(CONFIGURATION)
    monkeypatch.setenv("OODRETRIEVAL_CONFIGURATION", str(tmp_path / "own.py"))
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setitem(sys.modules, "test_examples", sys.modules[__name__])
    monkeypatch.setattr(MeanColour, "threads", [])
    catalogue = make_catalogue(tmp_path, 20, select_by="novelty", dimensions=3)
    opened = Session(State(catalogue, ExplorerSettings(method="pca")), Workspace(tmp_path), immediate=True)
    start(opened)
    return opened


def search(session, text):
    for key in (";", *text, "enter"):
        press_key(session, key)


def shown(session):
    return DETAILS[type(session.presentation.detail)]


def test_the_network_is_loaded_for_the_first_example_alone(session, tmp_path):
    Image.new("RGB", (8, 8), (250, 0, 0)).save(tmp_path / "red.png")
    session.state.selection.select([3])
    search(session, "")
    assert shown(session) == "found" and not MeanColour.threads, "a selection needs none"
    for text in ("a rose", f"{tmp_path}/red.png", f"{tmp_path}/red.png 1,1,5,5", "a fire"):
        search(session, text)
        assert shown(session) == "found" and len(MeanColour.threads) == 1


def test_the_network_is_loaded_away_from_the_view(session):
    session.work.immediate = False
    search(session, "a rose")
    wait_for(lambda: not session.poll())
    assert shown(session) == "found"
    assert [thread is threading.main_thread() for thread in MeanColour.threads] == [False]


def test_a_network_that_could_not_be_loaded_is_tried_again(session, monkeypatch):
    monkeypatch.setattr(MeanColour, "missing", 1)
    search(session, "a rose")
    assert shown(session) == "message" and "no weights" in session.presentation.detail.text
    for _ in range(2):
        search(session, "a rose")
        assert shown(session) == "found" and len(MeanColour.threads) == 2
