"""``sanfen replay``: score a chat log under one policy or several."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sanfen.cli.options import spoken
from sanfen.errors import Phrase

if TYPE_CHECKING:
    from sanfen.bulk.replay import Replay, Request

__all__ = ["command"]


@click.command("replay")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--policy", "policies", multiple=True, metavar="ID|FILE", help="A policy to score by; several give several results."
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key of the policy: midnight=exclude_crossing, hours.open=09:00.",
)
@click.option("--as-of", metavar="TIME", help="Look at the log as it stood then. Default: after its end.")
@click.option("--tz", metavar="ZONE", help="Zone of times without offset, and of policies that leave it to the shop.")
@click.option("--holidays", metavar="D,D,…", default="", help="Local dates that are holidays or special days.")
@click.option("--period", type=click.Choice(["policy"]), help="Only the policy's own period, as it stands at --as-of.")
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path),
    help="Which column means what, whose replies are a bot's, as YAML (docs/imports.md).",
)
@click.option("--map-out", type=click.Path(path_type=Path), help="Write the guessed columns as a map.")
@click.option(
    "--unknown",
    type=click.Choice(["human", "ignore"]),
    default="ignore",
    show_default=True,
    help="What replies of unknown mode are.",
)
@click.option(
    "--classify", "classify_file", type=click.Path(path_type=Path), help="Classification rules: a file with classify:."
)
@click.option(
    "--engine",
    type=click.Choice(["python", "polars", "spark"]),
    default="python",
    show_default=True,
    help="What does the work.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Keep events and rounds in a new log, for rates, rounds, explain and SQL.",
)
@click.option(
    "--score-set",
    default="replay",
    show_default=True,
    help="The name of these scores in --out. With a name of your own --out may be a log that is there: events stay as they are.",
)
@click.option("--rounds", "with_rounds", is_flag=True, help="Show every round.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(files: tuple[Path, ...], **options: Any) -> None:
    """Score chat logs: JSON, CSV, TSV, workbooks, transcripts, a log of sanfen's own; - reads standard input."""
    from sanfen.bulk.maps import read_map  # noqa: PLC0415  # loaded only for this verb
    from sanfen.bulk.replay import Replay, Request  # noqa: PLC0415
    from sanfen.bulk.sources import Log  # noqa: PLC0415
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.progress import Progress  # noqa: PLC0415
    from sanfen.cli.writing import written  # noqa: PLC0415
    from sanfen.clock import SystemClock  # noqa: PLC0415
    from sanfen.config.presets import unverified  # noqa: PLC0415
    from sanfen.errors import InputError  # noqa: PLC0415
    from sanfen.log import configure  # noqa: PLC0415

    configure()
    language = spoken()
    if options["engine"] != "python":
        raise InputError(
            Phrase("the engine {engine} is not in this release", engine=options["engine"]), hint="leave --engine out"
        )
    said: set[str] = set()

    def say(name: str, **values: Any) -> None:
        text = t(name, language, **values)
        if text not in said:
            said.add(text)
            click.echo(text, err=True)

    mapped = read_map(options["map_file"]) if options["map_file"] else None
    request = Request.of(options, SystemClock().now_ms(), mapped.rules if mapped else ())
    for policy in filter(lambda policy: unverified(policy.id), request.policies):
        say("replay_unverified", policy=policy.id)
    columns = mapped.columns if mapped else None
    with ExitStack() as stack:
        logs = [stack.enter_context(Log(path, zone=request.zone, columns=columns, say=say)) for path in files]
        replay = Replay(request, logs)
        with Progress(logs, t("replay_reading", language)) as progress:
            report = replay.run(progress.update, say)
        if options["map_out"] and logs[0].guessed is not None:
            written(options["map_out"], logs[0].guessed.as_yaml())
    _remark(replay, request, options["out"], say)
    if options["as_json"]:
        click.echo(json.dumps({"policies": report}, ensure_ascii=False, indent=1))
    else:
        for one in report:
            _print(one, language)


def _remark(replay: "Replay", request: "Request", out: Path | None, say: Any) -> None:
    """What a person should know besides the result."""
    if replay.unknown:
        say("replay_unknown", count=replay.unknown, replies=replay.replies)
    if replay.duplicates:
        say("replay_duplicates", count=replay.duplicates)
    if out is not None:
        say("replay_saved", file=out)
        if len(request.policies) > 1:
            say("replay_compare", file=out, one=request.policies[0].id, other=request.policies[1].id)


def _print(one: dict[str, Any], language: str) -> None:
    """A policy's result for a person."""
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.charts import percent  # noqa: PLC0415
    from sanfen.cli.tables import clock, show  # noqa: PLC0415

    if one.get("kind") == "constraint":
        shown = {"policy": one["policy"], **one["counts"]}
        click.echo(t("replay_limit", language, sent=one["denominator"], **shown))
        return
    if "mean_ms" in one:
        value = clock(one["mean_ms"]) if one["mean_ms"] is not None else "–"
        click.echo(t("replay_mean", language, policy=one["policy"], value=value, n=one["n"]))
    else:
        shown = {name: one[name] for name in ("policy", "numerator", "denominator")}
        click.echo(t("replay_policy", language, value=percent(one["value"]), **shown))
    click.echo("  " + t("replay_counts", language, **one["counts"]))
    if one["reasons"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in one["reasons"].items())
        click.echo("  " + t("replay_excluded", language, reasons=reasons))
    assessed = True
    if one.get("period"):
        click.echo("  " + t("replay_period", language, **one["period"]))
        assessed = one["period"]["assessed"]
        if not assessed:
            click.echo("  " + t("replay_unassessed", language))
    for target in one["targets"] if assessed else ():
        word = t("target_met" if target["met"] else "target_not_met", language)
        click.echo("  " + t("replay_target", language, word=word, **{k: target[k] for k in ("name", "op", "value")}))
    if "rounds" in one:
        rows = [row | {"outcome": t(f"outcome_{row['status']}", language)} for row in one["rounds"]]
        columns = ("id", "opened", "customer", "agent", "outcome", "reason", "wait_ms")
        show(rows, None, columns, t("nothing_found", language))
