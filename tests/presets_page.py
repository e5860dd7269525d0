"""docs/presets.md below its mark: a table of all presets, and one section for each with its sources."""

from importlib.resources import files

from sanfen.config import presets
from sanfen.config.policies import DueModel, HoursModel, PeriodModel, PolicyModel, TargetModel

UNITS = {
    "message": "message",
    "round": "round",
    "session": "session",
    "customer_day": "customer-day",
    "agent_customer_day": "agent's customer-day",
}


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def long(ms: int) -> str:
    """A duration as the files write it: 90s, 3m, 24h, 30d."""
    for size, letter in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")):
        if ms % size == 0 and (ms > size or letter != "d"):
            return f"{ms // size}{letter}"
    return f"{ms}ms"


def due(rule: DueModel) -> str:
    at = clock(rule.at) if isinstance(rule.at, int) else rule.at
    if rule.after is not None:
        said = long(rule.after) + (" of opening hours" if rule.clock == "hours" else "")
    elif rule.batch is not None:
        said = f"asked before {clock(rule.batch)}: {at}"
    elif rule.weekday is not None:
        said = f"next {rule.weekday} {at}"
    else:
        day = {0: "the same day", 1: "the next working day"}.get(
            rule.workdays or 0, f"{rule.workdays} working days later"
        )
        said = f"{day}, {'the same time' if at == 'same' else at}"
    when = [*(rule.when.days or ()), *([f"{rule.when.hours} hours"] if rule.when.hours else [])]
    return f"{said} ({', '.join(when)})" if when else said


def hours(model: HoursModel | None) -> str:
    if model is None:
        return "all day"
    if model.week is not None:
        return "by weekday"
    days = "" if len(model.days) == 7 else f" {model.days[0]} to {model.days[-1]}"
    return f"{clock(model.open)}-{clock(model.close)}{days}"


def period(model: PeriodModel | None) -> str:
    if model is None:
        return ""
    return (
        f"last {model.count} days"
        if model.kind == "rolling"
        else f"{model.count} {model.kind}{'s' * (model.count > 1)}"
    )


def target(one: TargetModel, how: str) -> str:
    value = f"{float(one.value):g} s" if how == "mean" else f"{float(one.value) * 100:g} %"
    return f"{one.name} {one.op} {value}".replace(">=", "≥").replace("<=", "≤").replace("<", "\\<")


def row(model: PolicyModel) -> tuple[str, ...]:
    if model.kind != "response":
        return ("none", "", "", "", "")
    return (
        f"{UNITS[model.unit]}, {model.judge}",
        "; ".join(due(one) for one in model.due),
        hours(model.hours),
        period(model.period),
        "; ".join(target(one, model.report.as_) for one in model.targets),
    )


def source(at: str, date: str | None, says: str | None) -> str:
    place = f"<{at}>" if at.startswith("http") and " " not in at else at
    when = "" if date is None else f" ({date.replace('unknown', 'undated')})"
    return f"- {place}{when}{f': {says}' if says else ''}\n"


def section(name: str) -> str:
    model = presets.model(name)
    first = (files("sanfen_presets") / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    status, title = model.status, model.title
    assert status is not None
    assert title is not None
    out = [f"## `{name}`\n\n{title.zh} · {title.en}\n\n", f"{first.removeprefix('# ')}\n\n"]
    when = "undated" if status.as_of in (None, "unknown") else status.as_of
    out.append(f"Confidence: {status.confidence} ({when}). {status.note or ''}".rstrip() + "\n\n")
    out.append(f"Time zone: {model.tz}\n\n")
    out += [source(one.at, one.date, one.says) for one in model.sources]
    return "".join(out) + "\n"


def page() -> str:
    lines = [
        "| preset | rule | confidence | counted | deadline | hours | period | targets |\n|---|---|---|---|---|---|---|---|\n"
    ]
    for name in presets.names():
        model = presets.model(name)
        assert model.status is not None
        assert model.title is not None
        counted, *others = row(model)
        cells = [f"[`{name}`](#{name})", model.title.zh or "", model.status.confidence, counted, *others]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines) + "\n" + "".join(section(name) for name in presets.names()).rstrip() + "\n"
