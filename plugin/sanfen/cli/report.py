"""``sanfen report``: the week on one page."""

from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import configuration, spoken
from sanfen.errors import Phrase

__all__ = ["command"]

_ENDINGS = (".html", ".md", ".csv")


@click.command("report")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.option("--week", "asked_week", metavar="2026-W47", help="The week, 2026-W47; default: the last whole one.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it here: .html, .md or .csv.")
@click.option("--send", "person", metavar="NAME", help="Send the summary to this person of the configuration.")
@configuration("The configuration with the people, for --send (or SANFEN_CONFIG).", required=False)
@click.option("--policy", help="Only this policy.")
@click.option("--score-set", help="live, replay, or another; default: live if there is one.")
@click.option("--shop", help="Only this shop.")
@click.option("--channel", help="Only this channel.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    /,
    log: Path,
    asked_week: str | None,
    out: Path | None,
    person: str | None,
    config: Path | None,
    as_json: bool,
    **filters: Any,
) -> None:
    """Rate and target, trend, agents, hours, the worst rounds and why, budget, who was told, what was left out.

    --out writes it by the file's ending: HTML that prints and needs nothing else, Markdown, or CSV. Without it the summary is
    printed. Exit 1 if the week has no rounds, or --send reached nobody.
    """
    import json  # noqa: PLC0415  # loaded only for this verb
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.clock import SystemClock  # noqa: PLC0415
    from sanfen.errors import InputError  # noqa: PLC0415
    from sanfen.report.page import summary  # noqa: PLC0415
    from sanfen.report.week import Week, week_of  # noqa: PLC0415
    from sanfen.store import queries, units  # noqa: PLC0415

    language = spoken()
    if out is not None and out.suffix not in _ENDINGS:
        raise InputError(
            Phrase("--out: {out}: no page is written so", out=out),
            hint=Phrase("end the name in {names}", names=", ".join(_ENDINGS)),
        )
    if person is not None and config is None:
        raise click.UsageError(t("report_send_config", language))
    with asked(log) as connection:
        policies = units.asked_policies(connection, filters.pop("score_set"), filters.pop("policy"))
        if not policies:
            raise InputError(
                Phrase("{log}: no rounds are scored in it", log=log), hint="sanfen replay FILE --out scored.db"
            )
        score_set, policy = policies[0]
        zone = ZoneInfo(policy.tz)
        week = Week.named(asked_week) if asked_week else Week.last_whole(SystemClock().now_ms(), zone)
        found = week_of(connection, score_set, policy, week, **filters)
        newest = [] if found["total"]["rounds"] else queries.rounds(connection, limit=1, policy=policy.id, **filters)
    for one in newest:
        click.echo(t("report_newest", language, day=one["day"], week=Week.of_day(one["day"]).name), err=True)
    if out is not None:
        _write(out, found, language)
        click.echo(out)
    elif as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1, default=str))
    else:
        from sanfen.cli.tables import say_line  # noqa: PLC0415

        for line in summary(found, language):
            say_line(line)
    told = person is None or config is None or _send(config, person, found)
    context.exit(0 if found["total"]["rounds"] and told else 1)


def _write(out: Path, found: dict[str, Any], language: str) -> None:
    from sanfen.cli.tables import as_csv  # noqa: PLC0415
    from sanfen.cli.writing import written  # noqa: PLC0415
    from sanfen.report import page  # noqa: PLC0415

    shop = " · ".join(found["shops"]) or "sanfen"
    if out.suffix == ".csv":
        text = as_csv(page.rows(found))
    else:
        text = (page.html if out.suffix == ".html" else page.markdown)(found, shop, language)
    written(out, text)


def _send(config: Path, name: str, found: dict[str, Any]) -> bool:
    """Whether the summary reached somebody; what became of each way is said like a test message's."""
    import asyncio  # noqa: PLC0415

    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.notify import carry, found_person, story  # noqa: PLC0415
    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.report.page import summary  # noqa: PLC0415

    settings = load(config).settings
    person, language = found_person(settings, name, config), settings.shop.language
    said = (
        t("report_notice", language, week=found["week"], shop=settings.shop.name),
        "\n".join(summary(found, language)),
    )
    rows = asyncio.run(carry(person, settings, every=False, said=said))
    for line in story(name, rows, spoken()):
        click.echo(line, err=True)
    return any(row["result"] == "told" for row in rows)
