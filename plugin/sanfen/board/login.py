"""The login page: a token once, a cookie from then on."""

from urllib.parse import urlencode

import structlog
from aiohttp import web

from sanfen.board.access import VISITOR, Access, cookie_name
from sanfen.board.pages import Pages, form_of, moved
from sanfen.clock import Clock
from sanfen.log import Throttle

__all__ = ["Login", "login_of", "wants_page"]

_LONGEST = 500

_log = structlog.get_logger("sanfen.board")


class Login:
    """Its handlers."""

    def __init__(self, access: Access, pages: Pages, clock: Clock) -> None:
        self._access = access
        self._pages = pages
        self._clock = clock
        self._throttle = Throttle()

    def routes(self) -> list[web.RouteDef]:
        """Where they stand."""
        return [web.get("/login", self.show), web.post("/login", self.enter), web.post("/logout", self.leave)]

    async def show(self, request: web.Request) -> web.Response:
        """The page. A link from another site brings no cookie: the page then asks once more from here."""
        onward = _onward(request.query.get("next"))
        if VISITOR in request:
            return moved(onward)
        elsewhere = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        return self._page(request, onward, again=elsewhere)

    async def enter(self, request: web.Request) -> web.Response:
        """Exchange the token for a cookie."""
        form = await form_of(request)
        onward, now_ms = _onward(form.get("next")), self._clock.now_ms()
        if not self._access.has_tokens:
            return moved(onward)
        sender = self._access.proxies.sender(request)
        wait_ms = self._access.attempts.waits_ms(sender, now_ms)
        if wait_ms:
            answer = self._page(request, onward, status=429, wrong="login_wait")
            answer.headers["Retry-After"] = str(wait_ms // 1000 + 1)
            return answer
        token = self._access.token_of(form.get("token", "").strip(), now_ms)
        if token is None:
            self._access.attempts.note(sender, now_ms)
            swallowed = self._throttle.take("login", now_ms)
            if swallowed is not None:
                _log.warning("a wrong token on the login page", more_like_it=swallowed)
            return self._page(request, onward, status=401, wrong="login_wrong")
        is_https = self._access.proxies.is_https(request)
        until_ms = now_ms + self._access.session_ms
        done = moved(onward)
        done.set_cookie(
            cookie_name(is_https=is_https),
            self._access.sessions.begin(token, until_ms),
            max_age=self._access.session_ms // 1000,
            httponly=True,
            samesite="Strict",
            secure=is_https,
            path="/",
        )
        _log.info("somebody logged in", who=token.name, role=token.role)
        return done

    async def leave(self, request: web.Request) -> web.Response:
        """End the session."""
        session = request[VISITOR].session
        done = moved("/login")
        if session is not None:
            self._access.sessions.end(session, self._clock.now_ms())
            is_https = self._access.proxies.is_https(request)
            done.del_cookie(cookie_name(is_https=is_https), path="/", secure=is_https, httponly=True, samesite="Strict")
        return done

    def _page(
        self, request: web.Request, onward: str, *, status: int = 200, wrong: str = "", again: bool = False
    ) -> web.Response:
        return self._pages.render("alone/login.html", request, status=status, onward=onward, wrong=wrong, again=again)


def login_of(request: web.Request) -> str | None:
    """Where a browser that may not look is sent; None: it is a program that asks."""
    return "/login?" + urlencode({"next": request.path_qs}) if wants_page(request) else None


def wants_page(request: web.Request) -> bool:
    """Whether it is a browser that asks for a page."""
    accepts = "text/html" in request.headers.get("Accept", "")
    return request.method == "GET" and accepts and not request.path.startswith("/api/v1")


def _onward(path: str | None) -> str:
    """Where to go after the login: a path of ours, and nowhere else."""
    if path is None or len(path) > _LONGEST or not path.isprintable() or "\\" in path:
        return "/"
    return path if path.startswith("/") and not path.startswith(("//", "/login", "/logout")) else "/"
