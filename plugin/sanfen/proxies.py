"""Whose word about a sender is believed: a trusted proxy's, and nobody else's."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

__all__ = ["Proxies", "trust_of"]


def trust_of(proxies: Iterable[IPv4Network | IPv6Network]) -> Callable[[str | None], bool]:
    """Whether an address is a trusted proxy's; one without an address is a local socket's."""
    networks = tuple(proxies)

    @lru_cache(maxsize=4_096)
    def is_trusted(address: str | None) -> bool:
        if address is None:
            return True
        found = ip_address(address.partition("%")[0])
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in network for network in networks if network.version == found.version)

    return is_trusted


class Proxies:
    """What the proxies before us say of a request."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._is_trusted = trust_of(networks)

    def sender(self, request: web.BaseRequest) -> str:
        """Who sent it: the last one named that is no proxy of ours."""
        found = request.remote
        named = self._said(request, "X-Forwarded-For").split(",")
        while named and self._believes(found):
            found = named.pop().strip() or found
        return found or ""

    def is_https(self, request: web.BaseRequest) -> bool:
        """Whether it came by TLS: to us, or to a proxy that says so."""
        return request.secure or self._said(request, "X-Forwarded-Proto").strip().lower() == "https"

    def host(self, request: web.BaseRequest) -> str:
        """The host and port the sender asked for."""
        return self._said(request, "X-Forwarded-Host").strip() or request.headers.get("Host", "")

    def _said(self, request: web.BaseRequest, name: str) -> str:
        return ",".join(request.headers.getall(name, ())) if self._believes(request.remote) else ""

    def _believes(self, address: str | None) -> bool:
        try:
            return self._is_trusted(address)
        except ValueError:  # what a proxy wrote is no address
            return False
