"""Reserve a turn's money under every cap at once, or say which cap forbids it; it asks no model.

Where only what others have reserved stands in the way, it waits for them, a little at random, and not for long: then
Temporal tries again later. Caps and prices are read from the files before every try (mechanics: live and frozen).
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from orchestrator.agent.asking.preparing import USEFUL_REPLY, Prepared, Question, less, prepare
from orchestrator.agent.asking.purse import BROKEN, Purse, Room, Standings, dumped, in_force
from orchestrator.agent.means import Means
from orchestrator.agent.reply import Unavailable
from orchestrator.configuration.bounds import bounds_of
from orchestrator.database import Transaction
from orchestrator.inbox.inbox import Entry
from orchestrator.ledger import caps, reservations, shortfalls
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.reservations import Wish
from orchestrator.ledger.shortfalls import Need, Payer
from orchestrator.ledger.turns import Charge
from orchestrator.rules.caps import Price
from workflows.messages import Ask
from workflows.playbook import OverBudget

PAUSE: Final = 0.5
"""Seconds between two tries at least; at most three times as long."""

PATIENCE: Final = 20.0
"""Seconds that an attempt waits for others' reservations before it gives its place on the worker away."""

NOBODY: Final = "nobody"
SPENT: Final = "a cap is spent"


class Blocked(Unavailable):
    """Others have reserved what is left, and have not settled yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An attempt that may be made: its number, what to ask, at what price; `last` says why it is the last turn."""

    number: int
    prepared: Prepared
    declared: Price | None
    day: str
    need: Need
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """No turn may begin, because of `words`, or because of the run's own budget where there are none."""

    over: OverBudget
    words: str = ""


async def begin(
    means: Means, conversation: Conversation, question: Question, asked: Ask, attempt: int
) -> Begun | Over:
    """Reserve what the turn may cost at most. Raises Blocked."""
    payer, waited = await payer_of(means, conversation), 0.0
    while True:
        purse = in_force(means.configuration(), payer, means.now())
        declared = purse.allowance.prices.get(question.frozen.model)
        found = await _try(means, purse, replace(question, declared=declared), asked, attempt)
        if found is not None:
            return found
        pause = PAUSE * (1 + 2 * means.jitter())
        if waited + pause > PATIENCE:
            text = "other runs have reserved what is left of a cap; this turn waits until they have settled"
            raise Blocked(text, pause * 10)
        await means.pause(pause)
        waited += pause


async def payer_of(means: Means, conversation: Conversation) -> Payer:
    """Whose caps a run counts against; written down once, with the rule's caps as they are now."""
    known = await means.ledger.read(shortfalls.payer, conversation.run_id)
    found = known or await _found(means, conversation)
    rules = means.configuration().rules
    rule = next((one for one in rules if one.id == found.rule), None)
    current = found if rule is None else replace(found, caps=dumped(rule.caps))
    if current == known:
        return current
    return await means.ledger.write(shortfalls.pays, current)


async def _found(means: Means, conversation: Conversation) -> Payer:
    decision = await means.inbox.decision(conversation.decision_id)
    entry = await means.inbox.entry(conversation.event_id)
    actor, named = _actor(entry)
    rule = conversation.rule if decision is None else decision.cause
    bounds = await bounds_of(means.ledger, means.configuration(), rule)
    return Payer(
        run_id=conversation.run_id,
        rule=rule,
        actor=f"{conversation.source}:{actor}",
        named=f"{conversation.source}:{named}",
        caps=dumped(bounds.caps),
    )


def _actor(entry: Entry | None) -> tuple[str, str]:
    """An actor's id outlives a rename; a login is for people, and for senders that know no ids."""
    actor = None if entry is None else entry.actor
    if actor is None:
        return NOBODY, NOBODY
    return actor.id or actor.login or NOBODY, actor.login or actor.id or NOBODY


async def _try(
    means: Means, purse: Purse, question: Question, asked: Ask, attempt: int
) -> Begun | Over | None:
    """One try; None when others' reservations stand in the way."""
    alone = prepare(question)
    if alone is None:
        return Over(over=purse.caps.over, words=_lost(question))
    unknown = _unknown(purse, alone, question)
    if unknown:
        return await _parked(means, purse, question, asked, unknown)
    standings = await means.ledger.read(_standings, purse)
    prepared, last = _fitting(purse, question, standings)
    if prepared is not None:
        return await _reserved(means, purse, question, asked, attempt, prepared, last)
    least = question.charge(question.useful)
    words = last or purse.short(standings, least, alone.estimate) or SPENT
    if purse.caps.over is OverBudget.PARK:
        return await _parked(means, purse, question, asked, words + purse.beyond(least))
    return Over(over=purse.caps.over, words=words)


