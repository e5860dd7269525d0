"""Where sanfen may connect to: only hosts the configuration names, and of their addresses only those it could have meant.

A name in the configuration can be made to point anywhere by whoever answers for its zone, so every address is looked at
when the connection is made, also those written as numbers, which a resolver never sees. Nothing that came in a message is
ever an address.

    public                reachable
    loopback              only where the configuration itself says 127.0.0.1, ::1 or localhost, with http
    private (RFC 1918)    the workflow behind the relay may be there; people's addresses only if ``outbound.allow`` has it
    everything else       link-local and clouds' metadata, shared (CGNAT), multicast, reserved, and the ranges that hide
                          an address in another (mapped, NAT64, 6to4, Teredo): only if ``outbound.allow`` has it
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from sanfen.errors import DeniedError, Phrase

__all__ = ["Guard"]

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

_SPECIAL = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network: Linux takes it for loopback
        "100.64.0.0/10",  # shared address space (CGNAT); one cloud's metadata is at 100.100.100.200
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata in public space
        "169.254.0.0/16",  # link-local; 169.254.169.254 is most clouds' metadata
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is a cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "::/96",  # unspecified, loopback, IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # local NAT64
        "100::/64",  # discard
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fd00:ec2::/32",  # a cloud's metadata
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)
_PRIVATE = tuple(ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
_LOOPBACK = tuple(ip_network(text) for text in ("127.0.0.0/8", "::1/128"))
_HERE = "localhost"


class Guard:
    """Decides about addresses. ``inside``: the workflow's side, where private addresses are the rule."""

    def __init__(self, allow: Sequence[str] = (), *, private: bool = False) -> None:
        """``allow``: networks and host names from the configuration."""
        self._private = private
        self._given = tuple(allow)
        self._networks: list[_Network] = []
        self._names: set[str] = set()
        self.unreadable: list[tuple[int, str]] = []
        for number, one in enumerate(allow):
            try:
                self._networks.append(ip_network(one))
            except ValueError:
                if not one or any(char in one for char in "/: *@"):
                    self.unreadable.append((number, one))
                self._names.add(_plain(one))

    def inside(self) -> "Guard":
        """The same for the workflow behind the relay."""
        return Guard(self._given, private=True)

    def refusal(self, url: str) -> str | None:
        """Why a URL of the configuration can never be connected to; None where its addresses decide."""
        try:
            parts = urlsplit(url)
            host, literal = parts.hostname or "", _literal(parts.hostname or "")
            parts.port  # noqa: B018  # raises where it is no number
        except ValueError:
            return Phrase("this is no web address")
        if not host:
            return Phrase("this is no web address")
        if parts.username is not None:
            return Phrase("a user name stands in the address of {host}", host=host)
        here = _plain(host) in (_HERE, *self._names) or (literal is not None and self._is_here(literal))
        if parts.scheme != "https" and not self._private and not here:
            return Phrase("http to {host} can be read on the way: write https", host=host)
        if literal is None:
            return Phrase("{host!r} is not a host name", host=host) if _is_odd(host) else None
        return None if self._is_allowed(literal, host) else Phrase("{host} is not a public address", host=host)

    async def resolve(self, host: str, port: int) -> list[tuple[int, str]]:
        """The addresses of a host of the configuration. Raises DeniedError if one of them is not allowed, socket.gaierror."""
        literal = _literal(host)
        if literal is not None:
            found = [(int(socket.AF_INET if literal.version == 4 else socket.AF_INET6), str(literal))]
        elif _is_odd(host):
            raise DeniedError(Phrase("{host!r} is not a host name", host=host))
        else:
            rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys((int(row[0]), str(row[4][0])) for row in rows))
        for _, text in found:
            if not self._is_allowed(ip_address(text.partition("%")[0]), host):
                raise DeniedError(
                    Phrase("{host} leads to an address that is not public; if that is meant: outbound.allow", host=host)
                )
        return found

    def _is_here(self, address: _Address) -> bool:
        return _within(address, _LOOPBACK) or _within(address, self._networks)

    def _is_allowed(self, address: _Address, host: str) -> bool:
        if _plain(host) in self._names or _within(address, self._networks):
            return True
        if _within(address, _LOOPBACK):
            return _plain(host) == _HERE or _literal(host) == address
        return not _within(address, _SPECIAL) and (self._private or not _within(address, _PRIVATE))


def _within(address: _Address, networks: Iterable[_Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _literal(host: str) -> _Address | None:
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _is_odd(host: str) -> bool:
    """Whether it is no name but a number in a form that resolvers read as an address: 2130706433, 0x7f000001, 127.1, 0."""
    last = _plain(host).rpartition(".")[2]
    return not last or last.isdigit() or (last.startswith("0x") and all(c in "0123456789abcdef" for c in last[2:]))
