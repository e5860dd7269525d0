"""The plugin in a real Datasette: customers masked, nothing that was said, every ready question, by whatever SQL."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from sanfen.browse import QUERIES
from sanfen.store import views
from sanfen.store.filters import shown

CUSTOMER, SAID = "tb_赵123456", "退款三天了怎么还没到账"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`sanfen datasette` over a small log; gives the address of the database."""
    folder = tmp_path_factory.mktemp("browse")
    rows = [
        {"at": "2023-01-07T10:10:15+08:00", "from": "customer", "customer": CUSTOMER, "text": SAID},
        {"at": "2023-01-07T10:18:10+08:00", "from": "merchant", "customer": CUSTOMER, "agent": "小美", "mode": "human"},
        {"at": "2023-01-07T11:00:00+08:00", "from": "customer", "customer": "B", "text": "在吗"},
    ]
    (folder / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "meta.json").write_text('{"plugins": {"sanfen": {"board": "http://board.test/"}}}', encoding="utf-8")
    sanfen = [sys.executable, "-Im", "sanfen.cli"]
    subprocess.run([*sanfen, "replay", "chat.jsonl", "--out", "shop.db"], cwd=folder, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*sanfen, "datasette", "shop.db", "-p", str(port), "-m", "meta.json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(400):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)  # until the port answers; bounded
            yield f"http://127.0.0.1:{port}/shop"
        finally:
            process.terminate()
            process.wait(timeout=20)


def text_of(address: str) -> str:
    with urlopen(address) as answer:  # noqa: S310  # our own process
        return str(answer.read().decode())


def ask(served: str, sql: str) -> Any:
    return json.loads(text_of(f"{served}.json?sql={quote(sql)}&_shape=arrays"))["rows"]


def test_the_views_are_shown_and_nothing_else(served: str) -> None:
    page = text_of(served)

    assert [name for name in views.NAMES if f"/shop/{name}" not in page] == []
    assert [name for name in ("events", "round_rows", "key_rows", "deliveries") if f"/shop/{name}" in page] == []
    with pytest.raises(HTTPError, match="403"):
        text_of(f"{served}/events")


@pytest.mark.parametrize(
    ("filters", "count"),
    [({"status": "late", "score_set": "replay", "hour": 10}, 1), ({"agent": ""}, 1), ({"weekday": 6, "first_day": "2023-01-07"}, 2),
     ({"wait_from_ms": 400_000, "policy": "taobao-2022-01"}, 1)],
)  # fmt: skip
def test_lists_of_the_board_are_the_same_here(served: str, filters: dict[str, Any], count: int) -> None:
    rows = ask(served, f"SELECT * FROM rounds WHERE {shown(filters)} ORDER BY opened_ms DESC")

    assert len(rows) == count


def test_customers_are_masked_alike_everywhere(served: str) -> None:
    (found,) = ask(served, "SELECT DISTINCT customer FROM rounds WHERE status = 'late'")
    said = ask(served, "SELECT customer, conversation, text FROM messages WHERE seq = 1")

    assert found[0].startswith("tb**56 ")
    assert said == [[found[0], found[0], None]]
    assert len(ask(served, "SELECT DISTINCT customer FROM messages")) == 2


PAST = (
    "SELECT customer FROM main.rounds",
    "SELECT text FROM main.messages",
    "SELECT text || customer FROM events",
    "SELECT body FROM deliveries",
    "SELECT value FROM key_rows",
    "SELECT customer FROM round_rows",
    "SELECT (SELECT group_concat(text) FROM events)",
    "WITH messages AS (SELECT text FROM events) SELECT text FROM messages",
)


@pytest.mark.parametrize("sql", PAST)
def test_no_sql_goes_past_the_views(served: str, sql: str) -> None:
    rows = ask(served, sql)

    assert {cell for row in rows for cell in row} <= {None}


@pytest.mark.parametrize("sql", ["SELECT sql FROM sqlite_temp_master", "SELECT name FROM pragma_table_list()"])
def test_how_it_is_done_cannot_be_looked_up(served: str, sql: str) -> None:
    with pytest.raises(HTTPError, match="400"):
        ask(served, sql)


@pytest.mark.parametrize("name", QUERIES)
def test_ready_questions_answer_in_both_languages(served: str, name: str) -> None:
    page = text_of(f"{served}/{name}")
    rows = json.loads(text_of(f"{served}/{name}.json?_shape=array"))

    assert all(title in page for title in QUERIES[name][:2])
    assert isinstance(rows, list)
    assert bool(rows) == (name not in ("left_out", "told"))


def test_rounds_lead_back_to_the_board(served: str) -> None:
    page = text_of(f"{served}/longest_waits")
    (row,) = ask(served, "SELECT id FROM rounds WHERE status = 'late'")

    assert f'<a href="http://board.test/rounds/{row[0]}">{row[0]}</a>' in page
    assert 'href="http://board.test"' in page
    assert SAID not in page