def _lost(question: Question) -> str:
    """What of the run's own budget went on replies of which nobody knows the price; empty where none did."""
    lost, budget = question.spent.assumed, question.budget
    if not lost:
        return ""
    return (
        f"budget: what is left of {budget.usd} usd and {budget.tokens} tokens is too little for the next turn, and"
        f" {lost} {'attempt' if lost == 1 else 'attempts'} at an answer are charged as assumed: none came whole, or it"
        " didn't say what it used; the worker's log names what broke off"
    )


def _unknown(purse: Purse, alone: Prepared, question: Question) -> str:
    """Why nobody can say whether the turn fits; empty when that can be said."""
    if purse.allowance.broken:
        return BROKEN
    if alone.estimate.usd is None and purse.in_dollars:
        model = question.frozen.model
        return f"price of {model} unknown: set prices in limits.yaml or use token caps"
    return ""


def farewell(words: str) -> str:
    """What the model is told in its last turn."""
    return f"{words}. This is your last turn and you can use no tool: say what you did, what you did not do, and why."


def _fitting(purse: Purse, question: Question, standings: Standings) -> tuple[Prepared | None, str]:
    """What may be asked under what is left; with words when it must be the last turn."""
    room = purse.left(standings)
    if not question.last and purse.caps.over is not OverBudget.FINISH:
        return _parking(purse, question, room)
    own = question.leaves()
    if own:
        return prepare(question.told(farewell(own)), room, last_words=True), own
    # So that there is something left to take leave with.
    leave = question.charge(USEFUL_REPLY)
    ordinary = prepare(question, less(room, leave))
    if ordinary is not None:
        return ordinary, ""
    words = purse.short(standings, _sum(question.charge(question.useful), leave), leave) or SPENT
    return prepare(question.told(farewell(words)), room, last_words=True), words


def _parking(purse: Purse, question: Question, room: Room) -> tuple[Prepared | None, str]:
    """What may be asked of a run that parks: at the end of its own budget, for a summary to whoever is asked then."""
    parks = purse.caps.over is OverBudget.PARK
    own = question.leaves(parks=True) if parks else ""
    leave = prepare(question.told(farewell(own)), room, last_words=True) if own else None
    if leave is not None:
        return leave, own
    # A cap of the day parks without a summary: there is no money left to ask for one, and it goes on by itself.
    return prepare(question, room), ""


async def _reserved(
    means: Means,
    purse: Purse,
    question: Question,
    asked: Ask,
    attempt: int,
    prepared: Prepared,
    last: str,
) -> Begun | None:
    wish = Wish(
        run_id=asked.run_id,
        turn=asked.turn,
        attempt=attempt,
        estimate=prepared.estimate,
        caps=[(one.account, one.cap) for one in purse.limited],
        since=purse.since,
    )
    number = await means.ledger.write(reservations.begin, wish, means.now())
    if number is None:
        return None
    return Begun(
        number=number,
        prepared=prepared,
        declared=question.declared,
        day=purse.day,
        need=question.need(),
        last=last,
    )


async def _parked(means: Means, purse: Purse, question: Question, asked: Ask, words: str) -> Over:
    if question.parks:
        # It parks for its own turns, whatever else is short: no new day mends that.
        return Over(over=OverBudget.PARK)
    await means.ledger.write(
        shortfalls.record,
        asked.run_id,
        asked.turn,
        words,
        purse.day,
        question.need(),
        means.now(),
    )
    return Over(over=OverBudget.PARK, words=words)


def _standings(connection: Transaction, purse: Purse) -> Standings:
    return {
        one.account: caps.standing(connection, one.account, purse.since) for one in purse.limited
    }


def _sum(one: Charge, other: Charge) -> Charge:
    priced = one.usd is not None and other.usd is not None
    usd = (one.usd or Decimal(0)) + (other.usd or Decimal(0))
    return Charge(
        usd=usd if priced else None,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cached_tokens=0,
    )
