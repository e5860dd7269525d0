"""What a merchant-side message is: a person's words, a bot's, an auto-reply.

First the operator's rules decide the ``mode`` of a message from what the adapter knows (first match wins); the grade of
the evidence is kept with it. Then a policy gives each mode an effect (``judge``), the only place where a reply becomes
valid or not.
"""

from collections.abc import Mapping
from re import Pattern
from typing import Literal, NamedTuple

from sanfen.core.events import SOMEBODY, Evidence, Message, Mode, Sender
from sanfen.core.policy import Policy, ReplyEffect
from sanfen.core.reasons import Reason

__all__ = ["NOBODY", "Directory", "Rule", "Verdict", "classify", "judge", "merged", "placed"]

_TEXT_LIMIT = 2000  # characters a pattern looks at: a bound on its time
_GRADES = tuple(Evidence)
_MACHINE = frozenset({Mode.bot, Mode.auto, Mode.broadcast})


class Rule(NamedTuple):
    """One classification rule. Empty conditions match everything; the first rule that matches gives the mode.

    ``verdict`` settles a reply whose mode is unknown: valid is a person, invalid an auto-reply. On a known mode valid
    changes nothing (the policy decides) and invalid turns a person's or an assisted reply into an auto-reply.
    """

    name: str
    verdict: Literal["valid", "invalid"] | None = None
    mode: Mode | None = None
    modes: frozenset[str] = frozenset()
    bots: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    text: Pattern[str] | None = None
    min_length: int | None = None
    max_length: int | None = None
    repeats: int | None = None  # the same text was said at least so often on the channel, in 24 hours
    within_ms: int | None = None  # typed in less than this since the customer's last message
    bot: str | None = None  # the bot's name to record
    place: str = ""  # file:line, for explanations

    @property
    def label(self) -> str:
        """The rule's name and where it stands."""
        return f"{self.name} ({self.place})" if self.place else self.name

    @property
    def grade(self) -> Evidence:
        """The weakest kind of evidence the rule leans on."""
        if self.text or any(
            one is not None for one in (self.min_length, self.max_length, self.within_ms, self.repeats)
        ):
            return Evidence.text
        if self.agents:
            return Evidence.directory
        if self.credentials:
            return Evidence.credential
        if self.bots or self.modes - {Mode.unknown}:
            return Evidence.field
        return Evidence.default


class Directory(NamedTuple):
    """Whom the shop knows by the channels' ids for them: people, and bots by their names here."""

    staff: frozenset[str] = frozenset()
    bots: Mapping[str, str] = {}


NOBODY = Directory()


def placed(message: Message, directory: Directory) -> Message:
    """Of a message of which the channel does not say which side it is from: whoever is in no directory is a customer."""
    if message.sender != SOMEBODY:
        return message
    actor = message.customer
    bot = directory.bots.get(actor)
    if bot is None and actor not in directory.staff:
        return message._replace(sender=Sender.customer)
    return message._replace(
        sender=Sender.merchant,
        customer=message.key.conversation,
        mode=Mode.human if bot is None else Mode.bot,
        agent=actor if bot is None else None,
        bot=bot,
        evidence=Evidence.directory,
    )


class Verdict(NamedTuple):
    """What a policy makes of a reply, and why."""

    effect: ReplyEffect
    reason: Reason

    @property
    def valid(self) -> bool:
        """Whether the reply answers."""
        return self.effect == "answers"


