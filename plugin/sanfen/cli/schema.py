"""``sanfen schema``: the JSON Schema of the configuration, for editors."""

import json

import click

__all__ = ["command"]


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of sanfen.yaml. Editors that read yaml-language-server comments complete from it."""
    from sanfen.config.jsonschema import config_schema  # noqa: PLC0415  # loaded only for this verb

    click.echo(json.dumps(config_schema(), ensure_ascii=False, indent=1))
