"""Robots and a channel's API as unreliable as they are, in virtual time: the real protocols, and a count of what arrived.

The senders' HTTP client and the channel's are replaced; what they would post is judged by ``tests.robots``.
"""

import asyncio
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextvars import ContextVar
from random import Random
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from tests.faults.people import LIMITS, local
from tests.faults.virtual import ONE, VirtualClock
from tests.robots import Rate, Robot, Robots

from sanfen.abc import Answer, Call, DeliveryError
from sanfen.outbound import Guard
from sanfen.store.outbox import Row
from sanfen_adapters import posting

__all__ = ["SENDING", "Phones", "Step"]

MERGE_MS = 15_000

SENDING: ContextVar[tuple[Row, ...]] = ContextVar("SENDING", default=())


class Step(NamedTuple):
    """One step for one person."""

    round: str
    ladder: str
    step: int
    turn: int
    kind: str
    person: str


class Phones:
    """The robots' own servers and the channel's API, as unreliable as they are; what truly arrived is counted here."""

    def __init__(self, clock: VirtualClock, dice: Random) -> None:
        self._clock, self._dice = clock, dice
        self.robots: dict[str, Robot] = {}
        self.told: Counter[Step] = Counter()
        self.messages: dict[str, tuple[int, int]] = {}  # the last to each person: when, and how many there were
        self.counts: Counter[str] = Counter()
        self.broken: list[str] = []  # what must never be
        self._posts: dict[str, deque[int]] = defaultdict(deque)
        self._muted: dict[str, int] = {}
        self.on_assigned: Callable[[str, str], None] = lambda _conversation, _agent: None
        self.address: dict[str, str] = {}
        made = Robots()
        made.port = 9003
        for name, kind in ROBOTS.items():
            rates = [Rate(most, per_ms, 600_000 if kind == "dingtalk" else 0) for most, per_ms in LIMITS[kind]]
            secret = "a signing secret" if name == "lead" else None
            robot = made.add(kind, rates=rates, now_ms=clock.now_ms, secret=secret)
            self.address[name] = robot.address
            if name != "ghost":  # whose robot was removed from its group
                self.robots[robot.token] = robot

    async def post(self, url: str, body: bytes, _headers: Any = None, *, guard: Guard) -> posting.Answer:
        """What ``posting.Client.post`` is asked to do. Raises DeliveryError, and what a bug raises."""
        if guard.refusal(url) is not None:
            self.broken.append(f"{url} may not be connected to")
        query = dict(parse_qsl(urlsplit(url).query))
        token = query.get("access_token") or query.get("key") or urlsplit(url).path.rpartition("/")[2]
        robot = self.robots.get(token)
        self._is_in_time(token)
        fault = self._fault("send", SEND_FAULTS)
        await asyncio.sleep(2 if fault == "slow" else 60 if fault == "hang" else self._dice.uniform(0.05, 0.5))
        if fault in LOST:
            raise DeliveryError("planted", reason=fault, retryable=True, unknown=LOST[fault])
        if fault == "bug":
            raise ZeroDivisionError
        if fault in ("500", "502", "200"):
            return posting.Answer(int(fault), "<html>trouble</html>", None)
        if robot is None:
            return posting.Answer(200, json.dumps({"errcode": 300005, "errmsg": "token is not exist"}), None)
        robot.keyword = "告警" if fault == "keyword" else None
        answer: dict[str, Any] = robot.judge(cast("web.Request", _Asked(query)), body)
        if not answer.get("errcode", answer.get("code")):
            self._heard(SENDING.get())
        elif answer.get("errcode") == 130101:
            self._muted[token] = self._clock.now_ms() + 600_000
        if fault == "unsaid":
            raise DeliveryError("answer lost", reason="lost", retryable=True, unknown=True)
        return posting.Answer(200, json.dumps(answer, ensure_ascii=False), None)

    async def call(self, call: Call) -> Answer:
        """What ``Calls.send`` is asked to do: Chatwoot. Raises DeliveryError."""
        fault = self._fault("api", ("refused", "lost", "500", "422", "unsaid"))
        await asyncio.sleep(self._dice.uniform(0.05, 0.5))
        if fault in LOST:
            raise DeliveryError("planted", reason=fault, retryable=True, unknown=LOST[fault])
        if fault in ("500", "422"):
            return Answer(int(fault), {}, b"trouble")
        self._heard(SENDING.get())
        if call.url.endswith("/assignments"):
            self.on_assigned(call.url.split("/")[-2], f"user:{json.loads(call.body)['assignee_id']}")
        if fault == "unsaid":
            raise DeliveryError("answer lost", reason="answer_lost", retryable=True, unknown=True)
        return Answer(200, {}, b"{}")

    def shouted(self, name: str) -> None:
        """Strangers are loud in a robot's group: it hears more than it takes."""
        robot = next(one for one in self.robots.values() if one.address == self.address[name])
        for _ in range(25):
            robot._is_too_often()

    def _fault(self, what: str, faults: tuple[str, ...]) -> str:
        number = int(self._dice.random() / ONE)
        if number >= len(faults):
            return ""
        self.counts[f"{what}: {faults[number]}"] += 1
        return faults[number]

    def _is_in_time(self, token: str) -> None:
        """No robot is sent more than it takes, nor anything while it has said that it takes nothing."""
        now_ms, posts = self._clock.now_ms(), self._posts[token]
        if now_ms < self._muted.get(token, 0):
            self.broken.append(f"{token} is muted and was written to")
        posts.append(now_ms)
        for most, per_ms in LIMITS[token.partition("-")[0]]:
            if sum(at_ms > now_ms - per_ms for at_ms in posts) > most:
                self.broken.append(f"{token} was sent too many: {list(posts)}")
        while posts[0] < now_ms - 60_000:
            posts.popleft()

    def _heard(self, rows: tuple[Row, ...]) -> None:
        self.told.update(Step(row.round, row.ladder, row.step, row.turn, row.kind, row.person) for row in rows)
        if not rows or rows[0].kind == "reassign" or rows[0].person == "agent":
            return
        person, now_ms = rows[0].person, self._clock.now_ms()
        last_ms, count = self.messages.get(person, (0, 0))
        if now_ms - last_ms < MERGE_MS and all(row.attempts == 1 for row in rows):
            self.broken.append(f"{person} was told twice within {now_ms - last_ms} ms, at {local(now_ms)}")
        self.messages[person] = now_ms, count + 1


class _Asked(NamedTuple):
    """Of an HTTP request what a robot looks at beside its body."""

    query: dict[str, str]
    remote: str = "127.0.0.1"


ROBOTS = {
    "lily": "dingtalk", "amy": "feishu", "amy2": "wecombot", "ben": "lark", "lead": "dingtalk", "lead2": "wecombot",
    "deputy": "feishu", "owl": "wecombot", "owl2": "dingtalk", "temp": "lark", "ghost": "dingtalk", "boss": "lark",
    "boss2": "dingtalk", "chief": "wecombot",
}  # fmt: skip
LOST = {"refused": False, "tls": False, "lost": True, "timeout": True}  # and whether it may have arrived
SEND_FAULTS = (*LOST, "bug", "500", "502", "200", "keyword", "unsaid", "slow", "hang")
