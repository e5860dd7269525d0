"""Who is there: shifts past midnight, days off, holidays, whoever holds the conversation, and who stands in."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from sanfen.config.settings import Duty, Person, Settings, Shift, Way
from sanfen.roster import Roster, Target, on_duty

ZONE = ZoneInfo("Asia/Shanghai")
WAY = (Way("console:"),)
NIGHT = Duty((1260, 300), days=frozenset({4}))  # Fridays 21:00 to 05:00


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


FRIDAY, SATURDAY = "2026-11-27", "2026-11-28"


@pytest.mark.parametrize(
    ("duty", "moment", "there"),
    [
        (Duty(), f"{FRIDAY}T03:00", True),
        (Duty((480, 1260)), f"{FRIDAY}T08:00", True),
        (Duty((480, 1260)), f"{FRIDAY}T07:59:59", False),
        (Duty((480, 1260)), f"{FRIDAY}T21:00", False),
        (NIGHT, f"{FRIDAY}T21:00", True),
        (NIGHT, f"{SATURDAY}T04:59", True),  # the night that began on Friday
        (NIGHT, f"{SATURDAY}T05:00", False),
        (NIGHT, f"{FRIDAY}T04:00", False),  # the night that began on Thursday
        (NIGHT, f"{SATURDAY}T22:00", False),
        (Duty(off=frozenset({FRIDAY})), f"{FRIDAY}T12:00", False),
        (Duty((1260, 300), off=frozenset({FRIDAY})), f"{SATURDAY}T04:00", False),
        (Duty(holidays="off"), f"{FRIDAY}T12:00", False),
        (Duty(), f"{FRIDAY}T12:00", True),
    ],
)
def test_hours(duty: Duty, moment: str, *, there: bool) -> None:
    assert on_duty(duty, at(moment), ZONE, frozenset({FRIDAY})) is there


SETTINGS = Settings(
    people={
        "lily": Person("lily", WAY, agents=frozenset({"main:lily", "lily2"})),
        "lead": Person("lead", WAY, Duty((480, 1260))),
        "owl": Person("owl", WAY, agents=frozenset({"owl"})),
        "boss": Person("boss", WAY, Duty((0, 1))),
    },
    rosters={"desk": (Shift(("lead", "lily"), Duty((480, 1260))), Shift(("owl",), Duty((1260, 480))))},
    fallback=("boss",),
)
DAY, LATE = at(f"{FRIDAY}T12:00"), at(f"{FRIDAY}T23:00")


def test_a_roster_is_whoever_is_there() -> None:
    roster = Roster(SETTINGS)

    assert roster.told(["desk"], None, DAY) == [Target("lead", "desk"), Target("lily", "desk")]
    assert roster.told(["desk"], None, LATE) == [Target("owl", "desk")]


def test_agent_is_whoever_holds_the_conversation() -> None:
    roster = Roster(SETTINGS)

    assert roster.told(["agent"], "main:lily", DAY) == [Target("lily", "agent")]
    assert roster.told(["agent", "lead"], "nobody knows", DAY) == [
        Target("agent", "agent", "agent_unknown"), Target("lead", "lead"),
    ]  # fmt: skip
    assert roster.told(["agent", "lead"], None, DAY)[0] == Target("agent", "agent", "nobody_holds_it")


def test_where_the_channel_takes_notes_its_agent_gets_one() -> None:
    roster = Roster(SETTINGS, ["chatwoot"])

    assert roster.told(["agent"], "user:9", DAY, "chatwoot") == [Target("agent", "agent")]
    assert roster.told(["agent"], "main:lily", DAY, "chatwoot") == [Target("lily", "agent")]  # who has ways of her own
    assert roster.told(["agent"], "user:9", DAY, "desk")[0].skipped == "agent_unknown"
    assert roster.told(["agent"], None, DAY, "chatwoot")[0].skipped == "nobody_holds_it"


def test_one_person_named_twice_is_told_once() -> None:
    assert Roster(SETTINGS).told(["lead", "desk", "lead"], None, DAY) == [
        Target("lead", "lead"),
        Target("lily", "desk"),
    ]


def test_where_nobody_is_there_the_fallback_is_told_at_any_hour() -> None:
    assert Roster(SETTINGS).told(["lead"], None, LATE) == [
        Target("lead", "lead", "off_duty"), Target("boss", "fallback"),
    ]  # fmt: skip


def test_a_step_that_names_nobody_tells_nobody() -> None:
    assert Roster(SETTINGS).told([], None, LATE) == []


def test_who_can_be_given_a_conversation() -> None:
    roster = Roster(SETTINGS)

    assert roster.agents("desk", DAY) == ["lily2", "main:lily"]
    assert roster.agents("desk", LATE) == ["owl"]
    assert roster.agents("backup", DAY) == ["backup"]  # an agent of the channel that is no person here
    assert roster.agents("lead", DAY) == []
