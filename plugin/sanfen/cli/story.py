"""An explanation as lines for a person, and a round looked at under another policy."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sanfen.bulk.replay import round_fields
from sanfen.catalogue import t
from sanfen.cli.tables import clock, percent
from sanfen.config import presets
from sanfen.core.days import NEVER
from sanfen.core.drive import fold
from sanfen.core.events import Key
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.reasons import Reason, sentence
from sanfen.store import journal
from sanfen.wire import instant_text

__all__ = ["budget_lines", "lines", "what_if"]

_COUNTED = {"met": "explain_counted_both", "late": "explain_counted", "missed": "explain_counted"}


def lines(found: dict[str, Any], language: str, other: dict[str, Any] | None = None) -> list[str]:
    """The story of a round."""
    row = found["round"]
    outcome = t(f"outcome_{row['status']}", language)
    head = {name: row[name] for name in ("id", "shop", "channel", "customer", "day", "policy")}
    out = [t("explain_head", language, outcome=outcome, **head)]
    because = sentence(Reason(row["because"]), language)
    counted = t(_COUNTED.get(row["status"], "explain_not_counted"), language)
    waited = t("explain_wait", language, waited=clock(row["wait_ms"]) or "–", due=(row["due"] or "–")[11:19])
    out.append("  " + "; ".join((t("explain_because", language, sentence=because), waited, counted)))
    told = [(one["due_ms"], _told(one, row, language)) for one in found["escalations"]]
    said = [(one["at_ms"], _said(one, row, language)) for one in found["messages"]]
    out += [line for _, line in sorted(said + told, key=lambda pair: pair[0])]
    if other is not None:
        word = t(f"outcome_{other['status']}", language)
        why = sentence(Reason(other["because"]), language)
        out.append(t("explain_whatif", language, policy=other["policy"], outcome=word, sentence=why))
    return out


def budget_lines(rows: Sequence[dict[str, Any]], language: str) -> list[str]:
    """Error budgets, a paragraph for each target."""
    out = []
    for row in rows:
        shown = percent if row["wanted"] <= 1 else _seconds
        word = {True: "budget_holds", False: "budget_broken", None: "budget_few"}[row["holds"]]
        facts = {name: row[name] for name in ("policy", "target", "op", "first_day", "last_day")}
        facts |= {"wanted": shown(row["wanted"]), "value": shown(row["value"]), "word": t(word, language)}
        out.append(t("budget_head", language, **facts))
        if row["left"] is not None:
            names = ("used", "units", "allowed", "left", "in_a_row")
            out.append("  " + t("budget_left", language, **{name: row[name] for name in names}))
            burn = {
                name: "–" if row[f"burn_{name}"] is None else f"{row[f'burn_{name}']:.2f}" for name in ("hour", "day")
            }
            out.append("  " + t("budget_burn", language, **burn))
            out.append("  " + t("budget_leaves", language, **row["leaves"]))
        out.append("  " + t("budget_today", language, **row["today"]))
        if row["holds"] is not False:
            broken = t("budget_breaks", language, day=row["breaks"]) if row["breaks"] else t("budget_lasts", language)
            out.append("  " + broken)
    return out


def _seconds(value: float | None) -> str:
    return "–" if value is None else clock(value * 1000)


def what_if(connection: sqlite3.Connection, row: dict[str, Any], policy: str) -> dict[str, Any] | None:
    """The round of the same question under another policy, folded from the journal; nothing is written."""
    key = Key(row["shop"], row["channel"], row["conversation"])
    plan = plan_of(presets.policy(policy))
    for one, scored in fold(Conversation(key), journal.read(connection, key), plan, NEVER - 1).rounds():
        if one.opening_id == row["evidence"][0]:
            return {"policy": plan.policy.id} | round_fields(one, scored, plan)
    return None


def _clock_of(at_ms: int, row: dict[str, Any]) -> str:
    """The local time, in the zone the round's own row is written in."""
    opened = row["opened"]
    zone = ZoneInfo("UTC")
    text = instant_text(at_ms, zone) or ""
    sign = {"+": 1, "-": -1}.get(opened[-6:-5], 0)
    if sign:
        minutes = sign * (int(opened[-5:-3]) * 60 + int(opened[-2:]))
        text = instant_text(at_ms + minutes * 60_000, zone) or ""
    return text[11:19]


def _said(one: dict[str, Any], row: dict[str, Any], language: str) -> str:
    at = _clock_of(one["at_ms"], row)
    if one["kind"] != "message":
        facts = json.loads(one["fields"] or "{}")
        return f"{at}    {one['kind']:<12} " + " ".join(str(value) for value in facts.values() if value)
    text = one["text"] if one["text"] is not None else t("explain_text_gone", language)
    who = t("board_customer", language) if one["sender"] == "customer" else (one["agent"] or one["bot"] or one["mode"])
    marks = []
    if one["sender"] == "customer":
        marks.append(t("explain_opens" if one["id"] == row["evidence"][0] else "explain_asks", language))
    else:
        marks.append(t("verdict_valid" if one["valid"] else "verdict_invalid", language))
        marks.append(f"{one['mode']}{':' + one['bot'] if one['bot'] else ''}")
        if one["reason"]:
            marks.append(sentence(Reason(one["reason"]), language))
        marks.append(f"{one['evidence']}{' ' + one['rule'] if one['rule'] else ''}")
        if row["closed_ms"] is not None and one["id"] == row["evidence"][-1]:
            marks.append(t("explain_closes", language))
    return f"{at}    {who:<12} {' '.join(text.split())[:60]:<30}  {' · '.join(marks)}"


def _told(one: dict[str, Any], row: dict[str, Any], language: str) -> str:
    if one["state"] == "told":
        word = t("explain_told", language, answer=one["answer"] or "")
    else:
        word = t("explain_state", language, state=one["state"], reason=one["reason"] or "")
    return f"{_clock_of(one['due_ms'], row)}  ▲ {one['person']:<12} {word}"
