"""The round machine: every transition that opens, joins, answers, moves or settles a round.

The rules, in one place:

- A customer's message opens a round, or joins the open one; under ``unit: message`` each opens its own.
- A reply that ``answers`` ends every open round of the conversation, each with its own wait; one that ``voids`` ends
  them and takes them out; one that ``excuses`` marks them; an ``ignored`` one changes nothing.
- A session ends by silence (``session``). What it leaves open can no longer be answered.
- Under ``midnight: exclude_pending`` and ``missed`` an open round is settled for good when its local day ends.
- Taking a round, or snoozing it, stops its ladder (``escalation``), never its clock.
- Time is an event. Before an event at *t* everything due before *t* happens; at the very instant of a Tick the event
  goes first, but for the end of a day: what happens at midnight belongs to the new day. A Tick that changes nothing is
  harmless, so live (many Ticks) and replay (none) give the same rounds.

``advance`` and ``tick`` change the conversation they are given and return the effects. They read no clock and raise
nothing for odd data.
"""

from sanfen.core.acts import ACTS, act, escalate
from sanfen.core.classify import judge
from sanfen.core.clocks import next_due, place, start_clock, store_changed
from sanfen.core.days import NEVER
from sanfen.core.effects import Effect, Judged, Opened, Scored, Tagged
from sanfen.core.escalation import choose_again
from sanfen.core.events import Close, Event, Handoff, Message, Recall, Sender, Store, Tag, Transfer
from sanfen.core.facts import Conversation, Held, Round, Session
from sanfen.core.plan import Plan
from sanfen.core.score import score

__all__ = ["advance", "tick"]

_FORGET_MS = 7 * 86_400_000
"""After this much silence with nothing open, who held the conversation is forgotten."""


def advance(state: Conversation, event: Event, plan: Plan) -> list[Effect]:
    """Apply one event, after everything due before it. Events come in order of time; ties in order of arrival."""
    out: list[Effect] = []
    at_ms = event.at_ms
    if state.next_ms <= at_ms:
        _run_due(state, at_ms, plan, out, before_event=True)
    if type(event) is not Store:
        _hear(state, at_ms)
    if type(event) is Message:
        if event.sender == Sender.customer:
            _question(state, event, plan, out)
        elif event.sender == Sender.merchant:
            _reply(state, event, plan, out)
    elif type(event) is Transfer:
        _transfer(state, event, plan, out)
    elif type(event) is Handoff:
        _handoff(state, event, plan, out)
    elif type(event) is Tag:
        _tag(state, event.at_ms, event.tag, event.id, out)
    elif type(event) is Store:
        store_changed(state, event, plan)
    elif type(event) is Close:
        state.closed_ms = at_ms
    elif type(event) is Recall and "recalled" in plan.left_out_tags:
        _tag(state, at_ms, f"recalled:{event.message}", event.id, out)
    elif isinstance(event, ACTS):
        act(state, event, plan, out)
    state.last_ms = at_ms
    _plan_next(state, plan)
    return out


def _hear(state: Conversation, at_ms: int) -> None:
    """The conversation itself speaks; after a long silence nobody is known to hold it."""
    if state.heard_ms is not None and at_ms - state.heard_ms > _FORGET_MS and not _answerable(state):
        state.agent = None
    state.heard_ms = at_ms


def tick(state: Conversation, now_ms: int, plan: Plan) -> list[Effect]:
    """Let everything due up to and including ``now_ms`` happen, each at the instant it was due."""
    out: list[Effect] = []
    if state.next_ms <= now_ms:
        _run_due(state, now_ms, plan, out, before_event=False)
        state.next_ms = min([one.next_ms for one in state.rounds], default=NEVER)
    return out


# --- time -------------------------------------------------------------------------------------------------------------


def _plan_next(state: Conversation, plan: Plan) -> None:
    """When something is due next, of each round and of them all."""
    if plan.moves:
        choose_again(state, plan.policy.ladders, plan.calendar)
    state.next_ms = NEVER
    for one in state.rounds:
        one.next_ms = due_ms = next_due(one, plan)
        state.next_ms = min(state.next_ms, due_ms)


def _run_due(state: Conversation, until_ms: int, plan: Plan, out: list[Effect], *, before_event: bool) -> None:
    """Everything due up to an instant; before an event of that very instant only the ends of days."""
    while True:
        first, first_ms = None, until_ms + 1
        for one in state.rounds:
            due_ms = one.next_ms
            if due_ms < first_ms and (
                due_ms < until_ms or not before_event or (plan.settles and due_ms == one.day_end_ms)
            ):
                first, first_ms = one, due_ms
        if first is None:
            return
        _fire(state, first, first_ms, plan, out)
        first.next_ms = next_due(first, plan)


