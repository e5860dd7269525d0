"""The hooks a plugin may implement. A plugin is a module named by an entry point of the group ``sanfen``."""

from collections.abc import Sequence

import pluggy

from sanfen.abc import ChannelAdapter, Notifier

__all__ = ["hookimpl", "hookspec", "register_adapters", "register_notifiers"]

hookspec = pluggy.HookspecMarker("sanfen")
hookimpl = pluggy.HookimplMarker("sanfen")


@hookspec
def register_adapters() -> Sequence[type[ChannelAdapter]]:  # type: ignore[empty-body]
    """The channels a plugin brings: classes, found by their ``name`` from ``adapter:`` in the configuration."""


@hookspec
def register_notifiers() -> Sequence[type[Notifier]]:  # type: ignore[empty-body]
    """The ways to reach people a plugin brings: classes, found by their ``name`` as the scheme of an address."""
