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
from sanfen.cli.dress import Verbs, dressed
from sanfen.cli.options import reset, spoken

__all__ = ["VERBS", "main"]

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("a living shop: no configuration needed", "一家活的店，不用配置"),
    "init": ("four questions, and a configuration to begin with", "四个问题，生成一份可用的配置"),
    "serve": ("run the middleware", "运行中间件"),
    "say": ("put a message through a running service", "向运行中的服务发一条消息"),
    "tail": ("what happens in a running service, as it happens", "实时看运行中的服务在发生什么"),
    "check": ("find every mistake in a configuration", "找出配置里的所有错误"),
    "doctor": ("what may go wrong here, before it does", "检查这里有什么隐患"),
    "route": ("which ladder a round would climb, who would be told", "一轮会走哪个升级阶梯，通知谁"),
    "test": ("chats as tests of a configuration", "用对话测试配置"),
    "notify": ("send a person a test message, and hear what became of it", "给人发一条测试消息，看是否送达"),
    "quiet": ("planned silences of a running service", "计划内的静默"),
    "rates": ("rates of a scored log", "响应率"),
    "rounds": ("rounds of a scored log", "列出轮次"),
    "explain": ("why a round got its outcome", "一轮为什么是这个结果"),
    "budget": ("how many more misses each target can bear", "错误预算：还能错几轮"),
    "report": ("the week on one page", "一页周报"),
    "figures": ("first and average response, unreplied, messages, orders", "首响、平响、未回复、消息数、订单"),
    "query": ("ask a log in SQL", "用 SQL 查询记录"),
    "datasette": ("browse a log with Datasette", "用 Datasette 浏览记录"),
    "replay": ("score a chat log", "给聊天记录计分"),
    "compare": ("which rounds two policies see differently, and why", "两种规则看法不同的轮次及原因"),
    "reconcile": ("the platform's own figures against ours", "与平台自己的数据对账"),
    "policies": ("list, show or compare policies", "列出、查看、比较规则"),
    "erase": ("forget what a customer said", "删除某个顾客说过的话"),
    "adapters": ("what reads channels; what a payload becomes, and why", "渠道适配器；一个报文会变成什么，为什么"),
    "schema": ("JSON Schema of the configuration, for editors", "配置的 JSON Schema，供编辑器用"),
    "completion": ("a script that completes verbs and options in your shell", "生成命令行补全脚本"),
}
"""The verbs, what they do in English and in Chinese. Each is ``command`` in the module of its name."""


class _Loaded(Verbs):
    """Loads a verb's module when it is called, so that ``--help`` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        found: click.Command = import_module(f"sanfen.cli.{cmd_name}").command
        return dressed(found, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            close = get_close_matches(error.command_name, VERBS, n=1)
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=close, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has enough; leave without a word. click itself would exit with 1.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        language = spoken()
        with formatter.section("Verbs" if language == "en" else "命令"):
            formatter.write_dl([(verb, texts[language == "zh"]) for verb, texts in VERBS.items()])


@click.group(cls=_Loaded, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sanfen")
@click.option("--debug", is_flag=True, envvar="SANFEN_DEBUG", help="Show where an unexpected error comes from.")
def cli(debug: bool) -> None:  # ``main`` looks for it: also errors before this are shown
    """三分: how fast does a person answer? Relays chats, judges replies, escalates, scores."""


@contextmanager
def _words() -> Iterator[None]:
    """Give click its words: it asks gettext, which has none of them, so they come from the catalogue."""
    one, many = gettext.dgettext, gettext.dngettext

    def known(text: str) -> str:
        from sanfen.catalogue import USAGE  # noqa: PLC0415  # only for who reads it

        return USAGE.get(text, text)

    gettext.dgettext = lambda domain, message: known(message) if spoken() == "zh" else one(domain, message)
    gettext.dngettext = lambda domain, msgid1, msgid2, n: (
        known(msgid1 if n == 1 else msgid2) if spoken() == "zh" else many(domain, msgid1, msgid2, n)
    )
    try:
        yield
    finally:
        gettext.dgettext, gettext.dngettext = one, many


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command; exits with 0 fine, 1 findings, 2 usage or unusable input, 3 no service, 130 interrupted."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    reset()
    try:
        with _words():
            code = _run(args)
    finally:
        reset()  # the language was this run's
    sys.exit(code if isinstance(code, int) else 0)


def _run(args: list[str]) -> Any:
    try:
        return dressed(cli, "").main(args, prog_name="sanfen", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return max(2, error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Exception as error:
        return _unexpected(error, debug="--debug" in args or bool(os.environ.get("SANFEN_DEBUG")))


def _unexpected(error: Exception, *, debug: bool) -> int:
    from sanfen.catalogue import said, t  # noqa: PLC0415  # only when something went wrong
    from sanfen.errors import SanfenError  # noqa: PLC0415

    if isinstance(error, SanfenError):
        whole = said(error.whole, spoken())
        click.echo(whole if str(error).startswith(("error[", "warning[")) else f"sanfen: {whole}", err=True)
        return 2
    if debug:
        raise error
    click.echo(t("usage_unexpected", spoken(), word=type(error).__name__, error=error), err=True)
    return 2
