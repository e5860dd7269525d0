"""What the shape cannot see: names nobody defined, steps too late, rules that never match."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache

from sanfen.config import ladders
from sanfen.config.build import quiet_of
from sanfen.config.findings import Finding
from sanfen.config.safety import literal
from sanfen.config.schema import Config, LadderModel
from sanfen.config.types import duration_text
from sanfen.config.yaml import Document
from sanfen.core.policy import Policy, Target
from sanfen.errors import ConfigError, ParseError, Phrase, nearest
from sanfen.plugins import Patience, Plugins

__all__ = ["deadlines", "doubts", "names", "own_target", "uses"]


def own_target(value: Fraction) -> tuple[Target, ...]:
    """The shop's own target."""
    return (Target("own", ">=", value),)


def names(document: Document, config: Config, wrong: frozenset[str]) -> list[Finding]:
    """Names that are defined twice, and values only their meaning shows to be wrong.

    ``wrong``: sections that could not be read as a whole, and are not looked at.
    """
    out = [*_twice(document, config), *_other(document, config)]
    return out + ([] if "people" in wrong else list(_addresses(document, config)))


def uses(document: Document, config: Config, lost: frozenset[str]) -> list[Finding]:
    """Names that are used and not defined. ``lost``: sections of which somebody is missing, so that nothing can be said."""
    out = [] if lost & {"people", "rosters", "groups"} else list(ladders.names(document, config))
    return out + ([] if "channels" in lost else list(_channels(document, config)))


def doubts(document: Document, config: Config, policies: Sequence[Policy]) -> list[Finding]:
    """Warnings: it runs, but hardly as meant."""
    return [
        *ladders.doubts(document, config, policies),
        *_target(document, config),
        *_unreachable(document, config),
        *_stored(document, config),
    ]


def deadlines(document: Document, config: Config, known: Mapping[str, Patience]) -> Iterator[Finding]:
    """Channels that would give up before we answer. ``known``: what adapters know, by their names."""
    for name, channel in config.channels.items():
        told = known.get(channel.adapter)
        deadline_ms = channel.deadline if channel.deadline is not None else told and told.deadline_ms
        if deadline_ms is None:
            continue
        waits = channel.delivery == "relay" and (told is None or told.wants_workflow)
        for key, value_ms, code in (("ack_within", channel.ack_within, "C024"), ("timeout", channel.timeout, "W112")):
            if value_ms >= deadline_ms and (waits or key != "timeout"):
                message = Phrase(
                    "{key} ({duration}) is not below what channel {name!r} waits for an answer",
                    key=key,
                    duration=duration_text(value_ms),
                    name=name,
                )
                note = Phrase(
                    "it waits no longer than {deadline}, and sends again what nobody took",
                    deadline=duration_text(deadline_ms),
                )
                path = ("channels", name, key) if key in channel.model_fields_set else ("channels", name)
                yield document.finding(
                    code,
                    message,
                    path,
                    key=len(path) == 2,
                    note=note,
                    help_="write less, or give the channel's deadline:",
                )


def _channels(document: Document, config: Config) -> Iterator[Finding]:
    used = [(("escalation", n, "match", "channel"), ladder.match.channel) for n, ladder in enumerate(config.escalation)]
    used += [(("classify", n, "match", "channel"), r.match.channel) for n, r in enumerate(config.classify)]
    for path, wanted in used:
        for name in wanted:
            if name not in config.channels:
                known = Phrase("known: {names}", names=", ".join(config.channels) or Phrase("none yet"))
                help_ = nearest(name, config.channels, known)
                yield document.finding(
                    "C022", Phrase("{name!r} is not under `channels:`", name=name), path, help_=help_
                )


def _twice(document: Document, config: Config) -> Iterator[Finding]:
    for section, listed in (
        ("classify", [rule.name for rule in config.classify]),
        ("escalation", [ladder.name for ladder in config.escalation]),
    ):
        for number, name in enumerate(listed):
            if name in listed[:number]:
                message = Phrase("two entries of {section} are called {name!r}", section=section, name=name)
                yield document.finding("C023", message, (section, number, "name"), help_="give each its own name")


