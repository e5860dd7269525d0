"""The four robots' senders against a server that speaks as the robots do: what is refused is never told."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.robots import Rate, Robots

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.plugins import Plugins, pick
from sanfen_adapters.posting import Answer

KINDS = ["dingtalk", "feishu", "lark", "wecombot"]
SIGNING = ["dingtalk", "feishu", "lark"]
SECRET = "SECb1b2+/=secret"


def json_texts() -> st.SearchStrategy[str]:
    leaves = st.none() | st.booleans() | st.integers(-2, 400_000) | st.floats(allow_nan=False) | st.text(max_size=9)
    names = st.sampled_from(["errcode", "code", "StatusCode", "errmsg", "msg", "data"])
    trees = st.recursive(
        leaves, lambda one: st.lists(one, max_size=3) | st.dictionaries(names, one, max_size=4), max_leaves=6
    )
    return trees.map(json.dumps)


@pytest.fixture
async def ways() -> AsyncIterator[dict[str, Notifier]]:
    made = Plugins().notifiers()
    yield made
    for notifier in made.values():
        await notifier.close()


async def tell(ways: dict[str, Notifier], address: str, notice: Notice, secret: str | None = None) -> str:
    notifier = pick(ways, address)
    assert notifier is not None
    return await notifier.notify(notice, address, secret)


async def refused(ways: dict[str, Notifier], address: str, notice: Notice, secret: str | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await tell(ways, address, notice, secret)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
async def test_the_group_reads_it(ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str) -> None:
    """Every letter as it is: a mask is not bold, what a customer wrote is no link; the keyword 三分 is in it."""
    robot = robots.add(kind, keyword="三分", only_from="127.0.0.1")
    answer = await tell(ways, robot.address, notice._replace(url="http://board.example/take/1"))
    (text,) = robot.texts()

    assert answer in ("0 ok", "0 success")
    assert text == "\n".join(["【三分】" + notice.title, notice.text, "http://board.example/take/1"])


@pytest.mark.parametrize("kind", SIGNING)
async def test_it_signs(ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str) -> None:
    """Checked by the robot; ten times, so that the base64 has had its plus and slash."""
    for number in range(10):
        robot = robots.add(kind, secret=f"{SECRET}{number}")

        assert (await tell(ways, robot.address, notice, f"{SECRET}{number}"))[0] == "0"


@pytest.mark.parametrize("kind", SIGNING)
async def test_a_wrong_signature_is_a_refusal(
    ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str
) -> None:
    robot = robots.add(kind, secret=SECRET)
    unsigned = await refused(ways, robot.address, notice)
    wrong = await refused(ways, robot.address, notice, "another secret")
    robot.now_ms = lambda: 0  # our clock is decades off
    late = await refused(ways, robot.address, notice, SECRET)

    assert {(e.reason, e.retryable, e.unknown) for e in (unsigned, wrong, late)} == {("signature", False, False)}
    assert robot.group == []


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("dingtalk", "310000 keywords not in content, more: [https://ding-doc.dingtalk.com]"),
        ("feishu", "19024 Key Words Not Found"),
        ("lark", "19024 Key Words Not Found"),
    ],
)
async def test_a_missing_keyword_is_a_refusal_in_the_robots_words(
    ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str, says: str
) -> None:
    robot = robots.add(kind, keyword="告警")
    error = await refused(ways, robot.address, notice)

    assert (error.message, error.reason, error.retryable, error.unknown) == (says, "keyword", False, False)
    assert robot.group == []


async def test_words_that_dingtalk_does_not_like_are_not_said_again(
    ways: dict[str, Notifier], robots: Robots, notice: Notice
) -> None:
    """A notice quotes its customer; another way, or the fallback, has to do."""
    error = await refused(ways, robots.add("dingtalk", forbidden=notice.title).address, notice)

    assert (error.message, error.reason, error.retryable) == ("430102 含有不合适的文本", "content", False)


@pytest.mark.parametrize(("kind", "reason"), [("dingtalk", "ip"), ("feishu", "ip"), ("lark", "ip")])
async def test_an_address_off_the_list_is_a_refusal(
    ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str, reason: str
) -> None:
    error = await refused(ways, robots.add(kind, only_from="10.0.0.1").address, notice)

    assert (error.reason, error.retryable) == (reason, False)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_robot_that_is_gone(ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str) -> None:
    address = robots.add(kind).address.replace("-token-", "-nobody-")
    error = await refused(ways, address, notice)

    assert (error.reason, error.retryable, error.unknown) == ("token", False, False)


@pytest.mark.parametrize(
    ("kind", "rate", "pause_ms"),
    [
        ("dingtalk", Rate(20, 60_000, 600_000), 600_000),
        ("feishu", Rate(5, 1_000), 1_000),
        ("lark", Rate(5, 1_000), 1_000),
        ("wecombot", Rate(20, 60_000), 60_000),
    ],
)
async def test_one_too_many_comes_again_after_the_robots_own_pause(
    ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str, rate: Rate, pause_ms: int
) -> None:
    now_ms = [1_700_000_000_000]
    robot = robots.add(kind, rates=[rate], now_ms=lambda: now_ms[0])
    for _ in range(rate.most):
        await tell(ways, robot.address, notice)
    error = await refused(ways, robot.address, notice)
    now_ms[0] += pause_ms - 1
    if rate.muted_ms:
        await refused(ways, robot.address, notice)
    now_ms[0] += 1

    assert (error.reason, error.retryable, error.retry_after_ms, error.unknown) == ("limited", True, pause_ms, False)
    assert (await tell(ways, robot.address, notice))[0] == "0"


@pytest.mark.parametrize("kind", KINDS)
def test_the_limits_are_declared(kind: str) -> None:
    """For whoever spaces the messages out."""
    limits = Plugins().ways[kind].limits

    assert [tuple(limit) for limit in limits] == {
        "dingtalk": [(20, 60_000, 600_000)],
        "wecombot": [(20, 60_000, 0)],
    }.get(kind, [(5, 1_000, 0), (100, 60_000, 0)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "reason", "unknown"),
    [
        ("500", "http_500", False),
        ("503", "http_503", False),
        ("502", "http_502", True),  # whoever stands behind the proxy may have it
        ("reset", "lost", True),
        ("html", "not_understood", True),
        ("empty", "not_understood", True),
        ("words", "not_understood", True),
        ("deep", "not_understood", True),
    ],
)
async def test_trouble_on_the_way(
    ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str, fault: str, reason: str, unknown: bool
) -> None:
    """Worth another try, and honest about whether the group may have it."""
    robot = robots.add(kind)
    robot.script = [fault]
    error = await refused(ways, robot.address, notice)

    assert (error.reason, error.retryable, error.unknown) == (reason, True, unknown)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_code_decides_whatever_the_status(
    ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str
) -> None:
    """A refusal with HTTP 400 is the robot's own; a code that says fine does not make a 400 one."""
    robot, other = robots.add(kind, rates=[Rate(0, 1)]), robots.add(kind)
    robot.script, other.script = ["as-400"], ["as-400"]

    assert (await refused(ways, robot.address, notice)).reason == "limited"
    assert (await refused(ways, other.address, notice)).retryable


