"""Twenty standard scenarios: what happens, in acts, and what the log must say of it however often the service died.

Times are milliseconds from a moment ten seconds ago, so every deadline (60 ms) is over and outcomes follow from the
events alone. An act ends when its deliveries are acknowledged and, where it says so, a person has been told.
"""

from typing import Any, NamedTuple

from tests.crash.shop import Sent
from tests.crash.wire import Answer

__all__ = ["SCENARIOS", "Act", "Scenario"]

DESK, BACK, EVENTS = "/in/desk", "/out/desk", "/events"


class Act(NamedTuple):
    """Deliveries, in order; then who must have been told; then whether the service is stopped, and how it is set up anew."""

    sends: tuple[tuple[str, Any], ...] = ()
    told: str = ""
    anew: str = ""


class Scenario(NamedTuple):
    """``rounds``: customer, status, because, under the first policy. ``told``: who must have heard, or be seen by all as not told."""

    name: str
    acts: tuple[Act, ...]
    rounds: tuple[tuple[str, str, str], ...]
    told: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()  # of the notifier, one after the other; then it accepts
    fresh: bool = False

    def sends(self, act: Act, start_ms: int) -> list[Sent]:
        """An act's deliveries at their time."""
        return [Sent(path, _name(event), _timed(event, start_ms)) for path, event in act.sends]


def _timed(event: Any, start_ms: int) -> Any:
    if isinstance(event, list):
        return [_timed(one, start_ms) for one in event]
    return event if isinstance(event, bytes) else event | {"at": start_ms + event["at"]}


def _name(event: Any) -> str:
    if isinstance(event, bytes):
        return "poison1"
    return str(event[0]["id"] if isinstance(event, list) else event["id"])


def _event(name: str, at_ms: int, customer: str, sender: str, **more: str) -> dict[str, Any]:
    return {"id": name, "at": at_ms, "channel": "desk", "conversation": customer, "from": sender} | more


def ask(name: str, at_ms: int, customer: str = "A") -> tuple[str, Any]:
    return DESK, _event(name, at_ms, customer, "customer", text="在吗")


def answer(name: str, at_ms: int, customer: str = "A", **more: str) -> tuple[str, Any]:
    return BACK, _event(name, at_ms, customer, "merchant", **({"mode": "human", "agent": "小美"} | more))


def system(name: str, at_ms: int, kind: str, **more: str) -> tuple[str, Any]:
    return DESK, _event(name, at_ms, more.pop("customer", "A"), "system", event=kind, **more)


def _several(*sends: tuple[str, Any]) -> tuple[str, Any]:
    return EVENTS, [event for _, event in sends]


MET, LATE, MISSED = ("met", "answered_in_time"), ("late", "answered_late"), ("missed", "no_valid_reply")

SCENARIOS = (
    Scenario("answered", (Act((ask("q", 0), answer("m", 30))),), (("A", *MET),)),
    Scenario("answered late", (Act((ask("q", 0), answer("m", 90))),), (("A", *LATE),)),
    Scenario("never answered", (Act((ask("q", 0),), "boss"),), (("A", *MISSED),), ("lead", "boss")),
    Scenario("a robot answers", (Act((ask("q", 0), answer("m", 20, mode="bot", agent="客服机器人"))),), (("A", "excluded", "bot_only"),)),
    Scenario("said twice", (Act((ask("q", 0), ask("q", 0), answer("m", 30), answer("m", 30))),), (("A", *MET),)),
    Scenario("the answer comes first", (Act((answer("m", 30), ask("q", 0))),), (("A", *MET),)),
    Scenario("told, then answered in time after all", (Act((ask("q", 0),), "lead"), Act((answer("m", 30),))), (("A", *MET),), ("lead",)),
    Scenario("spam", (Act((ask("q", 0), answer("m", 30), system("t", 40, "tag", tag="spam"))),), (("A", "excluded", "spam"),)),
    Scenario("the shop is closed", (Act((system("s", 0, "store", state="closed_shop"), ask("q", 10), answer("m", 30))),), (("A", "excluded", "closed_shop"),)),
    Scenario("handed to somebody else", (Act((ask("q", 0), system("t", 10, "transfer", agent="小美", to="阿强"), answer("m", 50, agent="阿强"))),), (("A", *MET),)),
    Scenario("closed and asked again", (Act((ask("q", 0), answer("m", 20), system("c", 30, "close"), ask("r", 40), answer("n", 50))),), (("A", *MET), ("A", *MET))),
    Scenario("taken back", (Act((ask("q", 0), system("r", 10, "recall", message="q"), ask("p", 20), answer("m", 30))),), (("A", *MET),)),
    Scenario("an order", (Act((ask("q", 0), answer("m", 30), system("o", 40, "order", order="7", stage="created", amount="1999"), system("p", 50, "order", order="7", stage="paid"))),), (("A", *MET),)),
    Scenario("several at once", (Act((_several(ask("q", 0), ask("r", 5, "B"), answer("m", 30), answer("n", 90, "B")),)),), (("A", *MET), ("B", *LATE))),
    Scenario("unreadable", (Act(((DESK, b'{"id": "x", '), ask("q", 0), answer("m", 30))),), (("A", *MET),)),
    Scenario("the notifier refuses", (Act((ask("q", 0),), "boss"),), (("A", *MISSED),), ("boss",), (Answer(503), Answer(503))),
    Scenario("the notifier hangs up", (Act((ask("q", 0),), "boss"),), (("A", *MISSED),), ("boss",), (Answer(0), Answer(0))),
    Scenario("the notifier's answer is lost", (Act((ask("q", 0),), "boss"),), (("A", *MISSED),), ("boss",), (Answer(-1), Answer(-1))),
    Scenario("a fresh file", (Act((ask("q", 0), answer("m", 30))),), (("A", *MET),), fresh=True),
    Scenario("another policy", (Act((ask("q", 0), ask("r", 0, "B"), answer("n", 30, "B")), anew="5ms"), Act((answer("m", 30),))), (("A", *MET), ("B", *MET))),
)  # fmt: skip
"""``anew``: the deadline under which it is started again; rounds keep the one they opened under."""
