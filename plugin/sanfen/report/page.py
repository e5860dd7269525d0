"""A week's data as a page: HTML that stands alone and prints, Markdown, rows for a spreadsheet, a few lines for a message."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import jinja2

from sanfen import charts
from sanfen.catalogue import TEXTS, t
from sanfen.core.reasons import Reason, sentence
from sanfen.notify.notice import clock_text

__all__ = ["html", "markdown", "rows", "summary"]

_TABLES = ("agents", "by_shop", "worst", "escalations", "excluded")


def html(found: Mapping[str, Any], shop: str, language: str) -> str:
    """The page, with everything it needs inside."""
    text = (files("sanfen.report") / "week.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    words = {
        name.removeprefix("report_"): pair[language == "zh"]
        for name, pair in TEXTS.items()
        if name.startswith("report_")
    }
    shown = {"style": charts.STYLE, "trend": _trend(found, language), "heat": _heat(found, language)}
    return environment.from_string(text).render(
        t=words,
        lang=language,
        shop=shop,
        lines=summary(found, language),
        tables=_tables(found, language),
        **shown,
        **found,
    )


def markdown(found: Mapping[str, Any], shop: str, language: str) -> str:
    """The same without pictures."""
    out = [f"# {shop} · {found['week']}", "", *(f"- {line}" for line in summary(found, language)), ""]
    for title, heads, body in _tables(found, language):
        out += [f"## {title}", "", _row(heads), _row(["---"] * len(heads)), *map(_row, body), ""]
    return "\n".join(out)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "¦").replace("\n", " ") for cell in cells) + " |"


def rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each agent, for a spreadsheet; names are those of the views."""
    names = (
        "rounds",
        "met",
        "late",
        "missed",
        "pending",
        "excluded",
        "rate",
        "before",
        "mean_wait_ms",
        "p90_wait_ms",
        "longest_ms",
    )
    head = {"week": found["week"], "policy": found["policy"]}
    total = {"agent": "", **found["total"], "before": found["before"]["rate"], "p90_wait_ms": None, "longest_ms": None}
    return [head | {"agent": row["agent"]} | {name: row[name] for name in names} for row in [*found["agents"], total]]


def summary(found: Mapping[str, Any], language: str) -> list[str]:
    """What matters, in a few sentences."""
    total, before = found["total"], found["before"]
    out = [t("report_head", language, policy=found["policy"], first=found["first_day"], last=found["last_day"])]
    facts = {name: total[name] for name in ("rounds", "met", "late", "missed", "excluded")}
    out.append(t("report_rate", language, rate=charts.percent(total["rate"]), word=_against(found, language), **facts))
    if total["rate"] is not None and before["rate"] is not None:
        points = f"{100 * (total['rate'] - before['rate']):+.2f}"
        out.append(t("report_before", language, rate=charts.percent(before["rate"]), points=points))
    talk = found["figures"]
    if talk is not None and talk["consult_num"]:
        means = {name: clock_text(round(1000 * (talk[f"{name}_reply_mean"] or 0))) for name in ("first", "total")}
        facts = {"customers": talk["consult_num"], "unreplied": talk["no_reply_num"]}
        out.append(t("report_talk", language, **facts, **means))
    out += list(_notable(found, language))
    if total["incomplete"]:
        out.append(t("incomplete_note", language))
    return out


def _left(row: Mapping[str, Any], language: str) -> str:
    """A budget in one line."""
    pace = "budget_breaks" if row["breaks"] else "budget_lasts"
    word = t({None: "budget_few", False: "budget_broken", True: pace}[row["holds"]], language, day=row["breaks"])
    facts = {"first": row["first_day"], "last": row["last_day"], "over": -row["left"], "word": word}
    facts |= {name: row[name] for name in ("used", "allowed", "left")}
    return t("report_budget" if row["left"] >= 0 else "report_over", language, **facts)


def _against(found: Mapping[str, Any], language: str) -> str:
    target, rate = found["target"], found["total"]["rate"]
    if target is None or rate is None or target["value"] > 1:
        return ""
    word = "report_above" if rate >= target["value"] else "report_below"
    return t(word, language, target=charts.percent(target["value"]))


def _notable(found: Mapping[str, Any], language: str) -> Iterator[str]:
    """The weakest agent and hour, the budget, who was told."""
    agents = [row for row in found["agents"] if row["rate"] is not None and row["agent"]]
    if len(agents) > 1:
        low, high = agents[0], agents[-1]
        names = {"low": low["agent"], "high": high["agent"]}
        yield t(
            "report_spread",
            language,
            low_rate=charts.percent(low["rate"]),
            high_rate=charts.percent(high["rate"]),
            **names,
        )
    hour = _worst_hour(found["hours"])
    if hour is not None:
        yield t("report_hour", language, hour=hour[0], rate=charts.percent(hour[1]))
    for row in found["budget"]:
        if row["left"] is not None:
            yield _left(row, language)
    told, lost = (sum(row[name] for row in found["escalations"]) for name in ("told", "lost"))
    if told or lost:
        yield t("report_told", language, told=told, lost=lost)


