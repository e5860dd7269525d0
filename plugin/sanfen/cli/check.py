"""``sanfen check``: every mistake in a configuration, in one run."""

import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sanfen.cli.options import spoken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sanfen.config.findings import Finding

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
@click.option("--online", is_flag=True, help="Also look whether every address answers; no message is sent.")
@click.option("--explain", "code", metavar="CODE", help="What a code means.")
@click.option("--upgrade", is_flag=True, help="Bring logs of earlier versions up to date first.")
@click.pass_context
def command(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    form: str,
    code: str | None,
    *,
    strict: bool,
    online: bool,
    upgrade: bool,
) -> None:
    """Find every mistake in configurations, and damage in logs. Exit 0: fine; 1: not; 2: a file cannot be read."""
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.config.findings import CODES  # noqa: PLC0415

    language = spoken()
    if code is not None:
        if code.upper() not in CODES:
            raise click.UsageError(t("usage_code", language, code=code, codes=", ".join(CODES)))
        _explain(code.upper(), language)
        return
    if not files:
        raise click.UsageError(t("usage_file", language))
    logs = [path for path in files if _is_log(path)]
    damaged = False
    for path in logs:
        if upgrade:
            from sanfen.store.opening import upgrade as bring  # noqa: PLC0415  # as above

            bring(path)
            click.echo(t("check_upgraded", language, path=path))
        problems = examined(path)
        click.echo("\n".join(problems) if problems else t("check_whole", language, path=path))
        damaged |= bool(problems)
    findings = _inspected([path for path in files if path not in logs], form, language, online=online)
    if any(finding.code == "C003" for finding in findings):
        context.exit(2)
    context.exit(int(damaged or any(finding.is_error or strict for finding in findings)))


def _inspected(files: "Sequence[Path]", form: str, language: str, *, online: bool) -> "list[Finding]":
    """The findings of configurations, shown."""
    from sanfen.catalogue import t  # noqa: PLC0415  # as above
    from sanfen.config.load import inspect  # noqa: PLC0415
    from sanfen.plugins import Plugins  # noqa: PLC0415

    if not files:
        return []
    deadlines = Plugins().deadlines()
    findings: list[Finding] = []
    told = []
    for path in files:
        loaded, found = inspect(path, deadlines=deadlines)
        findings += found
        if online and loaded is not None:
            from sanfen.cli.online import look  # noqa: PLC0415

            looked = look(path, loaded)
            findings += looked.findings
            seconds = None if looked.off_ms is None else f"{abs(looked.off_ms) / 1000:.0f}"
            clock = t("check_clock", language, seconds=seconds) if seconds else t("check_no_clock", language)
            told.append(t("check_online", language, reached=looked.reached, clock=clock))
        elif online:
            told.append(t("check_not_online", language, path=path))
    _show(findings, files, form, language)
    for line in told:
        click.echo(line, err=True)
    return findings


def _show(findings: "list[Finding]", files: "Sequence[Path]", form: str, language: str) -> None:
    from sanfen.catalogue import SAID, said, t  # noqa: PLC0415  # as above
    from sanfen.config.findings import Findings  # noqa: PLC0415

    if form == "json":
        words = SAID if language == "zh" else {}
        click.echo(json.dumps([finding.fields(words) for finding in findings], ensure_ascii=False, indent=1))
    elif form == "github":
        for one in findings:
            level = "error" if one.is_error else "warning"
            place = f"file={one.file},line={one.line},col={one.column},title={one.code}"
            click.echo(f"::{level} {place}::{said(one.message, language)}")
    elif findings:
        click.echo(said(Findings(findings), language))
    else:
        click.echo(t("check_none", language, files=", ".join(map(str, files))))


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
