"""Laws of the round machine, over random conversations and random policies."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sanfen.core.drive import Fold
from sanfen.core.effects import Escalated
from sanfen.core.events import Close, Event, Handoff, Key, Message, Mode, Store, Tag, Transfer
from sanfen.core.facts import Conversation, Round
from sanfen.core.metrics import Tally
from sanfen.core.plan import Plan
from sanfen.core.policy import DueRule, Hours, Ladder, Policy, Session, Step
from sanfen.core.score import Score

KEY = Key("s", "c", "A")
START = 1_673_049_600_000  # 2023-01-07 08:00 in Shanghai
HOUR = 3_600_000

policies = st.builds(
    Policy,
    id=st.just("p"),
    hours=st.none()
    | st.builds(
        Hours,
        open_min=st.sampled_from([0, 480, 1320]),
        close_min=st.sampled_from([1380, 1440, 120]),
        by=st.sampled_from(["opened", "session_opened", "replied", "either"]),
        outside=st.sampled_from(["exclude", "ignore", "defer"]),
    ),
    unit=st.sampled_from(["round", "message"]),
    wait_from=st.sampled_from(["first", "last"]),
    starts=st.sampled_from(["message", "handoff"]),
    session=st.builds(
        Session, st.none() | st.sampled_from([600_000, 12 * HOUR]), st.sampled_from(["last_message", "last_customer", "close"])
    ),
    due=st.sampled_from([(DueRule(after_ms=180_000),), (DueRule(after_ms=HOUR, clock="hours"),), (DueRule(workdays=0, at_min=1440),)]),
    inclusive=st.booleans(),
    no_reply=st.sampled_from(["missed", "excluded"]),
    midnight=st.sampled_from(["none", "exclude_pending", "exclude_crossing", "missed"]),
    transfer=st.sampled_from(["carry", "split"]),
    agent_clock=st.sampled_from(["opened", "assigned"]),
    away=st.sampled_from(["count", "exclude", "defer"]),
    exclude=st.frozensets(st.sampled_from(["spam", "blocked", "zero_second", "opened_by_merchant", "closed_shop"])),
    ladders=st.sampled_from([(), (Ladder("l", (Step(90_000, ("lead",)), Step(150_000, ("boss",)))),)]),
)  # fmt: skip

agents = st.sampled_from([None, "a1", "a2"])


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Events in order of time, gaps from nothing to half a day."""
    at_ms, out = START + draw(st.integers(0, 16 * HOUR)), list[Event]()
    for index in range(draw(st.integers(1, 14))):
        name = f"e{index}"
        kind = draw(st.sampled_from("qqqqrrrrrthlcs"))
        if kind == "q":
            out.append(Message(at_ms, KEY, name, "customer", "A", agent=draw(agents)))
        elif kind == "r":
            mode = draw(st.sampled_from(list(Mode)))
            out.append(Message(at_ms, KEY, name, "merchant", "A", mode=mode, agent=draw(agents)))
        elif kind == "t":
            out.append(Transfer(at_ms, KEY, name, draw(agents), draw(agents)))
        elif kind == "h":
            out.append(Handoff(at_ms, KEY, name))
        elif kind == "l":
            out.append(Close(at_ms, KEY, name))
        elif kind == "c":
            out.append(Tag(at_ms, KEY, name, draw(st.sampled_from(["spam", "blocked"]))))
        else:
            out.append(Store(at_ms, KEY, name, draw(st.sampled_from(["online", "away", "closed_shop"]))))
        at_ms += draw(st.sampled_from([0, 400, 20_000, 120_000, 180_000, 181_000, 700_000, HOUR, 13 * HOUR]))
    return out


def row(one: Round, scored: Score) -> tuple[object, ...]:
    """Everything a stored row holds."""
    facts = (one.id, one.opened_ms, one.clock_ms, one.due_ms, one.closed_ms, one.wait_ms, one.agent, one.messages)
    return (*facts, scored.outcome, scored.reason, scored.evidence)


