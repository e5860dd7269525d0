"""Rows on standard output: as a table for people, or as JSON, CSV, lines of JSON, Markdown."""

import csv
import io
import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

import click

from sanfen.catalogue import t
from sanfen.cli.options import coloured, spoken

__all__ = ["as_csv", "clock", "fit", "folded", "formats", "pad", "plain", "say_line", "show", "show_figures"]

_NARROWEST = 16  # columns of a terminal that a cell keeps
_MANY = 9  # figures of a row from which on each may have a line of its own
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})"
)  # a person reads it by the minute
F = TypeVar("F", bound=Callable[..., Any])
_SECONDS = frozenset({"first_reply_mean", "total_reply_mean", "cut_reply_mean", "longest_reply"})
_RIGHT = _SECONDS | {
    "rounds", "met", "late", "missed", "pending", "excluded", "rate", "mean_wait", "wait", "messages", "mark", "ok",
    "consult_num", "no_reply_num", "ask_num", "slow_reception_num", "long_receive_num", "seller_msg_num", "buyer_msg_num",
    "order_num", "paid_num", "paid_amount", "units", "hits", "value",
}  # fmt: skip


def formats(command: F) -> F:
    """The options every table has."""
    for name, word in (("md", "Markdown"), ("nl", "one JSON object a line"), ("csv", "CSV"), ("json", "JSON")):
        command = click.option(f"--{name}", "form", flag_value=name, help=f"Print {word}.")(command)
    return command


def show(rows: Sequence[Mapping[str, Any]], form: str | None, columns: Sequence[str], empty: str) -> None:
    """Print rows; ``columns`` are those a person sees, machines get everything."""
    if form == "json":
        click.echo(json.dumps(list(rows), ensure_ascii=False, indent=1, default=str))
    elif form == "nl":
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False, default=str))
    elif form == "csv":
        click.echo(as_csv(rows), nl=False)
    elif not rows:
        click.echo(empty, err=True, nl=bool(empty))
    else:
        click.echo(_table(rows, columns, markdown=form == "md"))


def show_figures(rows: Sequence[dict[str, Any]], form: str | None, columns: Sequence[str], language: str) -> None:
    """Rows of figures; where some lack deliveries, a column says which, and a line says so to whoever reads."""
    if form in (None, "md") and any(row.get("incomplete") for row in rows):
        word = t("incomplete", language)
        shown = [row | {"incomplete": word if row.get("incomplete") else ""} for row in rows]
        show(shown, form, [*columns, "incomplete"], "")
        click.echo(t("incomplete_note", language), err=True)
    else:
        show(rows, form, columns, t("nothing_found", language))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, with the names of the first as header."""
    out = io.StringIO()
    names = list(rows[0]) if rows else []
    writer = csv.DictWriter(out, names, lineterminator="\n")
    if names:
        writer.writeheader()
    for row in rows:
        writer.writerow({name: _flat(value) for name, value in row.items()})
    return out.getvalue()


def _flat(value: Any) -> Any:
    """A value as one cell of a CSV."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, markdown: bool) -> str:
    names = [name.removesuffix("_ms") for name in columns]
    right = [name in _RIGHT for name in names]
    grid = [[_header(name) for name in names], *([_cell(name, row.get(name)) for name in columns] for row in rows)]
    widths = _widths(grid)
    if not markdown and len(names) >= _MANY and _total(widths) > _across():
        turned = [list(line) for line in zip(*grid, strict=True)]
        if _total(_widths(turned)) <= _across():  # few rows of many figures: each figure its own line
            grid, widths, right = turned, _widths(turned), [False] + [True] * len(rows)
    if not markdown and sys.stdout.isatty():
        widths = _narrowed(widths, _across())
        grid = [line for cells in grid for line in _folded(cells, widths)]
    bar = "| " if markdown else ""
    between, end = (" | ", " |") if markdown else ("  ", "")
    lines = [bar + between.join(map(pad, line, widths, right)) + end for line in grid]
    if markdown:
        marks = [
            ("-" * (width - 1) + ":") if at_right else "-" * width
            for width, at_right in zip(widths, right, strict=True)
        ]
        lines.insert(1, "| " + " | ".join(marks) + " |")
    elif coloured():
        lines[0] = click.style(lines[0], bold=True)
    return "\n".join(line.rstrip() for line in lines)


def _widths(grid: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(_width, cells)) for cells in zip(*grid, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _across() -> int:
    """How wide the reader's terminal is; 80 where it is none."""
    return shutil.get_terminal_size().columns


def _narrowed(widths: Sequence[int], across: int) -> list[int]:
    """Columns that fit on the line together, as far as their widest may give way."""
    out = list(widths)
    while _total(out) > across and max(out) > _NARROWEST:
        out[out.index(max(out))] -= 1
    return out


def _folded(cells: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """A row as the lines it takes where its cells are folded."""
    parts = [folded(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return [list(line) for line in zip_longest(*parts, fillvalue="")]


def say_line(text: str) -> None:
    """Print a line; on a terminal it is folded where it would not fit, and what follows is set in."""
    hang = len(text) - len(text.lstrip()) + 4
    if sys.stdout.isatty():
        first, *rest = folded(text, across := _across())
        more = folded(text[len(first) :].strip(), max(20, across - hang)) if rest else []
        text = "\n".join([first, *(" " * hang + line for line in more)])
    click.echo(text)


def folded(text: str, width: int) -> list[str]:
    """The text in lines of at most so many columns, broken at spaces where there are any."""
    if _width(text) <= width:
        return [text]
    from rich.console import Console  # noqa: PLC0415  # on a terminal only
    from rich.text import Text  # noqa: PLC0415

    return [str(line).rstrip() for line in Text(text).wrap(Console(width=width), width)]


def _header(name: str) -> str:
    """A column's name as a person reads it; machines get it as it is."""
    if spoken() != "zh":
        return name
    from sanfen.cli.chinese import COLUMNS  # noqa: PLC0415  # only for who reads it

    return COLUMNS.get(name, name)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "rate":
        from sanfen.charts import percent  # noqa: PLC0415  # not for help

        return percent(value)
    if name.endswith("wait_ms"):
        return clock(value)
    if name in _SECONDS:
        return clock(value * 1000)
    if name == "value" and isinstance(value, int | float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return " ".join(f"{key} {_cell('', one)}" for key, one in value.items())
    if isinstance(value, bool):
        return "✓" if value else "✕"
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    text = " ".join(str(value).split()).replace("|", "¦")
    return text[:16].replace("T", " ") if _INSTANT.fullmatch(text) else text


def clock(duration_ms: float | None) -> str:
    """``7m55s``."""
    if duration_ms is None:
        return ""
    seconds = int(duration_ms) // 1000
    hours, minutes = divmod(seconds // 60, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if hours or minutes else "", f"{seconds % 60}s"]
    return "".join(parts)


def plain(value: Any) -> str:
    """A value as it could stand in YAML, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {plain(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(plain(one) for one in value) + "]"
    return "" if value is None else str(value)


def fit(text: str, width: int) -> str:
    """The text, cut to so many columns of a terminal."""
    if _width(text) <= width:
        return text
    kept = ""
    for char in text:
        if _width(kept + char) > width - 1:
            break
        kept += char
    return kept + "…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def pad(text: str, width: int, right: bool = False) -> str:
    """The text in so many columns of a terminal, where Chinese characters take two."""
    space = " " * (width - _width(text))
    return space + text if right else text + space
