"""``sanfen rates``: response rates of a log."""

from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import listed, spoken
from sanfen.cli.tables import formats

__all__ = ["GROUPS", "command", "days_back", "narrow"]

_MOST_DAYS = 10_000  # more than any log has
GROUPS = ("shop", "channel", "agent", "day", "week", "month", "hour")


def narrow(command: Any) -> Any:
    """The options that narrow a question, for every verb that asks a log."""
    for names, word in (
        (("--score-set",), "live, replay, or another; default: live if there is one."),
        (("--policy",), "Only this policy."),
        (("--shop",), "Only this shop."),
        (("--channel",), "Only this channel."),
        (("--agent",), "Only this agent."),
        (("--from", "first_day"), "First local day, 2026-11-01."),
        (("--to", "last_day"), "Last local day."),
    ):
        command = click.option(*names, help=word)(command)
    return click.option(
        "--days", type=click.IntRange(1, _MOST_DAYS), metavar="N", help="The last N local days, today included."
    )(command)


def days_back(days: int | None, filters: dict[str, Any], zone: str) -> None:
    """Put the last so many local days in the place of ``--from``."""
    from datetime import date, timedelta  # noqa: PLC0415  # loaded only for this verb
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.clock import SystemClock  # noqa: PLC0415
    from sanfen.wire import instant_text  # noqa: PLC0415

    if days is None:
        return
    if filters["first_day"]:
        raise click.UsageError(t("usage_days", spoken()))
    today = date.fromisoformat((instant_text(SystemClock().now_ms(), ZoneInfo(zone)) or "")[:10])
    filters["first_day"] = (today - timedelta(days=days - 1)).isoformat()


@click.command("rates")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@listed("--by", GROUPS, "Group by; several with commas between them.")
@click.option(
    "--period", type=click.Choice(["policy"]), help="The policy's own period, as it stands now or at --as-of."
)
@click.option("--as-of", metavar="TIME", help="With --period: look from this instant.")
@narrow
@formats
def command(
    *,
    log: Path,
    by: tuple[str, ...],
    period: str | None,
    as_of: str | None,
    days: int | None,
    form: str | None,
    **filters: str | None,
) -> None:
    """Rounds, outcomes and rates; the score set, the policy and what --by names are the rows.

    ``rate`` is the share of rounds that were met; ``units``, ``hits`` and ``value`` are what the policy counts, where that
    differs: sessions, a customer's days, a mean in seconds.
    """
    from sanfen.catalogue import said, t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.asking import absent, asked, instant_of, zone_of  # noqa: PLC0415
    from sanfen.cli.tables import show_figures  # noqa: PLC0415
    from sanfen.store import queries, units  # noqa: PLC0415

    language = spoken()
    with asked(log) as connection:
        days_back(days, filters, zone_of(connection))
        if period is None:
            rows = units.rates(connection, by=by, **filters)
        elif filters["first_day"] or filters["last_day"]:
            raise click.UsageError(t("usage_own_days", language))
        else:
            narrowed = {name: filters[name] for name in units.WHO}
            rows = [
                row
                for name, one in units.asked_policies(connection, filters["score_set"], filters["policy"])
                for row in units.assessed(connection, one, name, instant_of(as_of, one.tz), by=by, **narrowed)
            ]
        unknown = queries.unknown(connection, **filters)
        whole = units.rates(connection, by=(), **filters) if period is None and form is None else []
        left_out = queries.left_out(connection, **filters) if len(whole) == 1 else {}
        hint = "" if rows else absent(connection, **filters)
    if unknown:
        click.echo(t("unknown_replies", language, count=unknown, file=log), err=True)
    columns = ["policy", *by, "rounds", "met", "late", "missed", "pending", "excluded", "rate", "mean_wait_ms"]
    if any(row["value"] != row.get("rate") for row in rows):
        columns += ["units", "hits", "value"]
    if period is not None:
        columns = ["policy", *by, "first", "last", "units", "hits", "value", "assessed", "targets"]
    if len({row["score_set"] for row in rows}) > 1:
        columns.insert(0, "score_set")
    if len(whole) == 1:  # one rule: it need not stand in every row
        columns.remove("policy")
        click.echo(_head(whole[0], filters, language))
        if by and len(rows) > 1:
            rows.append(whole[0] | dict.fromkeys(by, "") | {by[0]: t("rates_total", language)})
    show_figures(rows, form, columns, language)
    if hint:
        click.echo(said(hint, language), err=True)
    if left_out:
        click.echo(t("rates_left_out", language, reasons=_reasons(left_out, language)))


def _head(row: dict[str, Any], filters: dict[str, Any], language: str) -> str:
    """What the table is about."""
    from sanfen.catalogue import t  # noqa: PLC0415

    who = [filters[name] for name in ("shop", "channel", "agent") if filters[name]]
    days = (
        [f"{filters['first_day'] or ''} → {filters['last_day'] or ''}".strip()]
        if filters["first_day"] or filters["last_day"]
        else []
    )
    name = row["policy"] if row["score_set"] == "live" else f"{row['score_set']}/{row['policy']}"
    return " · ".join([t("rates_head", language), name, *who, *days])


def _reasons(found: dict[str, int], language: str) -> str:
    from sanfen.core.reasons import Reason, sentence  # noqa: PLC0415

    told = {name: name if language == "en" else sentence(Reason(name), language) for name in found}
    return ", ".join(f"{count} {told[name]}" for name, count in found.items())
