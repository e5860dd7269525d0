"""The command line: one module for each verb, loaded only when it is used."""

import gettext
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from sanfen import __version__
from sanfen.catalogue import USAGE, t

__all__ = ["VERBS", "main"]

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("a living shop: no configuration needed", "一家活的店，不用配置"),
    "serve": ("run the middleware", "运行中间件"),
    "check": ("find every mistake in a configuration", "找出配置里的所有错误"),
    "route": ("which ladder a round would climb, who would be told", "一轮会走哪个升级阶梯，通知谁"),
    "test": ("chats as tests of a configuration", "用对话测试配置"),
    "replay": ("score a chat log", "给聊天记录计分"),
    "rates": ("rates of a scored log", "响应率"),
    "rounds": ("rounds of a scored log", "列出轮次"),
    "compare": ("which rounds two policies see differently, and why", "两种规则看法不同的轮次及原因"),
    "budget": ("how many more misses each target can bear", "错误预算：还能错几轮"),
    "report": ("first and average response, unreplied, messages, orders", "首响、平响、未回复、消息数、订单"),
    "reconcile": ("the platform's own figures against ours", "与平台自己的数据对账"),
    "explain": ("why a round got its outcome", "一轮为什么是这个结果"),
    "notify": ("send a person a test message, and hear what became of it", "给人发一条测试消息，看是否送达"),
    "quiet": ("planned silences of a running service", "计划内的静默"),
    "policies": ("list, show or compare policies", "列出、查看、比较规则"),
    "erase": ("forget what a customer said", "删除某个顾客说过的话"),
    "schema": ("JSON Schema of the configuration, for editors", "配置的 JSON Schema，供编辑器用"),
}
"""The verbs, what they do in English and in Chinese. Each is ``command`` in the module of its name."""


class _Verbs(click.Group):
    """Loads a verb's module when it is called, so that ``--help`` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        found: click.Command = import_module(f"sanfen.cli.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = get_close_matches(args[0], VERBS, n=1) if args else []
            language = _language(ctx.params.get("lang"))
            more = t("usage_close", language, verb=repr(close[0])) if close else None
            more = more or t("usage_verbs", language, verbs=", ".join(VERBS))
            raise click.UsageError(f"{error.format_message()} {more}", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has enough; leave without a word. click itself would exit with 1.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        language = _language(ctx.params.get("lang"))
        with formatter.section("Verbs" if language == "en" else "命令"):
            formatter.write_dl([(verb, texts[language == "zh"]) for verb, texts in VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sanfen")
@click.option(
    "--lang", type=click.Choice(["zh", "en"]), is_eager=True, help="Language of what is said (default: LANG)."
)
@click.option("--debug", is_flag=True, envvar="SANFEN_DEBUG", help="Show where an unexpected error comes from.")
@click.pass_context
def cli(context: click.Context, lang: str | None, debug: bool) -> None:
    """三分: how fast does a person answer? Relays chats, judges replies, escalates, scores."""
    context.obj = {"language": _language(lang), "debug": debug}


def _language(asked: str | None) -> str:
    return asked or ("zh" if os.environ.get("LC_ALL", os.environ.get("LANG", "")).startswith("zh") else "en")


def _spoken(args: Sequence[str]) -> str:
    """The language of what is said before the options are read, or because they could not be."""
    before = args[: next((place for place, word in enumerate(args) if word in VERBS), len(args))]
    asked = " ".join(before).replace("--lang=", "--lang ").partition("--lang ")[2].split()
    return _language(asked[0] if asked and asked[0] in ("zh", "en") else None)


@contextmanager
def _words(language: str) -> Iterator[None]:
    """Give click its words: it asks gettext, which has none of them, so they come from the catalogue."""
    one, many = gettext.dgettext, gettext.dngettext
    if language == "zh":
        gettext.dgettext = lambda domain, message: USAGE.get(message, message)  # noqa: ARG005  # gettext's names
        gettext.dngettext = lambda domain, msgid1, msgid2, n: USAGE.get(msgid1 if n == 1 else msgid2, msgid2)  # noqa: ARG005
    try:
        yield
    finally:
        gettext.dgettext, gettext.dngettext = one, many


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command; exits with 0 fine, 1 findings, 2 usage or unusable input, 130 interrupted."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    language = _spoken(args)
    with _words(language):
        code = _run(args, language)
    sys.exit(code if isinstance(code, int) else 0)


def _run(args: list[str], language: str) -> Any:
    try:
        return cli.main(args, prog_name="sanfen", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Exception as error:
        return _unexpected(error, language, debug="--debug" in args or bool(os.environ.get("SANFEN_DEBUG")))


def _unexpected(error: Exception, language: str, *, debug: bool) -> int:
    from sanfen.errors import SanfenError  # noqa: PLC0415  # only when something went wrong

    if isinstance(error, SanfenError):
        click.echo(f"sanfen: {error}" if not str(error).startswith(("error[", "warning[")) else str(error), err=True)
        return 2
    if debug:
        raise error
    click.echo(t("usage_unexpected", language, word=type(error).__name__, error=error), err=True)
    return 2