def _worst_hour(hours: Sequence[Mapping[str, Any]]) -> tuple[int, float] | None:
    """The hour of the day with the lowest rate over the week, of those with enough rounds to say so."""
    sums: dict[int, list[int]] = {}
    for row in hours:
        kept = sums.setdefault(row["hour"], [0, 0])
        kept[0] += row["met"]
        kept[1] += row["rounds"]
    rounds = sum(total for _, total in sums.values())
    rates = [(met / total, hour) for hour, (met, total) in sums.items() if total * 48 >= rounds and total]
    return (min(rates)[1], min(rates)[0]) if rates else None


def _tables(found: Mapping[str, Any], language: str) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, headers and cells of every table that has rows."""
    target = found["target"]["value"] if found["target"] else None
    agents = [
        [
            row["agent"] or t("nobody", language),
            *_counts(row),
            _rate(row["rate"], target),
            _points(row),
            _wait(row["mean_wait_ms"]),
            _wait(row["p90_wait_ms"]),
            _wait(row["longest_ms"]),
        ]
        for row in found["agents"]
    ]
    places = [
        [row["shop"], row["channel"], *_counts(row), _rate(row["rate"], target), _wait(row["mean_wait_ms"])]
        for row in found["by_shop"]
    ]
    worst = [
        [
            row["opened"][5:16].replace("T", " "),
            row["customer"],
            row["agent"] or "–",
            row["question"] or "–",
            _wait(row["wait_ms"]) or "–",
            sentence(Reason(row["because"]), language),
            row["id"],
        ]
        for row in found["worst"]
    ]
    told = [
        [row["person"], str(row["told"]), str(row["lost"]), _seconds(row["took_ms"])] for row in found["escalations"]
    ]
    left_out = [[sentence(Reason(row["reason"]), language), str(row["rounds"])] for row in found["excluded"]]
    bodies = dict(zip(_TABLES, (agents, places, worst, told, left_out), strict=True))
    return [
        (t(f"report_{name}", language), t(f"report_{name}_heads", language).split("|"), body)
        for name, body in bodies.items()
        if body
    ]


def _counts(row: Mapping[str, Any]) -> list[str]:
    return [str(row[name]) for name in ("rounds", "met", "late", "missed", "excluded")]


def _rate(value: float | None, target: float | None) -> str:
    low = value is not None and target is not None and value < target
    return charts.percent(value) + (" ▼" if low else "")


def _points(row: Mapping[str, Any]) -> str:
    if row["rate"] is None or row["before"] is None:
        return "–"
    return f"{100 * (row['rate'] - row['before']):+.2f}"


def _wait(duration_ms: int | None) -> str:
    return "" if duration_ms is None else clock_text(duration_ms)


def _seconds(duration_ms: int | None) -> str:
    return "" if duration_ms is None else f"{duration_ms / 1000:.1f} s"


def _trend(found: Mapping[str, Any], language: str) -> charts.Svg:
    target = found["target"]["value"] if found["target"] and found["target"]["value"] <= 1 else None
    points = []
    for row in found["days"]:
        low = row["rate"] is not None and target is not None and row["rate"] < target
        tip = f"{row['day']}: {charts.percent(row['rate'])} · {row['late']} + {row['missed']}"
        points.append(charts.Point(row["day"][5:], row["rate"], row["late"] + row["missed"], low, tip))
    name = "" if target is None else charts.percent(target)
    return charts.line(t("report_trend", language), points, target=target, target_name=name)


def _heat(found: Mapping[str, Any], language: str) -> charts.Svg:
    target = found["target"]["value"] if found["target"] else None
    first = date.fromisoformat(found["first_day"])
    days = [(first + timedelta(days=number)).isoformat() for number in range(7)]
    hours = sorted({row["hour"] for row in found["hours"] if row["rounds"]})
    most = max((row["rounds"] for row in found["hours"]), default=1) or 1
    cells = {
        (days.index(row["day"]), hours.index(row["hour"])): charts.Cell(
            charts.percent(row["rate"], 0)[:-1], row["rounds"] / most, target is not None and row["rate"] < target,
            f"{row['day']} {row['hour']}:00 · {row['met']}/{row['rounds']}",
        )
        for row in found["hours"]
        if row["rounds"]
    }  # fmt: skip
    names = t("report_days", language).split("|")
    return charts.heat(
        t("report_heat", language), [f"{names[n]} {days[n][5:]}" for n in range(7)], [str(h) for h in hours], cells
    )
