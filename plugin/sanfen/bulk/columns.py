"""Which column of a table means what: our own names, a map the user gives, or a guess that is said aloud."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from sanfen.core.events import Mode, Sender
from sanfen.errors import ParseError, Phrase
from sanfen.wire import FIELDS

__all__ = ["MAPPED", "Column", "Columns", "guess", "nickname", "plain", "usual_values"]

MAPPED = (*FIELDS, "receiver")
"""What a column may be: a field of an event, or the nickname of whoever a message was written to."""

_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "message_id", "msg_id", "msgid", "消息id", "消息编号"),
    "at": (
        "at", "time", "timestamp", "sent_at", "created_at", "send_time", "msg_time", "datetime",
        "时间", "发送时间", "消息时间", "聊天时间", "发言时间", "回复时间",
    ),
    "shop": ("shop", "store", "店铺", "店铺名称"),
    "channel": ("channel", "platform", "渠道", "平台"),
    "conversation": ("conversation", "conversation_id", "session_id", "会话id", "会话编号", "对话"),
    "customer": (
        "customer", "buyer", "customer_id", "buyer_nick", "buyer_name", "customer_name",
        "买家", "买家昵称", "买家旺旺", "买家账号", "买家id", "顾客", "顾客昵称", "客户", "客户昵称", "客户名称",
    ),
    "from": (
        "from", "sender", "role", "direction", "sender_nick", "sender_name",
        "发送方", "发送者", "发送人", "发言人", "发言者", "发送账号", "角色", "消息方向", "方向",
    ),
    "receiver": ("receiver", "recipient", "receiver_nick", "接收方", "接收者", "接收人", "接收账号"),
    "agent": (
        "agent", "staff", "seller_nick", "staff_id", "service_staff_id", "agent_name",
        "客服", "客服昵称", "客服账号", "客服旺旺", "客服名称", "子账号", "接待客服",
    ),
    "mode": ("mode", "reply_mode", "reply_type", "回复方式", "回复类型", "消息来源"),
    "bot": ("bot", "机器人"),
    "customer_type": ("customer_type", "顾客类型", "账号类型"),
    "text": ("text", "content", "message", "msg", "内容", "消息内容", "聊天内容", "发言内容", "消息"),
    "tags": ("tags", "标签"),
}  # fmt: skip
_VALUES: dict[str, dict[str, str]] = {
    "from": {
        "买家": "customer", "顾客": "customer", "客户": "customer", "buyer": "customer", "user": "customer",
        "客服": "merchant", "商家": "merchant", "卖家": "merchant", "店铺": "merchant", "agent": "merchant",
        "seller": "merchant", "staff": "merchant", "系统": "system",
    },
    "mode": {
        "人工": "human", "人工回复": "human", "快捷短语": "shortcut", "快捷回复": "shortcut", "智能辅助": "assisted",
        "半自动": "assisted", "机器人": "bot", "全自动": "bot", "自动回复": "auto", "群发": "broadcast",
    },
}  # fmt: skip
_DIRECTIONS = {"direction", "消息方向", "方向"}
_WAYS = {"0": "merchant", "1": "customer"}  # as 旺旺 writes them
_NICKNAMES = {
    "sender",
    "sender_nick",
    "sender_name",
    "发送方",
    "发送者",
    "发送人",
    "发言人",
    "发言者",
    "发送账号",
}  # headings under which roles or nicknames stand; under the others only roles
_ROLES = frozenset(map(str, Sender))
_MODES = frozenset(map(str, Mode))
_MORE = """\
# account: 店铺主账号                  # its nicknames, 店铺主账号:小王, are the shop's
# bots: {xiaoduo: {ids: ["店铺主账号:小多"], mode: assisted}}
# auto_replies: {exact: [您好，欢迎光临], prefix: ["[自动回复]"], pattern: ["^亲.{0,6}在的"], within: 1s}
# unknown: human                       # whatever is left was typed by a person
"""
_SITES = ("cntaobao", "cnalichn", "enaliint")
_APART = {"conversation": "|"}  # what stands between several cells of one field
_LOCAL = re.compile(
    r"([12][0-9]{3})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?[ T]*"
    r"(?:([0-9]{1,2})[:：时]([0-9]{1,2})(?:[:：分]([0-9]{1,2})(\.[0-9]+)?秒?)?分?)?",
    re.ASCII,
)
_SECONDS = re.compile(r"[0-9]{10}", re.ASCII)


class Column(NamedTuple):
    """Where a field comes from: one column or several, what their cells mean, or the same for every row."""

    names: tuple[str, ...] = ()
    values: Mapping[str, str] = {}
    constant: str | None = None


class Columns:
    """Turns a row of named cells into the fields of an event."""

    def __init__(
        self,
        rules: Mapping[str, Column],
        *,
        accounts: Iterable[str] = (),
        zone: str | None = None,
        sheet: str | None = None,
        nicknames: bool = True,
        guessed: bool = False,
    ) -> None:
        """``accounts``: the shop's main accounts; their nicknames are ``main`` and ``main:sub``.

        ``zone``: of times without offset, where the format itself says it. ``nicknames``: who speaks may be one, so
        whoever is not the customer is the shop. ``guessed``: modes that mean nothing are left out.
        """
        self.rules = rules
        self.zone = zone
        self.sheet = sheet
        self._accounts = frozenset(map(nickname, accounts))
        self._nicknames = nicknames
        self._guessed = guessed

    def fields(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """The event's fields; cells that are empty are left out. None: a line of the system's that is no event.

        Raises ParseError where it cannot be told who speaks.
        """
        out: dict[str, Any] = {}
        for field, (names, values, constant) in self.rules.items():
            cell: Any = constant
            if len(names) == 1:
                cell = plain(row.get(names[0]))
            elif names:
                cells = [str(one).strip() for one in (plain(row.get(name)) for name in names) if one not in (None, "")]
                cell = _APART.get(field, " ").join(cells) if len(cells) == len(names) else None
            if type(cell) is str and field != "text":
                cell = cell.strip()
            if values and cell is not None:
                cell = values.get(str(cell), cell)
            if cell is not None and cell != "":
                out[field] = cell
        if self._guessed and "mode" in out and out["mode"] not in _MODES:
            del out["mode"]
        if "at" in out:
            out["at"] = _instant(out["at"])
        self._speaker(out)
        return None if out.get("from") == "system" and "event" not in out else out

    def column_of(self, field: str) -> str | None:
        """The column a field was read from, where it has another name."""
        names = self.rules[field].names if field in self.rules else ()
        return " + ".join(names) if names and names != (field,) else None

    def described(self) -> str:
        """``at=发送时间 from=发送方`` for a person; 0 and 1 with what they were taken for."""
        out = []
        for field, (names, values, _) in self.rules.items():
            said = ", ".join(f"{theirs}: {ours}" for theirs, ours in values.items() if theirs in _WAYS)
            out += [f"{field}={'+'.join(names)}" + (f" ({said})" if said else "")] if names else []
        return " ".join(out)

    def needs(self, present: Iterable[str]) -> list[str]:
        """Columns that the map names and the table does not have."""
        there = set(present)
        return [name for names, _, _ in self.rules.values() for name in names if name not in there]

    def as_yaml(self) -> str:
        """The map as a file for ``--map``."""
        lines = [f"timezone: {self.zone}"] if self.zone else []
        for field, (names, values, constant) in self.rules.items():
            column = _yaml(names[0] if len(names) == 1 else list(names))
            if not names:
                lines.append(f"{field}: {{value: {_yaml(constant)}}}")
            elif values and values != usual_values(field):
                listed = ", ".join(f"{_yaml(theirs)}: {ours}" for theirs, ours in values.items())
                lines.append(f"{field}: {{column: {column}, values: {{{listed}}}}}")
            else:
                lines.append(f"{field}: {column}")
        return "\n".join(lines) + "\n" + _MORE

    def _speaker(self, out: dict[str, Any]) -> None:
        """Who speaks and who is spoken to, where cells hold nicknames. Raises ParseError."""
        said, other = out.get("from"), out.pop("receiver", None)
        if said is None:
            return
        if said not in _ROLES:
            out["from"] = self._side(said, other, out)
            out["customer" if out["from"] == Sender.customer else "agent"] = said
        if other is not None:
            out.setdefault("agent" if out["from"] == Sender.customer else "customer", other)

    def _side(self, said: Any, other: Any, out: Mapping[str, Any]) -> str:
        name, other = nickname(said), None if other is None else nickname(other)
        customer, agent = (nickname(out[field]) if field in out else None for field in ("customer", "agent"))
        if name == customer or (other is not None and (other == agent or self._ours(other))):
            return Sender.customer
        if name == agent or (other is not None and other == customer) or self._ours(name):
            return Sender.merchant
        if self._nicknames and (customer is not None or agent is not None):
            return Sender.merchant if customer is not None else Sender.customer
        raise ParseError(
            Phrase("from is neither a role nor a nickname of the shop: {said!r}", said=said),
            hint="say in the map which main account is yours (account: 店铺主账号), or what the values mean (values:)",
        )

    def _ours(self, name: str) -> bool:
        """``main:sub`` is a shop's name: no buyer's has a colon."""
        return (name.partition(":")[0] in self._accounts) if self._accounts else ":" in name


def guess(header: Iterable[str]) -> tuple[Columns, bool] | None:
    """The columns by their names, and whether any name had to be guessed; None if they do not tell who spoke when."""
    names = {name.strip().lower(): name for name in header}
    rules: dict[str, Column] = {}
    nicknames = False
    for field in MAPPED:
        for candidate in _NAMES.get(field, (field,)):
            if candidate in names:
                values = usual_values(field) | (_WAYS if field == "from" and candidate in _DIRECTIONS else {})
                rules[field] = Column((names[candidate],), values)
                nicknames |= field == "from" and candidate in _NICKNAMES
                break
    zone = None
    if {"direction", "from_id", "to_id", "content", "time"} <= names.keys():  # the answer of 旺旺's chatlog.get
        zone = "Asia/Shanghai"
        rules["from"] = Column((names["direction"],), _WAYS)
        rules["agent"], rules["customer"] = Column((names["from_id"],)), Column((names["to_id"],))
        rules["conversation"] = Column((names["from_id"], names["to_id"]))
    day, clock = names.get("日期", names.get("date")), rules.get("at", Column()).names
    if day is not None and clock and clock[0].lower() in ("时间", "time"):
        rules["at"] = Column((day, *clock))
    if not {"at", "from"} <= rules.keys():
        return None
    ours = all(column.names == (field,) for field, column in rules.items())
    return Columns(rules, zone=zone, nicknames=nicknames, guessed=not ours), not ours


def usual_values(field: str) -> dict[str, str]:
    """What the usual words mean in a field's cells."""
    return _VALUES.get(field, {})


