"""The figures of the seed articles, which follow no policy: sessions, first and average response, unreplied customers,
message counts, slow and long receptions, inquiries. docs/figures.md defines each.

``mark`` gives each line of a conversation its place (its session, its wait, who holds it); ``Desk`` counts marked lines.
A reply is valid here when a person gave it (``events.VALID``). Lines come in order of time, ties in order of arrival.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sanfen.core.policy import Marks
from sanfen.core.score import mark_of

__all__ = ["Desk", "Line", "Marked", "Settings", "mark"]

_STRANGERS = frozenset({"sub_account", "merchant", "platform_staff", "group_chat"})
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What the definitions leave open; durations in milliseconds. The defaults are those the articles name."""

    gap_ms: int = 600_000  # silence that ends a session
    cap_ms: int = 600_000  # a longer wait counts as this in ``total_reply_cost``
    cut_ms: int = 600_000  # a wait this long or longer is not in ``cut_reply_cost``
    within_ms: int = 180_000  # a wait in time
    message_within_ms: int = 30_000  # a message answered in time
    slow_ms: int = 120_000  # a wait over this is slow
    slow_times: int = 3  # so many slow waits in a customer's day make a slow reception
    long_ms: int = 1_800_000  # a session longer than this is a long reception
    apart_ms: int = 10_000  # agent lines this far apart: who wrote a single line had no interest
    order_days: int = 21  # a customer with an order this recently asks about that order
    takeover_ms: int = (
        1_800_000  # another agent's segment earns an order this long after the credited one's last message
    )
    silent_ms: int = 1_800_000  # a chase of a silent order earns its payment this long after it
    lookback_ms: int | None = None  # a talk that ended longer before an order is none of its; None: every talk is
    marks: Marks = field(default_factory=Marks)


class Line(NamedTuple):
    """A message, as far as figures look at it. ``chars``: its length without white space, None where it is not known."""

    at_ms: int
    day: str
    hour: int
    customer: str
    customer_type: str
    asks: bool
    valid: bool
    agent: str | None
    ad: bool
    chars: int | None


class Marked(NamedTuple):
    """A line and its place. ``agent``: who answered it, or sent it, or holds the conversation."""

    line: Line
    session: int
    opens: bool  # the first question of an unanswered run
    starts: bool  # the first question of its session
    agent: str
    wait_ms: int | None  # of a question: until the next valid reply
    replied: str  # of a question: the local day of that reply
    same: bool  # that reply came in the same session


def mark(lines: Sequence[Line], gap_ms: int = 600_000) -> list[Marked]:
    """The lines of one conversation, marked."""
    out: list[Marked] = []
    waiting: list[int] = []  # places of the questions no valid reply has come for
    session, asked_in, spoken_ms, holder = 0, 0, None, ""
    for line in lines:
        if spoken_ms is None or line.at_ms - spoken_ms >= gap_ms:
            session += 1
        spoken_ms = line.at_ms
        holder = line.agent or holder
        if line.valid:
            for place in waiting:
                asked = out[place]
                wait_ms = line.at_ms - asked.line.at_ms
                same = asked.session == session
                out[place] = asked._replace(agent=line.agent or "", wait_ms=wait_ms, replied=line.day, same=same)
            waiting = []
        starts = line.asks and asked_in != session
        opens = line.asks and not waiting
        if line.asks:
            asked_in = session
            waiting.append(len(out))
        out.append(Marked(line, session, opens, starts, holder, None, "", same=False))
    return out


class _Customer:
    """One customer in one group."""

    __slots__ = ("ad", "asked", "days", "first_ms", "last_ms", "replied", "stranger", "valid")

    def __init__(self) -> None:
        self.asked = self.valid = 0
        self.ad = self.replied = self.stranger = False
        self.first_ms: int | None = None  # of the valid replies
        self.last_ms = 0
        self.days: dict[str, list[int]] = {}  # day: first question's instant, slow waits

    def after_sale(self, orders: Sequence[tuple[int, str]], recent_ms: int) -> bool:
        """Whether the customer asked about an order, and bought nothing more that day. ``orders``: instant, local day."""
        return any(
            any(asked_ms - recent_ms <= at_ms < asked_ms for at_ms, _ in orders)
            and not any(at_ms >= asked_ms and bought == day for at_ms, bought in orders)
            for day, (asked_ms, _) in self.days.items()
        )


