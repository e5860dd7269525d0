"""One attempt by one way, and how that way is shown. What goes wrong comes back as a DeliveryError, whatever it was."""

import asyncio
from collections.abc import Mapping

import structlog

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.config.settings import Way
from sanfen.errors import Phrase
from sanfen.plugins import pick

__all__ = ["send", "shown_way"]

_LONGEST_S = 15  # real seconds; notifiers have shorter limits of their own

_log = structlog.get_logger("sanfen.notify")


async def send(notifiers: Mapping[str, Notifier], way: Way, notice: Notice) -> str:
    """Carry a notice, and return the remote side's answer. Raises DeliveryError."""
    notifier = pick(notifiers, way.address)
    if notifier is None:
        scheme = way.address.partition(":")[0]
        raise DeliveryError(
            Phrase("no notifier is called {scheme!r}", scheme=scheme), reason="no_notifier", retryable=False
        )
    try:
        async with asyncio.timeout(_LONGEST_S):
            return await notifier.notify(notice, way.address, way.secret.reveal() if way.secret else None)
    except TimeoutError:
        raise DeliveryError("no answer in time", reason="timeout", retryable=True, unknown=True) from None
    except DeliveryError:
        raise
    except Exception as error:  # a notifier's bug is a refusal nobody understands
        _log.exception("a notifier failed", notifier=notifier.name)
        word = Phrase("{name} in {name_2}", name=type(error).__name__, name_2=notifier.name)
        raise DeliveryError(word, reason="bug", retryable=True, unknown=True) from None


def shown_way(notifiers: Mapping[str, Notifier], way: Way) -> str:
    """The address without what is secret in it."""
    notifier = pick(notifiers, way.address)
    return notifier.shown(way.address) if notifier else way.address.partition(":")[0]
