"""What every way to reach people promises, whoever wrote it: run over all that are installed."""

import sys
from collections.abc import AsyncIterator

import pytest
from tests.robots import Robot, Robots

from sanfen.abc import DeliveryError, Notifier
from sanfen.errors import ConfigError
from sanfen.outbound import Guard
from sanfen.plugins import Plugins, pick
from sanfen.testing import notice
from sanfen_adapters import manifests

PLUGINS = Plugins()
KINDS = sorted({kind.name: kind for kind in PLUGINS.ways.values()}.items())
NOTICE = notice(url="http://board.example/1")
HOSTILE = NOTICE._replace(
    title="\ud800\x00\x1b[31m",
    text="a\r\nb\u202e" + "等" * 50_000,
    question="\udfff",
    customer='"},{',
    person="<at id=all>",
)
NO_ADDRESSES = [
    "",
    ":",
    "x",
    "//",
    "+",
    "+://",
    "\x00",
    "\ud800",
    "://?at=",
    "?" * 10_000,
    "+https://",
    "+https://[::1",
    "+ftp://x/y",
]
CLOSED = {  # nobody listens at port 1
    "webhook": "webhook+http://127.0.0.1:1/CANARY-x",
    "dingtalk": "dingtalk+http://127.0.0.1:1/robot/send?access_token=CANARY-x",
    "feishu": "feishu+http://127.0.0.1:1/hook/CANARY-x",
    "wecom": "wecombot+http://127.0.0.1:1/send?key=CANARY-x",
    "apprise": "json://user:CANARY-x@127.0.0.1:1/x",
    "command": "command:/CANARY/does/not/exist",
}


def examples() -> list[str]:
    """The addresses of the manifests, with something in the place of each variable."""
    found = []
    for manifest in manifests("notifiers"):
        for address in manifest.facts["addresses"]:
            for name in ("TOKEN", "KEY", "BOT_TOKEN", "CHAT", "USER", "PASSWORD"):
                value = {"BOT_TOKEN": "123456789:CANARYabcdefghijklmnopqrstuvwxyz_12", "CHAT": "12315544"}.get(name)
                address = address.replace(f"${{{name}}}", value or "CANARY-0123456789abcdef")  # noqa: PLW2901
            found.append(address)
    return found


@pytest.fixture(params=[name for name, _ in KINDS])
def kind(request: pytest.FixtureRequest) -> type[Notifier]:
    return dict(KINDS)[request.param]


@pytest.fixture
async def notifier(kind: type[Notifier]) -> AsyncIterator[Notifier]:
    made = kind()
    made.guard = Guard()
    yield made
    await made.close()
    await made.close()  # whoever serves two schemes is closed twice


def works(kind: type[Notifier], robots: Robots) -> tuple[str, Robot | None]:
    """An address of this kind at which somebody listens."""
    if kind.name in ("dingtalk", "feishu", "wecom"):
        robot = robots.add((kind.schemes or (kind.name,))[0])
        return robot.address, robot
    open_hook = f"127.0.0.1:{robots.port}/robot/send?access_token=" + robots.add("dingtalk").token
    return {
        "console": "console:",
        "command": f"command:{sys.executable} -Sc 'import sys; sys.stdin.read()'",
        "webhook": f"webhook+http://{open_hook}",
        "apprise": f"json://{open_hook}",
    }[kind.name], None


@pytest.mark.parametrize("address", examples())
def test_the_addresses_of_the_manifest_are_taken(address: str) -> None:
    """And are shown without what would let others send by them."""
    kind = PLUGINS.check_way(address)

    assert pick(PLUGINS.ways, address) is kind
    assert "CANARY" not in kind.shown(address)


def test_every_notifier_shows_an_address() -> None:
    assert {kind.name for kind in (pick(PLUGINS.ways, address) for address in examples()) if kind} == {
        name for name, _ in KINDS
    }


@pytest.mark.parametrize("rest", NO_ADDRESSES, ids=lambda rest: repr(rest[:10]))
def test_an_address_that_is_none_is_an_error_of_the_configuration(kind: type[Notifier], rest: str) -> None:
    """With a mend, and never another exception; also what is wrong can be shown."""
    for scheme in kind.schemes or (kind.name,):
        address = ("pigeon" if scheme == "*" else scheme) + rest
        mend = "it is one"
        try:
            PLUGINS.check_way(address)
        except ConfigError as error:
            mend = error.hint
        served = pick(PLUGINS.ways, address)

        assert mend
        assert served is None or served.shown(address)[:1] == address[:1]


def test_limits_are_positive(kind: type[Notifier]) -> None:
    assert all(limit.most > 0 and limit.per_ms > 0 and limit.muted_ms >= 0 for limit in kind.limits)


async def test_told_is_answered_in_a_few_words(notifier: Notifier, robots: Robots) -> None:
    address, robot = works(type(notifier), robots)
    answer = await notifier.notify(NOTICE, address, "a secret of the test")

    assert len(answer) <= 300
    assert answer.isprintable()
    assert robot is None or len(robot.group) == 1


async def test_whatever_a_notice_holds_it_is_told_or_refused(notifier: Notifier, robots: Robots) -> None:
    address, robot = works(type(notifier), robots)
    await notifier.notify(HOSTILE, address, None)

    assert robot is None or len(robot.group) == 1


async def test_a_failure_quotes_no_secret_and_says_whether_it_may_have_arrived(notifier: Notifier) -> None:
    address = CLOSED.get(notifier.name)
    if address is None:
        pytest.skip("it cannot fail")
    with pytest.raises(DeliveryError) as caught:
        await notifier.notify(NOTICE, address, "SECRET-CANARY")

    assert "CANARY-" not in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.reason.isidentifier()
    assert caught.value.unknown == (notifier.name == "apprise")  # only it cannot tell
