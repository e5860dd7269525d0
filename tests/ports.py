"""Ports for servers whose address must be known before they start."""

import socket
from contextlib import closing, suppress
from random import SystemRandom

__all__ = ["free_port"]

_PORTS = range(20_000, 30_000)  # below those a system gives to whoever connects: a browser opens many


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on just now."""
    while True:
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind((host, SystemRandom().choice(_PORTS)))
            return int(probe.getsockname()[1])
