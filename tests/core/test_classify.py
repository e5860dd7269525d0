"""What a reply is, by which rule, and how sure we are of it."""

import re
from typing import Any

import pytest

from sanfen.core.classify import Rule, classify, judge
from sanfen.core.events import Evidence, Key, Message, Mode
from sanfen.core.policy import Policy
from sanfen.core.reasons import Reason

REPLY = Message(0, Key("s", "c", "v"), "m", "merchant", "k", agent="小美", text="亲，您好，请稍等")
RULES = (
    Rule("flag", verdict="invalid", modes=frozenset({"auto", "bot"})),
    Rule("assisted", verdict="valid", modes=frozenset({"assisted"})),
    Rule("robot", mode=Mode.bot, agents=frozenset({"机器人"}), bot="xiaoduo"),
    Rule("token", mode=Mode.assisted, credentials=frozenset({"t1"}), bot="leyan"),
    Rule("greeting", verdict="invalid", text=re.compile("^亲，您好"), max_length=12),
    Rule("fast", verdict="invalid", within_ms=1_500, min_length=12),
    Rule("other channel", verdict="invalid", channels=frozenset({"d"})),
    Rule("default", verdict="valid"),
)


@pytest.mark.parametrize(
    ("change", "since_ms", "wanted"),
    [
        ({"mode": "bot", "evidence": "field"}, None, ("bot", "field", "flag")),
        ({"mode": "assisted", "bot": "leyan", "evidence": "field"}, None, ("assisted", "field", "assisted")),
        ({"agent": "机器人"}, None, ("bot", "directory", "robot")),
        ({"credential": "t1"}, None, ("assisted", "credential", "token")),
        ({}, None, ("auto", "text", "greeting")),
        ({"text": "亲，您好，这款是纯棉的，可以机洗"}, 1_000, ("auto", "text", "fast")),
        ({"text": "亲，您好，这款是纯棉的，可以机洗"}, 1_500, ("human", "default", "default")),
        ({"text": None}, 10, ("human", "default", "default")),
        ({"mode": "human", "evidence": "field", "text": "有"}, 10, ("human", "field", "default")),
    ],
)
def test_the_first_rule_that_matches_wins(
    change: dict[str, Any], since_ms: int | None, wanted: tuple[str, str, str]
) -> None:
    asked_ms = None if since_ms is None else REPLY.at_ms - since_ms
    found = classify(REPLY._replace(**change), RULES, asked_ms)

    assert (found.mode, found.evidence, found.rule) == wanted


def test_what_no_rule_knows_stays_unknown() -> None:
    """Never silently a person."""
    assert classify(REPLY, RULES[:1]).mode == Mode.unknown
    assert classify(REPLY, RULES[:1]).evidence == Evidence.none


def test_customers_are_not_classified() -> None:
    question = REPLY._replace(sender="customer")

    assert classify(question, RULES) is question


def test_the_grade_is_that_of_the_weakest_evidence() -> None:
    assert Rule("x", modes=frozenset({"bot"}), text=re.compile("x")).grade == Evidence.text
    assert Rule("x", agents=frozenset({"a"}), modes=frozenset({"bot"})).grade == Evidence.directory


POLICY = Policy("p", bots=frozenset({"leyan"}))


@pytest.mark.parametrize(
    ("mode", "bot", "effect", "reason"),
    [
        ("human", None, "answers", Reason.reply_counts),
        ("assisted", "leyan", "answers", Reason.reply_counts),
        ("assisted", "other", "ignored", Reason.unlisted_bot),
        ("assisted", None, "ignored", Reason.unlisted_bot),
        ("bot", "leyan", "ignored", Reason.reply_ignored),
        ("auto", None, "ignored", Reason.reply_ignored),
        ("unknown", None, "ignored", Reason.mode_unknown),
    ],
)
def test_a_policy_gives_each_mode_its_effect(mode: str, bot: str | None, effect: str, reason: Reason) -> None:
    verdict = judge(REPLY._replace(mode=mode, bot=bot), POLICY)

    assert (verdict.effect, verdict.reason, verdict.valid) == (effect, reason, effect == "answers")


def test_an_unlisted_bot_does_not_answer_where_bots_do() -> None:
    policy = Policy("p", bots=frozenset({"dianxiaomi"}), replies=POLICY.replies | {"bot": "answers"})

    assert judge(REPLY._replace(mode="bot", bot="dianxiaomi"), policy).effect == "answers"
    assert judge(REPLY._replace(mode="bot", bot="other"), policy).effect == "ignored"
    assert judge(REPLY._replace(mode="assisted", bot="other"), policy).effect == "ignored"


def test_empty_replies() -> None:
    empty = (re.compile("稍等", re.IGNORECASE),)

    assert judge(REPLY._replace(mode="human"), POLICY, empty).reason == Reason.empty_reply
    assert judge(REPLY._replace(mode="human", text=None), POLICY, empty).valid