def nickname(value: Any) -> str:
    """A nickname as it is compared: without the site before it, with a plain colon."""
    text = str(value).strip().replace("：", ":")
    return next((text.removeprefix(site) for site in _SITES if text.startswith(site)), text)


def plain(cell: Any) -> Any:
    """A cell of a workbook as text or number."""
    if type(cell) is str:
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, datetime):
        whole = cell + timedelta(microseconds=500)  # a day's fraction is not exact
        return whole.isoformat(sep=" ", timespec="milliseconds").removesuffix(".000")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        seconds = round(cell.total_seconds())
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return cell


def _instant(value: Any) -> Any:
    """A time as tables write it: 2026/1/5 9:05, 2026年1月5日 09:05:03, epoch seconds."""
    text = str(value)
    if _SECONDS.fullmatch(text):
        return int(text) * 1000
    found = _LOCAL.fullmatch(text)
    if found is None:
        return value
    year, month, day, hour, minute, second, rest = (one or "" for one in found.groups())
    return f"{year}-{month:0>2}-{day:0>2} {hour:0>2}:{minute:0>2}:{second:0>2}{rest[:7]}"


def _yaml(value: str | Sequence[str] | None) -> str:
    """A text or a list of texts as YAML reads it back."""
    return json.dumps(value, ensure_ascii=False)
