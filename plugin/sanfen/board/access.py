"""Who may look at the second port.

With tokens in the configuration every request carries one of them, wherever it comes from; without, sanfen listens on
loopback only, and a page of another site that made its name point here is told apart by the Host it asks for.

A login page will be one more proof beside the bearer: it belongs into ``_proves``, and nowhere else.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from ipaddress import ip_address

import structlog
from aiohttp import web

from sanfen.config.settings import Secret
from sanfen.log import Throttle

__all__ = ["Access", "Refusal"]

_OPEN = frozenset({"/healthz", "/readyz"})  # for whoever restarts or balances; they tell nothing else
_BY_LINK = ("/act/", "/static/act.js", "/static/now.css")  # the pages of signed links, and what they are made of
_ONLY_BY_TOKEN = frozenset({"/api/v1/erase"})
_SCHEME = b"bearer "
_PORT = re.compile(r":[0-9]+\Z")

_log = structlog.get_logger("sanfen.board")


class Refusal(Exception):  # noqa: N818  # not a fault of ours: an answer
    """A request is not let in; how it is answered."""

    def __init__(self, status: int, title: str, hint: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.hint = hint
        self.headers = headers or {}


class Access:
    """The door of the second port."""

    def __init__(self, tokens: Sequence[Secret]) -> None:
        # Digests have one length, so comparing them tells nothing, not even how long a token is.
        self._digests = tuple(hashlib.sha256(token.reveal().encode()).digest() for token in tokens)
        self._throttle = Throttle()

    def check(self, request: web.Request, now_ms: int) -> None:
        """Return if the request may be served. Raises Refusal."""
        if request.path in _OPEN or request.path.startswith(_BY_LINK):
            return
        if not self._digests:
            self._check_host(request)
        elif not self._proves(request):
            swallowed = self._throttle.take("token", now_ms)
            if swallowed is not None:
                _log.warning("a request without a valid token", more_like_it=swallowed)
            raise Refusal(
                401,
                "a token is needed",
                "send Authorization: Bearer TOKEN",
                {"WWW-Authenticate": 'Bearer realm="sanfen"'},
            )

    def check_action(self, request: web.Request) -> None:
        """Return if a request may change something. Raises Refusal.

        A token, or the signature of a link, is no authority a browser adds by itself. Without one, on loopback, a page of
        another site is turned away; it could not read the answer, but it must not act either.
        """
        if self._digests or request.path.startswith(_BY_LINK):
            return
        if request.path in _ONLY_BY_TOKEN:
            raise Refusal(403, "this needs a token", "set admin.token in the configuration")
        site, origin = request.headers.get("Sec-Fetch-Site", "none"), request.headers.get("Origin")
        own = origin is None or origin == f"http://{request.headers.get('Host', '')}"
        if site not in ("none", "same-origin") or not own:
            raise Refusal(403, "another site may not act here", "act on the board itself, or send a token")

    def _proves(self, request: web.Request) -> bool:
        given = [value for name, value in request.raw_headers if name.lower() == b"authorization"]
        if len(given) != 1 or given[0][: len(_SCHEME)].lower() != _SCHEME:
            return False
        offered = hashlib.sha256(given[0][len(_SCHEME) :].strip()).digest()
        found = False
        for digest in self._digests:  # no early end
            found |= hmac.compare_digest(digest, offered)
        return found

    @staticmethod
    def _check_host(request: web.Request) -> None:
        if not _is_here(_PORT.sub("", request.headers.get("Host", ""))):
            raise Refusal(
                421,
                "this address is for this machine only",
                "ask for 127.0.0.1, or set admin.token in the configuration",
            )


def _is_here(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
