"""The cookbook's queries run, give what it shows, and its tables of columns are those of the views."""

import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sanfen.config import presets
from sanfen.core.drive import Fold
from sanfen.core.effects import Judged
from sanfen.core.events import Key, Message, Mode
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.store import journal, projection, views
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.wire import parse_instant

TEXT = (Path(__file__).parent.parent.parent / "docs" / "sql-cookbook.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sql\n(.*?)```(?:\n```\n(.*?)```)?", TEXT, re.DOTALL)
CHAT = """\
A 10:10:15 customer 在吗
A 10:10:16 auto 您好，欢迎光临
A 10:15:20 customer 有人吗
A 10:18:10 human 在的
A 10:18:30 customer 多少钱
A 10:19:00 human 十元
B 10:40:00 customer 有货吗
A 11:00:00 customer 包邮吗
A 11:00:45 human 包邮
"""


def messages() -> list[Message]:
    out = []
    for number, line in enumerate(CHAT.splitlines(), 1):
        customer, at, who, text = line.split(" ", 3)
        at_ms, key = parse_instant(f"2023-01-07T{at}+08:00"), Key("flagship", "desk", customer)
        if who == "customer":
            out.append(Message(at_ms, key, f"m{number}", "customer", customer, text=text))
        else:
            reply = Message(
                at_ms, key, f"m{number}", "merchant", customer, Mode(who), "小美", text=text, evidence="field"
            )
            out.append(reply)
    return out


def fill(connection: sqlite3.Connection) -> None:
    plan = plan_of(presets.policy("taobao-2022-01"))
    journal.append(connection, Delivery(0, "desk", "in", "POST", "", b""), messages(), zone="Asia/Shanghai")
    for customer in "AB":
        fold = Fold(Conversation(Key("flagship", "desk", customer)), plan)
        effects = [effect for one in messages() if one.customer == customer for effect in fold.feed(one)]
        judged = [effect for effect in effects if isinstance(effect, Judged)]
        projection.bulk_save(connection, "live", plan, fold.rounds(), judged)


def test_every_query_gives_what_is_shown(db: Database, run: Callable[..., Any]) -> None:
    run(fill)
    assert len(BLOCKS) >= 10
    with closing(db.reader()) as reader:
        for query, shown in BLOCKS:
            rows = ["|".join("" if cell is None else str(cell) for cell in row) for row in reader.execute(query)]

            assert "\n".join(rows) == shown.rstrip("\n"), query


def test_the_tables_of_columns_are_fresh(db: Database) -> None:
    with closing(db.reader()) as reader:
        for name in views.NAMES:
            columns = [row["name"] for row in reader.execute(f"PRAGMA table_info({name})")]

            assert f"| `{name}` |" in TEXT
            assert f"| {', '.join(columns)} |" in TEXT, name


def test_questions_of_a_day_use_an_index(db: Database) -> None:
    """The rates of a day, and a conversation's rounds, are not found by reading everything."""
    with closing(db.reader()) as reader:
        for query in (
            "SELECT * FROM rates_daily WHERE score_set = 'live' AND policy = 'p' AND day = '2023-01-07'",
            "SELECT * FROM rounds WHERE score_set = 'live' AND shop = 's' AND channel = 'c' AND conversation = 'x'",
            "SELECT * FROM rounds WHERE score_set = 'live' AND policy = 'p' AND day = '2023-01-07' AND status = 'late'",
        ):
            plan = " ".join(row["detail"] for row in reader.execute(f"EXPLAIN QUERY PLAN {query}"))

            assert "SEARCH" in plan
            assert "SCAN" not in plan.replace("SCAN rates_daily", "").replace("SCAN g ", "")  # gaps are few


def test_recipes_of_sqlite_utils_give_what_is_shown(db: Database, run: Callable[..., Any]) -> None:
    """As they are written, against the small log."""
    run(fill)
    blocks = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    steps = [one.partition("\n") for block in blocks for one in re.split(r"^\$ ", block, flags=re.MULTILINE) if one]
    tool = Path(sys.executable).with_name("sqlite-utils")

    assert len(steps) >= 3
    for command, _, shown in steps:
        words = [str(db.path) if word == "shop.db" else word for word in shlex.split(command)]
        done = subprocess.run([str(tool), *words[1:]], capture_output=True, text=True, check=True)

        assert (words[0], done.stdout) == ("sqlite-utils", shown), command
