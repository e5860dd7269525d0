"""Ports for servers whose address must be known before they start."""

import socket
from collections import deque
from contextlib import closing, suppress
from random import SystemRandom

__all__ = ["free_port"]

_PORTS = range(20_000, 30_000)  # below those a system gives to whoever connects: a browser opens many
_LATELY: deque[int] = deque(maxlen=64)  # given away, and perhaps not listened on yet


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on just now, and that nobody was given a moment ago."""
    while True:
        port = SystemRandom().choice(_PORTS)
        with closing(socket.socket()) as probe, suppress(OSError):
            if port not in _LATELY:
                probe.bind((host, port))
                _LATELY.append(port)
                return port
