"""Finds plugins by the entry point group ``sanfen``; lists what they bring, and never names one."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar

import pluggy

from sanfen import hookspecs
from sanfen.abc import ChannelAdapter, Notifier
from sanfen.errors import ConfigError

__all__ = ["ChannelFacts", "Plugins"]

GROUP = "sanfen"

_Named = TypeVar("_Named", ChannelAdapter, Notifier)


class _Revealing(Protocol):
    def reveal(self) -> str: ...


class ChannelFacts(Protocol):
    """What a configured channel must say so that its adapter can be made."""

    @property
    def name(self) -> str:
        """The channel's own name."""

    @property
    def adapter(self) -> str:
        """Which adapter reads it."""

    @property
    def secrets(self) -> Sequence[_Revealing]:
        """Newest first."""

    @property
    def signing(self) -> str:
        """``required`` or ``none``."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The adapter's own settings."""


class Plugins:
    """All plugins of this installation. ``modules`` replaces the search by entry point, for tests and embedding."""

    def __init__(self, modules: Iterable[object] | None = None) -> None:
        """Raises ConfigError if two plugins bring the same name."""
        self._manager = pluggy.PluginManager("sanfen")
        self._manager.add_hookspecs(hookspecs)
        if modules is None:
            self._manager.load_setuptools_entrypoints(GROUP)
        else:
            for module in modules:
                self._manager.register(module)
        self.channels: dict[str, type[ChannelAdapter]] = _named("adapter", self._manager.hook.register_adapters())
        self._notifiers: dict[str, type[Notifier]] = _named("notifier", self._manager.hook.register_notifiers())

    def names(self) -> list[str]:
        """The plugins that were found."""
        return sorted(name for name, _ in self._manager.list_name_plugin())

    def channel(self, facts: ChannelFacts, shop: str) -> ChannelAdapter:
        """The adapter of a configured channel. Raises ConfigError if no plugin brings it."""
        kind = self.channels.get(facts.adapter)
        if kind is None:
            close = get_close_matches(facts.adapter, self.channels, n=1)
            raise ConfigError(
                f"channels.{facts.name}: no adapter is called {facts.adapter!r}",
                hint=f"did you mean {close[0]}?"
                if close
                else "known adapters: " + (", ".join(self.channels) or "none"),
            )
        secrets = [secret.reveal() for secret in facts.secrets]
        return kind(shop, facts.name, secrets, {**facts.options, "signing": facts.signing})

    def notifiers(self) -> dict[str, Notifier]:
        """One notifier for each scheme. The caller closes them."""
        return {scheme: kind() for scheme, kind in self._notifiers.items()}


def _named(word: str, registered: Sequence[Sequence[type[_Named]]]) -> dict[str, type[_Named]]:
    out: dict[str, type[_Named]] = {}
    for kind in (kind for kinds in registered for kind in kinds):
        other = out.setdefault(kind.name, kind)
        if other is not kind:
            raise ConfigError(
                f"two plugins bring the {word} {kind.name!r}: {other.__module__} and {kind.__module__}",
                hint="uninstall one of the two packages",
            )
    return dict(sorted(out.items()))
