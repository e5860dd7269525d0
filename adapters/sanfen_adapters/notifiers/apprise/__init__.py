"""Every other service, by Apprise: ntfy, Slack, Telegram, e-mail, Bark, Teams and many more."""

import asyncio
import logging
from functools import partial
from typing import Any, ClassVar

from sanfen.abc import DeliveryError, DeniedError, Guard, Notice, Notifier
from sanfen.errors import ConfigError, Phrase
from sanfen_adapters.posting import short
from sanfen_adapters.threads import Threads

__all__ = ["Apprise"]

_PATIENCE_S = 10
_EXTRA = (
    "command, console, dingtalk, feishu, lark, webhook+https and wecombot are there; ntfy, Slack, Telegram, e-mail and many others "
    "need Apprise: pip install 'sanfen[notify]'"
)
_ROBOTS = frozenset({"dingtalk", "feishu", "lark", "wecombot"})


class Apprise(Notifier):
    """An address of Apprise's: ``ntfy://topic``, ``tgram://…``, ``mailtos://…``."""

    name: ClassVar[str] = "apprise"
    schemes: ClassVar[tuple[str, ...]] = ("*",)

    def __init__(self) -> None:
        self._threads = Threads()

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:  # noqa: ARG002  # in the address
        """Send from a thread, which is given up after ten seconds. Raises DeliveryError."""
        try:
            service = await asyncio.to_thread(_service, address)
        except ConfigError as error:
            raise DeliveryError(error.message, reason="no_notifier", retryable=False) from None
        service.redirects = False
        named = await _addresses(service, self.guard)
        return await self._threads.run(partial(_send, service, notice), _PATIENCE_S, self.guard, named)

    @classmethod
    def check(cls, address: str) -> None:
        """Raises ConfigError."""
        _service(address)

    @classmethod
    def shown(cls, address: str) -> str:
        """Only the scheme: every service keeps its secrets elsewhere in the address."""
        return address.partition(":")[0]


def _service(address: str) -> Any:
    """Apprise's own object for an address. Raises ConfigError."""
    scheme = address.partition(":")[0]
    unknown = Phrase("no way to reach people starts like {scheme!r}", scheme=scheme)
    try:
        import apprise  # noqa: PLC0415  # an extra, and slow to load
    except ImportError:
        raise ConfigError(unknown, hint=_EXTRA) from None
    logging.getLogger("apprise").propagate = False  # it quotes addresses; what it says of a notice is in the result
    if not address.isprintable():
        raise ConfigError("the address holds what cannot be printed", hint="copy it again")
    if scheme in ("http", "https"):
        hint = Phrase(
            "write webhook+{scheme}://host/path, or the robot's name and + before its address: dingtalk+https://…",
            scheme=scheme,
        )
        raise ConfigError(unknown, hint=hint)
    service = apprise.Apprise.instantiate(address)
    if service is None and scheme in apprise.NotificationManager():  # type: ignore[no-untyped-call]
        raise ConfigError(
            Phrase("Apprise cannot read this {scheme}:// address", scheme=scheme),
            hint="its documentation shows the parts",
        )
    if service is None:
        raise ConfigError(unknown, hint="write one of ours (docs/notifiers.md) or one of Apprise's")
    if _protocols(service) & _ROBOTS:  # it looks at their HTTP status only, and they answer 200 when they refuse
        raise ConfigError(
            Phrase("{scheme}:// is not sent by Apprise", scheme=scheme), hint="write dingtalk, feishu, lark or wecombot"
        )
    return service


def _protocols(service: Any) -> set[str]:
    found: set[str] = set()
    for one in (service.protocol, service.secure_protocol):
        found |= {one} if isinstance(one, str) else set(one or ())
    return found


async def _addresses(service: Any, guard: Guard) -> frozenset[str]:
    """Where the hosts that stand in the address lead to. Raises DeliveryError if one of them leads where it must not.

    Of many services no host stands there, but a token; their host is Apprise's own, and is looked at when it connects.
    """
    hosts = {getattr(service, "smtp_host", None)}
    if "host" in service.template_tokens:
        hosts.add(service.host)
    found: set[str] = set()
    for host in filter(None, hosts):
        try:
            found.update(address for _, address in await guard.resolve(str(host), service.port or 443))
        except DeniedError as error:
            raise DeliveryError(str(error), reason="denied", retryable=False) from None
        except (OSError, UnicodeError):
            continue  # of mail the domain may have no address of its own; else the service itself will say so
    return frozenset(found)


def _send(service: Any, notice: Notice) -> str:
    """In a thread: blocking calls inside."""
    import apprise  # noqa: PLC0415  # it is there, _service has used it

    sender = apprise.Apprise()
    sender.add(service)
    text = f"{notice.text}\n{notice.url}" if notice.url else notice.text
    result = sender.notify(title=notice.title, body=text, body_format="text")  # in this thread: no limit of its own
    words = short(" ".join(entry.message for entry in result.logs())) or result.status.name.lower()
    if result:
        return f"{service.service_name}: sent"
    # Its plugins name a broken connection and a time-out alike; the bytes may have arrived.
    raise DeliveryError(words, reason="refused", retryable=True, unknown="connection error" in words.lower())
