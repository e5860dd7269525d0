"""``sanfen notify``: a test message to a person, by the real ways, and what became of it in the receivers' own words."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sanfen.cli.options import configuration, spoken
from sanfen.cli.tables import formats
from sanfen.errors import Phrase, nearest

if TYPE_CHECKING:  # the command line must not load the service to print its help
    from sanfen.config.settings import Person, Settings

__all__ = ["carry", "command", "found_person", "story"]


@click.command("notify")
@click.argument("name")
@configuration("The configuration file (or SANFEN_CONFIG).")
@click.option("--all", "every", is_flag=True, help="Try every way, also after one has worked.")
@formats
@click.pass_context
def command(context: click.Context, /, name: str, config: Path, form: str | None, every: bool) -> None:
    """Tell a person that this is a test, way by way in their order, until one works.

    Says of each way whether the message was taken or refused, in the receiver's own words, and how to mend a refusal.
    Exit 1 if nobody was reached.
    """
    from sanfen.cli.tables import say_line, show  # noqa: PLC0415  # loaded only for this verb
    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.log import configure  # noqa: PLC0415

    configure("error")
    settings = load(config).settings
    rows = asyncio.run(carry(found_person(settings, name, config), settings, every=every))
    if form is not None:
        show(rows, form, ("way", "result", "reason", "answer", "took_ms"), "")
    language = spoken()
    for line in story(name, rows, language) if form is None else ():
        say_line(line)
    context.exit(0 if any(row["result"] == "told" for row in rows) else 1)


def found_person(settings: "Settings", name: str, config: Path) -> "Person":
    """Who is called so in a configuration. Raises InputError with the nearest name."""
    from sanfen.errors import InputError  # noqa: PLC0415

    person = settings.people.get(name)
    if person is None:
        people = Phrase("people: {names}", names=", ".join(settings.people) or Phrase("none"))
        known = nearest(name, settings.people, people)
        raise InputError(Phrase("{config}: nobody is called {name!r}", config=config, name=name), hint=known)
    return person


async def carry(
    person: "Person", settings: "Settings", *, every: bool, said: tuple[str, str] | None = None
) -> list[dict[str, Any]]:
    """What became of each way. ``said``: title and text; without it, a test."""
    from sanfen.clock import SystemClock  # noqa: PLC0415
    from sanfen.notify.trial import tell  # noqa: PLC0415
    from sanfen.outbound import Guard  # noqa: PLC0415
    from sanfen.plugins import Plugins  # noqa: PLC0415

    notifiers = Plugins(named=settings.plugins).notifiers(Guard(settings.outbound))
    return await tell(person, settings, notifiers, SystemClock(), every=every, said=said)


def story(name: str, rows: list[dict[str, Any]], language: str) -> list[str]:
    """What became of a message, for a person."""
    from sanfen.catalogue import TEXTS, said, t  # noqa: PLC0415

    lines = [name]
    for number, row in enumerate(rows, 1):
        word = t(
            f"notify_{row['result']}",
            language,
            seconds=f"{row['took_ms'] / 1000:.1f}",
            answer=said(row["answer"] or "", language),
        )
        lines.append(f"  {number}. {row['way']}  {word}")
        if f"mend_{row['reason']}" in TEXTS:
            mend = Phrase("= help: {hint}", hint=t(f"mend_{row['reason']}", language))
            lines.append("     " + said(mend, language))
    if not any(row["result"] == "told" for row in rows):
        lines.append(t("notify_nobody", language, name=name))
    return lines
