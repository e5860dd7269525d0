"""What a configuration must not open: listeners without a login, weak tokens, secrets in the file, plain HTTP to strangers."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sanfen.config.findings import Finding
from sanfen.config.schema import Config, SecretModel
from sanfen.config.yaml import Document
from sanfen.errors import ParseError, Phrase
from sanfen.outbound import Guard
from sanfen.wire import parse_instant

__all__ = ["literal", "unsafe", "unwise"]

_TOKEN_CHARACTERS = 43  # 32 random bytes in base64; in hex they are 64
_TOKEN_VARIETY = 10  # so many different characters; chance gives less to one token in a million
_MAKE_TOKEN = "make one with `openssl rand -hex 32` and write admin: {token: ${SANFEN_TOKEN}}"  # noqa: S105  # no token
_Path = tuple[str | int, ...]


def unsafe(document: Document, config: Config) -> Iterator[Finding]:
    """Errors: sanfen does not start so."""
    hooks, board = config.listen.hooks[0], config.listen.board[0]
    for name, channel in config.channels.items():
        if channel.signing == "none" and not _is_loopback(hooks):
            message = Phrase("channel {name!r} takes unsigned messages on {hooks}", name=name, hooks=hooks)
            where = ("channels", name, "signing")
            yield document.finding("C012", message, where, help_="give it a secret, or listen on 127.0.0.1")
    tokens = list(_tokens(config))
    if not tokens and not _is_loopback(board):
        message = Phrase("the board and the API would be open to anybody on {board}", board=board)
        yield document.finding(
            "C012",
            message,
            ("listen", "board"),
            help_=Phrase("listen on 127.0.0.1, or {otherwise}", otherwise=_MAKE_TOKEN),
        )
    for path, token in tokens:
        if len(token) < _TOKEN_CHARACTERS or len(set(token)) < _TOKEN_VARIETY or not token.isascii():
            found = document.finding("C012", "the token could be guessed", path, help_=_MAKE_TOKEN)
            yield found._replace(source="")  # the line itself might show it
    yield from _ends(document, config)
    yield from _targets(document, config)


def _ends(document: Document, config: Config) -> Iterator[Finding]:
    ends: list[tuple[_Path, str | None]] = [
        (path, secret.not_after)
        for name, channel in config.channels.items()
        for path, secret in _secrets(name, channel.secret, channel.secrets)
    ]
    ends += [(("admin", "tokens", number), token.not_after) for number, token in enumerate(config.admin.tokens)]
    for path, end in ends:
        try:
            if end is not None:
                parse_instant(end, ZoneInfo(config.shop.timezone))
        except ParseError as error:
            yield document.finding("C013", error.message, (*path, "not_after"), help_="write 2026-12-01T00:00")


def _targets(document: Document, config: Config) -> Iterator[Finding]:
    """Addresses that nobody may be sent to, as far as they can be told without asking a name server."""
    guard = Guard(config.outbound.allow)
    for number, wrong in guard.unreadable:
        message = Phrase("neither a network nor a host name: {wrong!r}", wrong=wrong)
        yield document.finding("C013", message, ("outbound", "allow", number), help_="write 10.0.0.0/8, or a name")
    for name, person in config.people.items():
        for index, way in enumerate(person.via):
            url = _web_address(way.url)
            refusal = guard.refusal(url) if url else None
            if url and refusal:
                message = Phrase("{place}: {sentence}", place=name, sentence=refusal)
                yield document.finding("C012", message, ("people", name, "via", index), help_=_hint(url))
    inside = guard.inside()
    for name, channel in config.channels.items():
        for word, forward in (("from_customer", channel.from_customer), ("from_shop", channel.from_shop)):
            refusal = inside.refusal(forward.forward) if forward else None
            if forward and refusal:
                message = Phrase("channel {name!r}: {sentence}", name=name, sentence=refusal)
                path = ("channels", name, word, "forward")
                yield document.finding("C012", message, path, help_=_hint(forward.forward))
    refusal = inside.refusal(config.heartbeat.url) if config.heartbeat else None
    if config.heartbeat and refusal:
        url = config.heartbeat.url
        yield document.finding(
            "C012",
            Phrase("{place}: {sentence}", place="heartbeat", sentence=refusal),
            ("heartbeat", "url"),
            help_=_hint(url),
        )


def _web_address(way: str) -> str | None:
    """What a way connects to, where its address says so: behind its ``+``, or a host written as a number."""
    url = way.partition("+")[2]
    if url.startswith(("http://", "https://")):
        return url
    try:
        host = urlsplit(way).hostname or ""
        ip_address(host)
    except ValueError:
        return None
    return f"https://[{host}]" if ":" in host else f"https://{host}"


def _hint(url: str) -> str:
    return Phrase("write another address, or outbound: {{allow: [{host}]}}", host=urlsplit(url).hostname)


def unwise(document: Document, config: Config) -> Iterator[Finding]:
    """Warnings: it runs, but somebody may regret it."""
    for name, channel in config.channels.items():
        yield from literal(document, [path for path, _ in _secrets(name, channel.secret, channel.secrets)])
        if channel.signing == "none":
            message = Phrase("channel {name!r} takes unsigned messages", name=name)
            yield document.finding("W111", message, ("channels", name, "signing"), help_="fine for a trial on loopback")
    for name, person in config.people.items():
        ways: list[_Path] = [
            ("people", name, "via", index, "secret") for index, way in enumerate(person.via) if way.secret
        ]
        yield from literal(document, ways)
    yield from literal(document, [path for path, _ in _tokens(config)])


def _tokens(config: Config) -> Iterator[tuple[_Path, str]]:
    if config.admin.token is not None:
        yield ("admin", "token"), config.admin.token
    for number, token in enumerate(config.admin.tokens):
        yield ("admin", "tokens", number), token.value


def _secrets(
    channel: str, first: SecretModel | None, more: tuple[SecretModel, ...]
) -> Iterator[tuple[_Path, SecretModel]]:
    if first is not None:
        yield ("channels", channel, "secret"), first
    for index, secret in enumerate(more):
        yield ("channels", channel, "secrets", index), secret


def literal(document: Document, paths: Iterable[_Path]) -> Iterator[Finding]:
    """Warnings: secrets that stand in the file."""
    for path in paths:
        if path in document.literal or (*path, "value") in document.literal:
            help_ = "write ${NAME} and export NAME, or ${file:PATH}"
            found = document.finding("W110", "a secret stands in the file", path, help_=help_)
            yield found._replace(source="")  # the line itself would show it


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
