"""Chats as tests of a configuration: what its rules make of them, and whom its ladders tell."""

from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sanfen.config import presets
from sanfen.config.load import Loaded
from sanfen.core.classify import Rule, classify
from sanfen.core.drive import Fold
from sanfen.core.effects import Effect, Escalated
from sanfen.core.events import Event, Key, Message, Sender, Store
from sanfen.core.facts import Conversation, Round
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.repeats import Repeats
from sanfen.core.score import Score
from sanfen.errors import InputError, Phrase, nearest
from sanfen.roster import Roster
from sanfen.transcript import Transcript
from sanfen.wire import instant_text, parse_instant, read_event

__all__ = ["Difference", "try_chat", "verdicts"]

_LONG_AFTER_MS = 30 * 86_400_000


class Difference(NamedTuple):
    """Where a chat did not go as it says. ``line``: of the expectation, 0 where there is none."""

    line: int
    expected: str
    found: str


def try_chat(chat: Transcript, name: str, loaded: Loaded | None = None) -> list[Difference]:
    """Play a chat, and return what differs from what it expects. Raises InputError.

    Without a configuration the chat's own ``policy:`` and ``set:`` lines hold, and nobody is told.
    """
    rounds, told = _played(chat, name, loaded)
    wanted = [one for one in chat.expected if one.outcome != "none"]
    out = []
    for number in range(max(len(wanted), len(rounds))):
        expected = wanted[number] if number < len(wanted) else None
        found = rounds[number] if number < len(rounds) else None
        said = expected.text if expected else "no round"
        if found is None:
            out.append(Difference(expected.line if expected else 0, said, "no round"))
        elif expected is None or not expected.fits(str(found[1].outcome), found[1].public_reason, found[0].wait_ms):
            out.append(Difference(expected.line if expected else 0, said, _told(*found)))
    if chat.told:
        out += _steps(chat, told)
    return out


def verdicts(chat: Transcript, name: str, loaded: Loaded) -> list[str]:
    """What a chat's last lines must say so that it goes as it says. Raises InputError."""
    rounds, told = _played(chat, name, loaded)
    lines = [f"=> {_told(*one)}" for one in rounds] or ["=> none"]
    return lines + ([f"!> {clock} {names}" for clock, names in told] or ["!> none"])


def _played(
    chat: Transcript, name: str, loaded: Loaded | None
) -> tuple[list[tuple[Round, Score]], list[tuple[str, str]]]:
    """A chat's rounds, and the people who would be told, instant by instant."""
    policy = _policy(chat, name, loaded)
    zone = ZoneInfo(loaded.settings.shop.timezone if loaded else policy.tz)
    events = sorted((read_event(fields, zone=zone) for _, fields in chat.rows), key=lambda event: event.at_ms)
    as_of = chat.headers.get("as-of")
    end_ms = parse_instant(as_of, zone) if as_of else max((one.at_ms for one in events), default=0) + _LONG_AFTER_MS
    rounds, effects = _play(events, policy, loaded.rules if loaded else (), end_ms)
    return rounds, _reached(effects, Roster(loaded.settings) if loaded else None, zone)


def _policy(chat: Transcript, name: str, loaded: Loaded | None) -> Policy:
    wanted = chat.headers.get("policy")
    if loaded is None:
        overrides = dict(one.split("=", 1) for one in chat.sets if "=" in one)
        tree = presets.tree(wanted or presets.DEFAULT)
        for key, value in overrides.items():
            presets.apply_set(tree, key, value)
        holidays = frozenset(filter(None, chat.headers.get("holidays", "").split(",")))
        return presets.scoring(presets.validate(tree, name), holidays=holidays)
    if chat.sets:
        raise InputError(
            Phrase("{name}: set: lines and a configuration", name=name),
            hint="write what differs under policies: in the file",
        )
    found = next((one for one in loaded.policies if wanted in (None, one.id)), None)
    if found is None:
        known = [one.id for one in loaded.policies]
        raise InputError(
            Phrase("{name}: the configuration scores by no policy {wanted!r}", name=name, wanted=wanted),
            hint=nearest(wanted or "", known, Phrase("known: {names}", names=", ".join(known))),
        )
    return found


def _play(
    events: Sequence[Event], policy: Policy, rules: tuple[Rule, ...], end_ms: int
) -> tuple[list[tuple[Round, Score]], list[Effect]]:
    plan = plan_of(policy)
    folds: dict[Key, Fold] = {
        event.key: Fold(Conversation(event.key), plan) for event in events if type(event) is not Store
    }
    effects: list[Effect] = []
    repeats = Repeats(rules)
    for event in events:
        for key, fold in folds.items():
            if type(event) is Store or key == event.key:
                effects += fold.feed(_classified(event, fold, rules, repeats))
    for fold in folds.values():
        effects += fold.wait(end_ms)
    rounds = [found for fold in folds.values() for found in fold.rounds(end_ms)]
    return sorted(rounds, key=lambda pair: pair[0].opened_ms), effects


def _classified(event: Event, fold: Fold, rules: tuple[Rule, ...], repeats: Repeats) -> Event:
    if not rules or not isinstance(event, Message) or event.sender != Sender.merchant:
        return event
    return classify(event, rules, fold.state.last_customer_ms, repeats.count(event))


def _reached(effects: Sequence[Effect], roster: Roster | None, zone: ZoneInfo) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for effect in sorted((one for one in effects if isinstance(one, Escalated)), key=lambda one: one.at_ms):
        clock = (instant_text(effect.at_ms, zone) or "")[11:19]
        targets = roster.told(effect.notify, effect.round.agent, effect.at_ms) if roster else []
        names = [one.person for one in targets if one.skipped is None]
        names += [f"reassign {effect.reassign}"] if effect.reassign else []
        found.append((clock, ", ".join(names) or "nobody"))
    return found


def _steps(chat: Transcript, found: Sequence[tuple[str, str]]) -> list[Difference]:
    """The people who would be told, against those the chat names."""
    wanted = [one for one in chat.told if one.names != "none"]
    out = []
    for number in range(max(len(wanted), len(found))):
        expected = wanted[number] if number < len(wanted) else None
        actual = found[number] if number < len(found) else None
        if expected is None or actual is None or (expected.clock, expected.names) != actual:
            said = "nobody is told" if expected is None else f"{expected.clock} {expected.names}"
            out.append(
                Difference(expected.line if expected else 0, said, " ".join(actual) if actual else "nobody is told")
            )
    return out


def _told(one: Round, scored: Score) -> str:
    wait = "" if one.wait_ms is None else " " + _clock(one.wait_ms)
    return f"{scored.outcome} {scored.public_reason or ''}".rstrip() + wait


def _clock(wait_ms: int) -> str:
    seconds = wait_ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