class Desk:
    """The figures of one group: an agent, an hour, a shop, or everything."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._customers: dict[tuple[str, ...], _Customer] = {}
        self._sessions: dict[tuple[object, int], list[int]] = {}  # first and last instant
        self._long: set[tuple[str, ...]] = set()
        self._orders: dict[tuple[str, ...], Sequence[tuple[int, str]]] = {}
        self._sums = dict.fromkeys(_SUMS, 0)
        self._longest_ms = 0
        self._within = [0] * len(settings.marks.bands)

    def add(
        self, place: tuple[str, ...], conversation: object, one: Marked, orders: Sequence[tuple[int, str]] = ()
    ) -> None:
        """Count a line. ``place``: shop, channel; ``orders``: when the conversation's orders were made."""
        line, sums = one.line, self._sums
        key = (*place, line.customer)
        customer = self._customers.get(key)
        if customer is None:
            customer = self._customers[key] = _Customer()
        if orders:
            self._orders[key] = orders
        customer.stranger |= line.customer_type in _STRANGERS
        if line.asks or line.valid:
            span = self._sessions.setdefault((conversation, one.session), [line.at_ms, line.at_ms])
            span[1] = line.at_ms
            if span[1] - span[0] > self._settings.long_ms:
                self._long.add(key)
        if line.valid:
            customer.valid += 1
            customer.first_ms = line.at_ms if customer.first_ms is None else customer.first_ms
            customer.last_ms = line.at_ms
            sums["seller_msg_num"] += 1
            sums["seller_word_num"] += line.chars or 0
        elif line.asks:
            customer.asked += 1
            customer.replied |= one.replied == line.day  # in the group or, where those are hours, in a later one
            customer.ad |= line.ad
            sums["buyer_msg_num"] += 1
            if not line.ad:
                sums["messages"] += 1
                sums["messages_in_time"] += one.wait_ms is not None and one.wait_ms <= self._settings.message_within_ms
            day = customer.days.setdefault(line.day, [line.at_ms, 0])
            if one.starts and one.wait_ms is not None and one.same:
                sums["first_reply_ms"] += one.wait_ms
                sums["first_reply_times"] += 1
            if one.opens:
                self._round(one, day)

    def _round(self, one: Marked, day: list[int]) -> None:
        settings, sums, wait_ms = self._settings, self._sums, one.wait_ms
        sums["rounds"] += 1
        sums["marks"] += mark_of(wait_ms, settings.marks)
        if wait_ms is not None:
            sums["total_reply_ms"] += min(wait_ms, settings.cap_ms)
            sums["total_reply_times"] += 1
            if wait_ms < settings.cut_ms:
                sums["cut_reply_ms"] += wait_ms
                sums["cut_reply_times"] += 1
            self._longest_ms = max(self._longest_ms, wait_ms)
            sums["ok"] += wait_ms <= settings.within_ms
            day[1] += wait_ms > settings.slow_ms
            for number, (bound_ms, _) in enumerate(settings.marks.bands):
                self._within[number] += wait_ms <= bound_ms

    def figures(self) -> dict[str, int | float | None]:
        """Every figure by name; costs in seconds. ``within_60s``: the share of rounds answered within so many seconds."""
        sums, settings = self._sums, self._settings
        asked = {key: one for key, one in self._customers.items() if one.asked}
        unreplied = sum(not one.valid and not one.replied for one in asked.values())
        slow = sum(slow >= settings.slow_times for one in asked.values() for _, slow in one.days.values())
        recent_ms = settings.order_days * _DAY_MS
        after = {key for key, one in asked.items() if one.after_sale(self._orders.get(key, ()), recent_ms)}
        shares = {
            f"within_{bound_ms // 1000}s": _ratio(count, sums["rounds"])
            for (bound_ms, _), count in zip(settings.marks.bands, self._within, strict=True)
        }
        return {
            "consult_num": len(asked),
            "service_num": len(asked) - unreplied,
            "no_reply_num": unreplied,
            "reply_rate": _ratio(len(asked) - unreplied, len(asked)),
            "ask_num": sum(key not in after and self._inquires(one) for key, one in asked.items()),
            "after_sale_num": len(after),
            "sessions": len(self._sessions),
            "first_reply_cost": sums["first_reply_ms"] / 1000,
            "first_reply_times": sums["first_reply_times"],
            "first_reply_mean": _ratio(sums["first_reply_ms"], 1000 * sums["first_reply_times"]),
            "total_reply_cost": sums["total_reply_ms"] / 1000,
            "total_reply_times": sums["total_reply_times"],
            "total_reply_mean": _ratio(sums["total_reply_ms"], 1000 * sums["total_reply_times"]),
            "cut_reply_cost": sums["cut_reply_ms"] / 1000,
            "cut_reply_times": sums["cut_reply_times"],
            "cut_reply_mean": _ratio(sums["cut_reply_ms"], 1000 * sums["cut_reply_times"]),
            "longest_reply": self._longest_ms / 1000,
            "rounds": sums["rounds"],
            "ok": sums["ok"],
            "mark": _ratio(sums["marks"], sums["rounds"]),
            "messages": sums["messages"],
            "messages_in_time": sums["messages_in_time"],
            "message_rate": _ratio(sums["messages_in_time"], sums["messages"]),
            "buyer_msg_num": sums["buyer_msg_num"],
            "seller_msg_num": sums["seller_msg_num"],
            "seller_word_num": sums["seller_word_num"],
            "answer_ratio": _ratio(sums["seller_msg_num"], sums["buyer_msg_num"]),
            "slow_reception_num": slow,
            "long_receive_num": len(self._long),
        } | shares

    def _inquires(self, one: _Customer) -> bool:
        """The inquiry filter: strangers, ads, and customers of one line who did not come back are left out."""
        gone = one.asked == 1 and one.first_ms is not None and one.last_ms - one.first_ms >= self._settings.apart_ms
        return not (one.stranger or one.ad or gone)


_SUMS = (
    "first_reply_ms", "first_reply_times", "total_reply_ms", "total_reply_times", "cut_reply_ms", "cut_reply_times",
    "rounds", "ok", "marks", "messages", "messages_in_time", "buyer_msg_num", "seller_msg_num", "seller_word_num",
)  # fmt: skip


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
