"""Streaming gives what folding whole conversations gives, whatever is dropped from memory on the way."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sanfen.bulk import rescore as module
from sanfen.bulk.rescore import Collected, LateTag, Rescore, carries_tags
from sanfen.config import presets
from sanfen.core.drive import Fold
from sanfen.core.events import Event, Key, Mode, Store, Tag, Transfer
from sanfen.core.facts import Conversation, Round
from sanfen.core.metrics import Tally
from sanfen.core.plan import Plan, plan_of
from sanfen.core.score import Outcome, Score
from sanfen.testing import ask, reply

START = 1_673_056_800_000
HOUR = 3_600_000
PLANS = [
    plan_of(presets.policy(name)) for name in ("taobao-2022-01", "taobao-2025-10", "taote-2023", "taobao-message-30s")
]
SHOP = Key("default", "default", "")

steps = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.sampled_from(["ask", "ask", "ask", "human", "human", "auto", "bot", "spam", "transfer", "closed", "online"]),
        st.sampled_from([1_000, 45_000, 180_001, 20 * 60_000, 14 * HOUR, 200 * HOUR]),
    ),
    max_size=25,
)


def log_of(given_steps: list[tuple[str, str, int]]) -> list[Event]:
    out: list[Event] = []
    at_ms = START
    for number, (customer, kind, pause_ms) in enumerate(given_steps):
        at_ms += pause_ms
        key, name = Key("default", "default", customer), f"e{number}"
        if kind == "ask":
            out.append(ask(at_ms, customer))
        elif kind == "spam":
            out.append(Tag(at_ms, key, name, "spam"))
        elif kind == "transfer":
            out.append(Transfer(at_ms, key, name, "a1", "a2"))
        elif kind in ("closed", "online"):
            out.append(Store(at_ms, SHOP, name, "closed_shop" if kind == "closed" else "online"))
        else:
            out.append(reply(at_ms, customer, mode=Mode(kind), bot="dianxiaomi"))
    return out


def row(one: Round, scored: Score) -> tuple[Any, ...]:
    return (one.id, one.opened_ms, one.closed_ms, one.wait_ms, one.messages, scored.outcome, scored.reason)


def whole(log: list[Event], plan: Plan, as_of_ms: int) -> tuple[list[tuple[Any, ...]], Tally]:
    """Every conversation folded by itself, nothing forgotten."""
    folds: dict[Key, Fold] = {}
    store = "online"
    for event in log:
        if isinstance(event, Store):
            store = event.state
            for fold in folds.values():
                fold.feed(event)
        else:
            folds.setdefault(event.key, Fold(Conversation(event.key, store), plan)).feed(event)
    tally, rows = Tally(plan), []
    for fold in folds.values():
        fold.wait(as_of_ms)
        for one, scored in fold.rounds(as_of_ms):
            tally.add(one, scored.outcome)
            rows.append(row(one, scored))
    return sorted(rows), tally


Rows = list[list[tuple[Any, ...]]]


def streamed(log: list[Event], end_ms: int, keep: frozenset[Key] = frozenset()) -> tuple[list[Collected], Rows]:
    rows: Rows = [[] for _ in PLANS]
    stream = Rescore(PLANS, keep=keep, on_round=lambda number, one, scored: rows[number].append(row(one, scored)))
    for _ in stream.feed(log):
        pass
    return stream.finish(end_ms), rows


@pytest.mark.parametrize("sweep", [1, 3, 50_000])
@given(given_steps=steps)
@example(
    given_steps=[
        ("B", "ask", 1_000), ("B", "transfer", 1_000), ("B", "human", 1_000),
        ("A", "ask", 200 * HOUR), ("B", "ask", 1_000), ("B", "transfer", 1_000),
    ]
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_streaming_equals_folding(sweep: int, given_steps: list[tuple[str, str, int]]) -> None:
    """Four policies at once, with conversations let go after every event, now and then, or never."""
    log = log_of(given_steps)
    end_ms = (log[-1].at_ms if log else START) + 100 * HOUR
    before, module._SWEEP = module._SWEEP, sweep
    try:
        try:
            results, rows = streamed(log, end_ms)
        except LateTag:
            results, rows = streamed(log, end_ms, frozenset(event.key for event in log if carries_tags(event)))
    finally:
        module._SWEEP = before

    for number, plan in enumerate(PLANS):
        expected, tally = whole(log, plan, end_ms)
        assert sorted(rows[number]) == expected
        found = results[number].tally
        assert (found.numerator, found.denominator, found.counts) == (tally.numerator, tally.denominator, tally.counts)


def test_memory_is_for_what_is_open() -> None:
    """A thousand conversations, one after the other over many weeks: only the last ones are kept."""
    log: list[Event] = []
    for number in range(1000):
        at_ms = START + number * HOUR
        log += [ask(at_ms, f"c{number}"), reply(at_ms + 60_000, f"c{number}")]
    module_sweep, module._SWEEP = module._SWEEP, 100
    try:
        stream = Rescore(PLANS[:1])
        kept = [len(stream) for _ in stream.feed(log)]
    finally:
        module._SWEEP = module_sweep

    assert max(kept) < 300
    assert stream.finish(START + 10**10)[0].tally.denominator > 0


def test_repeated_events_count_once() -> None:
    stream = Rescore(PLANS[:1])
    for _ in stream.feed([ask(START), ask(START), reply(START + 1000)]):
        pass

    assert (stream.duplicates, stream.finish(START + HOUR)[0].tally.numerator) == (1, 1)


def test_what_comes_after_the_instant_asked_for_is_not_seen() -> None:
    stream = Rescore(PLANS[:1], as_of_ms=START + 100_000)
    for _ in stream.feed([ask(START), reply(START + 110_000)]):
        pass

    assert stream.finish(START + 100_000)[0].tally.counts[Outcome.pending] == 1
