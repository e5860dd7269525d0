"""What other products' own cases say of reminders, silences, floods and hours: played by the real parts, over real HTTP.

Times are seconds after the start. Where we answer differently on purpose, ``tests/engine/test_peer_ladders.py`` says why.
"""

from itertools import pairwise
from pathlib import Path

from tests.engine.shop import START
from tests.engine.test_peer_ladders import CASES
from tests.notify.live import Ends, Live

from sanfen.core.events import Escalate
from sanfen.testing import ask, reply


def named(ends: Ends) -> list[list[str]]:
    """Of each message the conversations it lists."""
    return [sorted(one["conversation"] for one in notice["waiting"] + notice["still"]) for notice in ends.notices]


async def test_qn_01_one_reminder_that_grows_and_shrinks(tmp_path: Path, ends: Ends) -> None:
    """Each message lists all who wait; what a pop-up does when somebody is answered, the board does: nobody is written to."""
    case = CASES["qn-01"]
    live = Live(tmp_path, ends, f"      - {{at: {case['policy']['popup']['at_s']}s, notify: [boss]}}\n")
    await live.begin()
    popups = case["expect"]["popups"]
    for second in sorted({one["t"] for one in (*case["events"], *popups)}):
        for event in (one for one in case["events"] if one["t"] == second):
            said = ask if event["kind"] == "open" else reply
            await live.shop.send(said(START + second * 1000, event["round"]))
        await live.at(second)
    await live.stop()
    shown = [[], *(sorted(popup["rounds"]) for popup in popups)]
    grown = [after for before, after in pairwise(shown) if set(after) - set(before)]

    assert named(ends) == grown == [["A"], ["A", "B"], ["C"]]


async def test_ga_14_a_flood_in_one_shop_starves_no_other(tmp_path: Path, ends: Ends) -> None:
    """Three hundred are one message; whoever comes a little later stands in the next, before anybody is told again."""
    burst, other = CASES["ga-14"]["events"]
    live = Live(tmp_path, ends, "      - {at: 10s, notify: [boss]}\n", merge="15s")
    await live.begin()
    await live.shop.send(*(ask(START, f"s1-{number}") for number in range(burst["count"])))
    late = ask(START + other["t"] * 1000, "s2")
    await live.shop.send(late._replace(key=late.key._replace(shop="s2")))
    await live.at(10)
    await live.at(15)
    await live.at(25)
    await live.stop()

    assert [len(notice["waiting"]) for notice in ends.notices] == [burst["count"], 1]
    assert ends.notices[1]["waiting"][0]["shop"] == "s2"


async def test_ga_06_what_is_due_in_a_silence_is_dropped_and_says_so(tmp_path: Path, ends: Ends) -> None:
    """The peer starts its chain again when the maintenance is over; by then our customer has waited too long for that."""
    case = CASES["ga-06"]
    quiet = 'quiet: [{from: "2023-01-07T10:00", until: "2023-01-07T10:01", why: maintenance}]\n'
    steps = "      - {at: 0s, notify: [lily]}\n      - {at: 10m, notify: [boss]}  # sanfen: allow W101\n"
    live = Live(tmp_path, ends, steps, quiet=quiet)
    await live.begin()
    await live.shop.send(ask(START + 10_000))
    first = await live.at(10)
    await live.shop.send(Escalate(START + 20_000, ask(START).key, "e", "x"))
    second = await live.at(20)
    await live.at(case["until"])
    await live.stop()

    assert first == [(0, "notify", "lily", "inhibited", "quiet")]
    assert second[1:] == [(1, "notify", "boss", "inhibited", "quiet")]
    assert ends.seen == []


async def test_oc_03b_inside_the_hours_it_is_now(tmp_path: Path, ends: Ends) -> None:
    start, end = CASES["oc-03b"]["policy"]["only_between"]
    live = Live(tmp_path, ends, "      - {at: 0s, notify: [boss]}\n", hours=f"{start}-{end}")
    await live.begin()
    await live.shop.send(ask(START))
    rows = await live.at(0)
    await live.stop()

    assert (CASES["oc-03b"]["expect"]["eta"], rows) == (None, [(0, "notify", "boss", "told", None)])


async def test_oc_03e_outside_them_somebody_else_is_told_now(tmp_path: Path, ends: Ends) -> None:
    """The peer waits until 22:00. A customer does not: who is not there has a row, and the fallback is told."""
    start, end = CASES["oc-03e"]["policy"]["only_between"]
    live = Live(tmp_path, ends, "      - {at: 0s, notify: [boss]}\n", hours=f"{start}-{end}")
    await live.begin()
    noon = 2 * 3600
    await live.shop.send(ask(START + noon * 1000))
    rows = await live.at(noon)
    await live.stop()

    assert sorted(rows, key=lambda row: row[2]) == [
        (0, "notify", "boss", "inhibited", "off_duty"),
        (0, "notify", "lily", "told", None),
    ]


async def test_ft_02_warned_and_late_are_two_and_an_answer_takes_no_message_back(tmp_path: Path, ends: Ends) -> None:
    """The peer takes its tags off again; of us the next message no longer lists the customer who was answered."""
    case = CASES["ft-02"]
    warned_s, late_s = (one["after_s"] for one in case["policy"]["escalate"])
    live = Live(tmp_path, ends, f"      - {{at: {warned_s}s, notify: [boss]}}\n      - {{late: 0s, notify: [boss]}}\n")
    await live.begin()
    await live.shop.send(ask(START))
    for second in (warned_s, late_s):
        await live.at(second)
    assert named(ends) == [["A"], ["A"]]
    closed_s = case["events"][1]["t"]
    await live.shop.send(ask(START + (closed_s - 50) * 1000, "B"), reply(START + closed_s * 1000))
    await live.at(closed_s - 50 + warned_s)
    await live.stop()

    assert named(ends)[2:] == [["B"]]
