"""``sanfen tail``: a line for everything that happens in a running service."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from sanfen.cli.options import anywhere, coloured, listed, spoken
from sanfen.cli.tables import clock, fit, pad
from sanfen.store.happenings import WHAT, Unsaid

__all__ = ["command", "line", "say"]

_LOOK_S = 0.25
_WHO, _TEXT = 8, 24  # columns of a terminal
_MARKS = {"ask": "●", "reply": " ", "escalate": "▲", "met": "○", "late": "✕", "missed": "✕", "excluded": "–"}
_COLOURS = {"▲": "yellow", "✕": "red"}


@click.command("tail")
@anywhere
@listed("--only", WHAT, "Only these: ask, reply, escalate, met, late, missed, excluded.")
@click.option("--agent", help="Only this agent.")
@click.option("--compact", is_flag=True, help="One short line each, without what was said.")
@click.option("--since", metavar="10m|TIME", help="Begin with what happened since then.")
@click.option("--for", "lasts", metavar="60s", help="End after so long, such as 60s; without it: at Ctrl-C.")
@click.option("--nl", is_flag=True, help="Print one JSON object a line.")
def command(
    config: Path | None,
    url: str | None,
    only: tuple[str, ...],
    agent: str | None,
    compact: bool,
    since: str | None,
    lasts: str | None,
    nl: bool,
) -> None:
    """Questions, replies and whether they count, who is told, outcomes, as they are written to the log.

    It asks the service's API, so this runs anywhere: --url https://board.example.com. Exit 3 if no service answers.
    """
    from sanfen.cli.asking import duration_of, since_of  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.server import board  # noqa: PLC0415

    service = board(config, url)
    language, zone = spoken(), ZoneInfo(service.ask("/api/v1/now")["timezone"])
    where = {} if since is None else {"since_ms": str(since_of(since, zone.key))}
    end = None if lasts is None else time.monotonic() + duration_of(lasts, "--for") / 1000
    unsaid = Unsaid()
    while True:
        found = service.ask("/api/v1/happenings", **where)
        for one in unsaid.of(found["happenings"]):
            if (not only or one["what"] in only) and agent in (None, one["agent"]):
                say(json.dumps(one, ensure_ascii=False) if nl else line(one, zone, language, compact=compact), one)
        if end is not None and time.monotonic() >= end:
            break
        where = {"cursor": found["next"]}
        time.sleep(_LOOK_S)


def say(text: str, one: Mapping[str, Any]) -> None:
    """Print a line at once; on a terminal what is urgent is coloured."""
    colour = _COLOURS.get(_MARKS[one["what"]]) if coloured() else None
    click.echo(click.style(text, fg=colour) if colour else text)
    sys.stdout.flush()


def line(one: Mapping[str, Any], zone: ZoneInfo, language: str, *, compact: bool = False) -> str:
    """A happening for a person: when, what, which round, who, and what was said or done."""
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.core.reasons import Reason, sentence  # noqa: PLC0415
    from sanfen.wire import instant_text  # noqa: PLC0415

    at = (instant_text(one["at_ms"], zone) or "")[11:19]
    mark, name = _MARKS[one["what"]], one["round"] or ""
    if one["what"] == "escalate":
        step = clock(one["step_after_ms"]) if one["step_after_ms"] is not None else ""
        word = t(
            f"tail_{one['result']}", language, seconds=f"{(one['took_ms'] or 0) / 1000:.1f}", answer=one["answer"] or ""
        )
        return f"{at} {mark} {name:<13} {step:>5} {one['customer']} → {one['person']}  {one['way']}  {word}".rstrip()
    if one["what"] in ("missed", "excluded"):
        word, held = t(f"outcome_{one['what']}", language), one["agent"] or ""
        why = one["reason"] or ""
        if why and language == "zh":
            why = sentence(Reason(why), language)
        return f"{at} {mark} {name:<13} {pad(one['customer'], _WHO)} {held}  {word} {why}".rstrip()
    who = one["customer"] if one["what"] == "ask" else one["agent"] or ""
    text = "" if compact else pad(fit(" ".join((one["text"] or "").split()), _TEXT), _TEXT)
    return f"{at} {mark} {name:<13} {pad(fit(who, _WHO), _WHO)} {text} {_verdict(one, language)}".rstrip()


def _verdict(one: Mapping[str, Any], language: str) -> str:
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.core.reasons import Reason, sentence  # noqa: PLC0415

    if one["what"] == "ask":
        return t("tail_opened", language) if one["opens"] else ""
    if one["wait_ms"] is not None:
        return f"{clock(one['wait_ms'])} {t('outcome_' + one['what'], language)}"
    word = t("verdict_valid" if one["valid"] else "verdict_invalid", language)
    why = one["rule"] or (sentence(Reason(one["reason"]), language) if one["reason"] else "")
    return f"{word} {why}"
