"""Loads plugins by the names of their entry points in the group ``sanfen``, and lists what they bring."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import pluggy

from sanfen import hookspecs
from sanfen.abc import ChannelAdapter, Notifier
from sanfen.apart import Apart
from sanfen.bounded import bounded
from sanfen.errors import ConfigError, Phrase, nearest
from sanfen.outbound import Guard

__all__ = ["ChannelFacts", "Patience", "Plugins", "pick"]

GROUP = "sanfen"
_OURS = "builtin"

_Named = TypeVar("_Named", ChannelAdapter, Notifier)
_Way = TypeVar("_Way")


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


class Patience(NamedTuple):
    """How long a channel waits for an answer, and whether only the workflow can give it."""

    deadline_ms: int
    wants_workflow: bool = True


class Plugins:
    """What comes with sanfen, and the plugins the operator named; what else is installed is not even imported.

    ``modules`` replaces the search by entry point, for tests and embedding.
    """

    def __init__(self, modules: Iterable[object] | None = None, *, named: Sequence[str] = ()) -> None:
        """``named``: entry points. Raises ConfigError if there is none of that name, or two bring the same."""
        self._manager = pluggy.PluginManager("sanfen")
        self._manager.add_hookspecs(hookspecs)
        if modules is None:
            for name in (_OURS, *named):
                self._load(name)
        else:
            for module in modules:
                self._manager.register(module)
        self._foreign: set[type] = set()  # what named plugins bring
        hooks = self._manager.hook
        self.channels: dict[str, type[ChannelAdapter]] = _named("adapter", self._brought(hooks.register_adapters))
        self.ways: dict[str, type[Notifier]] = _named("notifier", self._brought(hooks.register_notifiers))

    def _brought(self, hook: pluggy.HookCaller) -> list[Sequence[type[Any]]]:
        """What each plugin brings. Each is asked once: it may make its classes anew whenever it is asked."""
        out: list[Sequence[type[Any]]] = []
        for one in reversed(hook.get_hookimpls()):
            kinds = cast("Sequence[type[Any]]", one.function())
            if one.plugin_name != _OURS:
                self._foreign.update(kinds)
            out.append(kinds)
        return out

    def _load(self, name: str) -> None:
        if self._manager.load_setuptools_entrypoints(GROUP, name) or self._manager.has_plugin(name):
            return
        known = sorted({one.name for one in entry_points(group=GROUP)} - {_OURS})
        raise ConfigError(
            Phrase("plugins: no installed package brings an entry point {name!r}", name=name),
            hint=Phrase("installed: {names}", names=", ".join(known) or Phrase("none besides sanfen's own")),
        )

    def names(self) -> list[str]:
        """The plugins that were found."""
        return sorted(name for name, _ in self._manager.list_name_plugin())

    def deadlines(self) -> dict[str, Patience]:
        """How long channels wait for our answer, by adapter; where it is known."""
        return {
            name: Patience(kind.deadline_ms, kind.ack == "passthrough")
            for name, kind in self.channels.items()
            if kind.deadline_ms is not None
        }

    def channel(self, facts: ChannelFacts, shop: str) -> ChannelAdapter:
        """The adapter of a configured channel. Raises ConfigError if no plugin brings it."""
        kind = self.channels.get(facts.adapter)
        if kind is None:
            known = Phrase("known adapters: {names}", names=", ".join(self.channels) or Phrase("none"))
            raise ConfigError(
                Phrase("channels.{name}: no adapter is called {adapter!r}", name=facts.name, adapter=facts.adapter),
                hint=nearest(facts.adapter, self.channels, known),
            )
        secrets = [secret.reveal() for secret in facts.secrets]
        kind = bounded(kind) if kind in self._foreign else kind
        return kind(shop, facts.name, secrets, {**facts.options, "signing": facts.signing})

    def notifiers(self, guard: Guard | None = None) -> dict[str, Notifier]:
        """The notifier of each scheme, to connect only where ``guard`` allows; ``pick`` finds an address's.

        Those of named plugins work apart, in a thread of their own. The caller closes them.
        """
        made = {kind: Apart(kind) if kind in self._foreign else kind() for kind in self.ways.values()}
        for one in made.values():
            one.guard = guard or Guard()
        return {scheme: made[kind] for scheme, kind in self.ways.items()}

    def check_way(self, address: str) -> type[Notifier]:
        """The class that carries notices to an address. Raises ConfigError if there is none, or the address is wrong."""
        kind = pick(self.ways, address)
        scheme = address.partition(":")[0].partition("+")[0]
        alike = () if scheme in self.ways else tuple(self.ways)
        if kind is None:
            known = Phrase("known: {names}", names=", ".join(self.ways) or Phrase("none"))
            sentence = Phrase("no way to reach people starts like {scheme!r}", scheme=scheme)
            raise ConfigError(sentence, hint=nearest(scheme, alike, known))
        try:
            kind.check(address)
        except ConfigError as error:
            raise ConfigError(error.message, hint=nearest(scheme, alike, error.hint)) from None
        return kind


def pick(ways: Mapping[str, _Way], address: str) -> _Way | None:
    """What serves an address: by its scheme, or by ``*``."""
    scheme = address.partition(":")[0].partition("+")[0]
    return ways.get(scheme) or ways.get("*")


def _named(word: str, registered: Sequence[Sequence[type[_Named]]]) -> dict[str, type[_Named]]:
    out: dict[str, type[_Named]] = {}
    for kind in (kind for kinds in registered for kind in kinds):
        for name in getattr(kind, "schemes", ()) or (kind.name,):
            other = out.setdefault(name, kind)
            if other is not kind:
                raise ConfigError(
                    Phrase(
                        "two plugins bring the {word} {name!r}: {module} and {module_2}",
                        word=word,
                        name=name,
                        module=other.__module__,
                        module_2=kind.__module__,
                    ),
                    hint="uninstall one of the two packages",
                )
    return dict(sorted(out.items()))
