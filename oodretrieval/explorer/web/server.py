"""Serving the page from this machine to whoever has its address."""

import logging
import os
import platform
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import panel as pn
from tornado.ioloop import IOLoop, PeriodicCallback

from oodretrieval.errors import SettingsError
from oodretrieval.experiment.run import Run
from oodretrieval.explorer.commands.opening import start
from oodretrieval.explorer.presentation import WATCHING, Presentation
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.explorer.web.gate import guard
from oodretrieval.explorer.web.messages import Messages
from oodretrieval.explorer.web.page_view import PageView
from oodretrieval.stores import Catalogue, Workspace

logger = logging.getLogger(__name__)
ADDRESS = "127.0.0.1"
LONGEST_MESSAGE = 1_000_000
"""What a page may send at once, bytes: far more than a lasso needs."""
_POLLING = 40
"""How often finished work is looked for, milliseconds."""
_PATIENCE = 24 * 60 * 60 * 1000
"""How long a page that lost its connection is waited for, milliseconds."""
_SWITCH = 0.0005
"""How long a thread that reads an image may keep the others waiting, seconds; Python's own is ten times that."""


class WebExplorer:
    """Serves one session as a page; every browser window that opens it shows the same.

    Args:
        state: What is explored.
        workspace: Where the predictions lie.
        port: To listen at; a free one for 0.

    Attributes:
        session: State, what is presented, and work under way.
        address: Of the page, with the token that opens it.

    Raises:
        SettingsError: If nothing can listen at the port.
    """

    def __init__(self, state: State, workspace: Workspace, port: int = 0) -> None:
        self._loop = IOLoop.current()
        self.session = Session(
            state,
            workspace,
            started=self._start_polling,
            ended=lambda: self._loop.add_callback(self._poll),
            soon=self._loop.add_callback,
            snapshot=_save_snapshot,
        )
        self._poller = PeriodicCallback(self._poll, _POLLING)
        self._watch = PeriodicCallback(self._look_around, WATCHING)
        self._token = secrets.token_urlsafe(24)
        self._server = self._serve(port)
        self.port = int(self._server.port)
        self.address = f"http://{ADDRESS}:{self.port}/{self._token}/"
        start(self.session)
        self._watch.start()

    def _serve(self, port: int) -> Any:
        pn.config.reconnect = True
        for name in ("bokeh.server.server", "bokeh.server.tornado", "bokeh.server.views.ws"):
            logging.getLogger(name).setLevel(logging.WARNING)  # what works, they say, too, with the token
        for name in (
            "bokeh.server.util",
            "tornado.access",
        ):  # of "*", which the guard narrows; of what is not there
            logging.getLogger(name).setLevel(logging.ERROR)
        interrupted = signal.getsignal(signal.SIGINT)
        _require_free(port)
        server = pn.io.server.get_server(
            {"/": self.open_page},
            port=port,
            address=ADDRESS,
            title=f"{self.session.state.catalogue.name} – embedding space",
            prefix=f"/{self._token}",
            show=False,
            websocket_origin=["*"],  # the guard compares it with the host, whatever port was forwarded
            websocket_max_message_size=LONGEST_MESSAGE,
            unused_session_lifetime_milliseconds=_PATIENCE,
            session_token_expiration=_PATIENCE // 1000,
        )
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupted)  # Panel would end a notebook's kernel
        guard(server._tornado, self._token)
        server.start()
        return server

    def open_page(self) -> Any:
        """A page for who comes in; called by the server, once a visit.

        Returns:
            Panel's component.
        """
        document = pn.state.curdoc
        if document is not None:  # else the browser asks for a picture of the site, and there is none
            document.template_variables["app_favicon"] = "data:,"
        view = PageView(self.session)
        take = Messages(view).take
        view.page.listen(lambda message: view.sender.respond(partial(take, message)))
        pn.state.on_session_destroyed(lambda context: view.close())
        return view.page

    def _start_polling(self) -> None:
        if not self._poller.is_running():
            self._poller.start()

    def _poll(self) -> None:
        if not self.session.poll():
            self._poller.stop()

    def _look_around(self) -> None:
        self.session.attempt(self.session.look_around)

    def run(self) -> None:
        """Serve until the process is interrupted."""
        sys.setswitchinterval(_SWITCH)
        with suppress(KeyboardInterrupt):
            IOLoop.current().start()
        self.close()

    def close(self) -> None:
        """Serve no more, and drop what is under way."""
        self.session.work.stop()
        self.session.keeping.save()
        self._poller.stop()
        self._watch.stop()
        self._server.stop()


def _require_free(port: int) -> None:
    try:
        socket.create_server((ADDRESS, port)).close()
    except OSError as error:
        raise SettingsError(
            f"cannot listen at port {port} ({error.strerror}); end what does, or choose another args.port; 0 takes a "
            "free one"
        ) from error


def discover_in_browser(settings: ExplorerSettings, run: Run) -> dict[str, Any]:
    """Explore a catalogue in the browser, until interrupted.

    Args:
        settings: What to explore, and how.
        run: Configuration and workspace.

    Returns:
        Name of the ``catalogue`` and its number of ``segments``.

    Raises:
        StoreError: If the catalogue cannot be read.
        SettingsError: If a setting is unusable.
    """
    catalogue = Catalogue.named(run.workspace, settings.embeddings_file, verify=settings.common.verify)
    explorer = WebExplorer(State(catalogue, settings), run.workspace, settings.port)
    for line in invitation(explorer.address, explorer.port):
        logger.info("%s", line)
    if _has_display():
        webbrowser.open(explorer.address)
    explorer.run()
    return {"catalogue": catalogue.name, "segments": len(explorer.session.state)}


def invitation(address: str, port: int) -> list[str]:
    """How to open the page.

    Args:
        address: Of the page.
        port: That it is served at.

    Returns:
        Lines for a person.
    """
    host = socket.gethostname()
    return [
        f"open {address}",
        f"from another machine, first run there: ssh -N -L {port}:{ADDRESS}:{port} {host}",
        "Ctrl + C ends it",
    ]


def _has_display() -> bool:
    if platform.system() == "Linux":
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return "SSH_CONNECTION" not in os.environ


def _save_snapshot(state: State, presentation: Presentation, path: Path) -> Path:
    # matplotlib only when it is asked for
    from oodretrieval.explorer.desktop.snapshot import save_snapshot

    return save_snapshot(state, presentation, path)
