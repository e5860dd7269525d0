"""Every endpoint of the API. What is not here does not exist; what is here is checked, described and documented by itself."""

from typing import Any

from sanfen.board.api import doings, questions
from sanfen.board.api.columns import row_schema, schema_of
from sanfen.board.api.endpoints import Endpoint, Parameter
from sanfen.store import figures, queries, units
from sanfen.store.listing import VIEWS
from sanfen.store.present import ZONES

__all__ = ["ENDPOINTS", "MOST_ROWS"]

MOST_ROWS = 1000
_OUTCOMES = ("met", "late", "missed", "pending", "excluded")

_TEXTS: dict[str, tuple[str, str]] = {
    "score_set": ("live, replay, or a name of yours", "live、replay 或自定的名称"),
    "policy": ("only this policy", "只看这个规则"),
    "shop": ("only this shop", "只看这家店"),
    "channel": ("only this channel", "只看这个渠道"),
    "agent": ("only this agent; empty: nobody", "只看这位客服；空：无人"),
    "reason": ("only this reason, such as cross_midnight", "只看这个原因，如 cross_midnight"),
    "conversation": ("only this conversation, written in full", "只看这个会话（写全名）"),
    "customer": ("only this customer, written in full", "只看这位顾客（写全名）"),
    "round": ("only of this round", "只看这一轮"),
    "person": ("only of this person", "只看这个人"),
    "state": ("only in this state", "只看这个状态"),
}
_STATUS = Parameter("status", ("only these outcomes, comma between", "只看这些结果，逗号分隔"), "choices", _OUTCOMES)
_OF_ROUNDS = (
    Parameter("hour", ("opened in this local hour, 0 to 23", "在这个小时开始，0 至 23"), "whole", most=23),
    Parameter("weekday", ("opened on this day of the week; 0 is Sunday", "星期几开始，0 为星期日"), "whole", most=6),
    Parameter("wait_from_ms", ("waited at least so long, milliseconds", "等待不少于（毫秒）"), "whole"),
    Parameter("wait_to_ms", ("waited less than this, milliseconds", "等待少于（毫秒）"), "whole"),
    Parameter("about", ("the id of a round, or a customer or conversation in full", "轮次编号，或顾客、会话全名")),
    Parameter("rule", ("only where the classification rule of this name decided a message", "只看有消息按这条判定规则判定的")),
    Parameter("taken", ("only what somebody took after a notice; false: all other", "只看收到通知后有人接手的；false：其余"), "flag"),
    Parameter("waiting", ("only who waits now, in this part of the time to answer", "只看此刻在等的，按所处时段"), "choice", ("all", *ZONES)),
)  # fmt: skip
_DAYS = (
    Parameter("first_day", ("first local day, 2026-11-01", "起始日期，如 2026-11-01"), "day"),
    Parameter("last_day", ("last local day", "结束日期"), "day"),
)
_SPAN = (
    Parameter("since_ms", ("from this instant on, epoch milliseconds", "起始时刻（毫秒）"), "whole"),
    Parameter("until_ms", ("before this instant, epoch milliseconds", "结束时刻（毫秒）"), "whole"),
)
_PAGE = (
    Parameter("limit", (f"at most so many rows, 1 to {MOST_ROWS}: write limit=100", f"最多行数，1 至 {MOST_ROWS}"), "whole", least=1, most=MOST_ROWS, default=100),
    Parameter("cursor", ("the mark of the page before: its `next`", "上一页的 next"), "mark"),
)  # fmt: skip
_LONGEST = Parameter("longest", ("the longest waits first", "按等待时长排序"), "flag", default=False)
_BY = Parameter("by", ("who does it; absent: the token's name", "操作人；缺省为令牌的名称"), least=1)
_ID = Parameter("id", ("the round's id", "轮次编号"), least=1, is_needed=True)


def _text(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, _TEXTS[name]) for name in names)


def _groups(choices: tuple[str, ...]) -> Parameter:
    return Parameter("by", ("group by these, comma between", "按这些分组，逗号分隔"), "choices", choices, default=())


