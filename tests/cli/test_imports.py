"""What other tools export, as a user reads it in: who spoke, who answered, what is wrong and where, and their own figures."""

import io
import json
import re
import sys
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from tests.cli.command import Sanfen

from sanfen.bulk.columns import Columns, guess
from sanfen.bulk.maps import read_map
from sanfen.bulk.sources import Log, OutOfOrder
from sanfen.core.classify import classify
from sanfen.core.events import Event, Message
from sanfen.errors import ConfigError, InputError

ROOT = Path(__file__).parents[2]
EXPORTS = ROOT / "tests" / "data" / "channels" / "taobao"
SHANGHAI = ZoneInfo("Asia/Shanghai")
HEAD = ["发送时间", "发送者", "买家昵称", "消息内容"]
DAY = [
    ("2026-11-21 10:00:00", "小王买家", "在吗"),
    ("2026-11-21 10:00:00", "示例店铺:阿丽", "亲，稍等哦"),
    ("2026-11-21 10:00:05", "示例店铺:阿丽", "[自动回复] 客服正忙"),
    ("2026-11-21 10:00:09", "示例店铺:小蜜", "您好，欢迎光临"),
    ("2026-11-21 10:01:00", "示例店铺:小蜜", "猜您想问"),
    ("2026-11-21 10:01:30", "示例店铺:小多", "[自动回复] 在忙"),
    ("2026-11-21 10:02:00", "示例店铺：小多", "有货的"),
    ("2026-11-21 10:02:30", "示例店铺", "拍下就发"),
]


def workbook(path: Path, rows: list[list[Any]], title: str = "聊天记录") -> Path:
    book = openpyxl.Workbook()
    cover = book.worksheets[0]
    cover.title = "说明"
    cover.append(["千牛聊天记录导出"])
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def day(path: Path) -> Path:
    rows = [[at, who, "小王买家", text] for at, who, text in DAY]
    return workbook(path, [["店铺：示例店铺"], [], HEAD, *rows])


def sample(tmp_path: Path) -> Path:
    """The map of the documents."""
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "imports.md").read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "map.yaml"
    path.write_text(block, encoding="utf-8")
    return path


def read(path: Path, **options: Any) -> list[Message]:
    options.setdefault("zone", SHANGHAI)
    with Log(path, **options) as log:
        try:
            found: list[Event] = list(log.events())
        except OutOfOrder:
            found = list(log.events())
    assert all(isinstance(event, Message) for event in found)
    return [event for event in found if isinstance(event, Message)]


def columns_of(text: str, tmp_path: Path) -> Columns:
    path = tmp_path / "columns.yaml"
    path.write_text(text, encoding="utf-8")
    found = read_map(path).columns
    assert found is not None
    return found


def facts(event: Message) -> dict[str, Any]:
    """An event in the words of the fixtures."""
    asks = event.sender == "customer"
    return {
        "kind": "message", "role": "customer" if asks else event.mode, "conv": event.key.conversation,
        "ts_ms": event.at_ms, "actor": event.customer if asks else event.agent, "text": event.text,
    }  # fmt: skip


@pytest.mark.parametrize("whole", [True, False])
def test_the_answer_of_chatlog_get(tmp_path: Path, *, whole: bool) -> None:
    """As a document, and as one line of many; its times are Beijing's without anybody saying so."""
    given = json.loads((EXPORTS / "chatlog_get.json").read_text(encoding="utf-8"))
    kept = {"query": given["query"], "body": given["body"]}
    path = tmp_path / ("chat.json" if whole else "chat.jsonl")
    path.write_text(json.dumps([kept] if whole else kept, ensure_ascii=False), encoding="utf-8")
    found = [facts(event) for event in read(path, zone=None)]

    assert found == [{key: row[key] for key in found[0]} for row in given["expect"]]


