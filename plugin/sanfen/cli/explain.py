"""``sanfen explain``: why a round got its outcome, message by message."""

import json
from pathlib import Path

import click

from sanfen.cli.options import spoken

__all__ = ["command"]


@click.command("explain")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.argument("round_id", metavar="ROUND")
@click.option(
    "--policy", "names", multiple=True, help="Also under this policy: a preset or a file; or of the log's, this one."
)
@click.option("--score-set", help="live, replay, or another.")
@click.option("--unmask", is_flag=True, help="Show the customer in full.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    /,
    log: Path,
    round_id: str,
    names: tuple[str, ...],
    score_set: str | None,
    unmask: bool,
    as_json: bool,
) -> None:
    """Why a round got its outcome. ROUND: its id, or a customer whose last one is meant. Exit 1 if there is no such round."""
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.cli.story import lines  # noqa: PLC0415
    from sanfen.cli.tables import say_line  # noqa: PLC0415
    from sanfen.config import presets  # noqa: PLC0415
    from sanfen.store import queries  # noqa: PLC0415
    from sanfen.store.explanation import explain, hide  # noqa: PLC0415

    language = spoken()
    with asked(log) as connection:
        round_id = queries.last_round_of(connection, round_id) or round_id
        held = {name for _, name in queries.policies(connection, score_set)}
        own = next((name for name in names if name in held), None)
        others = [presets.policy(name) for name in names if name not in held]
        found = explain(connection, round_id, policy=own, score_set=score_set, others=others)
    if found is None:
        click.echo(t("explain_nothing", language, asked=round_id, log=log), err=True)
        context.exit(1)
    if not unmask:
        hide(found)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1, default=str))
        return
    for line in lines(found, language):
        say_line(line)
    unknown = sum(one["reason"] == "mode_unknown" for one in found["messages"])
    if unknown:
        click.echo(t("unknown_replies", language, count=unknown, file=log), err=True)
