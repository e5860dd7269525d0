"""The columns of answers: a name has one meaning and one type wherever it stands."""

from typing import Any

__all__ = ["COLUMNS", "names_of", "row_schema", "schema_of"]

# Types: text, int, number, flag, texts, list, map; with ? where it may be null.
COLUMNS: dict[str, tuple[str, str]] = {
    "a": ("text?", "outcome on one side"),
    "act": ("text", "unmask or erase"),
    "aftersale_by": ("text?", "who answered first after the goods came"),
    "agent": ("text?", "who at the shop; empty or null: nobody"),
    "allowed": ("number?", "misses the target bears in its period"),
    "amount": ("int?", "in the currency's smallest unit"),
    "answer": ("text?", "in the receiver's own words"),
    "answered": ("text?", "UTC"),
    "answered_ms": ("int?", "epoch milliseconds"),
    "as_of": ("text?", "the day its sources were looked at"),
    "asked": ("text", "UTC"),
    "asked_ms": ("int", "epoch milliseconds"),
    "assessed": ("flag?", "whether the platform assesses the period: enough units"),
    "at": ("text", "UTC"),
    "at_ms": ("int", "epoch milliseconds"),
    "attempts": ("int", "how often it was tried"),
    "b": ("text?", "outcome on the other side"),
    "because": ("text?", "the reason of the outcome, from the closed list"),
    "before": ("text?", "outcome before the change"),
    "after": ("text?", "outcome after the change"),
    "began": ("text", "UTC"),
    "began_ms": ("int", "epoch milliseconds"),
    "bot": ("text?", "the bot's vendor"),
    "breaks": ("text?", "the day the target breaks at this pace"),
    "burn_day": ("number?", "pace of the last day; 1 uses the budget up exactly"),
    "burn_hour": ("number?", "pace of the last hour"),
    "by": ("text", "who did it"),
    "cause": ("text", "what changed it"),
    "channel": ("text", "the channel's name"),
    "chars": ("int?", "length of the text, also where the text is not kept"),
    "clock_ms": ("int?", "when the clock started, epoch milliseconds"),
    "closed": ("text?", "local time of the policy's zone"),
    "closed_ms": ("int?", "epoch milliseconds; null: settled without a reply"),
    "confidence": ("text", "how sure its sources are"),
    "conversation": ("text", "masked"),
    "created": ("text?", "UTC"),
    "created_ms": ("int?", "epoch milliseconds"),
    "customer": ("text?", "masked"),
    "customer_messages": ("int", "what the customer said"),
    "customer_type": ("text?", "buyer, sub_account, merchant, …"),
    "day": ("text", "local day"),
    "deliveries": ("int", "lost in the gap"),
    "direction": ("text", "in or out"),
    "done": ("text?", "UTC"),
    "done_ms": ("int?", "epoch milliseconds"),
    "due": ("text?", "deadline; local time in rounds, else UTC"),
    "due_ms": ("int?", "deadline, epoch milliseconds"),
    "effect": ("text?", "what the reply did under the policy"),
    "ended": ("text?", "UTC"),
    "ended_ms": ("int", "epoch milliseconds"),
    "event": ("text", "the id of the event"),
    "evidence": ("text?", "how it is known"),
    "excluded": ("int", "rounds that count nowhere"),
    "first": ("text", "first local day"),
    "first_day": ("text", "first local day"),
    "first_reply_by": ("text?", "who gave it"),
    "first_reply_ms": ("int?", "milliseconds until the first valid reply"),
    "from_ms": ("int", "epoch milliseconds"),
    "hits": ("int?", "units that count for the shop"),
    "holds": ("flag?", "whether the target is met; null: too few units"),
    "hour": ("int", "local hour of opening"),
    "hours_min": ("list?", "minutes of the day they are there between; null: always"),
    "id": ("text", "its name"),
    "in_a_row": ("int?", "misses in a row the target still bears"),
    "incomplete": ("flag", "deliveries of this span are missing from the log"),
    "kept": ("int", "kept aside in the gap and journaled later"),
    "key": ("text", "the same happening has the same one, also if it is told twice"),
    "kind": ("text", "notify or reassign"),
    "ladder": ("text", "the ladder's name"),
    "last": ("text", "last local day"),
    "last_day": ("text", "last local day"),
    "late": ("int", "answered after the deadline"),
    "leaves": ("map", "what leaves the period tomorrow"),
    "left": ("number?", "misses the target still bears"),
    "mark": ("int?", "the policy's points for the wait"),
    "mean_wait_ms": ("int?", "mean wait of answered rounds, milliseconds"),
    "merchant_messages": ("int", "what the shop said"),
    "messages": ("int?", "how many messages"),
    "met": ("int", "validly answered in time"),
    "missed": ("int", "not validly answered"),
    "mode": ("text?", "human, shortcut, action, assisted, bot, auto, broadcast, unknown"),
    "month": ("text", "local month"),
    "name": ("text", "its name"),
    "notices": ("int?", "notices whose quotes were emptied"),
    "number": ("int", "a running number"),
    "op": ("text", "how the value is compared with the target"),
    "opened": ("text", "local time of the policy's zone"),
    "opened_ms": ("int", "epoch milliseconds"),
    "opens": ("flag?", "whether the question opened the round"),
    "order_by": ("text?", "who is credited with the order"),
    "order_id": ("text", "the channel's number of the order"),
    "paid": ("text?", "UTC"),
    "paid_by": ("text?", "who is credited with the payment"),
    "paid_ms": ("int?", "epoch milliseconds"),
    "path": ("text", "the address it was sent to, without its query"),
    "pending": ("int", "rounds that can still be met; in no rate"),
    "person": ("text", "who is told"),
    "place": ("text", "file and line"),
    "policy": ("text?", "the policy's id"),
    "policy_version": ("text", "the version the round opened under"),
    "rate": ("number?", "share of met in rounds"),
    "reason": ("text?", "why, from the closed list"),
    "received": ("text?", "UTC"),
    "received_ms": ("int?", "epoch milliseconds"),
    "result": ("text", "told, refused, unknown or untried"),
    "round": ("text?", "the round's id"),
    "rounds": ("int", "met, late and missed together"),
    "rule": ("text?", "the classification rule that decided, and its line"),
    "said_ms": ("int?", "the time it claimed, where another is taken"),
    "score_set": ("text?", "live, replay, or a name of yours"),
    "sender": ("text", "customer, merchant or system"),
    "seq": ("int", "its place in the journal"),
    "session": ("int", "the number of the stretch of talk"),
    "shop": ("text", "the shop's id"),
    "silent": ("int", "1: ordered without talk"),
    "standing": ("list", "units of today that are lost or open"),
    "state": ("text", "what became of it"),
    "status": ("text", "met, late, missed, pending or excluded"),
    "step": ("int", "which step of the ladder, from 0"),
    "step_after_ms": ("int?", "when the step was due, milliseconds after the first unanswered question"),
    "step_ms": ("int", "by how much the clock was set"),
    "suspect": ("int", "1: the machine's clock was set meanwhile"),
    "tags": ("text?", "comma-separated"),
    "taken_by": ("text?", "who takes care of it"),
    "target": ("text", "the target's name"),
    "targets": ("map", "each target: met or not"),
    "text": ("text?", "what was said; null with chars: the text is not kept"),
    "title": ("text", "what it is, in a few words"),
    "today": ("map", "units won, lost and open today"),
    "took_ms": ("int?", "milliseconds"),
    "turn": ("int", "which repetition of the step, from 0"),
    "units": ("int", "what the policy counts"),
    "until_ms": ("int?", "epoch milliseconds"),
    "used": ("number?", "misses in the period"),
    "valid": ("int?", "1: a person's answer under the policy"),
    "valid_messages": ("int", "of these, a person's"),
    "value": ("number?", "the number the policy reports: a share, or a mean in seconds"),
    "wait_ms": ("int?", "milliseconds from the first unanswered question to the valid reply"),
    "wanted": ("text?", "the name in the step: a person, a roster, agent"),
    "agents": ("texts", "the channels' names for them"),
    "ways": ("texts", "addresses, without what is secret in them"),
    "way": ("text", "the address, without what is secret in it"),
    "week": ("text", "the Monday of the week"),
    "what": ("text", "ask, reply, escalate, met, late, missed or excluded"),
    "why": ("text", "the reason that was given"),
    # the figures of `report`, which follow no policy
    "after_sale_num": ("int", "customers after the sale"),
    "aftersale_owner_num": ("int", "orders received whose after-sale somebody owns"),
    "answer_ratio": ("number?", "seller's messages for each of the buyer's"),
    "ask_num": ("int", "customers before the sale"),
    "buyer_msg_num": ("int", "buyer's messages"),
    "consult_num": ("int", "customers who asked"),
    "long_receive_num": ("int", "long receptions"),
    "longest_reply": ("number?", "seconds"),
    "message_rate": ("number?", "share of messages answered in time"),
    "messages_in_time": ("int", "messages answered in time"),
    "no_reply_num": ("int", "customers nobody answered"),
    "ok": ("int", "rounds within the figure's own limit"),
    "order_amount": ("int", "amount of the orders made"),
    "order_num": ("int", "orders made"),
    "paid_amount": ("int", "amount of the orders paid"),
    "paid_num": ("int", "orders paid"),
    "replied": ("int", "1: somebody answered"),
    "replies": ("int", "waits that ended"),
    "reply_ms": ("int?", "milliseconds waited in all"),
    "reply_rate": ("number?", "share of customers who were answered"),
    "seller_msg_num": ("int", "seller's messages"),
    "seller_word_num": ("int", "seller's characters"),
    "service_num": ("int", "customers who were answered"),
    "sessions": ("int", "stretches of talk"),
    "silent_order_num": ("int", "orders without talk"),
    "slow": ("int?", "1: three waits of more than two minutes"),
    "slow_reception_num": ("int", "slow receptions"),
}