def test_the_map_of_the_documents_decides_who_answered(tmp_path: Path) -> None:
    mapped = read_map(sample(tmp_path))
    events = read(day(tmp_path / "day.xlsx"), columns=mapped.columns)
    resolved = [classify(event, mapped.rules, events[0].at_ms) for event in events]

    assert [(event.mode, event.bot, event.evidence, event.agent) for event in resolved[1:]] == [
        ("auto", None, "text", "示例店铺:阿丽"),
        ("auto", None, "text", "示例店铺:阿丽"),
        ("bot", "xiaomi", "directory", "示例店铺:小蜜"),
        ("bot", "xiaomi", "directory", "示例店铺:小蜜"),
        ("auto", None, "text", "示例店铺:小多"),
        ("assisted", "xiaoduo", "directory", "示例店铺：小多"),
        ("human", None, "default", "示例店铺"),
    ]
    assert [event.rule.split(" ")[0] if event.rule else None for event in resolved[1:]] == [
        "auto_replies.within", "auto_replies", "bots.xiaomi", "bots.xiaomi", "auto_replies", "bots.xiaoduo", "unknown",
    ]  # fmt: skip
    assert {event.key.channel for event in events} == {"taobao"}


def test_a_new_user(sanfen: Sanfen, tmp_path: Path) -> None:
    """First without a map: the guess is said, what is unknown counts as nothing and is said too. Then with one."""
    export = day(tmp_path / "export.xlsx")
    bare = sanfen("replay", export, "--tz", "Asia/Shanghai", "--map-out", tmp_path / "guess.yaml", "--json")
    mapped = sanfen(
        "replay", export, "--tz", "Asia/Shanghai", "--map", sample(tmp_path), "--policy", "taobao-2022-01", "--json"
    )

    assert "columns guessed: at=发送时间 customer=买家昵称 from=发送者 text=消息内容" in bare.err
    assert "7 of 7 replies have an unknown mode" in bare.err
    assert bare.json["policies"][0]["counts"]["missed"] == 1
    assert read(export, columns=read_map(tmp_path / "guess.yaml").columns) == read(export)
    assert mapped.json["policies"][0]["counts"]["met"] == 1
    assert "unknown" not in mapped.err


def test_overlapping_exports_count_once(sanfen: Sanfen, tmp_path: Path) -> None:
    one = day(tmp_path / "one.xlsx")
    text = "\n".join(f"{at},{who},小王买家,{said}" for at, who, said in DAY[3:])
    other = tmp_path / "other.csv"
    other.write_bytes(f"{','.join(HEAD)}\n{text}\n2026-11-21 10:03:00,小王买家,小王买家,谢谢\n".encode("gb18030"))
    log = tmp_path / "scored.db"
    done = sanfen("replay", one, other, "--map", sample(tmp_path), "--tz", "Asia/Shanghai", "--out", log)
    (row,) = sanfen("figures", log, "--json").json

    assert "5 repeated events were counted once" in done.err
    assert row["buyer_msg_num"] == 2


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-21 10:05:00", "2026/11/21 10:05", "2026年11月21日 10:05:00", "2026.11.21 10:05", "1795226700",
        "1795226700000", "2026-11-21T10:05:00+08:00", datetime(2026, 11, 21, 10, 5, tzinfo=None),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_times_as_tables_write_them(tmp_path: Path, written: Any) -> None:
    path = workbook(tmp_path / "a.xlsx", [HEAD, [written, "买家", "甲", "x"]])

    assert [event.at_ms for event in read(path)] == [1_795_226_700_000]


