"""Which steps fire, and when: those whose instant comes while the round is open, each once, at its instant."""

from itertools import pairwise
from random import Random

import pytest

from sanfen.core.days import NEVER
from sanfen.core.drive import Fold
from sanfen.core.effects import Escalated, Scored
from sanfen.core.events import Event, Handoff, Key, Message, Store, Transfer
from sanfen.core.facts import Conversation, Round
from sanfen.core.plan import plan_of
from sanfen.core.policy import DueRule, Hours, Ladder, Policy, Session, Step
from sanfen.core.score import Outcome

KEY = Key("s", "c", "k")
START = 1_673_103_300_000  # 2023-01-07 22:55 in Shanghai
STEPS = (Step(90_000, ("lead",)), Step(150_000, ("boss", "lead")), Step(180_000, ("all",)), Step(7_200_000, ("all",)))
LADDERS = (Ladder("others", STEPS, shops=frozenset({"other"})), Ladder("here", STEPS, channels=frozenset({"c"})))
POLICIES = [
    Policy("plain", ladders=LADDERS),
    Policy("first", ladders=LADDERS[1:]),
    Policy("night", ladders=LADDERS, midnight="exclude_pending", exclude=frozenset({"sub_account"})),
    Policy("missed", ladders=LADDERS, midnight="missed"),
    Policy("gap", ladders=LADDERS, session=Session(600_000)),
    Policy("slow", ladders=LADDERS, session=Session(600_000), due=(DueRule(after_ms=7_200_001),)),
    Policy("split", ladders=LADDERS, transfer="split", agent_clock="assigned"),
    Policy("later", ladders=LADDERS, hours=Hours(540, 1080, outside="defer")),
    Policy("nobody's", ladders=LADDERS[:1]),
    Policy("none"),
]
PAUSES = [1, 1_000, 60_000, 89_999, 90_000, 90_001, 150_000, 180_000, 181_000, 599_999, 600_000, 3_600_000, 7_200_000]


def chat(dice: Random) -> list[Event]:
    out, at_ms = list[Event](), START
    kind = dice.choice(["buyer", "buyer", "buyer", "sub_account"])
    for number in range(dice.randint(1, 10)):
        name, roll = str(number), dice.random()
        if roll < 0.5:
            out.append(Message(at_ms, KEY, name, "customer", "k", customer_type=kind))
        elif roll < 0.85:
            out.append(Message(at_ms, KEY, name, "merchant", "k", dice.choice(["human", "auto"]), "a"))
        else:
            out.append(Transfer(at_ms, KEY, name, "a", "b"))
        at_ms += dice.choice(PAUSES)
    return out


def end_of(one: Round, events: list[Event], policy: Policy) -> int:
    """The instant from which on nobody need be told of a round any more."""
    ends = [one.day_end_ms] if policy.midnight != "none" else []
    ends += [one.closed_ms] if one.closed_ms is not None else []
    ends += [event.at_ms for event in events if event.id == one.transferred_id]
    if one.left:  # the question that began the next session
        spoken = [event for event in events if isinstance(event, Message) and event.at_ms >= one.opened_ms]
        begins = [
            after.at_ms
            for before, after in pairwise(spoken)
            if after.sender == "customer" and after.at_ms - before.at_ms >= 600_000
        ]
        ends += begins[:1]
    return min(ends, default=NEVER)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.id)
def test_steps_fire_while_the_round_is_open(policy: Policy) -> None:
    plan = plan_of(policy)
    for seed in range(150):
        dice = Random(seed)
        events, told = chat(dice), list[Escalated]()
        fold = Fold(Conversation(KEY), plan)
        for event in events:
            effects = fold.feed(event)
            told += [effect for effect in effects if isinstance(effect, Escalated)]
            assert not [
                effect for effect in effects if isinstance(effect, Scored) and effect.score.outcome == "pending"
            ]
        told += [effect for effect in fold.wait(START + 100 * 86_400_000) if isinstance(effect, Escalated)]
        assert not [one for one in fold.state.rounds if one.left or policy.midnight != "none"]
        ours = policy.ladders and policy.ladders[-1].name == "here"
        wanted = [
            (one.id, step, one.clock_ms + one_step.at_ms, one_step.notify)
            for one, _ in fold.rounds()
            for step, one_step in enumerate(STEPS if ours else ())
            if one.clock_ms + one_step.at_ms < end_of(one, events, policy) and one.customer_type not in policy.exclude
        ]
        found = [(effect.round.id, effect.step, effect.at_ms, effect.notify) for effect in told]

        assert sorted(found) == sorted(wanted), (policy.id, seed)
        assert {effect.ladder for effect in told} <= {"here"}


def test_an_overdue_round_is_told_at_the_first_instant_past_its_deadline() -> None:
    """Once; and a Tick at the very deadline tells nothing yet."""
    fold = Fold(Conversation(KEY), plan_of(Policy("p")))
    fold.feed(Message(START, KEY, "q", "customer", "k"))

    assert fold.wait(START + 180_000) == []
    ((told,),) = [fold.wait(START + 180_001)]
    assert isinstance(told, Scored)
    assert (told.at_ms, told.score.outcome) == (START + 180_001, Outcome.missed)
    assert fold.wait(START + 10_000_000) == []


