"""Where sanfen connects to: what the configuration names, and of its addresses none that it could not have meant."""

import socket
from typing import Any

import pytest

from sanfen.errors import DeniedError
from sanfen.outbound import Guard

# Addresses that are no public host, each in a range of its own; and hosts that are one of them in disguise.
SPECIAL = [
    "0.0.0.0",  # noqa: S104  # nobody binds to it
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450::1"]
DISGUISED = ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "0", "0x7f.1", "1.2.3.4.5"]


def lookup(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A name server that gives these answers in turn; returns what it was asked."""
    asked: list[str] = []

    async def getaddrinfo(_loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in found]
        return [(family, socket.SOCK_STREAM, 6, "", (one, port)) for family, one in zip(families, found, strict=True)]

    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", getaddrinfo)
    return asked


def url(host: str) -> str:
    return f"https://[{host}]/x" if ":" in host else f"https://{host}/x"


@pytest.mark.parametrize("address", [*SPECIAL, *PRIVATE])
async def test_an_address_that_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Written down, or as the answer of a name server; alone, or hidden among public ones."""
    asked = lookup(monkeypatch, [address], ["8.8.8.8", address])

    assert Guard().refusal(url(address))
    with pytest.raises(DeniedError):
        await Guard().resolve(address, 443)
    assert not asked
    for _ in range(2):
        with pytest.raises(DeniedError):
            await Guard().resolve("hooks.example.com", 443)


@pytest.mark.parametrize("address", PUBLIC)
async def test_public_addresses_are_reached(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    lookup(monkeypatch, [address])

    assert Guard().refusal(url(address)) is None
    assert [one for _, one in await Guard().resolve(address, 443)] == [address]
    assert [one for _, one in await Guard().resolve("hooks.example.com", 443)] == [address]


@pytest.mark.parametrize("host", DISGUISED)
async def test_a_number_in_disguise_is_no_host_name(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    asked = lookup(monkeypatch, ["8.8.8.8"])

    assert "not a host name" in (Guard().refusal(f"https://{host}/") or "")
    with pytest.raises(DeniedError):
        await Guard().resolve(host, 443)
    assert not asked


async def test_a_name_that_changes_its_mind_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: public when it was checked, this machine when it is used. What is connected to is what was checked."""
    guard, asked = Guard(), lookup(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])

    assert [one for _, one in await guard.resolve("rebinding.example", 443)] == ["8.8.8.8"]
    with pytest.raises(DeniedError, match=r"outbound\.allow"):
        await guard.resolve("rebinding.example", 443)
    assert len(asked) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "localhost.", "LOCALHOST"])
async def test_this_machine_is_reached_only_by_its_own_name(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Where the configuration itself says so, with http; a name that merely leads here does not."""
    lookup(monkeypatch, ["127.0.0.1", "::1"])

    for guard in (Guard(), Guard(private=True)):
        assert guard.refusal(f"http://{host}:9001/in") is None
        assert await guard.resolve(host.strip("[]"), 9001)
        with pytest.raises(DeniedError):
            await guard.resolve("inside.example", 9001)


async def test_the_workflow_may_be_on_a_private_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nowhere else that is special: a clouds' metadata is no workflow."""
    guard = Guard(private=True)
    for address in PRIVATE:
        lookup(monkeypatch, [address])
        assert guard.refusal(url(address).replace("https", "http")) is None
        assert await guard.resolve("workflow", 80)
    for address in SPECIAL:
        lookup(monkeypatch, [address])
        assert guard.refusal(url(address))
        with pytest.raises(DeniedError):
            await guard.resolve("workflow", 80)


async def test_the_operator_can_list_what_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    lookup(monkeypatch, ["10.1.2.3"])
    by_network, by_name = Guard(["10.0.0.0/8", "fd12::/16"]), Guard(["hooks.internal"])

    for guard in (by_network, by_name, by_name.inside()):
        assert [one for _, one in await guard.resolve("hooks.internal", 443)] == ["10.1.2.3"]
        assert guard.refusal("http://hooks.internal/x") is None or guard is by_network
    with pytest.raises(DeniedError):
        await by_name.resolve("other.internal", 443)
    assert by_network.refusal("http://10.9.9.9/x") is None
    assert by_network.refusal("http://192.168.0.1/x")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("http://hooks.example.com/x", "write https"),
        ("https://me:secret@hooks.example.com/x", "a user name stands"),
        ("https://[::1/x", "no web address"),
        ("https:///x", "no web address"),
        ("https://host:port/x", "no web address"),
    ],
)
def test_what_no_configuration_should_say(wrong: str, words: str) -> None:
    said = Guard().refusal(wrong) or ""

    assert words in said
    assert "secret" not in said


def test_what_is_neither_network_nor_name_is_found() -> None:
    assert Guard(["10.0.0.0/99", "a b", "ok.example", "", "*.example"]).unreadable == [
        (0, "10.0.0.0/99"), (1, "a b"), (3, ""), (4, "*.example"),
    ]  # fmt: skip
