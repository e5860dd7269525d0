"""One round: what happened, to scale and in words; why it has its outcome, and what other policies make of it."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from sanfen.board.access import no_round
from sanfen.board.pages import language_of
from sanfen.board.screens.desk import Desk, Moment, because, local, untold
from sanfen.catalogue import t
from sanfen.charts import Mark, Svg, Zone, track
from sanfen.config import presets
from sanfen.core.policy import Policy
from sanfen.core.reasons import Reason, sentence
from sanfen.notify.notice import clock_text
from sanfen.store import explanation

__all__ = ["Why"]

_COUNTS = {"met": "explain_counted_both", "late": "explain_counted", "missed": "explain_counted"}
_LONGEST_LABEL = 10


class Why:
    """The screen."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Where it stands."""
        return [web.get("/rounds/{id}", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """The whole story. 404 for a round the log does not have."""
        name, under = request.match_info["id"], request.query.get("under")
        others = [_preset(under)] if under else []
        ask = partial(
            explanation.explain,
            round_id=name,
            policy=request.query.get("policy"),
            score_set=request.query.get("score_set"),
            others=others,
            now_ms=self._desk.moment().now_ms,
        )
        found = await self._desk.pages.ask(ask)
        if found is None:
            raise no_round()
        explanation.hide(found)
        language, moment = language_of(request), self._desk.moment()
        row = found["round"]
        shown = {
            "one": row,
            "why": because(row, language),
            "counts": t(_COUNTS.get(row["status"], "explain_not_counted"), language),
            "told": row["taken_by"],
            "story": _story(found, moment.zone, language),
            "track": _track(found, moment, language),
            "checks": [one | {"says": _says(one["name"], language)} for one in found.get("checks", ())],
            "clauses": found.get("clauses", ()),
            "sources": found.get("sources", ()),
            "elsewhere": [
                one | {"why": "" if one["because"] is None else because(one, language)} for one in found["elsewhere"]
            ],
            "presets": [one for one in presets.names() if not presets.unverified(one)],
            "under": under,
            "is_open": row["closed_ms"] is None and row["reason"] is None and row["status"] in ("pending", "missed"),
            "agents": self._desk.names(),
        }
        return await self._desk.show("round.html", request, people=self._desk.names(), **shown)


def _preset(name: str) -> Policy:
    """A shipped policy; a name from an address opens no file. Raises PolicyError."""
    return presets.policy(name if name in presets.names() else name.replace("/", "").replace(".", ""))


def _says(name: str, language: str) -> str:
    return sentence(Reason(name), language)


def _story(found: Mapping[str, Any], zone: ZoneInfo, language: str) -> list[dict[str, Any]]:
    """Every message, step and act, in the order of time."""
    row = found["round"]
    said = [_said(one, row, language) for one in found["messages"]]
    told = [_told(one, language) for one in found["escalations"]]
    rows = sorted(said + told, key=lambda one: one["at_ms"])
    last_ms = row["closed_ms"] if row["closed_ms"] is not None else max([0, *(one["at_ms"] for one in rows)])
    within = range(row["opened_ms"], last_ms + 1)
    return [one | {"at": local(one["at_ms"], zone)[11:19], "within": one["at_ms"] in within} for one in rows]


def _said(one: Mapping[str, Any], row: Mapping[str, Any], language: str) -> dict[str, Any]:
    out: dict[str, Any] = {"at_ms": one["at_ms"], "kind": one["kind"], "rule": None, "clause": one["clause"]}
    out |= {"text": one["text"], "mark": "", "valid": None, "why": ""}
    if one["kind"] != "message":
        facts = json.loads(one["fields"] or "{}")
        return out | {
            "who": t(f"kind_{one['kind']}", language),
            "text": " ".join(str(value) for value in facts.values() if value),
        }
    if one["sender"] == "customer":
        opens = one["id"] == row["evidence"][0]
        return out | {
            "who": t("board_customer", language),
            "mark": t("explain_opens" if opens else "explain_asks", language),
        }
    out |= {"who": _sender(one, language), "valid": one["valid"], "rule": _placed(one["rule"])}
    if one["valid"] is not None:
        out["mark"] = t("verdict_valid" if one["valid"] else "verdict_invalid", language)
    closes = row["closed_ms"] is not None and one["id"] == row["evidence"][-1]
    why = [
        t(f"mode_{one['mode']}", language) if one["mode"] else "",
        "" if one["reason"] is None else _says(one["reason"], language),
        t(f"evidence_{one['evidence']}", language) if one["evidence"] else "",
    ]
    return out | {"why": " · ".join(filter(None, [*why, t("explain_closes", language) if closes else ""]))}


def _sender(one: Mapping[str, Any], language: str) -> str:
    """Who at the shop said it, as far as it is known."""
    return str(one["agent"] or one["bot"] or (t(f"mode_{one['mode']}", language) if one["mode"] else ""))


def _placed(rule: str | None) -> str | None:
    """``name (file:line)`` without the folders the file is in."""
    if rule is None or "/" not in rule:
        return rule
    name, _, place = rule.rpartition(" (")
    return f"{name} ({place.rpartition('/')[2]}"


def _told(one: Mapping[str, Any], language: str) -> dict[str, Any]:
    answers = [
        f"{each['way']}: {each['answer'] or t('notify_word_' + (each['result'] or 'unknown'), language)} {(each['took_ms'] or 0) / 1000:.1f} s"
        for each in one["tries"]
    ]
    return {
        "at_ms": one["due_ms"], "kind": "step", "who": f"▲ {one['person']}", "text": "; ".join(answers), "rule": None,
        "mark": t(f"state_{one['state']}", language), "valid": None, "clause": f"{one['ladder']} {one['step'] + 1}",
        "why": untold(one["reason"], language),
    }  # fmt: skip


def _track(found: Mapping[str, Any], moment: Moment, language: str) -> Svg | None:
    """The round drawn to scale, from its question to its end."""
    row = found["round"]
    start, due = row["clock_ms"], row["due_ms"]
    if start is None or due is None or due <= start:
        return None
    last = row["closed_ms"] if row["closed_ms"] is not None else min(moment.now_ms, due + (due - start))
    shown = [one for one in found["messages"] if row["opened_ms"] <= one["at_ms"] <= last]
    told = [one for one in found["escalations"] if start <= one["due_ms"] <= max(last, due)]
    first = min([start, row["opened_ms"]])
    end = max([due, last, *(one["due_ms"] for one in told)])
    span = max(1, end - first) * 1.02

    def place(at_ms: float) -> float:
        return float((at_ms - first) / span)

    half, sixth = start + (due - start) / 2, due - (due - start) / 6
    zones = [
        Zone("calm", place(start), place(half)),
        Zone("soon", place(half), place(sixth)),
        Zone("urgent", place(sixth), place(due)),
        Zone("over", place(due), place(end)),
    ]
    marks = [Mark(place(due), t("board_deadline", language, at=clock_text(due - start)), is_above=True)]
    marks += [
        Mark(place(one["due_ms"]), f"{clock_text(one['due_ms'] - start)} {one['person']}", is_above=True)
        for one in told
    ]
    marks += _messages(shown, row, place, language)
    return track(t("board_track", language), zones, list(dict.fromkeys(marks)))


def _messages(shown: Sequence[Mapping[str, Any]], row: Mapping[str, Any], place: Any, language: str) -> list[Mark]:
    out = []
    for one in shown:
        if one["kind"] == "message":
            buyer = one["sender"] == "customer"
            who = t("board_customer", language) if buyer else _sender(one, language)
            sign = "" if buyer else "○ " if one["valid"] else "✕ "
            at = clock_text(one["at_ms"] - (row["clock_ms"] or row["opened_ms"]))
            out.append(Mark(place(one["at_ms"]), f"{sign}{who[:_LONGEST_LABEL]} {at}"))
    return out
