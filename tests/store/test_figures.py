"""Figures and orders: worked cases through the real command and its log, and the views against the core on random talk."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sanfen.cli import main
from sanfen.core.attribution import credits_of
from sanfen.core.events import VALID, Event, Key, Message, Order
from sanfen.core.sessions import Line, Settings, mark
from sanfen.errors import InputError
from sanfen.store import journal, orders
from sanfen.store.db import Database
from sanfen.store.figures import figures
from sanfen.store.journal import Delivery
from sanfen.store.opening import open_reader

START = 1_673_056_800_000  # 2023-01-07 10:00 in Shanghai
ZONE = "Asia/Shanghai"
CASES = [
    case
    for line in (Path(__file__).parent.parent / "data" / "golden.jsonl").read_text(encoding="utf-8").splitlines()
    if (case := json.loads(line))["kind"] == "metric"
]
DURATIONS = {"30s": 30_000, "120s": 120_000, "3m": 180_000, "10m": 600_000}
FIELDS = {"cap": "cap_ms", "gap": "gap_ms", "over": "slow_ms", "times": "slow_times", "within": "within_ms"}


def log_of(case: dict[str, Any], folder: Path) -> Path:
    """The case as a log file, scored by the real command into a database."""
    rows = []
    for given in case["events"]:
        fields = dict(given)
        customer, kind = fields.pop("customer", "A"), fields.pop("kind", None)
        rows.append(fields | {"at": fields.pop("t"), "customer": customer, "tags": kind})
    for order in case.get("orders", ()):
        stages = [(stage, order[stage]) for stage in ("created", "paid") if stage in order]
        rows += [
            {"at": at, "from": "system", "event": "order", "order": order["id"], "stage": stage, "customer": "A"}
            for stage, at in stages
        ]
    if "received" in case:
        received = {"at": case["received"], "order": "o", "stage": "received", "customer": "A"}
        rows.append(received | {"from": "system", "event": "order"})
    source, made = folder / "case.jsonl", folder / "case.db"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["replay", str(source), "--tz", case["tz"], "--out", str(made)])
    assert not end.value.code
    return made


def answer(case: dict[str, Any], connection: Any) -> dict[str, Any]:
    """What the log says, in the words of the case."""
    metric, params = case["metric"], case.get("params", {})
    given = {FIELDS[name]: DURATIONS.get(value, value) for name, value in params.items() if name in FIELDS}
    if metric == "message_rate":
        given = {"message_within_ms": DURATIONS[params["within"]]}
    if metric in ("attribution", "aftersale_owner"):
        found = {row["order_id"]: dict(row) for row in connection.execute("SELECT * FROM orders")}
        owner = next((row["aftersale_by"] for row in found.values()), None)
        return {"owner": owner} | {name: row | {"silent": bool(row["silent"])} for name, row in found.items()}
    if metric == "sessions":
        return dict(connection.execute("SELECT customer, count(*) FROM sessions GROUP BY customer").fetchall())
    if metric == "grade":
        rows = connection.execute("SELECT mark FROM rounds ORDER BY opened_ms")
        return {"grades": [row["mark"] for row in rows]}
    used = Settings(**given)
    if metric == "by_agent":
        return {row["agent"]: row for row in figures(connection, by=["agent"], settings=used)}
    (row,) = figures(connection, settings=used)
    name = "first_reply_mean" if metric == "first_response_time" else "total_reply_mean"
    return row | {"mean_s": row[name], "numerator": row["messages_in_time"], "denominator": row["messages"]}


def stated(expected: Any, actual: Any) -> Any:
    if isinstance(expected, dict):
        return {key: stated(value, actual[key]) for key, value in expected.items()}
    return actual


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_worked_case(case: dict[str, Any], tmp_path: Path) -> None:
    with closing(open_reader(log_of(case, tmp_path))) as connection:
        assert case["expect"] == stated(case["expect"], answer(case, connection))


def test_every_worked_case_of_a_figure_is_here() -> None:
    assert len(CASES) == 13


def talk_of(seed: int) -> list[Event]:
    """A random conversation whose pauses lie around the edges of the definitions."""
    dice, out, at_ms = Random(seed), list[Event](), START + seed * 86_400_000 // 7
    key = Key("s", "c", f"k{seed}")
    for number in range(dice.randint(1, 25)):
        at_ms += dice.choice([0, 1_000, 30_000, 120_000, 121_000, 599_999, 600_000, 600_001, 1_800_000, 7_200_000])
        name = f"{seed}-{number}"
        if dice.random() < 0.1:
            stage = dice.choice(["created", "paid", "received"])
            out.append(Order(at_ms, key, name, f"{seed}-o{dice.randint(1, 2)}", stage, 100))
        elif dice.random() < 0.5:
            out.append(Message(at_ms, key, name, "customer", f"u{seed}", text="在 吗"))
        else:
            mode = dice.choice(["human", "auto", "bot", "assisted", "unknown"])
            agent = dice.choice(["a", "b", None]) if mode in VALID else dice.choice(["a", None])
            out.append(Message(at_ms, key, name, "merchant", f"u{seed}", mode, agent, text="好 的"))
    return out


@pytest.fixture
def filled(db: Database, run: Callable[..., Any]) -> tuple[Database, dict[Key, list[Event]]]:
    talks = [talk_of(seed) for seed in range(120)]

    def job(connection: Any) -> None:
        for events in talks:
            journal.append(connection, Delivery(0, "c", "in", "POST", "", b""), events, zone=ZONE)
        for key in orders.conversations(connection):
            orders.save(connection, key, ZONE)

    run(job)
    return db, {events[0].key: events for events in talks}


def lines_of(events: list[Event]) -> list[Line]:
    out = []
    for one in events:
        if isinstance(one, Message):
            valid = one.sender == "merchant" and one.mode in VALID
            asks = one.sender == "customer"
            out.append(Line(one.at_ms, "", 0, one.customer, "buyer", asks, valid, one.agent, ad=False, chars=2))
    return out


def test_the_views_say_what_the_core_says(filled: tuple[Database, dict[Key, list[Event]]]) -> None:
    """Every wait and every session of random talk, row by row."""
    db, talks = filled
    with closing(db.reader()) as reader:
        for key, events in talks.items():
            marked = mark(lines_of(events))
            waits = [(one.line.at_ms, one.wait_ms, one.agent, one.session, one.starts) for one in marked if one.opens]
            query = (
                "SELECT asked_ms, wait_ms, agent, session, first FROM waits WHERE conversation = ? ORDER BY asked_ms"
            )

            assert waits == [tuple(row) for row in reader.execute(query, (key.conversation,))]

            firsts = {one.session: one.wait_ms for one in marked if one.starts and one.same}
            query = "SELECT number, first_reply_ms FROM sessions WHERE conversation = ? AND first_reply_ms IS NOT NULL"

            assert firsts == {row[0]: row[1] for row in reader.execute(query, (key.conversation,))}


def test_orders_are_credited_as_the_core_says(filled: tuple[Database, dict[Key, list[Event]]]) -> None:
    db, talks = filled
    with closing(db.reader()) as reader:
        for key, events in talks.items():
            found = {(one.order, one.silent, one.order_by, one.paid_by, one.aftersale_by) for one in credits_of(events)}
            query = "SELECT order_id, silent, order_by, paid_by, aftersale_by FROM orders WHERE conversation = ?"
            rows = reader.execute(query, (key.conversation,)).fetchall()

            assert found == {(row[0], bool(row[1]), *row[2:]) for row in map(tuple, rows)}


@pytest.mark.parametrize("by", ["agent", "day", "hour", "week", "channel"])
def test_groups_add_up(filled: tuple[Database, dict[Key, list[Event]]], by: str) -> None:
    db, _ = filled
    with closing(db.reader()) as reader:
        (whole,) = figures(reader)
        parts = figures(reader, by=[by])

    assert len(parts) > (by != "channel")
    for name in ("seller_msg_num", "buyer_msg_num", "rounds", "ok", "total_reply_times", "messages", "seller_word_num"):
        assert whole[name] == sum(part[name] for part in parts), name
    if by != "hour":
        assert whole["order_num"] == sum(part["order_num"] for part in parts) > 0


def test_a_span_of_days_is_its_days(filled: tuple[Database, dict[Key, list[Event]]]) -> None:
    db, _ = filled
    with closing(db.reader()) as reader:
        days = figures(reader, by=["day"])
        first, last = days[2]["day"], days[5]["day"]
        (span,) = figures(reader, first_day=first, last_day=last)

    wanted = [row for row in days if first <= row["day"] <= last]
    for name in ("rounds", "buyer_msg_num", "total_reply_times", "order_num", "paid_amount"):
        assert span[name] == sum(row[name] for row in wanted)


def test_who_asks_before_buying_and_who_after(db: Database, run: Callable[..., Any]) -> None:
    """The inquiry filter and the 21 days, customer by customer."""
    day, made = 86_400_000, list[Event]()

    def say(customer: str, at_s: float, who: str, **more: Any) -> None:
        key, name = Key("s", "c", customer), f"{customer}{len(made)}"
        message = Message(
            START + int(at_s * 1000), key, name, who, customer, "human" if who == "merchant" else "unknown"
        )
        made.append(message._replace(text="在 的", agent="a" if who == "merchant" else None, **more))

    def order(customer: str, at_ms: int) -> None:
        made.append(
            Order(at_ms, Key("s", "c", customer), f"{customer}{len(made)}", f"{customer}-{at_ms}", "created", 5)
        )

    for customer, gap_s in (("gone", 10), ("stays", 9.999)):
        say(customer, 0, "customer")
        say(customer, 5, "merchant")
        say(customer, 5 + gap_s, "merchant")
    for customer in ("came back", "sub", "ad", "recent", "again", "long ago", "edge"):
        say(customer, 0, "customer", customer_type="sub_account" if customer == "sub" else "buyer")
        say(customer, 5, "merchant")
        say(customer, 20, "merchant")
        say(customer, 30, "customer", tags=("ad",) if customer == "ad" else ())
    for customer, days in (("recent", 10), ("again", 10), ("long ago", 22), ("edge", 21)):
        order(customer, START - days * day)
    order("again", START + 3_600_000)
    for minute in range(0, 33, 4):
        say("talks long", 60 * minute, "customer")

    def job(connection: Any) -> None:
        for event in made:
            journal.append(connection, Delivery(0, "c", "in", "POST", "", b""), [event], zone=ZONE)
        for key in orders.conversations(connection):
            orders.save(connection, key, ZONE)

    run(job)
    with closing(db.reader()) as reader:
        (row,) = figures(reader, first_day="2023-01-07", last_day="2023-01-07")
        (short,) = figures(
            reader, settings=Settings(apart_ms=20_000, long_ms=1_919_999, order_days=9), first_day="2023-01-07"
        )

    assert (row["consult_num"], row["after_sale_num"]) == (10, 2)  # recent, and exactly 21 days
    assert row["ask_num"] == 5  # stays, came back, again, long ago, talks long
    assert (row["long_receive_num"], short["long_receive_num"]) == (1, 1)
    assert (short["ask_num"], short["after_sale_num"]) == (8, 0)
    assert (row["no_reply_num"], row["seller_msg_num"], row["seller_word_num"]) == (1, 18, 36)
    assert (row["order_num"], row["order_amount"], row["silent_order_num"]) == (1, 5, 0)


TALK = [(0, "a"), (1, "a"), (25, "b"), (70, "c")]  # minutes, who speaks


@pytest.mark.parametrize(
    ("created", "paid", "settings", "wanted"),
    [
        (5, 30, Settings(), ("a", "a")),  # b began 24 minutes after a's last words
        (5, 30, Settings(takeover_ms=24 * 60_000), ("a", "b")),
        (5, 30, Settings(takeover_ms=24 * 60_000 + 1), ("a", "a")),
        (5, 80, Settings(), ("a", "c")),
        (5, 80, Settings(lookback_ms=4 * 60_000), ("a", "c")),
        (5, 80, Settings(lookback_ms=4 * 60_000 - 1), ("", "c")),  # silent: c began 65 minutes after it
        (5, 80, Settings(lookback_ms=0, silent_ms=68 * 60_000), ("", "")),
        (-1, 30, Settings(), ("", "")),  # the chases began 1 and 26 minutes after it
        (-1, 30, Settings(silent_ms=26 * 60_000), ("", "b")),
        (-1, 30, Settings(silent_ms=60_000), ("", "a")),
        (-1, 30, Settings(silent_ms=60_000, takeover_ms=0), ("", "b")),
        (2, 3, Settings(gap_ms=60_000), ("a", "a")),
    ],
)
def test_what_crediting_is_asked_with(
    db: Database, run: Callable[..., Any], created: int, paid: int, settings: Settings, wanted: tuple[str, str]
) -> None:
    key = Key("s", "c", "k")

    def at(minute: int) -> int:
        return START + minute * 60_000

    made: list[Event] = [Message(at(when), key, f"m{when}", "merchant", "k", "human", who) for when, who in TALK]
    made += [
        Order(at(when), key, stage, "o", stage, 700)
        for stage, when in (("created", created), ("paid", paid), ("received", 71))
    ]
    made.append(Message(at(72), key, "last", "merchant", "k", "assisted", "d"))

    def job(connection: Any) -> None:
        journal.append(connection, Delivery(0, "c", "in", "POST", "", b""), made, zone=ZONE)
        orders.save(connection, key, ZONE)

    run(job)
    with closing(db.reader()) as reader:
        rows = figures(reader, by=["agent"], settings=settings)

    assert [row["agent"] for row in rows if row["order_num"]] == [wanted[0]]
    assert [(row["agent"], row["paid_amount"]) for row in rows if row["paid_num"]] == [(wanted[1], 700)]
    assert [row["agent"] for row in rows if row["aftersale_owner_num"]] == ["d"]


def test_a_reply_of_the_next_hour_is_one(db: Database, run: Callable[..., Any]) -> None:
    """Asked at 10:59:50 and answered at 11:00:10; asked at 23:59:50 and answered on the next day."""
    key, late = Key("s", "c", "k"), Key("s", "c", "late")
    made = list[Event]()
    for who, asked_ms in ((key, START + 3_590_000), (late, START + 14 * 3_600_000 - 10_000)):
        made.append(Message(asked_ms, who, f"q{asked_ms}", "customer", who.conversation))
        made.append(Message(asked_ms + 20_000, who, f"a{asked_ms}", "merchant", who.conversation, "human", "a"))
    run(lambda connection: journal.append(connection, Delivery(0, "c", "in", "POST", "", b""), made, zone=ZONE))
    with closing(db.reader()) as reader:
        hours = figures(reader, by=["hour"])
        (day,) = figures(reader, last_day="2023-01-07")
        (both,) = figures(reader)

    assert [(row["hour"], row["consult_num"], row["no_reply_num"]) for row in hours] == [
        (0, 0, 0),
        (10, 1, 0),
        (11, 0, 0),
        (23, 1, 1),
    ]
    assert (day["consult_num"], day["no_reply_num"], both["no_reply_num"]) == (2, 1, 0)


def test_questions_that_cannot_be_answered(db: Database) -> None:
    with closing(db.reader()) as reader:
        with pytest.raises(InputError, match="cannot group by 'moon'"):
            figures(reader, by=["moon"])
        with pytest.raises(InputError, match="not a day"):
            figures(reader, first_day="yesterday")
