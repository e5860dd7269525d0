"""``sanfen check``: every mistake in a configuration, in one run."""

import json
import sqlite3
from pathlib import Path

import click

from sanfen.cli.options import spoken

__all__ = ["command"]


@click.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How findings are printed.",
)
@click.option("--strict", is_flag=True, help="Warnings count as findings for the exit code.")
@click.option("--explain", "code", metavar="CODE", help="What a code means.")
@click.option("--upgrade", is_flag=True, help="Bring logs of earlier versions up to date first.")
@click.pass_context
def command(
    context: click.Context, /, files: tuple[Path, ...], form: str, strict: bool, code: str | None, upgrade: bool
) -> None:
    """Find every mistake in configurations, and damage in logs. Exit 0: fine; 1: not; 2: a file cannot be read."""
    from sanfen.catalogue import SAID, said, t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.config.findings import CODES, Findings  # noqa: PLC0415
    from sanfen.config.load import inspect  # noqa: PLC0415
    from sanfen.plugins import Plugins  # noqa: PLC0415

    language = spoken()
    if code is not None:
        if code.upper() not in CODES:
            raise click.UsageError(t("usage_code", language, code=code, codes=", ".join(CODES)))
        _explain(code.upper(), language)
        return
    if not files:
        raise click.UsageError(t("usage_file", language))
    failed = False
    logs = [path for path in files if _is_log(path)]
    for path in logs:
        if upgrade:
            from sanfen.store.opening import upgrade as bring  # noqa: PLC0415  # as above

            bring(path)
        problems = examined(path)
        click.echo("\n".join(problems) if problems else t("check_whole", language, path=path))
        failed |= bool(problems)
    files = tuple(path for path in files if path not in logs)
    if not files:
        context.exit(int(failed))
    deadlines = Plugins().deadlines()
    findings = [finding for path in files for finding in inspect(path, deadlines=deadlines)[1]]
    if form == "json":
        click.echo(
            json.dumps(
                [finding.fields(SAID if language == "zh" else {}) for finding in findings], ensure_ascii=False, indent=1
            )
        )
    elif form == "github":
        for one in findings:
            level = "error" if one.is_error else "warning"
            click.echo(
                f"::{level} file={one.file},line={one.line},col={one.column},title={one.code}::{said(one.message, language)}"
            )
    elif findings:
        click.echo(said(Findings(findings), language))
    else:
        click.echo(t("check_none", language, files=", ".join(map(str, files))))
    if any(finding.code == "C003" for finding in findings):
        context.exit(2)
    if failed or any(finding.is_error or strict for finding in findings):
        context.exit(1)


def _explain(code: str, language: str) -> None:
    """The page of a code: what it means, a file that has it, and how that is mended."""
    from sanfen.catalogue import t  # noqa: PLC0415  # as above
    from sanfen.config.findings import CODES  # noqa: PLC0415
    from sanfen.config.pages import PAGES  # noqa: PLC0415

    page = PAGES[code]
    click.echo(f"{code}: {page.chinese if language == 'zh' else CODES[code]}")
    for name, text in (("check_wrong", page.wrong), ("check_right", page.right)):
        if text:
            click.echo(f"\n{t(name, language)}\n" + "".join(f"    {line}\n" for line in text.splitlines()), nl=False)


def _is_log(path: Path) -> bool:
    """Whether it is a database, or was one of ours, rather than a configuration."""
    from sanfen.store.files import is_ours  # noqa: PLC0415  # as above

    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0" or is_ours(path)
    except OSError:
        return False


def examined(path: Path) -> list[str]:
    """What is wrong with a log: damage, and rows that disagree with each other."""
    from sanfen.catalogue import said, t  # noqa: PLC0415  # as above
    from sanfen.errors import StoreError  # noqa: PLC0415
    from sanfen.store.opening import open_reader  # noqa: PLC0415
    from sanfen.store.projection import drift  # noqa: PLC0415
    from sanfen.store.trouble import store_error  # noqa: PLC0415

    language = spoken()
    try:
        connection = open_reader(path)
    except StoreError as error:
        return [said(error.whole, language)]
    try:
        found = [f"{path}: {row[0]}" for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
        found += [
            t("check_orphan", language, path=path, table=row[0])
            for row in connection.execute("PRAGMA foreign_key_check")
        ]
        hours = drift(connection)
        if hours:
            found.append(t("check_drift", language, path=path, rows=hours))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        found = [said(store_error(path, error).whole, language)]
    finally:
        connection.close()
    return found
