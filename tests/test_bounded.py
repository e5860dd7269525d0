"""An adapter of somebody else's whose calls do not end: cut off, by real signals, in the event loop it runs in."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sanfen import bounded, hookspecs
from sanfen.abc import ChannelAdapter, Direction, Event, Request
from sanfen.bounded import CutOffError
from sanfen.config.settings import ChannelSettings
from sanfen.plugins import Plugins

REQUEST = Request("POST", "/", "", {}, b"")


class Theirs(ChannelAdapter):
    """Does with a delivery what its body says."""

    name = "theirs"

    def verify(self, request: Request, direction: Direction, now_ms: int) -> None:
        """Anybody."""

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        match request.body:
            case b"loop":
                while True:
                    pass
            case b"sleep":
                time.sleep(60)
            case b"stubborn":
                while True:
                    try:
                        time.sleep(60)
                    except CutOffError:
                        break
            case _:
                pass
        return ()

    def handshake(self, request: Request, direction: Direction) -> None:
        self.parse(request, direction, 0)


class Plugin:
    @staticmethod
    @hookspecs.hookimpl
    def register_adapters() -> list[type[ChannelAdapter]]:
        return [Theirs]


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> ChannelAdapter:
    monkeypatch.setattr(bounded, "_LONGEST_S", 0.05)
    return Plugins([Plugin]).channel(ChannelSettings("desk", "theirs"), "shop")


def parse(adapter: ChannelAdapter, body: bytes) -> Sequence[Any]:
    return adapter.parse(REQUEST._replace(body=body), "in", 0)


@pytest.mark.parametrize("how", [b"loop", b"sleep"])
async def test_what_does_not_end_is_cut_off(adapter: ChannelAdapter, how: bytes) -> None:
    """In the loop, which then goes on; and the adapter is asked again."""
    with pytest.raises(CutOffError, match="the adapter theirs did not end"):
        parse(adapter, how)
    await asyncio.sleep(0)

    assert isinstance(adapter, Theirs)
    assert parse(adapter, b"") == ()
    adapter.verify(REQUEST, "in", 0)


def test_one_that_catches_everything_ends_too(adapter: ChannelAdapter) -> None:
    assert parse(adapter, b"stubborn") == ()


def test_a_call_within_a_call_is_one(adapter: ChannelAdapter) -> None:
    with pytest.raises(CutOffError):
        adapter.handshake(REQUEST._replace(body=b"sleep"), "in")


def test_after_three_it_is_asked_no_more(adapter: ChannelAdapter) -> None:
    for _ in range(3):
        with pytest.raises(CutOffError, match="did not end"):
            parse(adapter, b"loop")
    with pytest.raises(CutOffError, match="has hung 3 times"):
        parse(adapter, b"")


def test_no_alarm_is_left_behind(adapter: ChannelAdapter) -> None:
    import signal

    before = signal.getsignal(signal.SIGALRM)
    parse(adapter, b"")

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == before


def test_in_another_thread_there_is_no_limit(adapter: ChannelAdapter) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(parse(adapter, b"")))
    thread.start()
    thread.join()

    assert found == [()]


def test_under_another_loop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def cut(adapter: ChannelAdapter) -> str:
        with pytest.raises(CutOffError):
            parse(adapter, b"loop")
        await asyncio.sleep(0)
        return "goes on"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounded, "_LONGEST_S", 0.05)
        made: Callable[[], ChannelAdapter] = lambda: Plugins([Plugin]).channel(ChannelSettings("d", "theirs"), "s")  # noqa: E731
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(cut(made())) == "goes on"


def test_what_comes_with_sanfen_is_not_bounded() -> None:
    made = Plugins().channel(ChannelSettings("desk", "generic", signing="none"), "shop")

    assert type(made).__module__.startswith("sanfen_adapters.")
    assert "bounded" not in type(made).parse.__code__.co_filename
