"""``sanfen route``: which ladder a round would climb, who would be told when, and where that stands in the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sanfen.cli.options import configuration, spoken
from sanfen.cli.tables import formats, say_line, show
from sanfen.errors import Phrase, nearest

if TYPE_CHECKING:  # the command line must not load the service to print its help
    from sanfen.config.settings import Settings
    from sanfen.core.policy import Policy

__all__ = ["command"]

_KEYS = ("shop", "channel", "agent", "group", "tag", "hour", "policy", "at")


@click.command("route")
@click.argument("facts", nargs=-1, metavar="[KEY=VALUE]...")
@configuration("The configuration file (or SANFEN_CONFIG).")
@click.option("--expect", metavar="LADDER", help="Exit 1 if it is another ladder.")
@formats
@click.pass_context
def command(
    context: click.Context, /, facts: tuple[str, ...], config: Path, expect: str | None, form: str | None
) -> None:
    """Ask before it happens: channel=desk agent=lily group=aftersale tag=vip hour=21 policy=pdd-3m at=2026-11-29T21:30.

    Prints the ladder with its line, each step with the people it would reach then, and who is not there. Exit 1 if no ladder
    matches, or not the expected one.
    """
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.clock import SystemClock  # noqa: PLC0415
    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.config.yaml import read_file  # noqa: PLC0415
    from sanfen.core.plan import plan_of  # noqa: PLC0415
    from sanfen.roster import Roster  # noqa: PLC0415
    from sanfen.routing import instant_of, ladder_of, step_words  # noqa: PLC0415

    language = spoken()
    given = _given(facts)
    loaded = load(config)
    _check_names(given, loaded.settings)
    if "group" in given:
        members = loaded.settings.groups.get(given["group"], ())
        given.setdefault("agent", next(iter(members), ""))
    policy = _policy(loaded.policies, given.get("policy"))
    at_ms = instant_of(given, loaded.settings.shop.timezone, SystemClock().now_ms())
    facts_of = (given.get("shop", loaded.settings.shop.id), given.get("channel", "default"), given.get("agent"), at_ms)
    ladder = ladder_of(plan_of(policy), *facts_of, filter(None, given.get("tag", "").split(",")))
    if ladder is None:
        if form is None:
            click.echo(t("route_none", language, policy=policy.id))
        else:
            show([], form, (), "")
        context.exit(1)
    places = {one: place for one, place in read_file(config, {}).places.items() if one[:1] == ("escalation",)}
    number = [one.name for one in policy.ladders].index(ladder.name)
    line = places[("escalation", number)].line if ("escalation", number) in places else 1
    roster = Roster(loaded.settings)
    steps = [step_words(step, policy, roster, given.get("agent"), at_ms, language) for step in ladder.steps]
    if form is None:
        click.echo(f"{config}:{line}  {ladder.name}")
        for due_at, words in steps:
            say_line(f"  {due_at:6}  {words}")
    else:
        place = {"ladder": ladder.name, "file": str(config), "line": line, "policy": policy.id}
        show([place | {"due": due_at, "told": words} for due_at, words in steps], form, ("ladder", "due", "told"), "")
    context.exit(0 if expect in (None, ladder.name) else 1)


def _given(facts: Sequence[str]) -> dict[str, str]:
    from sanfen.errors import InputError  # noqa: PLC0415

    out = {}
    for fact in facts:
        key, equals, value = fact.partition("=")
        if not equals or key not in _KEYS:
            raise InputError(
                Phrase("not a fact: {fact!r}", fact=fact[:60]),
                hint=Phrase("write KEY=VALUE; keys: {names}", names=", ".join(_KEYS)),
            )
        out[key] = value
    return out


def _check_names(given: Mapping[str, str], settings: "Settings") -> None:
    """Raises InputError for a channel or a group that the file does not define: it would match the last ladder in silence."""
    from sanfen.errors import InputError  # noqa: PLC0415

    for key, known in (("channel", settings.channels), ("group", settings.groups)):
        if key in given and given[key] not in known:
            raise InputError(
                Phrase("{key}={name}: the configuration has none of this name", key=key, name=given[key]),
                hint=nearest(given[key], known, Phrase("known: {names}", names=", ".join(known) or Phrase("none yet"))),
            )


def _policy(policies: Sequence["Policy"], name: str | None) -> "Policy":
    from sanfen.errors import InputError  # noqa: PLC0415

    found = next((one for one in policies if name in (None, one.id)), None)
    if found is None:
        known = [one.id for one in policies]
        raise InputError(
            Phrase("the configuration scores by no policy {name!r}", name=name),
            hint=nearest(name or "", known, Phrase("known: {names}", names=", ".join(known))),
        )
    return found