def classify(message: Message, rules: tuple[Rule, ...], asked_ms: int | None = None, repeats: int = 0) -> Message:
    """The message with its mode resolved. ``asked_ms``: when the customer spoke last, epoch milliseconds; None: never.

    ``repeats``: how often its text was said on its channel in 24 hours, this time among them; 0: nobody counts.
    """
    if message.sender != Sender.merchant:
        return message
    since_ms = None if asked_ms is None else message.at_ms - asked_ms
    for rule in rules:
        if (rule.repeats is None or repeats >= rule.repeats) and _matches(rule, message, since_ms):
            mode = _resolve(rule, message.mode)
            grade = message.evidence if mode == message.mode != Mode.unknown else rule.grade
            at_ms, key, name, sender, customer, _, agent, bot, customer_type, text, tags, _, credential, _ = message
            return Message(  # a third of the time that _replace takes, for every reply there is
                at_ms, key, name, sender, customer, mode, agent, rule.bot or bot, customer_type, text, tags, grade, credential,
                rule.label,
            )  # fmt: skip
    return message


def merged(held: Message, again: Message) -> Message:
    """One message, seen twice on different ways: the earliest time, the strongest evidence, the text that went on.

    ``held`` is what is kept of it; what says nothing better changes nothing.
    """
    out = held
    if held.sender != again.sender:
        return held
    if again.at_ms < held.at_ms:
        out = out._replace(at_ms=again.at_ms)
    if (
        held.text is not None
        and again.text is not None
        and held.text != again.text
        and again.text.startswith(held.text)
    ):
        out = out._replace(text=again.text)  # it was still being written
    if held.sender == Sender.merchant and _rank(again) < _rank(held):
        out = out._replace(
            mode=again.mode, evidence=again.evidence, rule=again.rule, bot=again.bot,
            agent=again.agent or held.agent, credential=again.credential or held.credential,
        )  # fmt: skip
    return out


def _rank(message: Message) -> int:
    """How strong the evidence is. By whose token a known bot sends outweighs the name it sends under."""
    if message.evidence == Evidence.credential and message.bot is not None:
        return -1
    return _GRADES.index(Evidence(message.evidence))


def _matches(rule: Rule, message: Message, since_ms: int | None) -> bool:
    text = message.text
    length = len(text) if text is not None else None
    return (
        (not rule.modes or message.mode in rule.modes)
        and (not rule.bots or message.bot in rule.bots)
        and (not rule.agents or message.agent in rule.agents)
        and (not rule.credentials or message.credential in rule.credentials)
        and (not rule.channels or message.key.channel in rule.channels)
        and (rule.min_length is None or (length is not None and length >= rule.min_length))
        and (rule.max_length is None or (length is not None and length <= rule.max_length))
        and (rule.within_ms is None or (since_ms is not None and since_ms < rule.within_ms))
        and (rule.text is None or (text is not None and rule.text.search(text[:_TEXT_LIMIT]) is not None))
    )


def _resolve(rule: Rule, mode: str) -> str:
    if rule.mode is not None:
        return rule.mode
    if rule.verdict == "valid":
        return Mode.human if mode == Mode.unknown else mode
    return mode if mode in _MACHINE else Mode.auto


def judge(message: Message, policy: Policy, empty: tuple[Pattern[str], ...] = ()) -> Verdict:
    """The effect of a merchant-side message under a policy. ``empty``: its ``empty_replies``, compiled."""
    mode = message.mode
    effect = policy.replies[mode]
    if policy.bots and mode in (Mode.assisted, Mode.bot) and message.bot not in policy.bots:
        effect = policy.replies[Mode.bot]
        return Verdict("ignored" if effect == "answers" else effect, Reason.unlisted_bot)
    if effect == "answers":
        if empty and message.text is not None and any(p.search(message.text[:_TEXT_LIMIT]) for p in empty):
            return Verdict("ignored", Reason.empty_reply)
        return _ANSWERS
    if mode == Mode.unknown:
        return Verdict(effect, Reason.mode_unknown)
    return _OTHERS[effect]


_ANSWERS = Verdict("answers", Reason.reply_counts)
_OTHERS: dict[str, Verdict] = {
    "ignored": Verdict("ignored", Reason.reply_ignored),
    "excuses": Verdict("excuses", Reason.reply_excuses),
    "voids": Verdict("voids", Reason.reply_voids),
}
