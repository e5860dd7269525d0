"""What is said word for word all day, counted in the log: through restarts, and as a replay counts it."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.core.test_repeats import DAY, RULES, said
from tests.engine.shop import MINUTE, START, TAOBAO, open_shop

from sanfen.bulk.rescore import Rescore
from sanfen.core.events import Event, Message
from sanfen.core.plan import plan_of
from sanfen.core.repeats import Repeats
from sanfen.store import said as log
from sanfen.store.opening import open_reader
from sanfen.testing import ask

MODES = "SELECT mode, evidence, rule FROM events WHERE sender = 'merchant' ORDER BY seq"
CANNED = "您好，请稍等一下"


def chat(count: int, dice: random.Random) -> Iterator[Event]:
    """Questions and answers of many customers, in order, some of the answers canned."""
    at_ms = START
    for number in range(count):
        at_ms += dice.randrange(1, 90) * MINUTE
        customer = dice.choice("ABC")
        yield ask(at_ms, customer, name=f"q{number}")
        text = dice.choice([CANNED, "在的亲", "有的，今天发货", f"第 {number} 次认真打字"])
        yield said(at_ms + 1000, text, customer)._replace(id=f"m{number}")


async def test_from_the_third_time_on_nobody_typed_it(tmp_path: Path) -> None:
    """Under whoever's name and to whomever it is said, and whether or not the service was started anew between."""
    found: list[tuple[str, str, str | None]] = []
    for number, customer in enumerate("ABCD"):
        with open_shop(tmp_path / "log.db", rules=RULES) as shop:
            at_ms = START + number * MINUTE
            await shop.send(ask(at_ms, customer), said(at_ms + 1000, CANNED, customer))
            found = [(row[0], row[1], row[2]) for row in shop.rows(MODES)]

    machine = ("auto", "text", "auto_replies.repeats")
    assert found == [("human", "field", None), ("human", "field", None), machine, machine]


async def test_live_equals_replay(tmp_path: Path) -> None:
    """The same log, told to the service in several runs and replayed in one, has the same modes."""
    events = list(chat(400, random.Random(7)))
    live: list[str] = []
    for start in range(0, len(events), 200):
        with open_shop(tmp_path / "log.db", (TAOBAO,), rules=RULES) as shop:
            for event in events[start : start + 200]:
                await shop.send(event)
            live = [row[0] for row in shop.rows(MODES)]
    seen: list[Event] = []
    for _ in Rescore([plan_of(TAOBAO)], rules=RULES, on_event=seen.append).feed(events):
        pass

    assert live == [one.mode for one in seen if isinstance(one, Message) and one.sender == "merchant"]
    assert {"auto", "human"} <= set(live)


async def test_a_delivery_that_is_taken_back_counts_nothing(tmp_path: Path) -> None:
    """What was rolled back was not said; what is delivered twice was said once."""
    with open_shop(tmp_path / "log.db", rules=RULES) as shop:
        one = said(START + MINUTE, CANNED)
        for _ in range(3):
            await shop.send(ask(START), one)

        assert shop.rows("SELECT count(*) FROM said_rows") == [(1,)]


def test_the_log_counts_as_memory_does(tmp_path: Path) -> None:
    dice, repeats = random.Random(3), Repeats(RULES)
    texts = [said(at, dice.choice([CANNED, "有的，今天发货"])) for at in sorted(dice.choices(range(3 * DAY), k=300))]
    with open_shop(tmp_path / "log.db") as shop:
        counted = shop.db.write(lambda connection: [log.count(connection, one, 3) for one in texts]).result()

    assert counted == [repeats.count(one) for one in texts]


def test_it_is_forgotten(tmp_path: Path) -> None:
    with open_shop(tmp_path / "log.db") as shop:
        shop.db.write(lambda connection: log.count(connection, said(0, CANNED), 3)).result()
        shop.db.write(lambda connection: log.count(connection, said(DAY, CANNED), 3)).result()
        dropped = shop.db.write(lambda connection: log.forget(connection, DAY, 10)).result()
    with closing(open_reader(tmp_path / "log.db")) as connection:
        left = connection.execute("SELECT at_ms FROM said_rows").fetchall()

    assert dropped == 1
    assert [tuple(row) for row in left] == [(DAY,)]
