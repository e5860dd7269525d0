"""The endpoints of the table, as addresses of the second port."""

from typing import Any

from aiohttp import web

from sanfen.board.access import VISITOR
from sanfen.board.api.answers import FORMATS, answer_of, form_asked
from sanfen.board.api.documents import Documents
from sanfen.board.api.endpoints import Asked, Endpoint, Parameter, check
from sanfen.board.api.service import Api
from sanfen.board.api.table import ENDPOINTS
from sanfen.board.pages import json_body, language_of

__all__ = ["PREFIX", "check", "routes"]

PREFIX = "/api/v1"
_FORMAT = Parameter(
    "format", ("json, csv, or nl: one JSON object a line", "json、csv 或 nl（每行一个 JSON）"), "choice", tuple(FORMATS)
)
_LANG = Parameter("lang", ("en or zh", "en 或 zh"), "choice", ("en", "zh"))


def routes(api: Api) -> list[web.RouteDef]:
    """Where they stand, with their documents."""
    documents = Documents(api.pages, ENDPOINTS, (_FORMAT, _LANG), PREFIX)
    made = [web.route(one.method, PREFIX + one.path, _handler(api, one)) for one in ENDPOINTS]
    return [*made, *documents.routes()]


def _handler(api: Api, endpoint: Endpoint) -> Any:
    common = (_FORMAT, _LANG) if endpoint.columns else (_LANG,)
    in_path = tuple(one for one in endpoint.parameters if f"{{{one.name}}}" in endpoint.path)
    in_query = (*(one for one in endpoint.parameters if one not in in_path), *common)

    async def handle(request: web.Request) -> web.Response:
        values = check(in_path, list(request.match_info.items()), "parameter")
        values |= check(in_query, list(request.query.items()), "parameter")
        if endpoint.body:
            values |= check(endpoint.body, list((await json_body(request)).items()), "field")
        form, _ = values.pop("format", None), values.pop("lang")
        found = await endpoint.handler(api, Asked(values, request[VISITOR], language_of(request)))
        return answer_of(request, endpoint, found, form_asked(request, form))

    return handle
