"""Who may ask the server of the page for anything: whoever has the token, from the page itself."""

import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names under which a server that listens on this machine alone can be reached, also through a forwarded port."""
_REFUSED = "{reason}. Open the whole address that the explorer printed when it started.\n"


def refusal(path: str, host: str, origin: str | None, token: str) -> str:
    """Why a request is refused.

    Args:
        path: Of the request.
        host: That it asked for, with the port.
        origin: Of the page that asked, where the browser says so; browsers do for every WebSocket.
        token: First part of every allowed path.

    Returns:
        A sentence without a full stop; empty for a request that is allowed.

    Example:
        >>> refusal("/secret/ws", "localhost:5006", "http://localhost:5006", "secret")
        ''
        >>> refusal("/secret/ws", "localhost:5006", "https://elsewhere.org", "secret")
        'This request is from another site'
        >>> refusal("/guess/ws", "localhost:5006", None, "secret")
        'The address lacks the right token'
    """
    given = path.split("/")[1] if path.startswith("/") else ""
    if not hmac.compare_digest(given.encode(), token.encode()):
        return "The address lacks the right token"
    if urlsplit(f"//{host}").hostname not in LOOPBACK:  # a foreign name that was made to lead here
        return "The explorer is reached as localhost only"
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return "This request is from another site"
    return ""


class Refused(RequestHandler):
    """Says why a request is refused."""

    def initialize(self, reason: str) -> None:
        """Take the reason.

        Args:
            reason: A sentence without a full stop.
        """
        self._why = reason

    def prepare(self) -> None:
        """Answer at once, whatever the method."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(_REFUSED.format(reason=self._why))


def guard(application: Application, token: str) -> None:
    """Refuse every request that may not be answered, before any handler sees it: pages, scripts and WebSockets alike.

    Args:
        application: Of the server.
        token: First part of every allowed path.
    """
    find: Callable[..., Any] = application.find_handler

    def find_handler(request: HTTPServerRequest, **rest: Any) -> Any:
        reason = refusal(request.path, request.host, request.headers.get("Origin"), token)
        if reason:
            return application.get_handler_delegate(request, Refused, {"reason": reason})
        return find(request, **rest)

    application.find_handler = find_handler  # type: ignore[method-assign]
