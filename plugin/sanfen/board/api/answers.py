"""Answers in the form that was asked for: JSON, CSV that a spreadsheet opens, or one JSON object a line."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from sanfen.board.api.columns import names_of
from sanfen.board.api.endpoints import Body, Endpoint, Rows
from sanfen.board.pages import json_answer

__all__ = ["FORMATS", "answer_of", "form_asked"]

FORMATS = {"json": "application/json", "csv": "text/csv", "nl": "application/x-ndjson"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def form_asked(request: web.Request, asked: str | None) -> str:
    """By ``format``, else by Accept, else JSON."""
    accepted = request.headers.get("Accept", "")
    return asked or next((form for form, kind in FORMATS.items() if form != "json" and kind in accepted), "json")


def answer_of(request: web.Request, endpoint: Endpoint, found: Rows | Body, form: str) -> web.Response:
    """The HTTP answer. Another page is also told in a Link header."""
    if isinstance(found, Body):
        return json_answer(found.value)
    if form == "json":
        more = {"next": found.next} if endpoint.is_paged else {}
        answer = json_answer({endpoint.name: list(found.rows), **found.more, **more})
    elif form == "csv":
        answer = web.Response(text=_csv(found.rows, names_of(endpoint.columns)), content_type=FORMATS[form])
        answer.headers["Content-Disposition"] = f'attachment; filename="{endpoint.path.rpartition("/")[2]}.csv"'
    else:
        lines = "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in found.rows)
        answer = web.Response(text=lines, content_type=FORMATS[form])
    if found.next is not None:
        query = [(name, value) for name, value in request.query.items() if name != "cursor"]
        answer.headers["Link"] = f'<{request.path}?{urlencode([*query, ("cursor", found.next)])}>; rel="next"'
    return answer


def _csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """With a mark in front by which spreadsheets know that it is UTF-8."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.DictWriter(out, list(rows[0]) if rows else columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    """One cell; a text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
