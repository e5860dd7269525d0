"""Plugins are found by entry point, listed, and refused where two want one name."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sanfen.abc import ChannelAdapter, Notice, Notifier
from sanfen.apart import Apart
from sanfen.config.settings import ChannelSettings, Secret
from sanfen.errors import ConfigError
from sanfen.hookspecs import hookimpl
from sanfen.plugins import Plugins, pick


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

    assert isinstance(made["shout"], Apart)
    assert made["shout"].kind is Shout


@pytest.mark.parametrize(
    ("asked", "says"), [("silnt", "did you mean silent? known adapters: silent"), ("xyz", "known adapters: silent")]
)
def test_an_unknown_adapter_is_an_error_of_the_configuration(asked: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Plugins([plugin(Silent)]).channel(ChannelSettings("desk", asked), "shop")

    assert caught.value.message == f"channels.desk: no adapter is called {asked!r}"
    assert caught.value.hint == says


def test_what_is_installed_is_not_loaded_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package that is merely there must not run; one that is named must be there."""
    (tmp_path / "other_plugin.py").write_text("raise SystemExit('it ran')\n", encoding="utf-8")
    facts = tmp_path / "other-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n", encoding="utf-8")
    (facts / "entry_points.txt").write_text("[sanfen]\nother = other_plugin\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    assert Plugins().names() == ["builtin"]
    with pytest.raises(ConfigError, match="'othr'") as caught:
        Plugins(named=["othr"])
    assert caught.value.hint == "installed: other"
    with pytest.raises(SystemExit, match="it ran"):
        Plugins(named=["other"])


def test_two_plugins_cannot_bring_one_name() -> None:
    other = type("Other", (Silent,), {})

    with pytest.raises(ConfigError, match="two plugins bring the adapter 'silent'"):
        Plugins([plugin(Silent), plugin(other)])


class Pigeon(Notifier):
    name = "pigeon"
    schemes = ("pigeon", "dove")

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        return "flown"

    @classmethod
    def check(cls, address: str) -> None:
        if not address.endswith("home"):
            raise ConfigError("it only flies home", hint="write pigeon:home")


def test_one_notifier_may_serve_several_schemes_and_a_transport() -> None:
    plugins = Plugins([plugin(Pigeon, Shout)])
    made = plugins.notifiers()

    assert made["pigeon"] is made["dove"]
    assert pick(made, "dove+https://x") is made["dove"]
    assert plugins.check_way("dove:home") is Pigeon
    assert pick(made, "crow:home") is None


def test_a_star_serves_what_nobody_else_does() -> None:
    star = type("Star", (Pigeon,), {"name": "star", "schemes": ("*",)})
    ways = Plugins([plugin(star, Shout)]).ways

    assert (pick(ways, "crow:home"), pick(ways, "shout:x")) == (star, Shout)


@pytest.mark.parametrize(
    ("address", "says", "mend"),
    [
        (
            "pigeom:home",
            "no way to reach people starts like 'pigeom'",
            "did you mean pigeon? known: dove, pigeon, shout",
        ),
        ("crow:x", "no way to reach people starts like 'crow'", "known: dove, pigeon, shout"),
        ("pigeon:away", "it only flies home", "write pigeon:home"),
    ],
)
def test_a_wrong_address_is_an_error_of_the_configuration(address: str, says: str, mend: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Plugins([plugin(Pigeon, Shout)]).check_way(address)

    assert (caught.value.message, caught.value.hint) == (says, mend)