_COUNTS = "rounds met late missed pending excluded rate mean_wait_ms"
_RATE = f"score_set policy {_COUNTS} units hits:number? value incomplete"
_PLACE = "shop channel"
_KEY = "shop channel conversation"
_COLUMNS = {
    "rounds": f"score_set:text policy:text id {_KEY} customer customer_type agent status reason because:text evidence:texts opened due "
    "closed wait_ms mark messages:int day hour opened_ms clock_ms due_ms closed_ms taken_by policy_version suspect incomplete",
    "messages": f"seq id {_KEY} customer sender agent mode bot evidence rule customer_type tags text chars at at_ms said_ms "
    "score_set policy valid effect reason",
    "escalations": "id:int round policy ladder step turn kind wanted person state attempts answer reason due done due_ms done_ms took_ms",
    "rates_daily": f"score_set policy {_PLACE} day {_COUNTS} incomplete",
    "rates_hourly": f"score_set policy {_PLACE} day hour {_COUNTS} incomplete",
    "agents_daily": f"score_set policy {_PLACE} agent day {_COUNTS} incomplete",
    "sessions": f"{_KEY} customer number day began ended customer_messages merchant_messages valid_messages first_reply_ms "
    "first_reply_by began_ms ended_ms",
    "waits": f"{_KEY} customer agent session first:int day hour asked answered wait_ms asked_ms answered_ms",
    "customers_daily": f"{_PLACE} customer day buyer_msg_num seller_msg_num replied slow reply_ms replies",
    "orders": f"{_KEY} order_id day created paid received amount silent order_by paid_by aftersale_by created_ms paid_ms received_ms",
    "changes": f"id:int at cause event policy round {_KEY} before after at_ms",
    "onward": "number channel direction conversation state attempts reason created done created_ms done_ms",
    "unread": "number channel direction path reason received received_ms",
    "clock_steps": "id:int at step_ms rounds at_ms",
    "gaps": "id:int channel deliveries kept reason began ended from_ms until_ms",
    "audit": "id:int act at shop by round customer messages notices at_ms",
}
_VIEW_SAYS = {
    "rounds": ("Rounds, newest first, or the longest waits first", "轮次，最新的在前，或等得最久的在前"),
    "messages": ("Messages, and what a policy made of each", "消息，以及规则对每条的判定"),
    "escalations": ("Who was told of what, and what became of it", "通知了谁、结果如何"),
    "rates_daily": ("A channel's day", "每个渠道每天"),
    "rates_hourly": ("The same by hour of opening", "每个渠道每小时"),
    "agents_daily": ("An agent's day", "每位客服每天"),
    "sessions": ("Stretches of talk, under no policy", "会话段，不依任何规则"),
    "waits": ("Questions and the valid replies they got, under no policy", "提问与有效回复，不依任何规则"),
    "customers_daily": ("A customer's day", "每位顾客每天"),
    "orders": ("Orders, and who is credited with them", "订单及其归属"),
    "changes": ("Rounds whose outcome a late event changed", "被迟到事件改变结果的轮次"),
    "onward": ("Deliveries passed on after they were answered", "先应答后转发的消息"),
    "unread": ("Deliveries that were authentic and could not be read", "通过验签但读不懂的消息"),
    "clock_steps": ("Steps of the machine's clock", "本机时钟被调整的记录"),
    "gaps": ("Spans in which the journal could not take deliveries", "未能入库的时间段"),
    "audit": ("Who was shown a customer's name, and who had words erased", "谁查看了顾客姓名、谁清除了内容"),
}  # fmt: skip


def _view(name: str) -> Endpoint:
    view = VIEWS[name]
    narrow = tuple(_STATUS if one == "status" else Parameter(one, _TEXTS[one]) for one in view.narrow if one != "day")
    span = (*(_DAYS if view.has_days else ()), *(_SPAN if view.order != "day" else ()))
    more = (*_OF_ROUNDS, _LONGEST) if name == "rounds" else ()
    return Endpoint(
        "GET", f"/{name}", questions.view_of(name), _VIEW_SAYS[name], (*narrow, *span, *more, *_PAGE), name=name,
        columns=_COLUMNS[name], is_paged=True,
    )  # fmt: skip


_NARROW = (*_text("score_set", "policy", "shop", "channel", "agent"), *_DAYS)
_UNKNOWN = {
    "unknown_replies": {"type": "integer", "description": "replies that count for nothing: nobody knows who wrote them"}
}
_WITHIN = " ".join(f"within_{seconds}s" for seconds in (60, 120, 300, 600, 900, 1200, 1800, 2400, 3000, 3600))
_REPORT = (
    "consult_num service_num no_reply_num reply_rate ask_num after_sale_num sessions first_reply_cost first_reply_times "
    "first_reply_mean total_reply_cost total_reply_times total_reply_mean cut_reply_cost cut_reply_times cut_reply_mean "
    "longest_reply rounds ok mark:number? messages:int messages_in_time message_rate buyer_msg_num seller_msg_num "
    f"seller_word_num answer_ratio slow_reception_num long_receive_num {_WITHIN} order_num order_amount silent_order_num "
    "paid_num paid_amount aftersale_owner_num incomplete"
)
_BUDGET = (
    "policy score_set target op wanted:number first_day last_day units used allowed left in_a_row value holds leaves breaks "
    "burn_hour burn_day today standing incomplete"
)


