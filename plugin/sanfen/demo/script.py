"""Who the simulated people are, when they come, what they say and how quick they are. Data and dice only."""

from random import Random
from typing import NamedTuple

from sanfen.core.events import Mode

__all__ = [
    "AGENTS",
    "ANSWERS",
    "ASSISTED_BOT",
    "BOT",
    "BOT_SAYS",
    "FOLLOW_UPS",
    "GREETING",
    "QUESTIONS",
    "Agent",
    "Reply",
    "customer_name",
    "customer_type",
    "rush",
    "think_s",
    "visits",
    "written",
]


class Agent(NamedTuple):
    """A simulated person at the desk. Seconds to answer: usually about ``usual_s``, sometimes forgotten for long."""

    name: str
    usual_s: int
    forgets: float
    share: int  # of the customers


class Reply(NamedTuple):
    """How an answer is written: by a person alone, with a shortcut, or as a bot's draft that a person sent."""

    mode: Mode
    bot: str | None


AGENTS = (
    Agent("莉莉", 58, 0.128, 27),
    Agent("小美", 44, 0.084, 28),
    Agent("阿强", 33, 0.046, 24),
    Agent("周舟", 24, 0.028, 21),
)
BOT = "xiaowei"  # answers alone at night and when the desk is full: never a valid reply
ASSISTED_BOT = "leyan"  # drafts, a person presses send: valid under the Taobao rules

GREETING = "亲，您好，欢迎光临本店～"
BOT_SAYS = "您的问题小微已经收到，稍后为您处理"
QUESTIONS = (
    "在吗",
    "这件有货吗",
    "什么时候发货",
    "退款三天了怎么还没到账",
    "尺码偏大还是偏小",
    "可以便宜一点吗",
    "发什么快递",
    "能开发票吗",
    "收到的颜色不对",
    "is it in stock?",
    "用什么材质的",
    "可以换货吗",
)
FOLLOW_UPS = ("有人吗", "？", "急", "还在吗", "好的，谢谢", "那怎么办", "hello?")
ANSWERS = (
    "有货的，今天可以发",
    "在的亲",
    "已经帮您催财务，今晚到账",
    "偏大半码，建议拍小一号",
    "默认发中通，明天到",
    "可以的，麻烦给下订单号",
    "可以开电子发票",
    "抱歉，马上给您补发",
    "纯棉的，放心",
)
_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"

_HOURS = (1, 1, 0, 0, 0, 0, 1, 2, 4, 6, 9, 11, 9, 7, 8, 10, 9, 7, 8, 12, 17, 18, 13, 6)
"""How busy each local hour is."""

_WEEKDAYS = (0.92, 0.88, 0.94, 0.97, 1.12, 1.22, 1.15)
"""How busy each day of the week is, from Monday."""

_VISITS = 146  # customers on a usual day
_PEAK = 16  # an hour from which on the desk is full


def visits(weekday: int, dice: Random) -> list[int]:
    """The seconds of a local day at which customers come."""
    count = max(40, round(dice.gauss(_VISITS * _WEEKDAYS[weekday], 9)))
    hours = dice.choices(range(24), _HOURS, k=count)
    return sorted(hour * 3600 + dice.randrange(3600) for hour in hours)


def rush(hour: int) -> float:
    """How much slower answers are in a local hour."""
    return 1.3 if _HOURS[hour] >= _PEAK else 1.0


def customer_name(dice: Random) -> str:
    """A marketplace-like customer id."""
    return f"tb_{dice.choice(_SURNAMES)}{dice.randrange(1000, 99999)}"


def customer_type(dice: Random) -> str:
    """Nearly always a buyer."""
    return dice.choices(("buyer", "platform_staff", "sub_account"), (975, 10, 15))[0]


def think_s(agent: Agent, dice: Random, slower: float = 1.0) -> float:
    """Seconds until this agent answers. ``slower``: how full the desk is."""
    if dice.random() < agent.forgets * slower * slower:
        return dice.uniform(150, 420)
    return max(4.0, dice.gauss(agent.usual_s, agent.usual_s / 3) * slower)


def written(dice: Random) -> Reply:
    """How an answer is written."""
    luck = dice.random()
    if luck < 0.18:
        return Reply(Mode.assisted, ASSISTED_BOT)
    return Reply(Mode.shortcut if luck < 0.30 else Mode.human, None)
