"""Who may look at the second port, and who may act on it.

With tokens in the configuration every request proves one of them: as a bearer, or by the cookie of a browser that showed
it on the login page. Without, sanfen listens on loopback only, and a page of another site that made its name point here is
told apart by the Host it asks for.

A feed that stays open asks ``check`` again with each beat: sessions end, and tokens are taken back.
"""

import hashlib
import hmac
import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from sanfen.board.sessions import Attempts, Session, Sessions
from sanfen.config.settings import Settings, Token
from sanfen.log import Throttle
from sanfen.proxies import Proxies

__all__ = ["VISITOR", "Access", "Refusal", "Visitor", "cookie_name", "no_round"]

_OPEN = frozenset({"/healthz", "/readyz", "/login"})  # for whoever restarts or balances; they tell nothing else
_BY_LINK = "/act/"  # the pages of signed links
_STATIC = "/static/"  # what pages are made of: the same for everybody
_LOGOUT = "/logout"
_ONLY_BY_TOKEN = frozenset({"/api/v1/erase"})
_SCHEME = b"bearer "
_PORT = re.compile(r":[0-9]+\Z")

_log = structlog.get_logger("sanfen.board")


class Visitor(NamedTuple):
    """Who asks. ``csrf``: what their pages send back with each act; empty where no cookie proves them."""

    role: str  # lead or viewer
    name: str | None = None  # of their token
    csrf: str = ""
    session: Session | None = None

    @property
    def may_act(self) -> bool:
        """Whether they may do more than look."""
        return self.role == "lead"


VISITOR = web.RequestKey("visitor", Visitor)
"""Who asks, once they were let in."""


class Refusal(Exception):  # noqa: N818  # not a fault of ours: an answer
    """A request is not let in; how it is answered."""

    def __init__(self, status: int, title: str, hint: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.hint = hint
        self.headers = headers or {}


def no_round() -> Refusal:
    """How the id of no round is answered."""
    return Refusal(404, "there is no such round", "take an id from the list of rounds: /rounds")


class Access:
    """The door of the second port."""

    def __init__(self, settings: Settings) -> None:
        self._throttle = Throttle()
        self.sessions = Sessions()
        self.attempts = Attempts()
        self.adopt(settings)

    def adopt(self, settings: Settings) -> None:
        """Let in by these tokens from now on."""
        self.session_ms = settings.session_ms
        self.proxies = Proxies(settings.listen.trusted_proxies)
        self._tokens = settings.admin_tokens
        # Digests have one length, so comparing them tells nothing, not even how long a token is.
        self._digests = [(hashlib.sha256(token.reveal().encode()).digest(), token) for token in self._tokens]

    @property
    def has_tokens(self) -> bool:
        """Whether anybody has to prove who they are."""
        return bool(self._tokens)

    def check(self, request: web.Request, now_ms: int) -> None:
        """Return if the request may be served, and note who asks. Raises Refusal."""
        if not self._tokens:
            if not request.path.startswith((_BY_LINK, _STATIC)) and request.path not in _OPEN:
                self._check_host(request)
            request[VISITOR] = Visitor("lead")
            return
        found = self._proved(request, now_ms)
        if found is not None:
            request[VISITOR] = found
        elif not (request.path in _OPEN or request.path.startswith((_BY_LINK, _STATIC))):
            swallowed = self._throttle.take("token", now_ms)
            if swallowed is not None:
                _log.warning("a request without a valid token", more_like_it=swallowed)
            raise Refusal(
                401,
                "a token is needed",
                "send Authorization: Bearer TOKEN, or open /login in a browser",
                {"WWW-Authenticate": 'Bearer realm="sanfen"'},
            )

    def check_action(self, request: web.Request, sent: str | None = None) -> None:
        """Return if a request may change something. ``sent``: what it sent against forgery. Raises Refusal.

        A bearer, or the signature of a link, is no authority a browser adds by itself. A cookie is, and so is sitting at
        this machine: then the request must come from a page of the board.
        """
        path, visitor = request.path, request.get(VISITOR)
        if path.startswith(_BY_LINK):
            return
        if not self._tokens and path in _ONLY_BY_TOKEN:
            raise Refusal(403, "this needs a token", "set admin.token in the configuration")
        if visitor is None or not visitor.name or visitor.session is not None:
            self._check_site(request)
        if visitor is None or path == "/login":
            return
        if visitor.session is not None and not hmac.compare_digest((sent or "").encode(), visitor.csrf.encode()):
            raise Refusal(403, "this page is out of date", "load the page again; programs send a bearer, not a cookie")
        if not visitor.may_act and path != _LOGOUT:
            raise Refusal(403, "this token may look only", "use a token whose role is lead")

    def token_of(self, text: str, now_ms: int) -> Token | None:
        """The token somebody offers, if it is one."""
        offered = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        found = None
        for digest, token in self._digests:  # no early end
            if hmac.compare_digest(digest, offered):
                found = token
        return None if found is None or (found.not_after_ms or now_ms + 1) <= now_ms else found

    def _proved(self, request: web.Request, now_ms: int) -> Visitor | None:
        given = [value for name, value in request.raw_headers if name.lower() == b"authorization"]
        if given:  # whoever sends a bearer is judged by it alone
            if len(given) != 1 or given[0][: len(_SCHEME)].lower() != _SCHEME:
                return None
            token = self.token_of(given[0][len(_SCHEME) :].strip().decode("utf-8", "surrogateescape"), now_ms)
            return None if token is None else Visitor(token.role, token.name)
        cookie = request.cookies.get(cookie_name(is_https=self.proxies.is_https(request)))
        session = None if cookie is None else self.sessions.read(cookie, self._tokens, now_ms)
        if session is None or (session.token.not_after_ms or now_ms + 1) <= now_ms:
            return None
        return Visitor(session.token.role, session.token.name, session.csrf, session)

    def _check_site(self, request: web.Request) -> None:
        """Raises Refusal for a page of another site; it could not read the answer, but it must not act either."""
        site, origin = request.headers.get("Sec-Fetch-Site", "none"), request.headers.get("Origin")
        own = origin is None or urlsplit(origin)[:2] in (
            (scheme, self.proxies.host(request)) for scheme in ("http", "https")
        )
        if site not in ("none", "same-origin") or not own:
            raise Refusal(403, "another site may not act here", "act on the board itself, or send a token")

    @staticmethod
    def _check_host(request: web.Request) -> None:
        if not _is_here(_PORT.sub("", request.headers.get("Host", ""))):
            raise Refusal(
                421,
                "this address is for this machine only",
                "ask for 127.0.0.1, or set admin.token in the configuration",
            )


def cookie_name(*, is_https: bool) -> str:
    """The session's cookie; by TLS a browser takes it from nobody but this very host."""
    return "__Host-sanfen" if is_https else "sanfen"


def _is_here(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