def _shape(*needed: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(needed) or list(properties)}


_TEXT, _INT, _ANY = schema_of("text"), schema_of("int"), {"type": "object"}
_LIST = {"type": "array", "items": _ANY}
_NOW = _shape(
    now_ms=_INT, clock=_TEXT, timezone=_TEXT, day=_TEXT, policy=_TEXT, counts=_shape(**dict.fromkeys(_OUTCOMES, _INT)), rate=schema_of("number?"),
    incomplete=schema_of("flag"), open=_LIST, recent=_LIST, told=_LIST,
)  # fmt: skip
_ROUND = _COLUMNS["rounds"].removesuffix(" incomplete")
_EXPLAINED = _shape(
    "round", "messages", "escalations", "events", "elsewhere", round=row_schema(_ROUND), messages=_LIST, escalations=_LIST,
    events=_LIST, elsewhere=_LIST, policy=_ANY, sources=_LIST, clauses=_LIST, checks=_LIST, facts=_ANY,
)  # fmt: skip
_SIDE = _shape(score_set=_TEXT, policy=_TEXT, rounds=_INT, met=_INT, rate=schema_of("number?"))
_COMPARED = _shape(a=_SIDE, b=_SIDE, same=_INT, differ=_INT, groups=_LIST, rounds=_LIST)
_RULES = _shape(policies=_LIST, classify=_LIST, ladders=_LIST, warnings=_LIST, not_adopted=schema_of("text?"))
_DONE = _shape(round=_TEXT, act=_TEXT, by=_TEXT, at_ms=_INT, status=_TEXT)
_QUIET = "id:int from_ms until_ms:int why by"
_NO_ROUND = ("there is no such round", "没有这一轮")


def _act(name: str, english: str, chinese: str, *body: Parameter) -> Endpoint:
    handler = doings.act_of(name)
    return Endpoint("POST", f"/rounds/{{id}}/{name}", handler, (english, chinese), (_ID,), (_BY, *body), shape=_DONE, missing=_NO_ROUND)  # fmt: skip


