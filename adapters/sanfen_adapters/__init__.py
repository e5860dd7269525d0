"""The channels and notifiers that come with sanfen, one folder each.

A folder with a ``manifest.toml`` is found; its package is imported and the manifest's ``class`` is what it brings.
"""

import tomllib
from collections.abc import Iterator
from importlib import import_module, resources
from typing import Any, NamedTuple

from sanfen.abc import ChannelAdapter, Notifier
from sanfen.hookspecs import hookimpl

__all__ = ["Manifest", "manifests", "register_adapters", "register_notifiers"]


class Manifest(NamedTuple):
    """One adapter's facts."""

    module: str  # the package that holds it
    facts: dict[str, Any]  # manifest.toml as it stands

    def load(self) -> Any:
        """The class the manifest names; what the middleware asks of a channel's facts stands on it."""
        kind = getattr(import_module(self.module), self.facts["class"])
        for name in ("deadline_ms", "ack", "ids", "pull_every_ms"):
            if name in self.facts:
                setattr(kind, name, self.facts[name])
        return kind


def manifests(kind: str) -> Iterator[Manifest]:
    """The manifests of a kind (``channels`` or ``notifiers``), by folder name."""
    root = resources.files(__name__).joinpath(kind)
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir(), key=lambda one: one.name):
        manifest = folder.joinpath("manifest.toml")
        if manifest.is_file():
            yield Manifest(f"{__name__}.{kind}.{folder.name}", tomllib.loads(manifest.read_text("utf-8")))


@hookimpl
def register_adapters() -> list[type[ChannelAdapter]]:
    """Every channel folder's adapter."""
    return [manifest.load() for manifest in manifests("channels")]


@hookimpl
def register_notifiers() -> list[type[Notifier]]:
    """Every notifier folder's notifier."""
    return [manifest.load() for manifest in manifests("notifiers")]
