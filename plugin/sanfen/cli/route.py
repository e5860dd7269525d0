"""``sanfen route``: which ladder a round would climb, who would be told when, and where that stands in the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sanfen.cli.options import configuration, spoken

if TYPE_CHECKING:  # the command line must not load the service to print its help
    from sanfen.core.policy import Policy, Step
    from sanfen.roster import Roster

__all__ = ["command"]

_KEYS = ("shop", "channel", "agent", "group", "tag", "hour", "policy", "at")


@click.command("route")
@click.argument("facts", nargs=-1, metavar="[KEY=VALUE]...")
@configuration("The configuration file (or SANFEN_CONFIG).")
@click.option("--expect", metavar="LADDER", help="Exit 1 if it is another ladder.")
@click.pass_context
def command(context: click.Context, /, facts: tuple[str, ...], config: Path, expect: str | None) -> None:
    """Ask before it happens: channel=desk agent=lily group=aftersale tag=vip hour=21 policy=pdd-3m at=2026-11-29T21:30.

    Prints the ladder with its line, each step with the people it would reach then, and who is not there. Exit 1 if no ladder
    matches, or not the expected one.
    """
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.config.yaml import read_file  # noqa: PLC0415
    from sanfen.core.plan import plan_of  # noqa: PLC0415
    from sanfen.roster import Roster  # noqa: PLC0415
    from sanfen.routing import ladder_of  # noqa: PLC0415

    language = spoken()
    given = _given(facts)
    loaded = load(config)
    if "group" in given:
        members = loaded.settings.groups.get(given["group"], ())
        given.setdefault("agent", next(iter(members), ""))
    policy = _policy(loaded.policies, given.get("policy"))
    at_ms = _instant(given, loaded.settings.shop.timezone)
    facts_of = (given.get("shop", loaded.settings.shop.id), given.get("channel", "default"), given.get("agent"), at_ms)
    ladder = ladder_of(plan_of(policy), *facts_of, filter(None, given.get("tag", "").split(",")))
    if ladder is None:
        click.echo(t("route_none", language, policy=policy.id))
        context.exit(1)
    places = {one: place for one, place in read_file(config, {}).places.items() if one[:1] == ("escalation",)}
    number = [one.name for one in policy.ladders].index(ladder.name)
    line = places[("escalation", number)].line if ("escalation", number) in places else 1
    click.echo(f"{config}:{line}  {ladder.name}")
    roster = Roster(loaded.settings)
    for step in ladder.steps:
        click.echo(_line(step, policy, roster, given.get("agent"), at_ms, language))
    context.exit(0 if expect in (None, ladder.name) else 1)


def _given(facts: Sequence[str]) -> dict[str, str]:
    from sanfen.errors import InputError  # noqa: PLC0415

    out = {}
    for fact in facts:
        key, equals, value = fact.partition("=")
        if not equals or key not in _KEYS:
            raise InputError(f"not a fact: {fact[:60]!r}", hint="write KEY=VALUE; keys: " + ", ".join(_KEYS))
        out[key] = value
    return out


def _policy(policies: Sequence["Policy"], name: str | None) -> "Policy":
    from sanfen.errors import InputError  # noqa: PLC0415

    found = next((one for one in policies if name in (None, one.id)), None)
    if found is None:
        known = ", ".join(one.id for one in policies)
        raise InputError(f"the configuration scores by no policy {name!r}", hint=f"known: {known}")
    return found


def _instant(given: dict[str, str], timezone: str) -> int:
    from datetime import datetime, time, timedelta  # noqa: PLC0415
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from sanfen.clock import SystemClock  # noqa: PLC0415
    from sanfen.config.types import parse_clock  # noqa: PLC0415
    from sanfen.errors import InputError  # noqa: PLC0415
    from sanfen.wire import parse_instant  # noqa: PLC0415

    zone = ZoneInfo(timezone)
    if "at" in given:
        return parse_instant(given["at"], zone)
    now_ms = SystemClock().now_ms()
    if "hour" not in given:
        return now_ms
    hour = given["hour"]
    try:
        minute = parse_clock(hour if ":" in hour else f"{hour}:00")
    except ValueError as error:
        sentence, _, mend = str(error).partition("; ")
        raise InputError(f"hour: {sentence}", hint=mend) from None
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    return int((datetime.combine(today, time(), zone) + timedelta(minutes=minute)).timestamp() * 1000)


def _line(step: "Step", policy: "Policy", roster: "Roster", agent: str | None, at_ms: int, language: str) -> str:
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.config.ladders import step_ms  # noqa: PLC0415
    from sanfen.config.types import duration_text  # noqa: PLC0415

    usual_ms = step_ms(step, policy.due[0].after_ms or 0)
    parts: list[Any] = [f"  {duration_text(max(0, usual_ms)):6}"]
    if step.notify:
        targets = roster.told(step.notify, agent, at_ms + max(0, usual_ms))
        there = [
            f"{one.person} ({one.wanted})" if one.wanted != one.person else one.person
            for one in targets
            if one.skipped is None
        ]
        away = [
            f"{one.person} {t('skipped_' + str(one.skipped), language)}" for one in targets if one.skipped is not None
        ]
        parts.append("→ " + (", ".join(there) or t("route_nobody", language)))
        parts += [f"[{', '.join(away)}]"] if away else []
    if step.reassign is not None:
        names = ", ".join(roster.agents(step.reassign, at_ms + max(0, usual_ms))) or t("route_nobody", language)
        parts.append(t("route_reassign", language, name=names))
    if step.every_ms:
        parts.append(t("route_again", language, every=duration_text(step.every_ms), times=step.times))
    if step.condition is not None:
        parts.append(f"if {step.condition}")
    return "  ".join(map(str, parts))