def _fire(state: Conversation, one: Round, now_ms: int, plan: Plan, out: list[Effect]) -> None:
    if plan.settles and now_ms >= one.day_end_ms:
        one.settled_ms = one.day_end_ms
        state.settled_ms = max(state.settled_ms, one.day_end_ms)
        state.rounds.remove(one)
        out.append(Scored(now_ms, one, score(one, plan, now_ms)))
    elif now_ms > one.due_ms and not one.overdue_told:
        one.overdue_told = True
        out.append(Scored(now_ms, one, score(one, plan, now_ms)))
        if one.left and not plan.settles:
            state.rounds.remove(one)
    else:
        escalate(one, now_ms, plan, out)


# --- sessions ---------------------------------------------------------------------------------------------------------


def _session(state: Conversation, at_ms: int, plan: Plan, sender: str, out: list[Effect]) -> Session:
    """The session an event falls in; a customer's message, or a merchant's with nothing open, can begin one."""
    session = state.session
    if session is not None and session.started and plan.gap_ms is None:
        return session  # one session for good
    if session is None or (_gap_passed(state, at_ms, plan) and (sender == Sender.customer or not _answerable(state))):
        session = _begin(state, at_ms, plan, out)
    if not session.started and sender != Sender.system:
        session.started = True
        session.opened_ms = at_ms
        session.inside = plan.hours_by is None or plan.calendar.is_open(at_ms)
        session.by_merchant = sender == Sender.merchant
    return session


def _gap_passed(state: Conversation, at_ms: int, plan: Plan) -> bool:
    if plan.gap_ms is None:
        return False
    rule = plan.policy.session.since
    if rule == "close":
        since = state.closed_ms
    elif rule == "last_customer":
        since = state.last_customer_ms
    else:
        since = state.spoken_ms
    return since is not None and at_ms - since >= plan.gap_ms


def _begin(state: Conversation, at_ms: int, plan: Plan, out: list[Effect]) -> Session:
    session = state.session = Session(at_ms)
    state.held = []
    state.closed_ms = None
    for one in [one for one in state.rounds if not one.left]:
        one.left = True
        if one.overdue_told and not plan.settles:  # its outcome was told: nothing more can happen to it
            state.rounds.remove(one)
            out.append(Scored(at_ms, one, score(one, plan, at_ms)))
    return session


def _answerable(state: Conversation) -> bool:
    return any(not one.left for one in state.rounds)


# --- questions --------------------------------------------------------------------------------------------------------


def _question(state: Conversation, message: Message, plan: Plan, out: list[Effect]) -> None:
    at_ms = message.at_ms
    session = _session(state, at_ms, plan, Sender.customer, out)
    state.closed_ms = None  # asking again inside the gap cancels the close
    state.last_customer_ms = state.spoken_ms = at_ms
    if message.agent is not None:
        _hold(state, message.agent)
    for name in message.tags:
        _tag(state, at_ms, name, message.id, out)
    if plan.ignore_outside and not plan.calendar.is_open(at_ms):
        return
    policy = plan.policy
    one = None if policy.unit == "message" else _joinable(state, at_ms, plan)
    if one is not None:
        one.messages += 1
        one.last_ms = at_ms
        if policy.wait_from == "last":
            start_clock(one, state, at_ms, plan)
    elif policy.starts == "handoff" and not session.handed:
        held = state.held[-1] if state.held else None
        if held is None or (plan.fresh_days and at_ms >= plan.calendar.day(held.question.at_ms).end_ms):
            state.held.append(Held(message))
        else:
            held.messages += 1
            held.last_ms = at_ms
    else:
        _open(state, message, session, at_ms, plan, out)


def _joinable(state: Conversation, at_ms: int, plan: Plan) -> Round | None:
    splits = plan.policy.transfer == "split"
    for one in state.rounds:
        if one.left or (plan.fresh_days and at_ms >= one.day_end_ms):
            continue
        if not splits or one.agent is None or one.agent == state.agent:  # where rounds split, each agent has their own
            return one
    return None


def _open(
    state: Conversation, question: Message, session: Session, clock_ms: int, plan: Plan, out: list[Effect]
) -> Round:
    one = Round(state.key, question, session)
    one.agent = state.agent
    place(one, state, clock_ms, plan)
    state.rounds.append(one)
    out.append(Opened(question.at_ms, one))
    return one