@pytest.mark.parametrize("kind", KINDS)
async def test_a_code_may_be_a_text(ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str) -> None:
    robot = robots.add(kind)
    robot.script = ["zero"]

    assert await tell(ways, robot.address, notice) == "0 ok"


@pytest.mark.parametrize("fault", ["silence", "stalled"])
async def test_no_answer_is_unknown(ways: dict[str, Notifier], robots: Robots, notice: Notice, fault: str) -> None:
    robot = robots.add("dingtalk")
    robot.script = [fault]
    error = await refused(ways, robot.address, notice)

    assert (error.reason, error.retryable, error.unknown) == ("timeout", True, True)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_slow_robot_is_waited_for(ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str) -> None:
    robot = robots.add(kind)
    robot.script = ["slow"]

    assert (await tell(ways, robot.address, notice))[0] == "0"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_nobody_trusts(
    ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str
) -> None:
    """Nothing has left: another way may be tried without fear of telling twice."""
    robot = robots.add(kind)
    error = await refused(ways, robots.address(robot, tls=True), notice)

    assert (error.reason, error.retryable, error.unknown) == ("tls", True, False)
    assert error.message.startswith("cannot connect: ")
    assert "certificate" in error.message
    assert robot.asked == 0


async def test_a_host_that_does_not_pick_up(ways: dict[str, Notifier], notice: Notice) -> None:
    """Its queue of connections is full: nothing has left, and it is given up like silence."""
    with closing(socket.socket()) as deaf, ExitStack() as callers:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # fill the queue
            caller = callers.enter_context(closing(socket.socket()))
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        error = await refused(ways, f"dingtalk+http://127.0.0.1:{deaf.getsockname()[1]}/?access_token=x", notice)

    assert (error.reason, error.retryable, error.unknown) == ("unreachable", True, False)


async def test_a_redirect_is_not_followed(ways: dict[str, Notifier], robots: Robots, notice: Notice) -> None:
    robot = robots.add("dingtalk")
    robot.script = ["302"]

    assert (await refused(ways, robot.address, notice)).reason == "http_302"


async def test_busy_comes_again(ways: dict[str, Notifier], robots: Robots, notice: Notice) -> None:
    for kind in ("dingtalk", "wecombot"):
        robot = robots.add(kind)
        robot.script = ["busy"]
        error = await refused(ways, robot.address, notice)

        assert (error.message, error.reason, error.retryable) == ("-1 系统繁忙", "busy", True)