for _part in ("first_reply", "total_reply", "cut_reply"):
    COLUMNS |= {
        f"{_part}_cost": ("number", "seconds in all"),
        f"{_part}_times": ("int", "how many"),
        f"{_part}_mean": ("number?", "seconds"),
    }
COLUMNS |= {
    f"within_{seconds}s": ("number?", f"share of first replies within {seconds} seconds")
    for seconds in (60, 120, 300, 600, 900, 1200, 1800, 2400, 3000, 3600)
}

_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "list": {"type": "array"},
    "map": {"type": "object"},
}


def names_of(columns: str) -> list[str]:
    """The names of a list of columns, ``id:int shop …``."""
    return [one.partition(":")[0] for one in columns.split()]


def schema_of(kind: str, says: str = "") -> dict[str, Any]:
    """The JSON Schema of a type."""
    found = dict(_TYPES[kind.rstrip("?")])
    if kind.endswith("?"):
        found["type"] = [found["type"], "null"]
    return found | ({"description": says} if says else {})


def row_schema(columns: str, optional: str = "") -> dict[str, Any]:
    """The JSON Schema of a row; a column may have a type of its own behind a colon."""
    properties = {}
    for one in (*columns.split(), *optional.split()):
        name, _, own = one.partition(":")
        kind, says = COLUMNS[name]
        properties[name] = schema_of(own or kind, "" if own else says)
    return {
        "type": "object", "properties": properties, "required": names_of(columns), "additionalProperties": False,
    }  # fmt: skip
