"""From the checked shape of a policy to the frozen one the core reads, with its version; and back to words of a file."""

import hashlib
import json
from typing import Any

from sanfen.config.policies import DAYS, DueModel, HoursModel, PeriodModel, PolicyModel, ReportModel
from sanfen.config.types import duration_text, time_text
from sanfen.core import policy as core

__all__ = ["as_written", "to_policy"]


def to_policy(
    model: PolicyModel, *, tz: str = "Asia/Shanghai", holidays: frozenset[str] = frozenset(), version: bool = True
) -> core.Policy:
    """The core's policy. ``tz``: the shop's zone, for policies that leave it to the shop."""
    return core.Policy(
        id=model.id,
        tz=tz if model.tz == "shop" else model.tz,
        hours=_hours(model.hours),
        unit=model.unit,
        judge=model.judge,
        wait_from=model.wait_from,
        starts=model.starts,
        session=core.Session(model.session.gap, model.session.since),
        due=tuple(_due(rule) for rule in model.due),
        inclusive=model.inclusive,
        replies=model.replies.model_dump(),
        bots=frozenset(model.bots),
        empty_replies=model.empty_replies,
        no_reply=model.no_reply,
        midnight=model.midnight,
        transfer=model.transfer,
        agent_clock=model.agent_clock,
        away=model.away,
        exclude=frozenset(model.exclude),
        period=_period(model.period),
        report=_report(model.report),
        marks=core.Marks(tuple((band.within, band.mark) for band in model.marks.bands), model.marks.beyond),
        targets=tuple(core.Target(t.name, t.op, t.value, t.then) for t in model.targets),
        holidays=holidays,
        version=_version(model, tz, holidays) if version else "",
    )


def _hours(model: HoursModel | None) -> core.Hours | None:
    if model is None:
        return None
    return core.Hours(
        open_min=model.open,
        close_min=model.close,
        days=_weekdays(model.days),
        holidays=model.holidays,
        by=model.by,
        outside=model.outside,
        week=None if model.week is None else tuple(getattr(model.week, name) for name in DAYS),
    )


def _weekdays(names: tuple[str, ...]) -> frozenset[int]:
    return frozenset(DAYS.index(name) for name in names)


def _due(rule: DueModel) -> core.DueRule:
    return core.DueRule(
        when_days=None if rule.when.days is None else _weekdays(rule.when.days),
        when_hours=rule.when.hours,
        after_ms=rule.after,
        clock=rule.clock,
        workdays=rule.workdays,
        batch_min=rule.batch,
        weekday=None if rule.weekday is None else DAYS.index(rule.weekday),
        at_min=None if rule.at == "same" or rule.at is None else rule.at,
    )


def _period(model: PeriodModel | None) -> core.Period | None:
    if model is None:
        return None
    return core.Period(
        kind=model.kind,
        count=model.count,
        lag_days=model.lag_days,
        anchor=model.anchor,
        assign_by=model.assign_by,
        min_units=model.min_units,
        otherwise_value=model.otherwise.value,
        otherwise_last_units=model.otherwise.last_units,
        otherwise_within_days=model.otherwise.within_days,
        otherwise_assess=model.otherwise.assess,
    )


def _report(model: ReportModel) -> core.Report:
    return core.Report(
        kind=model.as_,
        cap_ms=model.cap,
        gap_cut_ms=model.gap_cut,
        trim=model.trim,
        recent_share=model.recent.share if model.recent else None,
        recent_weight=model.recent.weight if model.recent else None,
        rounding=model.rounding,
    )


_PROSE = {"title", "status", "sources", "valid", "based_on", "targets"}


def _version(model: PolicyModel, tz: str, holidays: frozenset[str]) -> str:
    """A hash of everything that can change a score; prose and targets cannot."""
    facts = model.model_dump(mode="python", exclude=_PROSE, exclude_defaults=True)
    material = json.dumps([facts, tz if model.tz == "shop" else None, sorted(holidays)], sort_keys=True, default=str)
    return hashlib.blake2b(material.encode(), digest_size=6).hexdigest()


def as_written(value: Any) -> Any:
    """A value of the core's policy, as plain data, the way a policy's file would have it; what it does not say is left out."""
    if isinstance(value, dict):
        return dict(_key_as_written(name, one) for name, one in value.items() if one is not None)
    return [as_written(one) for one in value] if isinstance(value, list | tuple) else value


def _key_as_written(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_ms"):
        return name.removesuffix("_ms"), duration_text(value)
    if name.endswith("_min"):
        return name.removesuffix("_min"), time_text(value)
    return name, as_written(value)
