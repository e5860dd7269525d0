"""Plugins are found by entry point, listed, and refused where two want one name."""

from types import SimpleNamespace
from typing import Any

import pytest

from sanfen.abc import ChannelAdapter, Notice, Notifier
from sanfen.config.settings import ChannelSettings, Secret
from sanfen.errors import ConfigError
from sanfen.hookspecs import hookimpl
from sanfen.plugins import Plugins


class Silent(ChannelAdapter):
    name = "silent"

    def verify(self, *_: object) -> None:
        """Everybody may."""

    def parse(self, *_: object) -> list[Any]:
        return []


class Shout(Notifier):
    name = "shout"

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        return f"{notice.id} {address} {secret is None}"


def plugin(*kinds: type[Any]) -> Any:
    channels = [kind for kind in kinds if issubclass(kind, ChannelAdapter)]
    return SimpleNamespace(
        register_adapters=hookimpl(lambda: channels),
        register_notifiers=hookimpl(lambda: [kind for kind in kinds if kind not in channels]),
    )


def test_the_installation_brings_its_own() -> None:
    found = Plugins()

    assert found.names()
    assert "generic" in found.channels


def test_a_channel_gets_its_secrets_and_options() -> None:
    settings = ChannelSettings("desk", "silent", secrets=(Secret("new"), Secret("old")), options={"a": "1"})

    made = Plugins([plugin(Silent, Shout)]).channel(settings, "shop")

    assert isinstance(made, Silent)
    assert (made.shop, made.channel, made.secrets) == ("shop", "desk", ("new", "old"))
    assert made.options == {"a": "1", "signing": "required"}


def test_notifiers_are_made_by_scheme() -> None:
    made = Plugins([plugin(Shout)]).notifiers()

    assert isinstance(made["shout"], Shout)


@pytest.mark.parametrize(("asked", "says"), [("silnt", "did you mean silent?"), ("xyz", "known adapters: silent")])
def test_an_unknown_adapter_is_an_error_of_the_configuration(asked: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Plugins([plugin(Silent)]).channel(ChannelSettings("desk", asked), "shop")

    assert caught.value.message == f"channels.desk: no adapter is called {asked!r}"
    assert caught.value.hint == says


def test_two_plugins_cannot_bring_one_name() -> None:
    other = type("Other", (Silent,), {})

    with pytest.raises(ConfigError, match="two plugins bring the adapter 'silent'"):
        Plugins([plugin(Silent), plugin(other)])
