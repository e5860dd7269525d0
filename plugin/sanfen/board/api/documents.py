"""The API's description (OpenAPI) and its page of documents, both from the table. The page needs no script and no network."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from sanfen import __version__
from sanfen.board.api.answers import FORMATS
from sanfen.board.api.columns import names_of, row_schema, schema_of
from sanfen.board.api.endpoints import LONGEST, SHOWABLE, Endpoint, Parameter
from sanfen.board.pages import Pages, json_answer, language_of
from sanfen.store.listing import MARK

__all__ = ["Documents", "openapi"]

_KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "maxLength": LONGEST, "pattern": SHOWABLE},
    "choice": {"type": "string"},
    "day": {"type": "string", "format": "date"},
    "duration": {"type": "string", "maxLength": LONGEST, "pattern": "^([0-9]+(ms|s|m|h|d))+$"},
    "flag": {"type": "boolean"},
    "mark": {"type": "string", "maxLength": LONGEST, "pattern": MARK},
    "whole": {"type": "integer"},
}
_PROBLEM = {
    "type": "object",
    "properties": {
        "title": schema_of("text", "what is wrong"),
        "status": schema_of("int"),
        "hint": schema_of("text", "how to mend it"),
        "docs": schema_of("text", "where it is documented"),
    },
    "required": ["title", "status"],
}
_PROBLEMS = {
    "400": "something asked is not understood; `hint` says how to mend it",
    "401": "a token is needed",
    "403": "the token may look only, or another site asks",
    "404": "",
    "413": "the body is too large",
    "421": "without a token the API answers on this machine's own names only",
    "503": "there is no log now",
}
_ABOUT = (
    "The numbers of the board, the command line and the SQL views, under the same names. Customers are masked. Errors are "
    "application/problem+json. Times are epoch milliseconds where a name ends in `_ms`."
)


def openapi(endpoints: Sequence[Endpoint], common: Sequence[Parameter], prefix: str) -> dict[str, Any]:
    """The description."""
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(prefix + one.path, {})[one.method.lower()] = _operation(one, common)
    return {
        "openapi": "3.1.0",
        "info": {"title": "sanfen 三分", "version": __version__, "description": _ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "a token of admin: in the configuration; none on loopback without one"}},
        },
    }  # fmt: skip


def _operation(one: Endpoint, common: Sequence[Parameter]) -> dict[str, Any]:
    asked = (*one.parameters, *(extra for extra in common if one.columns or extra.name == "lang"))
    found: dict[str, Any] = {
        "operationId": f"{one.method.lower()}{one.path.translate(_NAME)}",
        "summary": one.says[0],
        "tags": ["questions" if one.method == "GET" else "acts"],
        "parameters": [_parameter(parameter, one.path) for parameter in asked],
        "responses": {"200": {"description": one.says[0], "content": _content(one)}} | _problems(one),
    }
    if one.body:
        needed = [field.name for field in one.body if field.is_needed]
        schema = {
            "type": "object",
            "properties": {field.name: _kind(field) for field in one.body},
            "additionalProperties": False,
        }
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema | ({"required": needed} if needed else {})}}}  # fmt: skip
    return found


_NAME = str.maketrans({"/": "_", "{": None, "}": None})


def _parameter(one: Parameter, path: str) -> dict[str, Any]:
    in_path = f"{{{one.name}}}" in path
    found: dict[str, Any] = {
        "name": one.name,
        "in": "path" if in_path else "query",
        "description": one.says[0],
        "schema": _kind(one),
    }
    if one.kind == "choices":
        found |= {"style": "form", "explode": False}
    return found | ({"required": True} if in_path or one.is_needed else {})


def _kind(one: Parameter) -> dict[str, Any]:
    if one.kind == "choices":
        return {"type": "array", "items": {"type": "string", "enum": list(one.choices)}}
    found = dict(_KINDS[one.kind])
    if one.kind == "choice":
        found["enum"] = list(one.choices)
    if one.kind == "text" and one.least:
        found["minLength"] = one.least
    if one.kind == "whole":
        found |= {"minimum": one.least, "maximum": one.most}
    if one.default not in (None, ()):
        found["default"] = one.default
    return found


def _content(one: Endpoint) -> dict[str, Any]:
    if not one.columns:
        return {"application/json": {"schema": one.shape}}
    properties: dict[str, Any] = {
        one.name: {"type": "array", "items": row_schema(one.columns, one.optional)},
        **one.beside,
    }
    if one.is_paged:
        properties["next"] = schema_of("text?", "the mark the next page comes after")
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"application/json": {"schema": schema}} | {
        kind: {"schema": {"type": "string"}} for form, kind in FORMATS.items() if form != "json"
    }


def _problems(one: Endpoint) -> dict[str, Any]:
    there = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    said = _PROBLEMS | {"404": one.missing[0] if one.missing else ""}
    return {status: {"description": words, "content": there} for status, words in said.items() if words}


class Documents:
    """The handlers of both."""

    def __init__(self, pages: Pages, endpoints: Sequence[Endpoint], common: Sequence[Parameter], prefix: str) -> None:
        self._pages = pages
        self._endpoints = endpoints
        self._common = common
        self._prefix = prefix
        self._spec = openapi(endpoints, common, prefix)

    def routes(self) -> list[web.RouteDef]:
        """Where they stand."""
        return [
            web.get("/api/docs", self.page),
            web.get("/api/docs/spec", self.spec),
            web.get("/openapi.json", self.spec),
        ]

    async def spec(self, _: web.Request) -> web.Response:
        """OpenAPI."""
        return json_answer(self._spec)

    async def page(self, request: web.Request) -> web.Response:
        """A table of endpoints, each with what may be asked and what comes."""
        language = language_of(request) == "zh"
        shown = [_shown(one, self._prefix, language=language) for one in self._endpoints]
        common = [_said(one, language=language) for one in self._common]
        return self._pages.render("alone/api.html", request, endpoints=shown, common=common)


def _shown(one: Endpoint, prefix: str, *, language: bool) -> Mapping[str, Any]:
    return {
        "method": one.method,
        "path": prefix + one.path,
        "says": one.says[language],
        "anchor": f"{one.method.lower()}{one.path.translate(_NAME)}",
        "parameters": [_said(parameter, language=language) for parameter in one.parameters],
        "body": [_said(field, language=language) for field in one.body],
        "columns": names_of(one.columns) + [f"({name})" for name in names_of(one.optional)],
        "fields": list((one.shape or {}).get("properties", {})),
        "only_leads": one.only_leads,
        "is_table": bool(one.columns),
        "example": _example(one, prefix),
    }


def _said(one: Parameter, *, language: bool) -> Mapping[str, Any]:
    return {"name": one.name, "says": one.says[language], "choices": one.choices, "is_needed": one.is_needed}


def _example(one: Endpoint, prefix: str) -> str:
    if one.method == "GET":
        return f"curl -H 'Authorization: Bearer TOKEN' http://127.0.0.1:8971{prefix}{one.path}"
    body = "{" + ", ".join(f'"{field.name}": "…"' for field in one.body) + "}"
    data = f" -H 'Content-Type: application/json' -d '{body}'" if one.body else ""
    return f"curl -X {one.method} -H 'Authorization: Bearer TOKEN'{data} http://127.0.0.1:8971{prefix}{one.path}"