_FOR = Parameter("for", ("for how long: 90s, 5m, 2h", "多久：90s、5m、2h"), "duration", least=1)
ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/now", questions.now, ("Who waits now, and what the day looks like", "现在谁在等，今天怎么样"), shape=_NOW),
    Endpoint(
        "GET", "/happenings", questions.happenings,
        ("What happens, as it happens: questions, replies and whether they count, notices, ends. Ask again with `next`", "实时动态：提问、回复算不算数、通知、结果；用 next 继续取"),
        (_SPAN[0], _PAGE[1]), name="happenings", is_paged=True,
        columns="key what at_ms channel round customer agent text opens valid reason rule wait_ms person:text? way:text? result:text? "
        "answer took_ms step_after_ms",
    ),
    _view("rounds"),
    Endpoint(
        "GET", "/rounds/{id}", questions.round_, ("Why a round has its outcome", "一轮为何有此结果"), (_ID, *_text("policy")),
        shape=_EXPLAINED, missing=_NO_ROUND,
    ),
    Endpoint(
        "GET", "/rates", questions.rates, ("Counts and rates of rounds, grouped", "轮次数与响应率，可分组"), (_groups(queries.GROUPS), *_NARROW),
        name="rates", columns=_RATE, optional="shop channel agent day week month hour", beside=_UNKNOWN,
    ),
    Endpoint(
        "GET", "/agents", questions.rates_by("agent"), ("Rates of each agent", "每位客服的响应率"), _NARROW, name="agents",
        columns=f"agent {_RATE}", beside=_UNKNOWN,
    ),
    Endpoint(
        "GET", "/hours", questions.rates_by("hour"), ("Rates of each hour of the day", "每个时段的响应率"), _NARROW, name="hours",
        columns=f"hour {_RATE}", beside=_UNKNOWN,
    ),
    Endpoint(
        "GET", "/days", questions.rates_by("day"), ("Rates of each day", "每天的响应率"), _NARROW, name="days", columns=f"day {_RATE}",
        beside=_UNKNOWN,
    ),
    Endpoint(
        "GET", "/periods", questions.periods, ("The policy's own period as it stands: its days, its units, its targets", "规则自己的考核周期"),
        (_groups(units.WHO), *_text("score_set", "policy", "shop", "channel", "agent")), name="periods",
        columns="score_set policy first:text? last:text? units hits:number? value assessed targets incomplete", optional="shop channel agent",
    ),
    Endpoint(
        "GET", "/budget", questions.budget, ("How many more misses each target bears, and when it breaks at this pace", "每个目标还能承受多少未达标"),
        _text("shop", "channel", "agent"), name="budget", columns=_BUDGET,
    ),
    Endpoint(
        "GET", "/compare", questions.compare, ("Which rounds two score sets or policies see differently", "两个规则判定不同的轮次"),
        (Parameter("a", ("a policy, or SCORE_SET/POLICY", "规则，或 SCORE_SET/规则"), least=1, is_needed=True),
         Parameter("b", ("the other one", "另一个"), least=1, is_needed=True)), shape=_COMPARED,
    ),
    Endpoint(
        "GET", "/report", questions.report, ("Figures that follow no policy: first and average reply, messages, orders", "不依规则的指标：首次响应、平均响应、消息、订单"),
        (_groups(figures.GROUPS), *_text("shop", "channel", "agent"), *_DAYS), name="report", columns=_REPORT,
        optional="shop channel agent day week month hour",
    ),
    *(_view(name) for name in VIEWS if name != "rounds"),
    Endpoint("GET", "/policies", questions.policies, ("The shipped policies", "自带的规则"), name="policies", columns="id title confidence as_of"),
    Endpoint(
        "GET", "/policies/{id}", questions.policy, ("The keys of a shipped policy, with its sources", "一个自带规则的全部字段与来源"),
        (Parameter("id", ("the policy's id", "规则编号"), least=1, is_needed=True),), shape=_shape("id", id=_TEXT, sources=_LIST),
        missing=("there is no such policy", "没有这个规则"),
    ),
    Endpoint("GET", "/rules", questions.rules, ("The configuration as it is in force", "当前生效的配置"), shape=_RULES),
    Endpoint("GET", "/people", questions.people, ("Who can be told", "可通知的人"), name="people", columns="name ways hours_min agents"),
    Endpoint("GET", "/quiet", questions.quiet, ("Silences that have not ended", "未结束的静默"), name="quiet", columns=_QUIET),
    _act("take", "Take care of a round: its ladder stops", "接手一轮：停止升级"),
    _act("snooze", "Remind nobody of it for a while, five minutes if `for` is absent", "暂停提醒，缺省五分钟", _FOR),
    _act("release", "Hand it back: its ladder goes on", "交回：继续升级"),
    _act("escalate", "Call the next step at once", "立即通知下一级"),
    Endpoint(
        "POST", "/rounds/{id}/reassign", doings.reassign, ("Give the conversation to another agent, in the channel", "在渠道内转给另一位客服"),
        (_ID,), (_BY, Parameter("to", ("the agent's name in the channel", "客服在渠道内的名称"), least=1, is_needed=True)),
        shape=_shape(round=_TEXT, act=_TEXT, by=_TEXT, to=_TEXT, answer=_TEXT), missing=_NO_ROUND,
    ),
    Endpoint(
        "POST", "/rounds/{id}/unmask", doings.unmask, ("Show who the customer is; it stands in `audit`", "查看顾客姓名（会被记录）"), (_ID,), (_BY,),
        shape=_shape(round=_TEXT, shop=_TEXT, channel=_TEXT, conversation=_TEXT, customer=_TEXT), missing=_NO_ROUND,
    ),
    Endpoint(
        "POST", "/people/{name}/test", doings.test, ("Send a person a test message, way by way until one works", "向某人发送测试消息"),
        (Parameter("name", ("the person's name", "姓名"), least=1, is_needed=True),),
        (Parameter("all", ("try every way, also after one has worked", "每种方式都试"), "flag", default=False),), name="ways",
        columns="way result reason answer took_ms:int",
    ),
    Endpoint(
        "POST", "/quiet", doings.begin_silence, ("Tell nobody for a while", "静默一段时间"), (),
        (_FOR._replace(is_needed=True), Parameter("why", ("the reason", "原因"), least=1, is_needed=True), _BY), shape=row_schema(_QUIET),
    ),
    Endpoint(
        "DELETE", "/quiet/{id}", doings.end_silence, ("End a silence now", "立即结束静默"),
        (Parameter("id", ("the silence's number", "静默的编号"), "whole", is_needed=True),), shape=_shape(ended=_INT),
        missing=("no silence of that number is on", "没有该编号的静默"),
    ),
    Endpoint(
        "POST", "/erase", doings.erase, ("Forget what a customer said; it stands in `audit`", "清除某位顾客说过的话（会被记录）"), (),
        (Parameter("customer", ("the customer's name in full", "顾客全名"), least=1, is_needed=True), Parameter("shop", ("only in this shop", "只在这家店"))),
        shape=_shape(messages=_INT, notices=_INT),
    ),
)  # fmt: skip
"""In the order they are documented."""
