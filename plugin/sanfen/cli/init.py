"""``sanfen init``: four questions, and what one needs to begin."""

import re
import secrets
import sys
from base64 import b64encode
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import spoken
from sanfen.cli.writing import written

__all__ = ["command"]

_USUAL_MS = 180_000
_OURS = "generic"  # the adapter whose secret we may choose
_OUT = '    # from_shop: {{forward: "http://127.0.0.1:9001/out"}}  # {}\n'


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".", metavar="[DIR]")
@click.option("--yes", is_flag=True, help="Ask nothing: take what the options say, and defaults.")
@click.option("--channel", help="The kind of channel: an adapter, such as generic.")
@click.option("--told", metavar="WAY", help="How the lead is reached, such as dingtalk://TOKEN; docs/notifiers.md.")
@click.option("--policy", help="The rule rounds are judged by.")
@click.option("--tz", metavar="ZONE", help="The shop's time zone.")
def command(folder: Path, yes: bool, **given: str | None) -> None:
    """Write config/sanfen.yaml, a secret, the schema for editors, a first test and a unit for systemd.

    Asks for the channel, who is told, the policy and the time zone. A file that is there already is never written over.
    """
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.config.jsonschema import config_schema  # noqa: PLC0415

    language = spoken()
    _look(folder, "config/sanfen.yaml", language)
    answers = _answers(given, language, ask=not yes)
    name = "desk" if answers["channel"] == _OURS else answers["channel"]
    kept = _put_aside(answers)
    texts: dict[str, str] = {
        "config/sanfen.yaml": _config(answers, name, language),
        "config/sanfen.schema.json": _json(config_schema()),
        "config/sanfen.service": _unit(),
        f"secrets/{name}": _secret(answers["channel"]) + "\n",
    } | kept
    for path in (*texts, "tests/first.txt"):
        _look(folder, path, language)
    for path, text in texts.items():
        written(folder / path, text, makes_folders=True, is_secret=path.startswith("secrets/"))
        click.echo(folder / path)
    test = folder / "tests/first.txt"
    written(test, _chat(folder / "config/sanfen.yaml", language), makes_folders=True)
    click.echo(test)
    click.echo(t("init_done", language, folder=folder, channel=name), err=True)


def _look(folder: Path, path: str, language: str) -> None:
    """Raises InputError for a file that is there already."""
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.errors import InputError  # noqa: PLC0415

    if (folder / path).exists():
        raise InputError(t("init_there", language, name=folder / path), hint=t("init_there_mend", language))


def _answers(given: dict[str, str | None], language: str, *, ask: bool) -> dict[str, str]:
    """What was given, else what is answered, else the defaults; each looked at as soon as it is known."""
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.config import presets  # noqa: PLC0415
    from sanfen.plugins import Plugins  # noqa: PLC0415

    plugins = Plugins()
    kinds = {
        "channel": (_OURS, click.Choice(sorted(plugins.channels))),
        "told": ("console:", _Checked(plugins.check_way)),
        "policy": (presets.DEFAULT, _Checked(presets.model)),
        "tz": ("Asia/Shanghai", _Checked(_zone)),
    }
    out = {}
    for name, (usual, kind) in kinds.items():
        value = given[name]
        if value is not None or not ask:
            out[name] = kind.convert(usual if value is None else value, None, click.get_current_context())
        else:
            out[name] = _ask(t(f"init_{name}", language), default=usual, type=kind)
    return out


def _secret(adapter: str) -> str:
    """A secret of ours, or one that stands in for the channel's own until that is known."""
    return f"whsec_{b64encode(secrets.token_bytes(24)).decode()}" if adapter == _OURS else secrets.token_hex(24)


def _put_aside(answers: dict[str, str]) -> dict[str, str]:
    """An address that is enough to send by, as a file of its own; the configuration then only names that file."""
    from sanfen.plugins import Plugins  # noqa: PLC0415

    told = answers["told"]
    if "${" in told or not Plugins().check_way(told).secret_address:
        return {}
    answers["told"] = "${file:../secrets/lead}"
    return {"secrets/lead": told + "\n"}


