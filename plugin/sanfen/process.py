"""The process among others: what it leaves behind for them to read, and how it tells whoever watches it that it lives."""

import asyncio
import os
import resource
import socket
import sys

__all__ = ["Supervisor", "harden", "inherited"]

_FIRST_FD = 3


def harden() -> None:
    """Files of ours are for our user only, and a crash leaves no memory, with its secrets, on the disk.

    Where the standard streams were closed, the next files to be opened would take their numbers, and whatever anybody
    prints would be written into them: into the log, for one.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    os.umask(0o077)
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def inherited(host: str, port: int) -> socket.socket | None:
    """The socket on which whoever started us already listens at this address (systemd's LISTEN_FDS); None: there is none.

    It outlives us: who connects between two runs waits in its queue, and is served by the next one.
    """
    count = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return None
    wanted = {found[4] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    for number in range(_FIRST_FD, _FIRST_FD + int(count)):
        try:
            one = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        if one.getsockname() in wanted:
            return one
        one.close()
    return None


class Supervisor:
    """systemd's readiness and watchdog protocol; silent where nobody listens."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        watched = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = os.environ.get("WATCHDOG_USEC", "0") if watched else "0"
        self._every_s = int(microseconds) / 2_000_000 if microseconds.isdigit() else 0.0
        self._timer: asyncio.TimerHandle | None = None

    def say(self, state: str) -> None:
        """Send ``READY=1``, ``STOPPING=1`` or the like. A supervisor that is gone is no reason to stop."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.setblocking(False)
                to.sendto(state.encode(), address)
        except OSError:
            return

    def beat(self) -> None:
        """Say from the event loop that it turns, twice in each watchdog time: when it hangs, we are started again."""
        if self._every_s:
            self.say("WATCHDOG=1")
            self._timer = asyncio.get_running_loop().call_later(self._every_s, self.beat)

    def rest(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
