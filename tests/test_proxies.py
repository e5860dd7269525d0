"""Whose word about a sender is believed."""

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request

from sanfen.proxies import Proxies, trust_of

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize(
    ("address", "trusted"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), (None, True),
     ("10.0.0.1", False), ("::2", False), ("fe80::1%eth0", False), ("::ffff:10.0.0.1", False)],
)  # fmt: skip
def test_who_is_trusted(address: str | None, trusted: bool) -> None:
    assert trust_of(LOOPBACK)(address) is trusted


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [("127.0.0.1", "192.0.2.7", "192.0.2.7"), ("127.0.0.1", "198.51.100.1, 192.0.2.7", "192.0.2.7"), ("127.0.0.1", "", "127.0.0.1"),
     ("127.0.0.1", "192.0.2.7, 127.0.0.1", "192.0.2.7"), ("127.0.0.1", "nonsense", "nonsense"), ("192.0.2.9", "192.0.2.7", "192.0.2.9")],
)  # fmt: skip
def test_the_last_one_named_that_is_no_proxy(peer: str, forwarded: str, sender: str) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded} if forwarded else {})
    proxies = Proxies(LOOPBACK)

    assert proxies.sender(request.clone(remote=peer)) == sender


@pytest.mark.parametrize(("peer", "is_https"), [("127.0.0.1", True), ("192.0.2.9", False)])
def test_only_a_proxy_of_ours_says_that_it_was_tls(peer: str, is_https: bool) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example", "Host": "inner"}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)
    proxies = Proxies(LOOPBACK)

    assert (proxies.is_https(request), proxies.host(request)) == (is_https, "shop.example" if is_https else "inner")
