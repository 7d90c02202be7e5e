"""The page in a notebook that is really executed, and visited while its kernel lives."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from driving import PATIENCE, make_catalogue
from web_driving import Visitor, browser

import oodretrieval

pytest.importorskip("panel")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

EXECUTE = """
import json, sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.v4.new_notebook()
notebook.cells = [nbformat.v4.new_code_cell(source) for source in json.loads(sys.argv[1])]
client = NotebookClient(notebook, timeout=600)
with client.setup_kernel():
    for place, cell in enumerate(notebook.cells):
        client.execute_cell(cell, place)
    print(json.dumps([dict(output) for cell in notebook.cells for output in cell.outputs]), flush=True)
    sys.stdin.readline()  # the kernel lives until somebody has looked
"""


@pytest.mark.slow
def test_a_notebook_shows_the_page(tmp_path):
    catalogue = make_catalogue(tmp_path, 12, select_by="novelty")
    cells = [
        "from oodretrieval.explorer import Explorer",
        f"explorer = Explorer({str(catalogue.path)!r}, method='pca')\npage = explorer.servable()\npage",
    ]
    env = {**os.environ, "PYTHONPATH": str(Path(oodretrieval.__file__).parents[1])}
    command = [sys.executable, "-W", "ignore", "-c", EXECUTE, json.dumps(cells)]
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        shown = [output for output in json.loads(line) if output["output_type"] == "execute_result"]
        assert len(shown) == 1, "nothing but the page: no figure of matplotlib"
        html = shown[0]["data"]["text/html"]
        address = html.split('<iframe src="')[1].split('"')[0]
        assert urlsplit(address).hostname == "127.0.0.1"
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            assert answer.status == 200
        with browser() as chromium:
            visitor = Visitor(chromium, address, catalogue)
            visitor.hover(3)
            visitor.shows(".card dd", "clip 1/0001 · segment 2")
    finally:
        process.communicate("\n", timeout=PATIENCE)
