"""The bounds of the traffic port, in one place."""

from typing import NamedTuple

__all__ = ["Limits"]


class Limits(NamedTuple):
    """What a stranger may cost us."""

    body_bytes: int = 262_144
    body_ms: int = 10_000  # how long a request's body may take to arrive
    line_bytes: int = 8_190  # request line, and each header
    headers: int = 100
    head_ms: int = 10_000  # how long a request's head may take to arrive
    connections: int = 1_024  # at a time, for each listener
    per_address: int = 64  # of these, of one address that is no trusted proxy
    idle_ms: int = 75_000  # a connection without a request
    in_flight: int = 1_024  # requests being served at a time; more are told to come again
    events_ms: int = 5_000  # how long POST /events waits for its commit
    connect_ms: int = 2_000  # to the upstream
    reuse_ms: int = 1_000  # an upstream connection idle for longer is not used again
    upstream_connections: int = 512  # to one upstream at a time
    buffered_bytes: int = 65_536  # a longer answer is streamed