async def test_the_firewall_before_the_robot_is_no_success(
    ways: dict[str, Notifier], robots: Robots, notice: Notice
) -> None:
    """HTTP 200, JSON, and no code: what DingTalk's own gate says to a sender it has had enough of."""
    robot = robots.add("dingtalk")
    robot.script = ["deny"]
    error = await refused(ways, robot.address, notice)

    assert (error.reason, error.retryable, error.unknown) == ("limited", True, False)
    assert "deny" in error.message


async def test_people_are_called_by_name(ways: dict[str, Notifier], robots: Robots, notice: Notice) -> None:
    ding, feishu, wecom = (robots.add(kind) for kind in ("dingtalk", "feishu", "wecombot"))
    await tell(ways, f"{ding.address}&at=13800000000,user1&at=all", notice)
    await tell(ways, f"{feishu.address}?at=ou_1,all", notice)
    await tell(ways, f"{wecom.address}&at=13800000000,zhang,all", notice)

    assert ding.group[0]["at"] == {"atMobiles": ["13800000000"], "atUserIds": ["user1"], "isAtAll": True}
    assert ding.texts()[0].endswith("\n@13800000000 @user1")
    assert feishu.group[0]["content"]["post"]["zh_cn"]["content"][-1] == [
        {"tag": "at", "user_id": "ou_1"},
        {"tag": "at", "user_id": "all"},
    ]
    assert wecom.group[0]["text"]["mentioned_list"] == ["zhang", "@all"]
    assert wecom.group[0]["text"]["mentioned_mobile_list"] == ["13800000000"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_too_long_is_cut_and_the_link_is_not(
    ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str
) -> None:
    robot = robots.add(kind)
    await tell(ways, robot.address, notice._replace(text="等" * 20_000, url="http://board.example/take/1"))
    (text,) = robot.texts()

    assert text.endswith("…\nhttp://board.example/take/1")


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_said_repeats_the_token(
    ways: dict[str, Notifier], robots: Robots, notice: Notice, kind: str
) -> None:
    """Not even where the robot repeats it."""
    robot = robots.add(kind)
    robot.script = ["echo", "html"]
    said = [str(await refused(ways, robot.address, notice)) for _ in range(2)]

    assert "***" in said[0]
    assert robot.token not in "".join(said)
    assert Plugins().ways[kind].shown(f"{kind}://{'a' * 60}beef") == f"{kind}://…beef"


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        ('{"errcode": 0, "code": 0}', 200, True),
        ('{"errcode": "0", "code": "0"}', 204, True),
        ('{"errcode": 0, "code": 0}', 500, False),
        ('{"errcode": false, "code": false}', 200, False),
        ('{"errcode": 0.0, "code": 0.0}', 200, False),
        ('{"errcode": null, "code": null}', 200, False),
        ('{"errcode": [0], "code": {"code": 0}}', 200, False),
        ('[{"errcode": 0, "code": 0}]', 200, False),
        ('{"data": {"errcode": 0, "code": 0}}', 200, False),
        ('"0"', 200, False),
        ("0", 200, False),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_only_a_zero_of_the_robots_own_is_told(kind: str, said: str, status: int, told: bool) -> None:
    assert is_told(kind, said, status) == told


@given(kind=st.sampled_from(KINDS), said=st.text() | json_texts(), status=st.sampled_from([200, 400, 500]))
def test_whatever_comes_back_it_is_told_or_refused(kind: str, said: str, status: int) -> None:
    """Never another exception; told only by an object with a code of zero."""
    if is_told(kind, said, status):
        body = json.loads(said)
        assert status == 200
        assert "0" in (str(body.get("errcode")), str(body.get("code")), str(body.get("StatusCode")))


def is_told(kind: str, said: str, status: int) -> bool:
    made = Plugins().ways[kind]()
    try:
        made._judge(Answer(status, said, None), [])  # type: ignore[attr-defined]
    except DeliveryError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token="),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/"),
        ("lark", "https://open.larksuite.com/open-apis/bot/v2/hook/"),
        ("wecombot", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key="),
    ],
)
def test_a_short_address_leads_to_the_vendor(kind: str, url: str) -> None:
    """And means the same as the long one."""
    target = Plugins().ways[kind].target  # type: ignore[attr-defined]

    assert target(f"{kind}://0123456789abcdef").url == url + "0123456789abcdef"
    assert target(f"{kind}+{url}0123456789abcdef") == target(f"{kind}://0123456789abcdef")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("description:关键词不匹配;solution:请联系群管理员查看此机器人的关键词", "keyword"),
        ("description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中", "signature"),
        ("description:机器人发送签名过期;solution:签名生成时间和发送时间请保持在timestampms以内", "signature"),
        ("ip 1.2.3.4 not in whitelist", "ip"),
        ("something new", "refused"),
    ],
)
def test_dingtalks_one_code_for_all_its_checks(words: str, reason: str) -> None:
    made = Plugins().ways["dingtalk"]()

    assert made.refusal(310000, words).reason == reason  # type: ignore[attr-defined]
