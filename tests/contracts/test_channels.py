"""What every channel adapter promises, whoever wrote it: run over all that are installed."""

from typing import Any

import pytest

from sanfen.abc import ChannelAdapter, ParseError, Request, VerifyError
from sanfen.config.settings import ChannelSettings, Secret
from sanfen.plugins import Plugins

PLUGINS = Plugins()
NOW_MS = 1_795_309_132_000
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"a": NaN}',
    b'{"a": 1, "a": 2}',
    b'"\\ud800"',
    b"1" * 10_000,
    b"<xml><ToUserName>x</ToUserName></xml>",
    b"a=1&b=%ff",
]


@pytest.fixture(params=sorted(PLUGINS.channels))
def kind(request: pytest.FixtureRequest) -> type[ChannelAdapter]:
    return PLUGINS.channels[request.param]


def make(kind: type[ChannelAdapter], **facts: Any) -> ChannelAdapter:
    return PLUGINS.channel(ChannelSettings("desk", kind.name, **facts), "shop")


@pytest.fixture
def adapter(kind: type[ChannelAdapter]) -> ChannelAdapter:
    return make(kind, secrets=(Secret("one"), Secret("two")))


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-id": "a", "webhook-timestamp": "1795309132", "webhook-signature": "v1,\udcff"},
        dict.fromkeys(("authorization", "x-signature", "x-hub-signature-256", "webhook-signature"), "\udce4"),
    ],
)
def test_a_stranger_is_refused_by_verify_error(
    adapter: ChannelAdapter, direction: Any, headers: dict[str, str]
) -> None:
    """Never another exception, which would be our fault and not the stranger's; the reason is a code."""
    for body in BODIES:
        with pytest.raises(VerifyError) as caught:
            adapter.verify(Request("POST", "", "", headers, body), direction, NOW_MS)

        assert caught.value.reason.isidentifier()


def test_no_secret_means_nobody(kind: type[ChannelAdapter]) -> None:
    """A secret that was forgotten opens no door."""
    with pytest.raises(VerifyError):
        make(kind).verify(Request("POST", "", "", {}, b"{}"), "in", NOW_MS)


def test_unsigned_traffic_is_taken_only_where_the_operator_says_so(kind: type[ChannelAdapter]) -> None:
    make(kind, signing="none").verify(Request("POST", "", "", {}, b"{}"), "in", NOW_MS)


def test_errors_quote_no_secret(kind: type[ChannelAdapter]) -> None:
    adapter = make(kind, secrets=(Secret("CANARY"),))

    with pytest.raises(VerifyError) as caught:
        adapter.verify(Request("POST", "", "", {}, b"{}"), "in", NOW_MS)

    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:12]))
def test_parse_gives_events_or_parse_error(adapter: ChannelAdapter, direction: Any, body: bytes) -> None:
    """And the same for the same bytes: it is pure."""
    request = Request("POST", "", "", {"content-type": "application/json"}, body)

    def once() -> Any:
        try:
            return list(adapter.parse(request, direction, NOW_MS))
        except ParseError as error:
            return error.message

    assert once() == once()


def test_a_bare_poll_carries_nothing(adapter: ChannelAdapter) -> None:
    assert list(adapter.parse(Request("GET", "getUpdates", "timeout=30", {}, b""), "out", NOW_MS)) == []
