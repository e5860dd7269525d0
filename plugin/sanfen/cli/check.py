"""``sanfen check``: every mistake in a configuration, in one run."""

import json
from pathlib import Path

import click

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
@click.pass_context
def command(context: click.Context, /, files: tuple[Path, ...], form: str, strict: bool, code: str | None) -> None:
    """Find every mistake. Exit 0: it can be run; 1: it cannot; 2: a file cannot be read."""
    from sanfen.config.findings import CODES, render_all  # noqa: PLC0415  # loaded only for this verb
    from sanfen.config.load import inspect  # noqa: PLC0415

    if code is not None:
        if code.upper() not in CODES:
            raise click.UsageError(f"no code {code}; codes: {', '.join(CODES)}")
        click.echo(f"{code.upper()}: {CODES[code.upper()]}")
        return
    if not files:
        raise click.UsageError("name a file, such as sanfen.yaml")
    findings = [finding for path in files for finding in inspect(path)[1]]
    if form == "json":
        click.echo(json.dumps([finding.fields() for finding in findings], ensure_ascii=False, indent=1))
    elif form == "github":
        for one in findings:
            level = "error" if one.is_error else "warning"
            click.echo(f"::{level} file={one.file},line={one.line},col={one.column},title={one.code}::{one.message}")
    elif findings:
        click.echo(render_all(findings))
    else:
        click.echo(f"{', '.join(map(str, files))}: no findings")
    if any(finding.code == "C003" for finding in findings):
        context.exit(2)
    if any(finding.is_error or strict for finding in findings):
        context.exit(1)
