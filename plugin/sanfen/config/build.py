"""From the checked shape of the file to what the program reads."""

import re
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from sanfen.config.patterns import pattern_of
from sanfen.config.policies import DAYS
from sanfen.config.schema import (
    AdminModel,
    ChannelModel,
    Config,
    DutyModel,
    MatchModel,
    PersonModel,
    QuietModel,
    SecretModel,
    ShiftModel,
)  # fmt: skip
from sanfen.config.settings import (
    ChannelSettings,
    Duty,
    Heartbeat,
    Listen,
    Person,
    Quiet,
    Secret,
    Settings,
    Shift,
    Shop,
    Token,
    Way,
)  # fmt: skip
from sanfen.config.yaml import Document
from sanfen.core.classify import Directory, Rule
from sanfen.core.events import Mode
from sanfen.errors import ParseError, Phrase
from sanfen.reading import fingerprint
from sanfen.wire import parse_instant

__all__ = [
    "build_rules", "build_settings", "holidays_of", "known_rules", "quiet_of",
]  # fmt: skip

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOTS = frozenset({Mode.bot, Mode.unknown})
_PERSONS = frozenset({Mode.human, Mode.unknown})  # under whose name an auto-reply may stand
_YEARS = range(2020, 2041)


def build_settings(config: Config, path: Path) -> Settings:
    """The settings; a relative ``storage`` is taken from the file's folder."""
    shop, listen = config.shop, config.listen
    return Settings(
        shop=Shop(shop.id, shop.name, shop.timezone, shop.language),
        listen=Listen(
            *listen.hooks,
            *listen.board,
            listen.url,
            listen.hooks_url,
            listen.datasette,
            connections=listen.connections,
            per_address=listen.per_address,
            trusted_proxies=listen.trusted_proxies,
        ),
        storage=path.parent / config.storage,
        spill=path.parent / (config.spill or f"{config.storage}.spill"),
        text_keep_ms=config.text.keep,
        channels=MappingProxyType({name: _channel(name, one, shop.timezone) for name, one in config.channels.items()}),
        people=MappingProxyType({name: _person(name, one) for name, one in config.people.items()}),
        rosters=MappingProxyType({name: tuple(map(_shift, shifts)) for name, shifts in config.rosters.items()}),
        groups=MappingProxyType(dict(config.groups)),
        fallback=config.fallback,
        holidays=holidays_of(config.holidays),
        merge_ms=config.merge,
        heartbeat=Heartbeat(config.heartbeat.url, config.heartbeat.every) if config.heartbeat else None,
        quiet=tuple(quiet_of(one, shop.timezone) for one in config.quiet),
        admin_tokens=_tokens(config.admin, shop.timezone),
        session_ms=config.admin.session,
        tracing=config.tracing,
        outbound=config.outbound.allow,
        plugins=config.plugins,
        directory=_directory(config),
    )


def build_rules(config: Config, document: Document) -> tuple[Rule, ...]:
    """The classification rules, each with its line."""
    out = []
    for index, rule in enumerate(config.classify):
        place = document.places.get(("classify", index))
        where = f"{document.name}:{place.line}" if place else document.name
        least, most = _bounds(rule.match)
        match = rule.match
        out.append(
            Rule(
                name=rule.name,
                verdict=rule.verdict,
                mode=rule.mode,
                modes=frozenset(match.mode),
                bots=frozenset(match.bot),
                agents=frozenset(match.agent),
                credentials=frozenset(match.credential),
                channels=frozenset(match.channel),
                text=pattern_of(match.text) if match.text is not None else None,
                min_length=least,
                max_length=most,
                within_ms=match.typed_in,
                bot=rule.bot,
                place=where,
            )
        )
    return (*out, *known_rules(config))


def _directory(config: Config) -> Directory:
    """Staff and bots by the channels' names for them."""
    people = [agent for person in config.people.values() for agent in person.agents]
    bots = {name: bot for bot, model in config.bots.items() for name in model.ids}
    return Directory(frozenset((*config.staff, *people)), MappingProxyType(bots))


