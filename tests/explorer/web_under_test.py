"""Serves a catalogue as a page, and writes its address: the process that a test's browser visits.

python web_under_test.py <catalogue> <file of the address>

The signal SIGUSR1 breaks off every connection, as a network does.
"""

import signal
import sys
from pathlib import Path

from tornado.ioloop import IOLoop

from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.server import WebExplorer
from oodretrieval.stores import Catalogue, Workspace

if __name__ == "__main__":
    catalogue = Catalogue.open(sys.argv[1])
    state = State(catalogue, ExplorerSettings(method="pca"))
    explorer = WebExplorer(state, Workspace(catalogue.path.parents[1]))
    loop = IOLoop.current()

    def break_off(*_):
        for client in tuple(explorer._server._tornado._clients):
            loop.add_callback_from_signal(client._socket.close)

    signal.signal(signal.SIGUSR1, break_off)
    Path(sys.argv[2]).with_suffix(".new").write_text(explorer.address)
    Path(sys.argv[2]).with_suffix(".new").replace(sys.argv[2])
    explorer.run()
