"""``sanfen policies``: list them, show one, compare two."""

import json
from typing import Any

import click

from sanfen.cli.options import spoken
from sanfen.cli.tables import formats

__all__ = ["command"]


@click.command("policies")
@click.argument("names", nargs=-1, metavar="[A [B]]")
@formats
def command(names: tuple[str, ...], form: str | None) -> None:
    """Without a name: all shipped policies. With one: its keys and sources. With two: where they differ."""
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.tables import plain, say_line, show  # noqa: PLC0415
    from sanfen.config import presets  # noqa: PLC0415

    language = spoken()
    if len(names) > 2:
        raise click.UsageError(t("usage_policies", language))
    if not names:
        show([_line(name, language) for name in presets.names()], form, ("id", "confidence", "as_of", "title"), "")
        return
    trees = [presets.tree(name) for name in names]
    for name, tree in zip(names, trees, strict=True):
        presets.validate(tree, name)
    if len(trees) == 1:
        if form == "json":
            click.echo(json.dumps(trees[0], ensure_ascii=False, indent=1))
        elif form is not None:
            show([{"key": key, "value": plain(value)} for key, value in trees[0].items()], form, ("key", "value"), "")
        else:
            for key, value in trees[0].items():
                say_line(f"{key}: {plain(value)}")
        return
    keys = [key for key in dict.fromkeys([*trees[0], *trees[1]]) if trees[0].get(key) != trees[1].get(key)]
    rows = [{"key": key, names[0]: plain(trees[0].get(key)), names[1]: plain(trees[1].get(key))} for key in keys]
    prose = {"id", "title", "status", "sources", "valid"}
    show(
        [row for row in rows if row["key"] not in prose],
        form,
        ("key", *dict.fromkeys(names)),
        t("policies_same", language),
    )


def _line(name: str, language: str) -> dict[str, Any]:
    from sanfen.config import presets  # noqa: PLC0415

    model = presets.model(name)
    title = model.title
    shown = "" if title is None else ((title.zh or title.en) if language == "zh" else title.en)
    status = model.status
    return {
        "id": model.id,
        "confidence": status.confidence if status else "",
        "as_of": (status.as_of or "") if status else "",
        "title": shown,
    }
