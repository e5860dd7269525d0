"""Who the simulated people are, what they say and how quick they are. Data and dice only."""

from random import Random
from typing import NamedTuple

__all__ = [
    "AGENTS",
    "ANSWERS",
    "ASSISTED_BOT",
    "BOT",
    "FOLLOW_UPS",
    "GREETING",
    "QUESTIONS",
    "Agent",
    "customer_name",
    "think_s",
]


class Agent(NamedTuple):
    """A simulated person at the desk. Seconds to answer: usually about ``usual_s``, sometimes forgotten for long."""

    name: str
    usual_s: int
    forgets: float


AGENTS = (
    Agent("莉莉", 60, 0.16),
    Agent("小美", 45, 0.10),
    Agent("阿强", 35, 0.06),
    Agent("周舟", 25, 0.03),
)
BOT = "xiaowei"  # answers alone at night and when the desk is full: never a valid reply
ASSISTED_BOT = "leyan"  # drafts, a person presses send: valid under the Taobao rules

GREETING = "亲，您好，欢迎光临本店～"
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


def customer_name(dice: Random) -> str:
    """A marketplace-like customer id."""
    return f"tb_{dice.choice(_SURNAMES)}{dice.randrange(1000, 99999)}"


def think_s(agent: Agent, dice: Random) -> float:
    """Seconds until this agent answers."""
    if dice.random() < agent.forgets:
        return dice.uniform(150, 420)
    return max(4.0, dice.gauss(agent.usual_s, agent.usual_s / 3))
