"""What stands before every handler of the second port: who may come in, how answers may be used, errors in one form."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sanfen.board.access import VISITOR, Access, Refusal
from sanfen.board.login import login_of, wants_page
from sanfen.board.pages import Pages, form_of, json_answer, language_of, moved
from sanfen.catalogue import said
from sanfen.clock import Clock
from sanfen.errors import InputError, Phrase, SanfenError

__all__ = ["guard_of", "guarded", "problem"]

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers hide from us, too, that a form is our own
    "Server": "sanfen",
    "X-Content-Type-Options": "nosniff",
}


def guard_of(access: Access, clock: Clock, pages: Pages) -> Middleware:
    """The middleware. A browser that asks for a page gets one, also where something is wrong."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        response: web.StreamResponse

        def wrong(status: int, title: str, hint: str = "") -> web.StreamResponse:
            title, hint = (
                said(one, language_of(request, "zh" if wants_page(request) else "en")) for one in (title, hint)
            )
            if wants_page(request):
                return pages.render("alone/problem.html", request, status=status, code=status, title=title, hint=hint)
            return problem(status, title, hint, "/api/docs" if request.path.startswith("/api/") else "")

        try:
            access.check(request, clock.now_ms())
            if request.method not in ("GET", "HEAD"):
                access.check_action(request, await _sent(request))
            response = await handler(request)
        except Refusal as refusal:
            to = login_of(request) if refusal.status == 401 else None
            response = wrong(refusal.status, refusal.title, refusal.hint) if to is None else moved(to)
            response.headers.update(refusal.headers)
        except web.HTTPException as error:
            response = wrong(error.status, *_worded(request, error))
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except SanfenError as error:
            response = wrong(400 if isinstance(error, InputError) else 503, error.message, error.hint)
        return response

    return guard


def _worded(request: web.Request, error: web.HTTPException) -> tuple[str, str]:
    """What the server's own errors mean, and how to mend them."""
    if error.status == 404:
        return Phrase("there is nothing at this address"), Phrase(
            "the board begins at /, the API's own page is /api/docs"
        )
    if error.status == 405:
        taken = error.headers.get("Allow", "")
        return Phrase("this address does not take {method}", method=request.method), Phrase(
            "it takes {taken}", taken=taken
        )
    if error.status == 413:
        return Phrase("the body is too large"), ""
    return error.reason, ""


async def _sent(request: web.Request) -> str | None:
    """What a page sends against forgery: a header, or a field of its form."""
    visitor = request.get(VISITOR)
    if visitor is None or visitor.session is None or "X-CSRF-Token" in request.headers:
        return request.headers.get("X-CSRF-Token")
    return (await form_of(request)).get("csrf")


async def guarded(_: web.Request, response: web.StreamResponse) -> None:
    """How an answer may be used; also one that is a feed, before it begins."""
    response.headers.update(_HEADERS)


def problem(status: int, title: str, hint: str, docs: str = "") -> web.Response:
    """An answer that says what is wrong, how to mend it, and where more stands."""
    facts = {"title": title, "status": status, "hint": hint, "docs": docs}
    return json_answer(
        {name: fact for name, fact in facts.items() if fact}, status=status, kind="application/problem+json"
    )
