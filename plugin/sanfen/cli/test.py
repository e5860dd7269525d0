"""``sanfen test``: chats as tests of a configuration."""

from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import configuration, spoken
from sanfen.cli.tables import formats, show
from sanfen.errors import Phrase

__all__ = ["command"]


@click.command("test")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@configuration(
    "The configuration to test (or SANFEN_CONFIG). Without it each chat's own policy: holds.", required=False
)
@click.option("--policy", help="Play them under this policy, in place of the one each names.")
@click.option("-v", "--verbose", is_flag=True, help="Also say which chats passed.")
@click.option("-k", "only", metavar="WORD", help="Only chats whose name or title has this in it.")
@formats
@click.pass_context
def command(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    config: Path | None,
    only: str | None,
    policy: str | None,
    verbose: bool,
    form: str | None,
) -> None:
    """Play chats (docs/transcripts.md) and compare: => lines with the rounds, !> lines with who is told. Exit 1 if any differs."""
    from sanfen.bulk.trials import try_chat  # noqa: PLC0415  # loaded only for this verb
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.errors import InputError  # noqa: PLC0415
    from sanfen.transcript import parse  # noqa: PLC0415

    language = spoken()
    loaded = load(config) if config is not None else None
    rows: list[dict[str, Any]] = []
    for path in sorted(one for given in files for one in (given.glob("*.txt") if given.is_dir() else [given])):
        try:
            chat = parse(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                Phrase(
                    "cannot read {path}: {error}",
                    path=path,
                    error=getattr(error, "strerror", None) or Phrase("not UTF-8"),
                ),
                hint="name a chat, or a folder of them",
            ) from None
        if only is not None and only not in path.name and only not in chat.title:
            continue
        if policy is not None:
            chat = chat._replace(headers={**chat.headers, "policy": policy})
        differences = try_chat(chat, str(path), loaded)
        told = [
            (f"{path}:{one.line}: " if one.line else f"{path}: ")
            + t("test_differs", language, expected=one.expected, found=one.found)
            for one in differences
        ]
        rows.append({"chat": str(path), "title": chat.title, "passed": not differences, "differences": told})
        if form is None and (differences or verbose):
            click.echo("\n  ".join([f"{'✕' if differences else '✓'} {path}: {chat.title}", *told]))
    failed = sum(not row["passed"] for row in rows)
    if form is None:
        click.echo(t("test_sum", language, passed=len(rows) - failed, failed=failed))
    else:
        show(rows, form, ("chat", "title", "passed", "differences"), "")
    context.exit(1 if failed or not rows else 0)