def rows(fold: Fold, now_ms: int) -> list[tuple[object, ...]]:
    """The rows as of an instant, time let pass first."""
    fold.wait(now_ms)
    return [row(one, scored) for one, scored in fold.rounds(now_ms)]


def fold_of(policy: Policy) -> Fold:
    return Fold(Conversation(KEY), Plan(policy))


@given(policies, logs(), st.lists(st.integers(0, 80 * HOUR), max_size=12), st.integers(0, 100 * HOUR))
@settings(max_examples=400)
def test_ticks_at_any_moment_change_nothing(policy: Policy, log: list[Event], ticks: list[int], later: int) -> None:
    """Live (Ticks whenever) equals replay (none): same rows, same escalations."""
    end_ms = max(log[-1].at_ms, START + later)
    plain, ticked = fold_of(policy), fold_of(policy)
    quiet = [effect for event in log for effect in plain.feed(event)] + plain.wait(end_ms)
    loud = []
    pending = sorted(START + tick for tick in ticks)
    for event in log:
        while pending and pending[0] < event.at_ms:
            loud += ticked.wait(pending.pop(0))
        loud += ticked.feed(event)
    loud += ticked.wait(end_ms)

    assert rows(ticked, end_ms) == rows(plain, end_ms)
    told = [(e.at_ms, e.round.id, e.step) for e in loud if isinstance(e, Escalated)]
    assert told == [(e.at_ms, e.round.id, e.step) for e in quiet if isinstance(e, Escalated)]


@given(policies, logs())
@settings(max_examples=200)
def test_every_round_has_one_outcome_with_proof(policy: Policy, log: list[Event]) -> None:
    """Outcome, reason and evidence are always there, and evidence names events of the log."""
    fold = fold_of(policy)
    for event in log:
        fold.feed(event)
    known = {event.id for event in log}
    for one, scored in fold.rounds(log[-1].at_ms):
        assert scored.evidence
        assert known.issuperset(scored.evidence)
        assert (one.wait_ms is None) == (one.closed_ms is None)


@given(policies, logs())
@settings(max_examples=200)
def test_told_outcomes_equal_final_ones(policy: Policy, log: list[Event]) -> None:
    """The last outcome told for a round is its outcome: nothing changes silently once time has passed."""
    fold = fold_of(policy)
    for event in log:
        fold.feed(event)
    end_ms = log[-1].at_ms + 400 * HOUR
    fold.wait(end_ms)
    told = {one.id: outcome for one, outcome in fold.scores.values()}
    for one, scored in fold.rounds(end_ms):
        if told[one.id] is not None:
            assert told[one.id] == scored
        else:
            assert (
                scored.outcome == "pending" or scored.reason in ("no_reply", "bot_only") or scored.outcome == "excluded"
            )


@given(policies, logs(), logs())
def test_tallies_add_up(policy: Policy, first: list[Event], second: list[Event]) -> None:
    """Tallies of two logs merged equal the tally of both."""
    both, merged = Tally(Plan(policy)), Tally(Plan(policy))
    for index, log in enumerate((first, second)):
        fold = Fold(Conversation(KEY._replace(conversation=str(index))), Plan(policy))
        part = Tally(Plan(policy))
        for event in log:
            fold.feed(event)
        for one, scored in fold.rounds():
            both.add(one, scored.outcome)
            part.add(one, scored.outcome)
        merged.merge(part)

    assert (merged.numerator, merged.denominator, merged.counts) == (both.numerator, both.denominator, both.counts)


@given(policies, logs())
def test_inclusive_only_moves_the_exact_instant(policy: Policy, log: list[Event]) -> None:
    """``inclusive`` decides replies at the very instant of the deadline and nothing else."""
    with_, without = fold_of(replace(policy, inclusive=True)), fold_of(replace(policy, inclusive=False))
    for event in log:
        with_.feed(event)
        without.feed(event)
    for (one, first), (_, second) in zip(with_.rounds(), without.rounds(), strict=True):
        if first != second:
            assert one.closed_ms == one.due_ms
            assert (first.outcome, second.outcome) == ("met", "late")