def _handoff(state: Conversation, event: Handoff, plan: Plan, out: list[Effect]) -> None:
    # A question that waits is what is handed over, however long it has waited.
    waits = bool(state.held) and state.session is not None
    session = state.session if waits and state.session else _session(state, event.at_ms, plan, Sender.system, out)
    session.handed = True
    held, state.held = state.held, []
    for one in held:
        made = _open(state, one.question, session, event.at_ms, plan, out)
        made.messages, made.last_ms = one.messages, one.last_ms


# --- replies ----------------------------------------------------------------------------------------------------------


def _reply(state: Conversation, message: Message, plan: Plan, out: list[Effect]) -> None:
    _session(state, message.at_ms, plan, Sender.merchant, out)
    state.spoken_ms = message.at_ms
    for name in message.tags:
        _tag(state, message.at_ms, name, message.id, out)
    verdict = judge(message, plan.policy, plan.empty)
    out.append(Judged(message, verdict))
    effect = verdict.effect
    if effect in ("answers", "voids"):
        state.held = []
        if state.rounds:
            _close(state, message, effect == "voids", plan, out)
    elif effect == "excuses":
        for one in state.rounds:
            if not one.left and one.excused_id is None:
                one.excused_id = message.id
                out.append(Scored(message.at_ms, one, score(one, plan, message.at_ms)))
    if message.agent is not None:
        _hold(state, message.agent)


def _close(state: Conversation, message: Message, voids: bool, plan: Plan, out: list[Effect]) -> None:
    at_ms = message.at_ms
    left = [one for one in state.rounds if one.left]
    for one in state.rounds:
        if one.left:
            continue
        one.closed_ms, one.closing_id, one.voided = at_ms, message.id, voids
        one.agent = message.agent  # who answers is credited; nobody, where the channel does not say
        start_ms = min(one.clock_ms, at_ms)
        one.wait_ms = plan.calendar.open_between(start_ms, at_ms) if one.open_wait else at_ms - start_ms
        if plan.tests_reply_hours:
            one.replied_inside = plan.calendar.is_open(at_ms)
        out.append(Scored(at_ms, one, score(one, plan, at_ms)))
    state.rounds = left


# --- who holds it, what the shop says ---------------------------------------------------------------------------------


def _hold(state: Conversation, agent: str) -> None:
    """Somebody holds the conversation, and the open rounds that nobody held."""
    state.agent = agent
    for one in state.rounds:
        if one.agent is None and not one.left:
            one.agent = agent


def _transfer(state: Conversation, event: Transfer, plan: Plan, out: list[Effect]) -> None:
    state.agent = event.to
    policy = plan.policy
    restarts = policy.agent_clock == "assigned"
    for one in [one for one in state.rounds if not one.left]:
        if policy.transfer == "carry":
            one.agent = event.to
            if restarts:
                start_clock(one, state, event.at_ms, plan)
        elif one.agent is None or event.agent is None or one.agent == event.agent:
            _split(state, one, event, plan, out)


def _split(state: Conversation, given: Round, event: Transfer, plan: Plan, out: list[Effect]) -> None:
    """The giver keeps a missed round; the taker gets one of the same question."""
    given.agent = given.agent or event.agent
    given.transferred_id = event.id
    state.rounds.remove(given)
    out.append(Scored(event.at_ms, given, score(given, plan, event.at_ms)))
    question = Message(given.opened_ms, given.key, given.opening_id, Sender.customer, given.customer)
    taken = Round(given.key, question._replace(customer_type=given.customer_type), given.session, given.ordinal + 1)
    taken.agent = event.to
    taken.messages, taken.last_ms, taken.excused_id = given.messages, given.last_ms, None
    place(taken, state, event.at_ms, plan)
    if plan.policy.agent_clock == "opened":  # the giver's clock goes on
        taken.base_ms, taken.heeds_ms = given.base_ms, given.heeds_ms
        taken.clock_ms, taken.due_ms = given.clock_ms, given.due_ms
        taken.open_wait, taken.store = given.open_wait, given.store
    state.rounds.append(taken)
    out.append(Opened(event.at_ms, taken))


def _tag(state: Conversation, at_ms: int, name: str, event_id: str, out: list[Effect]) -> None:
    if state.session is not None and name not in state.session.tags:
        state.session.tags[name] = event_id
        out.append(Tagged(at_ms, state.session))