def test_every_second_of_a_day_survives_a_workbook(tmp_path: Path) -> None:
    """A workbook keeps a time as a day's fraction."""
    seconds = [datetime(2026, 11, 21, n // 3600, n // 60 % 60, n % 60) for n in range(0, 86_400, 47)]  # noqa: DTZ001
    path = workbook(tmp_path / "a.xlsx", [HEAD, *([one, "买家", "甲", "x"] for one in seconds)])
    start = int(datetime(2026, 11, 21, tzinfo=SHANGHAI).timestamp()) * 1000

    assert [event.at_ms for event in read(path)] == [start + n * 1000 for n in range(0, 86_400, 47)]


def test_day_and_time_in_two_columns(tmp_path: Path) -> None:
    head = ["日期", "时间", "方向", "买家", "内容"]
    rows = [[date(2026, 11, 21), time(10, 5), 1, "甲", "x"], [date(2026, 11, 21), time(10, 6), 0, "甲", "y"]]
    said: list[str] = []
    events = read(workbook(tmp_path / "a.xlsx", [head, *rows]), say=lambda _, **more: said.append(more["columns"]))

    assert [(event.at_ms, event.sender) for event in events] == [
        (1_795_226_700_000, "customer"), (1_795_226_760_000, "merchant"),
    ]  # fmt: skip
    assert "at=日期+时间" in said[0]
    assert "from=方向 (0: merchant, 1: customer)" in said[0]


@pytest.mark.parametrize(
    ("row", "who"),
    [
        (["甲", "店:小王"], ("customer", "甲", "店:小王")),
        (["店:小王", "甲"], ("merchant", "甲", "店:小王")),
        (["cntaobao店：小王", "甲"], ("merchant", "甲", "cntaobao店：小王")),
    ],
)
def test_from_one_nickname_to_another(tmp_path: Path, row: list[str], who: tuple[str, str, str]) -> None:
    path = workbook(tmp_path / "a.xlsx", [["时间", "发送人", "接收人", "内容"], ["2026-11-21 10:05:00", *row, "x"]])
    (event,) = read(path)

    assert (event.sender, event.customer, event.agent) == who


def test_a_main_account_without_a_colon_needs_the_map(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", [["时间", "发送人", "接收人", "内容"], ["2026-11-21 10:05:00", "店", "甲", "x"]]
    )
    with pytest.raises(InputError, match="neither a role nor a nickname") as error:
        read(path)
    (event,) = read(path, columns=columns_of("at: 时间\nfrom: 发送人\nreceiver: 接收人\naccount: 店\n", tmp_path))

    assert "account:" in error.value.hint
    assert (event.sender, event.customer, event.agent) == ("merchant", "甲", "店")


def test_a_role_that_is_misspelt_is_no_nickname(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("at,from,customer\n2026-11-21 10:00:00,custmer,A\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.csv:2: from is neither a role"):
        read(path)


def test_nested_json_inherits(tmp_path: Path) -> None:
    chats = [{"buyer": "甲", "staff": "小王", "messages": [
        {"time": "2026-11-21 10:00:00", "role": "buyer", "content": "在吗", "images": []},
        {"time": "2026-11-21 10:01:00", "role": "seller", "content": "在"},
        {"notice": "no message"}]}]  # fmt: skip
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"chats": chats}, ensure_ascii=False, indent=1), encoding="utf-8")

    assert [(event.sender, event.customer, event.agent) for event in read(path)] == [
        ("customer", "甲", "小王"), ("merchant", "甲", "小王"),
    ]  # fmt: skip


def test_lines_of_other_peoples_json(tmp_path: Path) -> None:
    row = {"time": "2026-11-21 10:00:00", "direction": 1, "buyer_nick": "甲", "content": "在吗", "extra": {"a": 1}}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")

    assert [(event.sender, event.customer, event.text) for event in read(path)] == [("customer", "甲", "在吗")]


def test_lines_of_the_system_are_passed_over(tmp_path: Path) -> None:
    rows = [["2026-11-21 10:00:00", "系统", "甲", "正在浏览"], ["2026-11-21 10:00:01", "买家", "甲", "x"]]

    assert [event.text for event in read(workbook(tmp_path / "a.xlsx", [HEAD, *rows]))] == ["x"]


