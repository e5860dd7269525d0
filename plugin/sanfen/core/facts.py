"""What the machine remembers: the facts of a round, a session and a conversation.

Facts only; whether a round is met or missed is ``score``'s business, and follows from them at any time.
"""

from hashlib import blake2b

from sanfen.core.days import NEVER
from sanfen.core.events import Key, Message

__all__ = ["Conversation", "Held", "Round", "Session", "round_id"]


class Session:
    """A stretch of a conversation. Tags and the store state hold for every round in it."""

    __slots__ = ("by_merchant", "handed", "inside", "opened_ms", "started", "tags")

    def __init__(self, opened_ms: int) -> None:
        self.opened_ms = opened_ms
        self.started = False  # a customer or a merchant has spoken in it
        self.inside = True  # the opening lies in the policy's hours
        self.by_merchant = False
        self.handed = False  # a bot handed it to people
        self.tags: dict[str, str] = {}  # tag -> id of the event that set it


class Round:
    """From the first unanswered question to the reply that ends it. Times are epoch milliseconds."""

    __slots__ = (
        "_id",
        "agent",
        "base_ms",
        "clock_ms",
        "closed_ms",
        "closing_id",
        "customer",
        "customer_type",
        "date",
        "day_end_ms",
        "due_ms",
        "excused_id",
        "heeds_ms",
        "holiday",
        "inside",
        "key",
        "ladder",
        "last_ms",
        "left",
        "messages",
        "next_ms",
        "open_wait",
        "opened_ms",
        "opening_id",
        "ordinal",
        "overdue_told",
        "replied_inside",
        "rests_ms",
        "session",
        "settled_ms",
        "step",
        "store",
        "taken_by",
        "told_ms",
        "transferred_id",
        "turn",
        "voided",
        "wait_ms",
    )

    def __init__(self, key: Key, question: Message, session: Session, ordinal: int = 0) -> None:
        self._id: str | None = None  # made when somebody asks
        self.ordinal = ordinal  # of the rounds of one question, where transfers split
        self.key = key
        self.customer = question.customer
        self.customer_type = question.customer_type
        self.session = session
        self.agent: str | None = None
        self.opened_ms = question.at_ms
        self.opening_id = question.id
        self.date = ""
        self.day_end_ms = NEVER
        self.inside = True
        self.holiday = False
        self.base_ms = NEVER  # when its clock starts, if the shop is there then
        self.heeds_ms = NEVER  # what the shop says of itself before this decides whether the clock starts
        self.clock_ms = NEVER  # NEVER while it waits for the shop to come online
        self.due_ms = NEVER
        self.next_ms = NEVER  # when something about it is due next, while it is not final
        self.open_wait = False  # the wait counts open hours only
        self.store = "online"
        self.messages = 1
        self.last_ms = question.at_ms  # the customer's last message
        self.excused_id: str | None = None
        self.voided = False
        self.closed_ms: int | None = None
        self.closing_id: str | None = None
        self.wait_ms: int | None = None
        self.replied_inside = False
        self.transferred_id: str | None = None
        self.left = False  # its session is over: nothing can answer it any more
        self.settled_ms: int | None = None  # the midnight that settled it for good
        self.overdue_told = False
        self.ladder = -1
        self.step = 0  # escalation steps already taken
        self.turn = 0  # how often the last of them was told again
        self.told_ms = 0  # when that was
        self.rests_ms = 0  # no step is due before this: somebody took it, or it is snoozed
        self.taken_by: str | None = None

    @property
    def id(self) -> str:
        """The round's name."""
        if self._id is None:
            self._id = round_id(self.key, self.opening_id, self.ordinal)
        return self._id

    @property
    def answerable(self) -> bool:
        """Whether a reply can still end it."""
        return not self.left and self.closed_ms is None and self.transferred_id is None and self.settled_ms is None


class Held:
    """A first question that waits for the handoff."""

    __slots__ = ("last_ms", "messages", "question")

    def __init__(self, question: Message) -> None:
        self.question = question
        self.messages = 1
        self.last_ms = question.at_ms


class Conversation:
    """One conversation under one policy: what is open, and what the next event needs to know."""

    __slots__ = (
        "agent",
        "closed_ms",
        "heard_ms",
        "held",
        "key",
        "last_customer_ms",
        "last_ms",
        "next_ms",
        "rounds",
        "session",
        "settled_ms",
        "spoken_ms",
        "store",
    )

    def __init__(self, key: Key, store: str = "online") -> None:
        self.key = key
        self.store = store
        self.session: Session | None = None
        self.rounds: list[Round] = []  # not final yet
        self.held: list[Held] = []  # more than one where each day has rounds of its own
        self.agent: str | None = None  # who holds the conversation
        self.last_ms: int | None = None  # the last event, of any kind
        self.heard_ms: int | None = None  # the last event of its own, not the shop's
        self.spoken_ms: int | None = None  # the last message
        self.last_customer_ms: int | None = None
        self.closed_ms: int | None = None
        self.settled_ms = -NEVER  # the last midnight that settled something: earlier events mean a refold
        self.next_ms = NEVER  # when the next Tick is due


def round_id(key: Key, opening_id: str, ordinal: int) -> str:
    """A round's name, the same in every run: made from its conversation and the question that opened it."""
    material = "\0".join((*key, opening_id, str(ordinal)))
    return "r" + blake2b(material.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