def test_nobody_holds_a_conversation_after_seven_days_of_silence() -> None:
    """Exactly seven days are not yet too long; an open round keeps its holder."""
    week = 7 * 86_400_000
    for pause_ms, answered, holder in ((week, True, "a"), (week + 1, True, None), (week + 1, False, "a")):
        fold = Fold(Conversation(KEY), plan_of(Policy("p")))
        fold.feed(Message(START, KEY, "q", "customer", "k", agent="a"))
        if answered:
            fold.feed(Message(START, KEY, "r", "merchant", "k", "human", "a"))
        fold.feed(Message(START + pause_ms, KEY, "q2", "customer", "k"))

        assert fold.state.rounds[-1].agent == holder


def test_a_deadline_and_midnight_at_one_instant() -> None:
    """The day's end settles it, and an event of that instant comes after."""
    midnight = 1_673_107_200_000
    fold = Fold(Conversation(KEY), plan_of(Policy("p", midnight="exclude_pending")))
    fold.feed(Message(midnight - 180_000, KEY, "q", "customer", "k"))
    fold.feed(Message(midnight - 180_001 + 1, KEY, "q2", "customer", "k"))
    effects = fold.feed(Message(midnight, KEY, "a", "merchant", "k", "human", "a"))

    assert [(effect.at_ms, effect.score.reason) for effect in effects if isinstance(effect, Scored)] == [
        (midnight, "open_at_midnight")
    ]


def test_a_round_that_waits_for_hours_looks_at_the_store_when_its_clock_starts() -> None:
    """A change at the very opening counts; one after it does not, nor one of the instant of a question."""
    policy = Policy("p", hours=Hours(540, 1080, outside="defer"), away="exclude")
    opening = START + 36_300_000  # 09:00 of the next day
    for at_ms, outcome in ((opening, "excluded"), (opening + 1, "missed"), (opening - 1, "excluded")):
        fold = Fold(Conversation(KEY), plan_of(policy))
        fold.feed(Message(START, KEY, "q", "customer", "k"))
        fold.feed(Store(at_ms, KEY, "away", "away"))
        ((_, scored),) = fold.rounds()
        assert scored.outcome == outcome, at_ms - opening

    fold = Fold(Conversation(KEY), plan_of(policy))
    fold.feed(Message(opening, KEY, "q", "customer", "k"))
    fold.feed(Store(opening, KEY, "away", "away"))
    ((_, scored),) = fold.rounds()
    assert scored.outcome == "missed"  # they tie, and the question came first


def test_a_clock_that_has_started_is_not_stopped_in_the_same_instant() -> None:
    """Online and away again in one millisecond: they are taken in the order they came (ADR 0008)."""
    plan = plan_of(Policy("p", hours=Hours(540, 1080, outside="defer"), away="defer"))
    opening = START + 36_300_000  # 09:00 of the next day
    fold = Fold(Conversation(KEY), plan)
    fold.feed(Store(opening, KEY, "s1", "away"))
    fold.feed(Message(opening + 500, KEY, "q", "customer", "k"))
    fold.feed(Store(opening + 1000, KEY, "s2", "online"))
    fold.feed(Store(opening + 1000, KEY, "s3", "away"))
    ((one, _),) = fold.rounds()

    assert (one.clock_ms, one.due_ms) == (opening + 1000, opening + 181_000)


def test_a_round_climbs_the_ladder_of_whoever_holds_it_now() -> None:
    steps = (Step(90_000, ("lead",)),), (Step(150_000, ("boss",)),)
    ladders = (Ladder("b's", steps[0], agents=frozenset({"b"})), Ladder("others", steps[1]))
    fold = Fold(Conversation(KEY), plan_of(Policy("p", ladders=ladders)))
    fold.feed(Message(START, KEY, "q", "customer", "k", agent="a"))
    fold.feed(Transfer(START + 1000, KEY, "t", "a", "b"))

    told = [(one.at_ms, one.ladder) for one in fold.wait(START + 170_000) if isinstance(one, Escalated)]
    assert told == [(START + 90_000, "b's")]


def test_questions_held_on_two_days_are_two_rounds_from_the_first_millisecond() -> None:
    midnight = 1_673_107_200_000
    for at_ms, rounds in ((midnight - 1, 1), (midnight, 2)):
        fold = Fold(Conversation(KEY), plan_of(Policy("p", starts="handoff", midnight="exclude_pending")))
        fold.feed(Message(midnight - 60_000, KEY, "q", "customer", "k"))
        fold.feed(Message(at_ms, KEY, "q2", "customer", "k"))
        fold.feed(Handoff(at_ms + 1000, KEY, "h"))

        assert len(list(fold.rounds())) == rounds, at_ms - midnight
