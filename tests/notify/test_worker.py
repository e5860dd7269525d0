"""Notices reach a real receiver over HTTP, or the row says why not."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.notify.desk import PLAN, SECRET, START, Desk, Phone, is_

from sanfen.config.settings import Person, Quiet, Secret, Way
from sanfen.core.drive import fold
from sanfen.core.events import Key, Take
from sanfen.core.facts import Conversation
from sanfen.core.score import score
from sanfen.notify import worker
from sanfen.store import outbox, projection, silences
from sanfen.store.db import Database
from sanfen.testing import ask, reply


async def test_a_signed_notice_is_told_once(desk: Desk, phone: Phone) -> None:
    """Verified by the reference library; says who waits, masked, and how long."""
    one = await desk.escalate()
    row = await desk.settle(is_("told"))
    (notice,) = phone.notices

    assert row[:3] == ("told", 1, 1)
    assert (notice["round_id"], notice["person"], notice["waited_ms"], notice["due_ms"]) == (
        one.id,
        "lead",
        90_000,
        one.due_ms,
    )
    assert "1:30" in notice["text"]


async def test_answered_meanwhile_is_not_told(desk: Desk, phone: Phone) -> None:
    await desk.escalate(reply(START + 60_000))
    row = await desk.settle(is_("inhibited"))

    assert (row[3], phone.notices) == ("round_met", [])


async def test_a_refusal_is_tried_again_after_a_pause(desk: Desk, phone: Phone) -> None:
    phone.script = [500]
    await desk.escalate()
    refused = await desk.settle(lambda row: row[1] == 1 and row[0] == "waiting")
    assert refused[2:4] == (0, "http_500")
    await desk.clock.advance(1_000)

    assert (await desk.settle(is_("told")))[1] == 2


async def test_the_pause_asked_for_is_kept(desk: Desk, phone: Phone) -> None:
    phone.script = [429]
    await desk.escalate()
    row = await desk.settle(lambda row: row[1] == 1 and row[0] == "waiting")

    assert row[4] == START + 90_000 + 30_000


async def test_gone_is_final(desk: Desk, phone: Phone) -> None:
    phone.script = [410]
    await desk.escalate()

    assert (await desk.settle(is_("failed")))[3] == "http_410"


async def test_a_lost_answer_is_tried_once_more_and_never_a_third_time(desk: Desk, phone: Phone) -> None:
    """The request arrived, the answer did not: at most two messages, and the row says that nobody knows."""
    phone.script = ["reset", "reset", "reset"]
    await desk.escalate()
    await desk.settle(lambda row: row[1] == 1 and row[0] == "waiting")
    await desk.clock.advance(1_000)
    row = await desk.settle(is_("unsure"))

    assert (row[2], len(phone.notices)) == (2, 2)


async def test_the_next_way_is_tried_at_once(tmp_path: Path, phone: Phone) -> None:
    """Nobody listens at the first address."""
    desk = Desk(Database.open(tmp_path / "log.db"), ("webhook+http://127.0.0.1:1/x", phone.url))
    await desk.escalate()
    await desk.settle(is_("told"))
    tries = await desk.do(lambda c: c.execute("SELECT result FROM attempts ORDER BY id").fetchall())
    await desk.stop()

    assert tries == [("refused",), ("told",)]


async def test_a_crash_while_sending_costs_at_most_one_more(tmp_path: Path, phone: Phone) -> None:
    """The row was marked and claimed when the process died: it is sent again after its lease."""
    desk = Desk(Database.open(tmp_path / "log.db"), (phone.url,))
    await desk.escalate()
    (row,) = await desk.do(lambda c: outbox.claim(c, desk.clock.now_ms(), 1, 60_000))
    await desk.do(lambda c: outbox.begin(c, [row]))
    desk.clock._now_ms += 60_000
    told = await desk.settle(is_("told"))
    await desk.stop()

    assert (told[1:3], len(phone.notices)) == ((2, 2), 1)


async def test_a_silence_is_said(tmp_path: Path, phone: Phone) -> None:
    desk = Desk(Database.open(tmp_path / "log.db"), (phone.url,), quiet=(Quiet(START, START + 10**6, "maintenance"),))
    await desk.escalate()
    row = await desk.settle(is_("inhibited"))
    await desk.stop()

    assert (row[3], phone.notices) == ("quiet", [])


async def test_a_silence_begun_by_hand_is_one_too(desk: Desk, phone: Phone) -> None:
    await desk.do(lambda c: silences.add(c, START, START + 10**6, "lunch", "boss"))
    await desk.escalate()

    assert (await desk.settle(is_("inhibited")))[3] == "quiet"
    assert phone.notices == []


async def test_an_unknown_scheme_is_a_failure_everybody_sees(tmp_path: Path) -> None:
    desk = Desk(Database.open(tmp_path / "log.db"), ("pigeon:home",))
    await desk.escalate()
    row = await desk.settle(is_("failed"))
    await desk.stop()

    assert row[3] == "no_notifier"


async def test_redirects_are_not_followed(desk: Desk, phone: Phone) -> None:
    phone.script = [302]
    await desk.escalate()

    assert (await desk.settle(is_("failed")))[3] == "http_302"


async def test_what_one_receiver_sets_another_never_sees(desk: Desk, phone: Phone) -> None:
    """No cookies between notices: two people may have the same host behind them."""
    phone.script = [429]
    await desk.escalate()
    await desk.settle(lambda row: row[1] == 1 and row[0] == "waiting")
    await desk.clock.advance(30_000)
    await desk.settle(is_("told"))

    assert "cookie" not in phone.headers


async def test_what_is_due_for_one_person_at_once_is_one_message(desk: Desk, phone: Phone) -> None:
    """A hundred rounds, one message, the longest wait first; each row is told."""
    for number in range(100):
        asked = ask(START + number * 10, f"c{number}")
        ((one, _),) = fold(Conversation(asked.key), [asked], PLAN).rounds()
        await desk.do(lambda c, one=one: projection.save(c, "live", [(one, score(one, PLAN, START + 90_000), PLAN)]))  # type: ignore[misc]
        await desk.due(one)
    await desk.settle(lambda _: bool(phone.notices))
    states = await desk.do(lambda c: c.execute("SELECT DISTINCT state FROM outbox").fetchall())
    (notice,) = phone.notices

    assert [one["opened_ms"] for one in notice["waiting"]] == [START + number * 10 for number in range(100)]
    assert states in ([("told",)], [("sending",)])


async def test_what_comes_within_the_window_stands_in_the_next_message(desk: Desk, phone: Phone) -> None:
    one = await desk.escalate()
    await desk.settle(is_("told"))
    for step in (1, 2):
        await desk.due(one, step)
    desk.worker.wake()
    held = "SELECT count(*) FROM outbox WHERE reason = 'merge' AND state = 'waiting'"
    await desk.until(held, 2)
    assert len(phone.notices) == 1
    await desk.clock.advance(15_000)
    await desk.until("SELECT count(*) FROM outbox WHERE state = 'told'", 3)

    assert [notice["step"] for notice in phone.notices] == [0, 2]


async def test_a_round_that_was_taken_is_told_to_nobody(desk: Desk, phone: Phone) -> None:
    one = await desk.escalate(Take(START + 80_000, Key("default", "desk", "A"), "t", "boss"))

    assert (one.taken_by, (await desk.settle(is_("inhibited")))[3], phone.notices) == ("boss", "taken", [])


async def test_what_reaches_nobody_goes_to_the_fallback(tmp_path: Path, phone: Phone) -> None:
    ops = {"ops": Person("ops", (Way(phone.url, Secret(SECRET)),))}
    desk = Desk(Database.open(tmp_path / "log.db"), ("pigeon:home",), people=ops, fallback=("ops",))
    await desk.escalate()
    await desk.settle(is_("failed"))
    await desk.until("SELECT count(*) FROM outbox WHERE person = 'ops' AND state = 'told'", 1)
    await desk.stop()

    assert [notice["person"] for notice in phone.notices] == ["ops"]


async def test_whoever_left_the_file_is_stood_in_for(tmp_path: Path, phone: Phone) -> None:
    """A row of somebody the configuration knows no more: the fallback is told, it is not dropped."""
    ops = {"ops": Person("ops", (Way(phone.url, Secret(SECRET)),))}
    desk = Desk(Database.open(tmp_path / "log.db"), (), people=ops, fallback=("ops",))
    one = await desk.escalate()
    await desk.due(one, 1, person="temp")
    await desk.until("SELECT count(*) FROM outbox WHERE person = 'temp' AND state = 'failed'", 1)
    await desk.until("SELECT count(*) FROM outbox WHERE person = 'ops' AND step = 1 AND state = 'told'", 1)
    reason = await desk.do(lambda c: c.execute("SELECT reason FROM outbox WHERE person = 'temp'").fetchone())
    await desk.stop()

    assert tuple(reason) == ("person_unknown",)


async def test_a_condition_decides_when_the_step_is_due(desk: Desk, phone: Phone) -> None:
    one = await desk.escalate()
    await desk.settle(is_("told"))
    await desk.due(one, 1, condition="waited > duration('1h')")
    await desk.due(one, 2, condition="waited > duration('80s') && agent_open == 0 && !agent_online && budget_left > 5")
    await desk.clock.advance(15_000)
    await desk.until("SELECT count(*) FROM outbox WHERE state = 'inhibited' AND reason = 'condition'", 1)
    await desk.until("SELECT count(*) FROM outbox WHERE state = 'told'", 2)

    assert [notice["step"] for notice in phone.notices] == [0, 2]


async def test_a_channel_that_cannot_give_a_conversation_away_says_so(desk: Desk, phone: Phone) -> None:
    one = await desk.escalate()
    await desk.settle(is_("told"))
    await desk.due(one, 1, person="backup", reassign="backup")
    await desk.until("SELECT count(*) FROM outbox WHERE kind = 'reassign' AND state = 'failed'", 1)
    (said,) = await desk.do(lambda c: c.execute("SELECT answer FROM outbox WHERE kind = 'reassign'").fetchone())

    assert said == "backup: channel desk has no way to assign: its adapter or its options give none"


async def test_an_action_of_which_nobody_knows_twice_is_not_done_a_third_time(desk: Desk, phone: Phone) -> None:
    """Two attempts were cut off: the row says that it is not known, and the channel is asked no more."""
    one = await desk.escalate()
    await desk.settle(is_("told"))
    await desk.stop_worker()
    await desk.due(one, 1, person="backup", reassign="backup")
    await desk.do(lambda c: c.execute("UPDATE outbox SET unknown = 2, attempts = 2 WHERE kind = 'reassign'"))
    query = "SELECT count(*) FROM outbox WHERE kind = 'reassign' AND state = 'unsure' AND reason = 'outcome_unknown'"
    await desk.until(query, 1)


async def test_while_somebody_is_told_not_every_commit_is_a_look(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver says nothing, and much comes due for the same person: the log is not asked again for each of it."""
    claim, asked, looks = outbox.claim, asyncio.Event(), [0]

    def counted(*args: Any) -> Any:
        looks[0] += 1
        return claim(*args)

    async def silent(*_: Any) -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(outbox, "claim", counted)
    monkeypatch.setattr("sanfen.notify.worker.send", silent)
    one = await desk.escalate()
    desk.task = asyncio.create_task(desk.worker.run())
    await asked.wait()
    looks[0], began = 0, asyncio.get_running_loop().time()
    for step in range(1, 101):
        await desk.due(one, step)
    for task in desk.worker._busy.values():
        task.cancel()

    assert looks[0] <= (asyncio.get_running_loop().time() - began) / worker._GATHER_S + 2
