"""What every page and answer of the second port shares: templates, the reader's language, questions to the log, JSON."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from importlib.resources import files
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode

import jinja2
from aiohttp import web

from sanfen.board.access import VISITOR, Visitor
from sanfen.catalogue import TEXTS, said
from sanfen.charts import percent
from sanfen.config.settings import Settings
from sanfen.config.types import time_text
from sanfen.core.policy import Hours
from sanfen.errors import InputError, ParseError, StoreError
from sanfen.notify.notice import clock_text
from sanfen.store.db import Readable
from sanfen.store.queries import mask
from sanfen.store.trouble import store_error
from sanfen.strictjson import strict_json

__all__ = [
    "COUNTED", "NOBODY", "HasLog", "Html", "Pages", "api_url", "form_of", "json_answer", "json_body", "language_of", "moved", "rounds_url",
]  # fmt: skip

COUNTED = "met,late,missed"
"""The outcomes a rate is made of, as a filter."""

NOBODY = "-"
"""The agent of rounds that nobody holds, in an address."""

T = TypeVar("T")

_WORDS = {language: {name: pair[language == "zh"] for name, pair in TEXTS.items()} for language in ("en", "zh")}
_LANGUAGE_S = 31_536_000  # how long a browser remembers the language


class Html(str):
    """What a template of ours has made: another one need not escape it again."""

    __slots__ = ()

    def __html__(self) -> str:
        """Itself."""
        return str(self)


class HasLog(Protocol):
    """Whoever knows whether there is a log."""

    @property
    def db(self) -> Readable | None:
        """The log, or None while it cannot be opened."""


class Pages:
    """Renders templates and asks the log."""

    def __init__(self, service: HasLog, settings: Settings) -> None:
        self._service = service
        self.adopt(settings)
        folder = files("sanfen.board") / "templates"
        loader = jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8"))
        self._templates = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
        self._templates.filters |= {
            "clock": clock_text,
            "percent": _percent,
            "mask": mask,
            "hours": _hours,
            "seconds": _seconds,
            "plain": _plain,
        }
        self._templates.globals |= {"rounds_url": rounds_url, "counted": COUNTED, "nobody": NOBODY}

    def adopt(self, settings: Settings) -> None:
        """Show under these from now on."""
        self._shop, self._storage = settings.shop, settings.storage

    def render(self, name: str, request: web.Request, *, status: int = 200, **shown: Any) -> web.Response:
        """A page in the reader's language, with ``csrf``, ``role`` and ``logged_in`` of who asks.

        A language that the address names is remembered.
        """
        visitor = request.get(VISITOR) or Visitor("viewer")
        language = language_of(request)
        other = "en" if language == "zh" else "zh"
        who = {"csrf": visitor.csrf, "role": visitor.role, "logged_in": visitor.session is not None}
        where = {"path": request.path, "other_url": str(request.rel_url.update_query(lang=other))}
        text = self.text(name, language, **who, **where, **shown)
        response = web.Response(text=text, content_type="text/html", status=status)
        if "lang" in request.query:
            response.set_cookie("lang", language, max_age=_LANGUAGE_S, httponly=True, samesite="Lax")
        return response

    def text(self, name: str, language: str, **shown: Any) -> Html:
        """A template, put into words."""
        other = "en" if language == "zh" else "zh"
        words = _WORDS[language]
        template = self._templates.get_template(name)
        return Html(
            template.render(
                t=words,
                said=partial(said, language=language),
                language=language,
                other=other,
                shop=self._shop.name,
                **shown,
            )
        )

    async def ask(self, question: Callable[[Any], T]) -> T:
        """Ask in a thread, with a connection of its own: a slow question stops nobody else. Raises StoreError."""
        database = self.log()

        def ask() -> T:
            connection = database.reader()
            try:
                return question(connection)
            except sqlite3.DatabaseError as error:
                raise store_error(self._storage, error, connection) from None
            finally:
                connection.close()

        return await asyncio.to_thread(ask)

    async def write(self, job: Callable[[Any], T]) -> T:
        """Change something in the log; returns after the commit."""
        return await asyncio.wrap_future(self.log().write(job))

    def log(self) -> Readable:
        """The log. Raises StoreError while there is none."""
        if self._service.db is None:
            raise StoreError(
                "there is no log now", hint="the service's own messages say why; it is looked for again every moment"
            )
        return self._service.db


def language_of(request: web.Request, otherwise: str = "zh") -> str:
    """Zh or en: as asked, as last time, or as the browser prefers. ``otherwise``: of who says nothing of it."""
    asked = (
        request.query.get("lang") or request.cookies.get("lang") or request.headers.get("Accept-Language") or otherwise
    )
    return "en" if asked.lower().startswith("en") else "zh"


def json_answer(value: Any, *, status: int = 200, kind: str = "application/json") -> web.Response:
    """An answer in JSON."""
    return web.Response(text=json.dumps(value, ensure_ascii=False, default=str), status=status, content_type=kind)


def moved(to: str) -> web.Response:
    """An answer that sends a browser elsewhere."""
    return web.Response(status=303, headers={"Location": to})


async def form_of(request: web.Request) -> dict[str, str]:
    """The fields of a plain form; whatever else was sent has none. The server bounds its size."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    text = (await request.read()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return {}


async def json_body(request: web.Request) -> dict[str, Any]:
    """A JSON object. A form of another site cannot send this type. Raises InputError; the server bounds its size."""
    if request.content_type != "application/json":
        raise InputError("the body is not declared as JSON", hint="send Content-Type: application/json")
    try:
        found = strict_json(await request.read())
    except ParseError as error:
        raise InputError(error.message, hint=error.hint) from None
    if not isinstance(found, dict):
        raise InputError("the body is not an object", hint='send an object such as {"by": "lead"}')
    return found


def rounds_url(**filters: object) -> str:
    """The list of the rounds that pass these filters."""
    return "/rounds?" + urlencode({name: str(value) for name, value in filters.items() if value is not None})


def api_url(name: str, **asked: object) -> str:
    """The same question to the API."""
    return f"/api/v1/{name}?" + urlencode({key: str(value) for key, value in asked.items() if value is not None})


def _hours(hours: Hours) -> str:
    """The hours a policy looks at."""
    return "–".join(map(time_text, (hours.open_min, hours.close_min)))


def _plain(value: Any) -> str:
    """A value of a configuration, without brackets and quotes: ``open 08:00, close 24:00``."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _seconds(value: float | None) -> str:
    return "–" if value is None else clock_text(round(value * 1000))


def _percent(value: float | Fraction | None) -> str:
    return percent(value, 1).replace("%", " %")
