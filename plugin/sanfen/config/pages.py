"""A page for each code of a finding: its sentence in Chinese, a file that has it, and how that is mended. Tests run both."""

from typing import NamedTuple

__all__ = ["PAGES", "Page"]


class Page(NamedTuple):
    """``wrong`` has the finding, ``right`` has it no more; both follow ``version: 1``. Empty: no file shows it."""

    chinese: str
    wrong: str = ""
    right: str = ""


_PERSON = "people: {lead: {via: ['console:']}}\n"
_LADDER = "escalation:\n  - {name: default, steps: ["

PAGES: dict[str, Page] = {
    "C001": Page(
        "文件不是 YAML，或用了这里不接受的写法：别名、标签、多个文档。", "shop: {id: [\n", "shop: {id: flagship}\n"
    ),
    "C002": Page("同一个键写了两次；后一个会悄悄覆盖前一个。", "shop: {id: a, id: b}\n", "shop: {id: b}\n"),
    "C003": Page("文件读不了：不存在、太大、不是 UTF-8。"),
    "C004": Page(
        "${NAME} 对应的环境变量没有设置。",
        "channels:\n  desk: {secret: '${NOT_SET_ANYWHERE}'}\n",
        "channels:\n  desk: {signing: none}\n",
    ),
    "C005": Page(
        "${file:PATH} 读不了、里面不是密钥，或本机的其他用户也能读。",
        "channels:\n  desk: {secret: '${file:no-such-file}'}\n",
        "channels:\n  desk: {signing: none}\n",
    ),
    "C010": Page("这个位置没有这个设置。", "shop: {nane: x}\n", "shop: {name: x}\n"),
    "C011": Page(
        "缺少必需的设置。",
        f"{_PERSON}escalation:\n  - steps: [{{at: 90s, notify: [lead]}}]\n",
        f"{_PERSON}escalation:\n  - {{name: default, steps: [{{at: 90s, notify: [lead]}}]}}\n",
    ),
    "C012": Page(
        "值不在允许的范围内，或形式不对。",
        "classify:\n  - {name: robots, mode: robot}\n",
        "classify:\n  - {name: robots, mode: bot}\n",
    ),
    "C013": Page(
        "时长、时刻、时段、百分比、文本模式或地址读不懂。",
        f"{_PERSON}{_LADDER}{{at: '1:30', notify: [lead]}}]}}\n",
        f"{_PERSON}{_LADDER}{{at: 1m30s, notify: [lead]}}]}}\n",
    ),
    "C020": Page("规则既不是自带的，也没有写在 policies: 里。", "policy: taobao-2022\n", "policy: taobao-2022-01\n"),
    "C021": Page(
        "没有定义这个人、排班或分组，届时谁也通知不到。",
        f"{_PERSON}{_LADDER}{{at: 90s, notify: [leed]}}]}}\n",
        f"{_PERSON}{_LADDER}{{at: 90s, notify: [lead]}}]}}\n",
    ),
    "C022": Page(
        "channels: 里没有这个渠道。",
        f"{_PERSON}escalation:\n  - {{name: a, match: {{channel: desk}}, steps: [{{at: 90s, notify: [lead]}}]}}\n",
        "channels:\n  desk: {signing: none}\n"
        f"{_PERSON}escalation:\n  - {{name: a, match: {{channel: desk}}, steps: [{{at: 90s, notify: [lead]}}]}}\n",
    ),
    "C023": Page(
        "两个东西同名。",
        "classify:\n  - {name: a, match: {mode: bot}, verdict: invalid}\n  - {name: a, verdict: valid}\n",
        "classify:\n  - {name: a, match: {mode: bot}, verdict: invalid}\n  - {name: b, verdict: valid}\n",
    ),
    "C024": Page(
        "我们的回答可能比渠道愿意等的更久：它会放弃并重发。",
        "channels:\n  desk: {signing: none, ack_within: 3s, timeout: 1s, deadline: 3s}\n",
        "channels:\n  desk: {signing: none, ack_within: 1s, timeout: 1s, deadline: 3s}\n",
    ),
    "C030": Page(
        "条件不能用：名字不存在、类型不对，或不是 CEL。",
        f"{_PERSON}{_LADDER}{{at: 90s, notify: [lead], if: 'wated > duration(\"2m\")'}}]}}\n",
        f"{_PERSON}{_LADDER}{{at: 90s, notify: [lead], if: 'waited > duration(\"2m\")'}}]}}\n",
    ),
    "C040": Page("仅在 --online 时：域名没有对应的地址。"),
    "C041": Page("仅在 --online 时：对方不接受连接，或没有及时接受。"),
    "C042": Page("仅在 --online 时：对方的证书不受信任。"),
    "C043": Page("仅在 --online 时：要监听的不是本机的地址，或无权监听。"),
    "W101": Page(
        "这一步在时限之后才到：那时已经晚了。",
        f"{_PERSON}{_LADDER}{{at: 3m10s, notify: [lead]}}]}}\n",
        f"{_PERSON}{_LADDER}{{at: 2m30s, notify: [lead]}}]}}\n",
    ),
    "W102": Page(
        "步骤次序颠倒：后面的一步反而先到。",
        f"{_PERSON}{_LADDER}{{at: 2m, notify: [lead]}}, {{at: 1m, notify: [lead]}}]}}\n",
        f"{_PERSON}{_LADDER}{{at: 1m, notify: [lead]}}, {{at: 2m, notify: [lead]}}]}}\n",
    ),
    "W103": Page("这个阶梯谁也不通知。", "escalation:\n  - {name: default, steps: []}\n", ""),
    "W104": Page(
        "这条规则或阶梯永远轮不到：前面的总是先匹配。",
        "classify:\n  - {name: all, verdict: valid}\n  - {name: bots, match: {mode: bot}, verdict: invalid}\n",
        "classify:\n  - {name: bots, match: {mode: bot}, verdict: invalid}\n  - {name: all, verdict: valid}\n",
    ),
    "W105": Page("目标超过 100 %。", "target: 110%\n", "target: 90%\n"),
    "W106": Page("这条规则未经核实：没有可靠来源。", "policy: weixin-shop-unverified\n", "policy: taobao-2022-01\n"),
    "W107": Page(
        "阶梯针对的规则在这里不计分。",
        f"{_PERSON}escalation:\n  - {{name: a, match: {{policy: pdd-3m}}, steps: [{{at: 90s, notify: [lead]}}]}}\n",
        f"{_PERSON}escalation:\n  - {{name: a, match: {{policy: taobao-2022-01}}, steps: [{{at: 90s, notify: [lead]}}]}}\n",
    ),
    "W108": Page(
        "阶梯生效的时间里有一段没有人当班，也没有 fallback。",
        "people: {day: {via: ['console:'], hours: 08:00-21:00}}\n" + _LADDER + "{at: 90s, notify: [day]}]}\n",
        "people: {day: {via: ['console:'], hours: 08:00-21:00}, boss: {via: ['console:']}}\nfallback: [boss]\n"
        + _LADDER
        + "{at: 90s, notify: [day]}]}\n",
    ),
    "W109": Page(
        "在这条规则下，未回复就转出本身就算未答。",
        f"policy: taobao-2023-05\n{_PERSON}{_LADDER}{{at: 90s, notify: [lead]}}, {{at: 2m30s, reassign: backup}}]}}\n",
        f"policy: taobao-2023-05\n{_PERSON}{_LADDER}{{at: 90s, notify: [lead]}}]}}\n",
    ),
    "W110": Page(
        "密钥写在了文件里。写 ${NAME} 并放进环境变量，或用 ${file:PATH}。",
        "channels:\n  desk: {secret: whsec_c2VjcmV0c2VjcmV0}\n",
        "channels:\n  desk: {signing: none}\n",
    ),
    "W111": Page(
        "接收没有签名的消息：能连上端口的人都可以伪造。", "channels:\n  desk: {signing: none}\n", "channels: {}\n"
    ),
    "W112": Page(
        "目标可能比渠道愿意等的更慢，而渠道只要它的回答。",
        "channels:\n  desk: {signing: none, deadline: 5s}\n",
        "channels:\n  desk: {signing: none, deadline: 5s, timeout: 3s}\n",
    ),
    "W120": Page("仅在 --online 时：本机时钟不准；签名会被拒绝，时限也会算错。"),
    "W113": Page("这个渠道的回答本身就是消息：无论 delivery: 怎么写，都会立即转发。"),
}
"""By code; the English sentences are ``findings.CODES``."""
