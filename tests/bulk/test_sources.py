"""Logs are read as they come: kinds, columns, encodings, order, and clear words for what cannot be read."""

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sanfen.bulk.columns import guess
from sanfen.bulk.maps import read_map
from sanfen.bulk.sources import Log, OutOfOrder, merged
from sanfen.core.events import Event, Message
from sanfen.errors import InputError

START = 1_673_056_800_000
SHANGHAI = ZoneInfo("Asia/Shanghai")
Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def read(path: Path, **options: Any) -> list[Event]:
    with Log(path, **options) as log:
        try:
            return list(log.events())
        except OutOfOrder:
            return list(log.events())


def line(at_ms: int, name: str, **more: str) -> str:
    return json.dumps({"id": name, "at": at_ms, "from": "customer", "customer": "A"} | more)


def test_jsonl_plain_and_zipped(write: Write) -> None:
    text = line(START, "a") + "\n\n" + line(START + 1, "b")
    plain, zipped = write("a.jsonl", text), write("a.jsonl.gz", gzip.compress(text.encode(), mtime=0))

    assert [event.id for event in read(plain)] == ["a", "b"]
    assert read(zipped) == read(plain)


def test_csv_with_our_names(write: Write) -> None:
    path = write(
        "a.csv", 'id,at,from,customer,mode,text\n1,2023-01-07T10:00:00+08:00,merchant,A,human,"one, two\nthree"\n'
    )
    (event,) = read(path)

    assert isinstance(event, Message)
    assert (event.id, event.at_ms, event.mode, event.text) == ("1", START, "human", "one, two\nthree")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_usual_names_are_guessed_and_said(write: Write, encoding: str, ending: str) -> None:
    sign = "," if ending == "csv" else "\t"
    rows = [["时间", "买家昵称", "发送方", "客服", "消息内容"], ["2023-01-07 10:00:00", "小王", "买家", "", "在吗"]]
    path = write(f"a.{ending}", "\n".join(sign.join(row) for row in rows).encode(encoding))
    said: list[str] = []
    (event,) = read(path, zone=SHANGHAI, say=lambda name, **_: said.append(name))

    assert isinstance(event, Message)
    assert (event.at_ms, event.customer, event.sender, event.text) == (START, "小王", "customer", "在吗")
    assert said == ["replay_guessed"]


def test_a_map_names_columns_values_and_constants(write: Write) -> None:
    rules = write("map.yaml", "at: T\nfrom: {column: W, values: {in: customer}}\ncustomer: C\nshop: {value: s1}\n")
    path = write("a.csv", "T,W,C\n2023-01-07T10:00:00+08:00,in,A\n")
    (event,) = read(path, columns=read_map(rules).columns)

    assert (event.key.shop, event.at_ms) == ("s1", START)


def test_a_guessed_map_reads_back(write: Write) -> None:
    found = guess(["时间", "发送方", "买家"])
    assert found is not None
    columns, guessed = found
    path = write("map.yaml", columns.as_yaml())

    assert guessed
    again = read_map(path).columns
    assert again is not None
    assert again.fields({"时间": "x", "发送方": "客服", "买家": "b"}) == {
        "at": "x",
        "from": "merchant",
        "customer": "b",
    }


def test_a_transcript_is_a_log(write: Write) -> None:
    path = write("a.txt", "# A chat.\n2023-01-07\n10:00:00 customer  在吗\n")

    assert [event.at_ms for event in read(path)] == [START]


def test_small_disorder_is_put_right_and_large_is_sorted(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanfen.bulk.sources._AHEAD", 3)
    small = write("a.jsonl", "\n".join(line(START + at, str(at)) for at in (0, 2, 1, 3, 4, 5)))
    large = write("b.jsonl", "\n".join(line(START + at, str(at)) for at in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)))

    assert [event.id for event in read(small)] == list("012345")
    assert [event.id for event in read(large)] == list("0123456789")


def test_ties_keep_the_order_of_lines(write: Write) -> None:
    path = write("a.jsonl", "\n".join(line(START, name) for name in "cab"))

    assert [event.id for event in read(path)] == list("cab")