def _other(document: Document, config: Config) -> Iterator[Finding]:
    judged = _judged(config)
    for name, channel in config.channels.items():
        path = ("channels", name)
        if not name or "/" in name or name in ("in", "out"):
            yield document.finding(
                "C012", Phrase("channel {name!r} cannot stand in an address", name=name), path, key=True
            )
        unjudged = channel.from_customer is not None or channel.from_shop is None or channel.adapter not in judged
        if channel.signing == "required" and not (channel.secret or channel.secrets) and unjudged:
            message = Phrase("channel {name!r} has no secret to check signatures with", name=name)
            yield document.finding(
                "C011", message, path, key=True, help_="write secret: ${NAME}, or signing: none on loopback"
            )
    for number, quiet in enumerate(config.quiet):
        try:
            quiet_of(quiet, config.shop.timezone)
        except ParseError as error:
            yield document.finding("C013", error.message, ("quiet", number), help_="write 2026-11-29T02:00")


@cache
def _ways(named: tuple[str, ...]) -> Plugins:
    """The ways to reach people that come with sanfen, or that the operator named. Raises ConfigError."""
    return Plugins(named=named)


def _addresses(document: Document, config: Config) -> Iterator[Finding]:
    try:
        ways = _ways(config.plugins)
    except ConfigError as error:
        yield document.finding("C012", error.message, ("plugins",), help_=error.hint)
        return
    for name, person in config.people.items():
        for index, way in enumerate(person.via):
            path = ("people", name, "via", index)
            try:
                kind = ways.check_way(way.url)
            except ConfigError as error:
                yield document.finding(
                    "C012",
                    Phrase("{place}: {sentence}", place=name, sentence=error.message),
                    (*path, "url"),
                    help_=error.hint,
                )
            else:
                if kind.secret_address:
                    yield from literal(document, [path, (*path, "url")])


def _target(document: Document, config: Config) -> Iterator[Finding]:
    if config.target is not None and config.target > 1:
        yield document.finding(
            "W105", Phrase("a target of {target:.0%} cannot be met", target=float(config.target)), ("target",)
        )


def _unreachable(document: Document, config: Config) -> Iterator[Finding]:
    for index, rule in enumerate(config.classify[:-1]):
        if not rule.match.model_fields_set:
            message = Phrase("rules below {name!r} never match: it takes every reply", name=rule.name)
            yield document.finding("W104", message, ("classify", index + 1), help_="move it to the end")
            break
    for index, ladder in enumerate(config.escalation[:-1]):
        if _takes_all(ladder):
            message = Phrase("ladders below {name!r} never match: it takes every round", name=ladder.name)
            yield document.finding("W104", message, ("escalation", index + 1), help_="move it to the end")
            break


def _judged(config: Config) -> frozenset[str]:
    """The adapters whose channels judge themselves who calls them."""
    try:
        known = _ways(config.plugins).channels
    except ConfigError:
        return frozenset()  # said already
    return frozenset(name for name, kind in known.items() if kind.judges_calls)


def _stored(document: Document, config: Config) -> Iterator[Finding]:
    """Channels that are to be answered before their workflow is asked, though that is what answers."""
    try:
        known = _ways(config.plugins).channels
    except ConfigError:
        return  # said already
    for name, channel in config.channels.items():
        kind = known.get(channel.adapter)
        if channel.delivery != "relay" and kind is not None and kind.ack == "passthrough":
            message = Phrase(
                "the workflow's answer is a message on channel {name!r}: it cannot be answered before", name=name
            )
            yield document.finding("W113", message, ("channels", name, "delivery"), help_="write delivery: relay")


def _takes_all(ladder: LadderModel) -> bool:
    return not ladder.match.model_fields_set
