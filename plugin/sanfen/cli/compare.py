"""``sanfen compare``: which rounds two score sets or two policies see differently, and why."""

import json
from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import spoken
from sanfen.cli.tables import formats

__all__ = ["command"]

_GROUPS = ("rounds", "a", "b", "examples")
_ROUNDS = ("id", "opened", "customer", "agent", "a", "because_a", "b", "because_b")


@click.command("compare")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@click.option("--with", "second", type=click.Path(path_type=Path), metavar="DB", help="B is in this log.")
@click.option("--rounds", "with_rounds", is_flag=True, help="Show every round that differs.")
@formats
@click.pass_context
def command(
    context: click.Context,
    /,
    log: Path,
    one: str,
    other: str,
    second: Path | None,
    with_rounds: bool,
    form: str | None,
) -> None:
    """Compare A with B: each a policy of the log, or SCORE_SET/POLICY.

    Rounds of the same question are held together; what differs is grouped by its reasons, the largest group first. Exit 1
    if anything differs.
    """
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.cli.tables import show  # noqa: PLC0415
    from sanfen.store import queries  # noqa: PLC0415

    language = spoken()
    with asked(log) as connection, asked(second or log) as beside:
        left, right = queries.scored_by(connection, one), queries.scored_by(beside, other)
        found = queries.compare(connection, left, beside, right)
    if not with_rounds:
        del found["rounds"]
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    elif form is not None:
        show(found["rounds"] if with_rounds else found["groups"], form, _ROUNDS if with_rounds else _GROUPS, "")
    else:
        for side in ("a", "b"):
            click.echo(t("compare_side", language, **found[side]))
        click.echo(t("compare_differ", language, differ=found["differ"], same=found["same"]))
        show([_line(group, language) for group in found["groups"]], None, _GROUPS, "")
        if with_rounds:
            show(found["rounds"], None, _ROUNDS, "")
    context.exit(1 if found["differ"] else 0)


def _line(group: dict[str, Any], language: str) -> dict[str, Any]:
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.core.reasons import Reason, sentence  # noqa: PLC0415

    def told(side: str) -> str:
        if group[side] is None:
            return t("compare_none", language)
        why = sentence(Reason(group[f"because_{side}"]), language)
        return f"{t(f'outcome_{group[side]}', language)} ({why})"

    return {"rounds": group["rounds"], "a": told("a"), "b": told("b"), "examples": " ".join(group["examples"])}
