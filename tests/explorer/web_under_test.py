"""Serves a catalogue as a page, and writes its address: the process that a test's browser visits.

python web_under_test.py <catalogue> <file of the address>
"""

import sys
from pathlib import Path

from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.server import WebExplorer
from oodretrieval.stores import Catalogue, Workspace

if __name__ == "__main__":
    catalogue = Catalogue.open(sys.argv[1])
    state = State(catalogue, ExplorerSettings(method="pca"))
    explorer = WebExplorer(state, Workspace(catalogue.path.parents[1]))
    Path(sys.argv[2]).with_suffix(".new").write_text(explorer.address)
    Path(sys.argv[2]).with_suffix(".new").replace(sys.argv[2])
    explorer.run()
