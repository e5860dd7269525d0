"""Which column of a table means what: our own names, a map the user gives, or a guess that is said aloud."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sanfen.config.yaml import read_file
from sanfen.errors import InputError
from sanfen.wire import FIELDS

__all__ = ["Columns", "guess", "read_map"]

_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "message_id", "msg_id", "msgid", "消息id", "消息编号"),
    "at": ("at", "time", "timestamp", "sent_at", "created_at", "时间", "发送时间", "消息时间", "聊天时间"),
    "shop": ("shop", "store", "店铺", "店铺名称"),
    "channel": ("channel", "platform", "渠道", "平台"),
    "conversation": ("conversation", "conversation_id", "session_id", "会话id", "会话编号", "对话"),
    "customer": ("customer", "buyer", "customer_id", "买家", "买家昵称", "买家旺旺", "顾客", "客户", "客户昵称"),
    "from": ("from", "sender", "role", "direction", "发送方", "发送者", "角色", "消息方向"),
    "agent": ("agent", "staff", "客服", "客服昵称", "客服账号", "子账号", "接待客服"),
    "mode": ("mode", "reply_mode", "回复方式", "消息类型", "回复类型"),
    "bot": ("bot", "机器人"),
    "customer_type": ("customer_type", "顾客类型", "账号类型"),
    "text": ("text", "content", "message", "内容", "消息内容", "聊天内容"),
    "tags": ("tags", "标签"),
}
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


class Columns:
    """Turns a row of named cells into the fields of an event."""

    def __init__(self, rules: Mapping[str, tuple[str | None, Mapping[str, str], str | None]]) -> None:
        """``rules``: field → (column, values of the column, constant)."""
        self._rules = rules

    def fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The event's fields; cells that are empty are left out."""
        out: dict[str, Any] = {}
        for field, (column, values, constant) in self._rules.items():
            cell = row.get(column) if column is not None else constant
            if isinstance(cell, str):
                cell = cell.strip() if field != "text" else cell
                cell = values.get(cell, cell)
            if cell not in (None, ""):
                out[field] = cell
        return out

    def described(self) -> str:
        """``at=发送时间 from=发送方`` for a person."""
        return " ".join(f"{field}={column}" for field, (column, _, _) in self._rules.items() if column)

    def needs(self, present: Iterable[str]) -> list[str]:
        """Columns that the map names and the table does not have."""
        there = set(present)
        return [column for column, _, _ in self._rules.values() if column is not None and column not in there]

    def as_yaml(self) -> str:
        """The map as a file for ``--map``."""
        lines = []
        for field, (column, values, constant) in self._rules.items():
            if column is None:
                lines.append(f'{field}: {{value: "{constant}"}}')
            elif values:
                listed = ", ".join(f'"{theirs}": {ours}' for theirs, ours in values.items())
                lines.append(f'{field}: {{column: "{column}", values: {{{listed}}}}}')
            else:
                lines.append(f'{field}: "{column}"')
        return "\n".join(lines) + "\n"


def guess(header: Iterable[str]) -> tuple[Columns, bool]:
    """The columns by their names, and whether any name had to be guessed."""
    names = {name.strip().lower(): name for name in header}
    rules: dict[str, tuple[str | None, Mapping[str, str], str | None]] = {}
    for field in FIELDS:
        for candidate in _NAMES.get(field, (field,)):
            if candidate in names:
                rules[field] = (names[candidate], _VALUES.get(field, {}), None)
                break
    ours = all(column == field for field, (column, _, _) in rules.items())
    return Columns(rules), not ours


def read_map(path: Path) -> Columns:
    """A map from a YAML file: ``field: column``, or ``field: {column, values}``, or ``field: {value}``. InputError."""
    document = read_file(path)
    if document.findings:
        raise InputError(document.findings[0].render())
    if not isinstance(document.tree, dict):
        raise InputError(f"{path} is no column map", hint="write lines such as at: 发送时间")
    rules: dict[str, tuple[str | None, Mapping[str, str], str | None]] = {}
    for field, said in document.tree.items():
        if field not in FIELDS:
            raise InputError(f"{path}: {field} is not a field of an event", hint="fields: " + ", ".join(FIELDS))
        if isinstance(said, str):
            rules[field] = (said, {}, None)
        elif isinstance(said, dict) and isinstance(said.get("column"), str):
            values = said.get("values") or {}
            rules[field] = (said["column"], values if isinstance(values, dict) else {}, None)
        elif isinstance(said, dict) and isinstance(said.get("value"), str):
            rules[field] = (None, {}, said["value"])
        else:
            raise InputError(f"{path}: {field}: write a column's name, or {{column: …, values: …}}, or {{value: …}}")
    return Columns(rules)
