"""What an explanation lists is what the score decided."""

from random import Random

import pytest

from sanfen.config import presets
from sanfen.core.checks import checks, clause_of
from sanfen.core.drive import fold
from sanfen.core.events import Event, Handoff, Key, Message, Store, Tag, Transfer
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy, Report
from sanfen.core.reasons import Reason
from sanfen.errors import PolicyError

KEY = Key("s", "c", "k")
START = 1_673_053_200_000  # 2023-01-07 09:00 in Shanghai
PAUSES = [0, 400, 1_000, 60_000, 180_000, 181_000, 1_200_000, 30_000_000]


def chat(seed: int) -> list[Event]:
    """A conversation in which everything happens that a policy can leave a round out for."""
    dice, out, at_ms = Random(seed), list[Event](), START
    kind = dice.choice(["buyer", "buyer", "sub_account", "platform_staff", "cn_account"])
    for number in range(dice.randint(2, 14)):
        at_ms += dice.choice(PAUSES)
        name, roll = str(number), dice.random()
        if roll < 0.45:
            out.append(Message(at_ms, KEY, name, "customer", "k", customer_type=kind))
        elif roll < 0.8:
            mode = dice.choice(["human", "assisted", "bot", "auto"])
            out.append(Message(at_ms, KEY, name, "merchant", "k", mode, dice.choice(["a", "b"]), "leyan"))
        else:
            system: list[Event] = [
                Tag(at_ms, KEY, name, dice.choice(["spam", "abnormal", "red_packet", "sub_account"])),
                Store(at_ms, KEY, name, dice.choice(["online", "away", "holiday_mode", "closed_shop"])),
                Transfer(at_ms, KEY, name, "a", "b"),
                Handoff(at_ms, KEY, name),
            ]
            out.append(dice.choice(system))
    return out


def policies() -> list[Policy]:
    out = []
    for name in presets.names():
        try:
            out.append(presets.policy(name, holidays=frozenset({"2023-01-07"})))
        except PolicyError:
            continue
    return [*out, Policy("cut", report=Report(gap_cut_ms=600_000))]


@pytest.mark.parametrize("policy", policies(), ids=lambda policy: policy.id)
def test_the_first_check_that_holds_is_the_reason(policy: Policy) -> None:
    plan = plan_of(policy)
    for seed in range(60):
        for one, scored in fold(Conversation(KEY), chat(seed), plan).rounds():
            found = checks(one, plan, scored)
            held = [number for number, check in enumerate(found) if check.holds]

            assert [found[number].name for number in held] == ([scored.reason] if scored.outcome == "excluded" else [])
            assert all(check.holds is None for check in found[(held or [len(found)])[0] + 1 :])


def test_every_reason_names_a_clause() -> None:
    fields = set(Policy.__slots__)

    assert {clause_of(reason) for reason in Reason} <= fields
