"""Serves a catalogue as a page, and writes its address: the process that a test's browser visits.

python web_under_test.py <catalogue> <file of the address>

The signal SIGUSR1 breaks off every connection, as a network does.
"""

import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.server import WebExplorer
from oodretrieval.stores import Catalogue, Workspace

if __name__ == "__main__":
    catalogue = Catalogue.open(sys.argv[1])
    state = State(catalogue, ExplorerSettings(method="pca"))
    explorer = WebExplorer(state, Workspace(catalogue.path.parents[1]))

    def listens(connection):
        return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)

    def break_off(*_):
        for number in [int(path.name) for path in Path("/dev/fd").iterdir()]:
            with suppress(OSError), socket.socket(fileno=os.dup(number)) as connection:
                if connection.family == socket.AF_INET and not listens(connection):
                    connection.shutdown(socket.SHUT_RDWR)

    signal.signal(signal.SIGUSR1, break_off)
    Path(sys.argv[2]).with_suffix(".new").write_text(explorer.address)
    Path(sys.argv[2]).with_suffix(".new").replace(sys.argv[2])
    explorer.run()