def test_a_modes_column_that_means_something_else_tells_nothing(tmp_path: Path) -> None:
    head = ["时间", "角色", "买家", "消息来源"]
    rows = [["2026-11-21 10:00:00", "客服", "甲", "手机"], ["2026-11-21 10:00:01", "客服", "甲", "自动回复"]]

    assert [event.mode for event in read(workbook(tmp_path / "a.xlsx", [head, *rows]))] == ["unknown", "auto"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [HEAD, ["昨天", "买家", "甲", "x"]],
            r"a.xlsx, sheet 聊天记录, row 2: at is not a time: '昨天', in column 发送时间",
        ),
        ([HEAD, [None, "买家", "甲", "x"]], r"row 2: at is missing, in column 发送时间"),
        ([["x", "y"], [1, 2]], r"no sheet with messages in it \(说明: 千牛聊天记录导出; 聊天记录: x, y\)"),
        ([["时间", "角色"], ["2026-11-21 10:00:00", "买家"]], "row 2: conversation and customer are both missing"),
    ],
)
def test_what_is_wrong_with_a_workbook(tmp_path: Path, rows: list[list[Any]], words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        read(workbook(tmp_path / "a.xlsx", rows))

    assert error.value.hint


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", b"PK\x03\x04 cut", "cannot read .*a.xlsx as a workbook"),
        ("a.xls", b"\xd0\xcf\x11\xe0 cut", "cannot read .*a.xls as a workbook"),
        ("a.xls", b"<html><table></table></html>", "is a web page"),
        ("a.json", b"[1, 2", "a.json:1: not JSON"),
        ("a.json", b'[{"time": 1}\n,]', "a.json:2: not JSON"),
        ("a.json", b"[" * 30 + b"{}" + b"]" * 30, "nested deeper than 20 levels"),
        ("a.json", b'[{"x": 1}]', "message 1: cannot tell the columns from x"),
        ("a.json", b"[]", "message 1: cannot tell the columns from nothing"),
        ("a.jsonl", b'{"x": 1}', "a.jsonl:1: cannot tell the columns from x"),
        ("a.txt", b"10:00 hello\n", "a.txt:1"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        read(path)

    assert error.value.hint


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(InputError, match="is a workbook") as error:
        read(day(tmp_path / "a.xlsx"))

    assert "sanfen[excel]" in error.value.hint


def test_a_sheet_by_its_name(tmp_path: Path) -> None:
    path = day(tmp_path / "a.xlsx")
    wanted = "at: 发送时间\nfrom: 发送者\ncustomer: 买家昵称\n"
    with pytest.raises(InputError, match="no sheet '别的'") as error:
        read(path, columns=columns_of(wanted + "sheet: 别的\n", tmp_path))

    assert "聊天记录" in error.value.hint
    assert len(read(path, columns=columns_of(wanted + "sheet: 聊天记录\n", tmp_path))) == len(DAY)


def test_a_workbook_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = day(tmp_path / "a.xlsx").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))

    assert len(read(Path("-"))) == len(DAY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("at: T\nauto_replies: {suffix: x}\n", r"map.yaml:2:16"),
        ("auto_replies:\n  exact: [您好]\n  pattern: ['(']\n", r"map.yaml:3:"),
        ("bots: {x: {ids: [a], mode: human}}\n", r"map.yaml:1:"),
        ("timezone: Mars\n", "no zone is called 'Mars'"),
        ("unknown: yes\n", "unknown: 'yes' is not known"),
        ("sheet: [a]\n", "sheet: not a text"),
        ("account: {a: b}\n", "account: neither a text nor a list"),
        ("from: {column: x, values: [a]}\n", "from: write a column's name"),
    ],
)
def test_a_wrong_map(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((InputError, ConfigError), match=words) as error:
        read_map(path)

    assert error.value.hint or isinstance(error.value, ConfigError)


def test_a_guess_written_down_reads_back(tmp_path: Path) -> None:
    found = guess(["time", "direction", "content", "from_id", "to_id"])
    assert found is not None
    again = columns_of(found[0].as_yaml(), tmp_path)

    assert again.rules == found[0].rules
    assert again.zone == "Asia/Shanghai"


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "utf-8-sig"])
def test_a_text_of_cells(tmp_path: Path, encoding: str) -> None:
    """Excel saves "Unicode text" as tabs in UTF-16, under .txt."""
    path = tmp_path / "a.txt"
    text = "\r\n".join("\t".join(row) for row in (HEAD, ["2026/11/21 10:05", "买家", "甲", "在吗"]))
    path.write_bytes(text.encode(encoding))

    assert [(event.at_ms, event.customer, event.text) for event in read(path)] == [(1_795_226_700_000, "甲", "在吗")]