def known_rules(config: Config) -> tuple[Rule, ...]:
    """Rules for whom and what the file names: bots, texts nobody typed, staff. The operator's own rules come before.

    A text nobody typed is that under an assisted bot's name too, so those come after the texts.
    """
    out: list[Rule] = []
    assisted: list[Rule] = []
    for name, bot in config.bots.items():
        ids, mode = frozenset(bot.ids), Mode(bot.mode)
        tokens = frozenset(map(fingerprint, bot.token))
        rule = Rule(f"bots.{name}", mode=mode, bot=name)
        found = (
            rule._replace(credentials=tokens) if tokens else None,
            rule._replace(agents=ids) if ids else None,
            rule._replace(bots=frozenset((*ids, name)), modes=_BOTS),
        )
        kept = assisted if mode == Mode.assisted else out
        kept += [one for one in found if one is not None]
    auto = config.auto_replies
    texts = [f"^{re.escape(text)}$" for text in auto.exact] + [f"^{re.escape(text)}" for text in auto.prefix]
    nobody = Rule("auto_replies", mode=Mode.auto, modes=_PERSONS)
    out += [nobody._replace(text=pattern_of(text)) for text in (*texts, *auto.pattern)]
    if auto.within is not None:
        out.append(nobody._replace(name="auto_replies.within", within_ms=auto.within))
    out += assisted
    if auto.repeats is not None:
        out.append(nobody._replace(name="auto_replies.repeats", repeats=auto.repeats))
    staff = _directory(config).staff
    if staff:
        out.append(Rule("staff", mode=Mode.human, modes=frozenset({Mode.unknown}), agents=staff))
    return tuple(out)


def quiet_of(model: QuietModel, zone: str) -> Quiet:
    """A planned silence. Raises ParseError for a time that is none."""
    local = ZoneInfo(zone)
    return Quiet(parse_instant(model.from_, local), parse_instant(model.until, local), model.why)


def _secret(model: SecretModel, place: int, zone: str) -> Secret:
    return Secret(model.value, model.name or str(place), _end(model.not_after, zone))


def _tokens(model: AdminModel, zone: str) -> tuple[Token, ...]:
    first = [] if model.token is None else [Token(model.token, "lead")]
    more = [
        Token(one.value, one.name or str(place), one.role, _end(one.not_after, zone))
        for place, one in enumerate(model.tokens, 1)
    ]
    return tuple(sorted([*first, *more], key=lambda token: token.role != "lead"))


def _end(text: str | None, zone: str) -> int | None:
    return None if text is None else parse_instant(text, ZoneInfo(zone))


def _channel(name: str, model: ChannelModel, zone: str) -> ChannelSettings:
    secrets = ([model.secret] if model.secret else []) + list(model.secrets)
    return ChannelSettings(
        name=name,
        adapter=model.adapter,
        forward_in=model.from_customer.forward if model.from_customer else None,
        forward_out=model.from_shop.forward if model.from_shop else None,
        secrets=tuple(_secret(one, place, zone) for place, one in enumerate(secrets, 1)),
        signing=model.signing,
        host=model.host,
        timeout_ms=model.timeout,
        ack_budget_ms=model.ack_within,
        delivery=model.delivery,
        deadline_ms=model.deadline,
        options=MappingProxyType(dict(model.options)),
    )


def _person(name: str, model: PersonModel) -> Person:
    ways = tuple(Way(way.url, Secret(way.secret) if way.secret else None) for way in model.via)
    return Person(name, ways, _duty(model), frozenset(model.agents))


def _shift(model: ShiftModel) -> Shift:
    return Shift(model.people, _duty(model))


def _duty(model: DutyModel) -> Duty:
    return Duty(model.hours, frozenset(map(DAYS.index, model.days)), model.holidays, frozenset(model.off))


def holidays_of(given: Iterable[str]) -> frozenset[str]:
    """Local dates: those given, and the public holidays of the countries given. Raises ParseError for an unknown one."""
    out = {one for one in given if DATE.fullmatch(one)}
    for country in set(given) - out:
        import holidays  # noqa: PLC0415  # a tenth of a second, for those who use it

        try:
            out |= {day.isoformat() for day in holidays.country_holidays(country, years=_YEARS)}
        except NotImplementedError:
            raise ParseError(
                Phrase("no holidays are known of {country!r}", country=country),
                hint="write a country's two letters (CN, DE), or dates: 2026-11-11",
            ) from None
    return frozenset(out)


def _bounds(match: MatchModel) -> tuple[int | None, int | None]:
    if match.length is None:
        return None, None
    sign, number = match.length
    if sign.startswith(">"):
        return number + (sign == ">"), None
    return None, number - (sign == "<")