def _ask(text: str, **options: Any) -> str:
    """An answer. Raises UsageError where nobody can give one."""
    from sanfen.catalogue import t  # noqa: PLC0415

    try:
        return str(click.prompt(text, err=True, **options))
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise click.UsageError(t("init_nobody", spoken())) from None


class _Checked(click.ParamType[str]):
    """A text that something accepts, or says what is wrong with it."""

    name = "text"

    def __init__(self, check: Any) -> None:
        self._check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from sanfen.catalogue import said  # noqa: PLC0415
        from sanfen.errors import SanfenError  # noqa: PLC0415

        try:
            self._check(str(value))
        except SanfenError as error:
            self.fail(said(error.whole, spoken()), param, ctx)
        return str(value)


def _zone(name: str) -> None:
    from sanfen.config.types import parse_zone  # noqa: PLC0415
    from sanfen.errors import InputError, UnreadableError  # noqa: PLC0415

    try:
        parse_zone(name)
    except UnreadableError as error:
        raise InputError(error.message, hint=error.hint) from None


def _config(answers: dict[str, str], channel: str, language: str) -> str:
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.config import presets  # noqa: PLC0415
    from sanfen.config.types import duration_text  # noqa: PLC0415

    both_ways = answers["channel"] == _OURS
    text = (files("sanfen.cli") / f"start/sanfen.{language}.yaml").read_text(encoding="utf-8")
    due_ms = presets.policy(answers["policy"]).due[0].after_ms or _USUAL_MS
    for mark, value in (
        ("@FIRST@", duration_text(due_ms // 2)),
        ("@SECOND@", duration_text(due_ms // 6)),
        ("@TIMEZONE@", answers["tz"]),
        ("@POLICY@", answers["policy"]),
        ("@CHANNEL@", channel),
        ("@ADAPTER@", answers["channel"]),
        ("@TIMEOUT@", _timeout(answers["channel"], t("init_timeout", language))),
        ("@GIVEN@", t("init_secret_ours" if both_ways else "init_secret_theirs", language)),
        ("@OUT@", _OUT.format(t("init_out", language)) if both_ways else ""),
        ("@WAY@", _json(answers["told"]).strip()),
    ):
        text = text.replace(mark, value)
    return re.sub(r"^(.*\S) +(# .*)$", lambda line: f"{line[1]:<38}  {line[2]}", text, flags=re.MULTILINE)


def _timeout(adapter: str, word: str) -> str:
    """The line that bounds the workflow where the channel waits for its answer, and less than we usually do."""
    from sanfen.config.settings import ChannelSettings  # noqa: PLC0415
    from sanfen.config.types import duration_text  # noqa: PLC0415
    from sanfen.plugins import Plugins  # noqa: PLC0415

    told = Plugins().deadlines().get(adapter)
    if told is None or not told.wants_workflow or told.deadline_ms > ChannelSettings("", adapter).timeout_ms:
        return ""
    return f"    timeout: {duration_text(told.deadline_ms - 1_000)}  # {word}\n"


def _chat(config: Path, language: str) -> str:
    """A chat for `sanfen test`, with what the new configuration makes of it."""
    from sanfen.bulk.trials import verdicts  # noqa: PLC0415
    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.transcript import parse  # noqa: PLC0415

    text = (files("sanfen.cli") / f"start/first.{language}.txt").read_text(encoding="utf-8")
    return text + "".join(f"{line}\n" for line in verdicts(parse(text, "first.txt"), "first.txt", load(config)))


def _unit() -> str:
    """The unit for systemd that comes with sanfen: in the wheel beside the presets, in a checkout one folder up."""
    folder = files("sanfen_presets")
    inside = folder / "sanfen.service"
    return (inside if inside.is_file() else Path(str(folder)).parent / "sanfen.service").read_text(encoding="utf-8")


def _json(value: Any) -> str:
    import json  # noqa: PLC0415

    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
