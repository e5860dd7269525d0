"""Explanations and error budgets as lines for a person."""

import json
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sanfen.catalogue import t
from sanfen.charts import percent
from sanfen.cli.tables import clock, fit, pad, plain
from sanfen.core.reasons import Reason, sentence
from sanfen.wire import instant_text

__all__ = ["budget_lines", "lines"]

_NAMED = 12  # customers named in one line
_HELD = {True: "check_yes", False: "check_no", None: "check_unasked"}
_COUNTED = {"met": "explain_counted_both", "late": "explain_counted", "missed": "explain_counted"}


def lines(found: dict[str, Any], language: str) -> list[str]:
    """The story of a round."""
    row = found["round"]
    outcome = t(f"outcome_{row['status']}", language)
    head = {name: row[name] for name in ("id", "shop", "channel", "customer", "day", "policy")}
    out = [t("explain_head", language, outcome=outcome, **head)]
    because = sentence(Reason(row["because"]), language)
    counted = t(_COUNTED.get(row["status"], "explain_not_counted"), language)
    waited = t("explain_wait", language, waited=clock(row["wait_ms"]) or "–", due=(row["due"] or "–")[11:19])
    out.append("  " + t("explain_because", language, sentence=because, waited=waited, counted=counted))
    told = [(one["due_ms"], _told(one, row, language)) for one in found["escalations"]]
    said = [(one["at_ms"], _said(one, row, language)) for one in found["messages"]]
    out += [line for _, line in sorted(said + told, key=lambda pair: pair[0])]
    out += _grounds(found, language)
    for other in found["elsewhere"]:
        if other["status"] is None:
            out.append(t("explain_elsewhere_none", language, policy=other["policy"]))
        else:
            word, why = t(f"outcome_{other['status']}", language), sentence(Reason(other["because"]), language)
            out.append(t("explain_whatif", language, policy=other["policy"], outcome=word, sentence=why))
    return out


def _grounds(found: dict[str, Any], language: str) -> list[str]:
    """The clauses and their sources, and what was checked."""
    out = []
    for clause in found.get("clauses", ())[:1]:
        value, place = plain(clause["value"]), clause["place"] or found["round"]["policy"]
        out.append(t("explain_clause", language, key=clause["key"], value=value, place=place))
    asked = [
        (one["name"] if language == "en" else sentence(Reason(one["name"]), language))
        + " "
        + t(_HELD[one["holds"]], language)
        for one in found.get("checks", ())
    ]
    if asked:
        out.append(t("explain_checked", language, checks=" · ".join(asked)))
    for source in found.get("sources", ()):
        date = f" ({source['date']})" if source.get("date") else ""
        out.append(t("explain_source", language, at=source["at"] + date, says=source.get("says", "")))
    return out


def budget_lines(rows: Sequence[dict[str, Any]], language: str) -> list[str]:
    """Error budgets, a paragraph for each target."""
    out = []
    several = len({row["score_set"] for row in rows}) > 1
    for row in rows:
        shown = percent if row["wanted"] <= 1 else _seconds
        word = {True: "budget_holds", False: "budget_broken", None: "budget_few"}[row["holds"]]
        facts = {name: row[name] for name in ("target", "op", "first_day", "last_day")}
        facts["policy"] = f"{row['score_set']}/{row['policy']}" if several else row["policy"]
        facts |= {"wanted": shown(row["wanted"]), "value": shown(row["value"]), "word": t(word, language)}
        out.append(t("budget_head", language, **facts))
        if row["left"] is not None:
            names = ("used", "units", "allowed", "left", "in_a_row")
            over = {"over": -row["left"]}
            word = "budget_left" if row["left"] >= 0 else "budget_over"
            out.append("  " + t(word, language, **{name: row[name] for name in names}, **over))
            burn = {
                name: "–" if row[f"burn_{name}"] is None else f"{row[f'burn_{name}']:.2f}" for name in ("hour", "day")
            }
            out.append("  " + t("budget_burn", language, **burn))
            out.append("  " + t("budget_leaves", language, **row["leaves"]))
        out.append("  " + t("budget_today", language, **row["today"]))
        for word, name in (("lost", "budget_lost"), ("open", "budget_open")):
            out += _standing([one for one in row["standing"] if one["stands"] == word], name, language)
        if row["holds"] is not False and row["units"]:
            broken = t("budget_breaks", language, day=row["breaks"]) if row["breaks"] else t("budget_lasts", language)
            out.append("  " + broken)
    return out


def _standing(found: Sequence[dict[str, Any]], name: str, language: str) -> list[str]:
    """Whose units stand so, the first dozen by name."""
    names = [one["customer"] + (f" ({one['agent']})" if one["agent"] else "") for one in found]
    shown = ", ".join(names[:_NAMED])
    if len(names) > _NAMED:
        shown += " " + t("budget_more", language, count=len(names) - _NAMED)
    return ["    " + t(name, language, names=shown)] if names else []


def _seconds(value: float | None) -> str:
    return "–" if value is None else clock(value * 1000)


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
        return f"{at}    {pad(one['kind'], 12)} " + " ".join(str(value) for value in facts.values() if value)
    gone = "text_not_kept" if one["chars"] else "explain_text_gone"
    text = one["text"] if one["text"] is not None else t(gone, language)
    who = t("board_customer", language) if one["sender"] == "customer" else (one["agent"] or one["bot"] or one["mode"])
    marks = []
    if one["sender"] == "customer":
        marks.append(t("explain_opens" if one["id"] == row["evidence"][0] else "explain_asks", language))
    else:
        marks.append(t("verdict_valid" if one["valid"] else "verdict_invalid", language))
        mode = one["mode"] if language == "en" else t(f"mode_{one['mode']}", language)
        marks.append(f"{mode}{':' + one['bot'] if one['bot'] else ''}")
        if one["reason"]:
            marks.append(sentence(Reason(one["reason"]), language))
        if one["clause"]:
            marks.append(one["clause"])
        evidence = one["evidence"] if language == "en" else t(f"evidence_{one['evidence']}", language)
        marks.append(f"{evidence}{' ' + one['rule'] if one['rule'] else ''}")
        if row["closed_ms"] is not None and one["id"] == row["evidence"][-1]:
            marks.append(t("explain_closes", language))
    return f"{at}    {pad(fit(who, 12), 12)} {pad(fit(' '.join(text.split()), 60), 30)}  {' · '.join(marks)}"


def _told(one: dict[str, Any], row: dict[str, Any], language: str) -> str:
    if one["state"] == "told":
        word = t("explain_told", language, answer=one["answer"] or "")
    else:
        word = t("explain_state", language, state=one["state"], reason=one["reason"] or "")
    return f"{_clock_of(one['due_ms'], row)}  ▲ {pad(one['person'], 12)} {word}"
