"""Two servers that are about to start do not get the same port."""

from collections.abc import Iterator

import pytest
from tests import ports


def test_what_was_given_a_moment_ago_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ports.free_port()
    wanted: Iterator[int] = iter([first, first, ports.free_port(), *ports._PORTS])

    class Dice:
        def choice(self, _: range) -> int:
            return next(wanted)

    monkeypatch.setattr(ports, "SystemRandom", Dice)

    assert ports.free_port() != first