def test_several_logs_are_merged_by_time(write: Write) -> None:
    one = write("a.jsonl", line(START, "1") + "\n" + line(START + 20, "3"))
    two = write("b.jsonl", line(START + 10, "2"))
    with Log(one) as first, Log(two) as second:
        assert [event.id for event in merged([first, second])] == ["1", "2", "3"]


def test_a_table_with_semicolons(write: Write) -> None:
    """As a spreadsheet writes it where the comma is the decimal point; a text may hold commas."""
    path = write(
        "a.csv", "id;at;from;customer;text\n1;2023-01-07T10:00:00+08:00;customer;A;one, two, three, four, five\n"
    )

    assert [event.text for event in read(path) if isinstance(event, Message)] == ["one, two, three, four, five"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line(START, "a").encode())))

    assert [event.id for event in read(Path("-"))] == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", "", "is empty"),
        ("a.jsonl", b"\x00\x01\x02", "is no text"),
        ("a.jsonl", '{"id": 1', "a.jsonl:1: not JSON"),
        ("a.jsonl", "[]\n", "a.jsonl:1: not a JSON object"),
        ("a.jsonl", "[" * 100_000, "a.jsonl:1: not JSON"),
        ("a.jsonl", '{"at": NaN}\n', "a.jsonl:1: not JSON: NaN"),
        ("a.jsonl", line(START, "a") + "\n" + '{"at": 1673056800000}', "a.jsonl:2: from is missing"),
        ("a.jsonl", '{"from": "customer", "customer": "A"}', "a.jsonl:1: at is missing"),
        ("a.jsonl", '{"from": "customer", "at": 1673056800000}', "conversation and customer are both missing"),
        ("a.jsonl", line(START, "a").replace(str(START), '"2023-01-07 10:00:00"'), "at has no UTC offset"),
        ("a.jsonl", line(START // 1000, "a"), "at looks like seconds"),
        ("a.jsonl", line(START, "a", mode="robot", **{"from": "merchant"}), "mode is not known: 'robot'"),
        ("a.jsonl", (line(START, "a") + "\n").encode() * 3000 + b"\xff\xfe\n", "a.jsonl:2[0-9]{3}: not UTF-8"),
        ("a.csv", "x,y\n1,2\n", "cannot tell the columns from x, y"),
        ("a.csv", 'at,from,customer\n"1', "from is missing|not CSV|at looks like seconds|customer are both missing"),
        ("a.txt", "# t\n2023-01-07\n10:00:00 nobody  x\n", "a.txt:3: nobody speaks here"),
        ("a.jsonl.gz", gzip.compress(b"x" * 1000, mtime=0)[:-20], "cannot read on"),
        ("a.jsonl.gz", gzip.compress(bytes(range(256)) * 9, mtime=0)[:40] + b"?" * 99, "cannot read on"),
        ("a.csv", b"at,from\n" + b"1" * 70_000 + b"\xff\xff\n", "a.csv:[0-9]+: not UTF-8"),
        ("a.txt", "# 在".encode("gb18030")[:-1], "a.txt:1: not UTF-8"),
        ("a.csv", b"\xef\xbb\xbf", "a.csv:1: cannot tell the columns"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(write: Write, name: str, content: str | bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        read(write(name, content))

    assert error.value.hint


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none", "cannot read"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=words):
            read(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wann: T\n", "wann is not a field"),
        ("frm: T\n", "did you mean from?"),
        ("from: {column: T, values: {买家: custmer}}\n", "from: 'custmer' is not known(?s:.*)did you mean customer?"),
        ("at: {x: y}\n", "write a column's name"),
        ("- a\n", "is no column map"),
        ("at: [\n", "not YAML"),
    ],
)
def test_a_wrong_map(write: Write, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_map(write("map.yaml", text))


def test_a_map_of_another_table(write: Write) -> None:
    rules = read_map(write("map.yaml", "at: T\nfrom: W\n")).columns
    with pytest.raises(InputError, match=r"no column 'W'(?s:.*)columns: T, X"):
        read(write("a.csv", "exported today\n\nT,X\n1,2\n"), columns=rules)
