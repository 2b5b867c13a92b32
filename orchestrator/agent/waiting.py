"""Waits and what they bring: registered in the ledger before anybody looks, ended once, answered with the event.

It wakes nobody: that is the dispatcher's part, which finds the wait by its key.
"""

import hashlib
import re
from datetime import timedelta

from orchestrator.agent import calling, counting, prompt
from orchestrator.agent.means import Means, event
from orchestrator.agent.opening import trust_of
from orchestrator.database import Transaction
from orchestrator.errors import PersonError, SenderError
from orchestrator.inbox.inbox import DecisionState, Entry, EntryState
from orchestrator.ledger import calls, conversations, turns, waits
from orchestrator.ledger.waits import Wait
from orchestrator.rules.trust import is_known
from workflows.messages import (
    CallState,
    Done,
    EndWait,
    Note,
    Noted,
    Outcome,
    RunState,
    WaitEnd,
    WaitEnded,
    Waiting,
    WaitRequest,
)

DEFAULT = "7d"
LONGEST = timedelta(days=30)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LOOKED_AT = 50
FOLDED_TOLD = 20
ON_ITS_WAY = frozenset({DecisionState.READY, DecisionState.DELIVERED})


def duration(text: str) -> timedelta:
    """`30m`, `12h`, `7d` as a time span, 30 days at most; what can't be read counts as 7 days."""
    found = re.fullmatch(r"([0-9]{1,5})([smhd])", text) or re.fullmatch(
        r"([0-9]+)([smhd])", DEFAULT
    )
    if found is None:
        return LONGEST
    return min(timedelta(**{UNITS[found[2]]: int(found[1])}), LONGEST)


async def open_wait(means: Means, request: WaitRequest) -> Waiting:
    """Register the wait of this call, or return the one registered before."""
    wait = await means.ledger.write(_begun, request, means.now())
    wants = f"{', '.join(wait.patterns)} for {wait.key}"
    return Waiting(
        wait_id=wait.wait_id,
        call_id=request.call_id,
        wants=wants,
        seconds=max(wait.deadline_at - means.now(), 0.0),
    )


async def end_wait(means: Means, ending: EndWait) -> WaitEnded:
    """End a wait; if this way is the first, its call is answered."""
    wait = await means.ledger.read(waits.one, ending.wait_id)
    if ending.end is WaitEnd.EXPIRED and wait.state == "open" and await _coming(means, wait):
        return WaitEnded(first=False)
    block, position = None, 0
    if ending.event_id is not None:
        block, position = await _block(
            means, wait.run_id, ending.event_id, "This is what you waited for."
        )
    first = await means.ledger.write(_ended, wait, ending, block, position, means.now())
    if first:
        counting.wait_ended(means, ending.end)
    return WaitEnded(first=first)


async def gone(means: Means, run_id: str) -> Done:
    """A wake-up found no conversation of that id: if it isn't ended in the ledger, its Temporal run is gone."""
    await means.ledger.write(_gone, run_id, means.now())
    return Done()


def _gone(connection: Transaction, run_id: str, at: float) -> None:
    reason = "its Temporal run is gone"
    conversations.record(connection, run_id, RunState.ENDED, reason, Outcome.FAILED, at)


async def note(means: Means, noted: Note) -> Noted:
    """Put words or an event before the next turn; an event the conversation has heard is not said twice."""
    text, position = noted.text, 0
    if noted.folded:
        text = await _folded(means, noted.folded)
    if noted.event_id is not None:
        words = "Another event of this run's key came in."
        text, position = await _block(means, noted.run_id, noted.event_id, words)
    said = await means.ledger.write(_noted, noted, text, position, means.now())
    return Noted(said=said)


async def _folded(means: Means, event_ids: tuple[str, ...]) -> str:
    told = [await _named(means, event_id) for event_id in event_ids[:FOLDED_TOLD]]
    if len(event_ids) > FOLDED_TOLD:
        told.append(f"and {len(event_ids) - FOLDED_TOLD} more")
    events = "1 more event was" if len(event_ids) == 1 else f"{len(event_ids)} more events were"
    return f"{events} folded in, older than the newest of them: {'; '.join(told)}."


async def _named(means: Means, event_id: str) -> str:
    entry = await means.inbox.entry(event_id)
    if entry is None:
        return event_id
    # A type may be a stranger's text: nothing of it but what a name is made of is said outside the event's block.
    type_ = re.sub(r"[^A-Za-z0-9._-]+", "-", entry.type)[:60]
    return f"{event_id} ({entry.source}/{type_}, {entry.received_at:%Y-%m-%d %H:%M:%S} UTC)"


async def _block(means: Means, run_id: str, event_id: str, words: str) -> tuple[str, int]:
    try:
        entry, happened = await event(means, event_id)
    except (PersonError, SenderError) as error:
        return f"Event {event_id} came in, but it can no longer be read: {error}", 0
    conversation = await means.ledger.read(conversations.find, run_id)
    rule = "" if conversation is None else conversation.rule
    trusted = is_known(trust_of(means.configuration(), rule), happened)
    return prompt.event_block(happened, words, trusted=trusted), entry.position


def _begun(connection: Transaction, request: WaitRequest, at: float) -> Wait:
    call = calls.one(connection, request.run_id, request.call_id)
    conversation = conversations.one(connection, request.run_id)
    span = duration(str(call.arguments.get("timeout", DEFAULT)))
    name = hashlib.sha256(f"{request.run_id}/{request.call_id}".encode()).hexdigest()[:16]
    wait = Wait(
        wait_id=f"wait_{name}",
        run_id=request.run_id,
        workflow_id=conversation.workflow_id,
        call_id=request.call_id,
        patterns=tuple(str(pattern) for pattern in call.arguments.get("events", ())),
        key=conversation.key,
        since=conversation.position,
        opened_at=at,
        deadline_at=at + span.total_seconds(),
        state="open",
        event_id=None,
    )
    return waits.begin(connection, wait)


def _ended(
    connection: Transaction,
    wait: Wait,
    ending: EndWait,
    block: str | None,
    position: int,
    at: float,
) -> bool:
    if not waits.end(connection, wait.wait_id, ending.end, ending.event_id):
        return False
    text = prompt.waited(ending.end, block)
    result = calling.answer_words(CallState.DONE, text)
    calls.finish(connection, wait.run_id, wait.call_id, result, at)
    if ending.event_id is not None:
        conversations.hear(connection, wait.run_id, ending.event_id, position, "waited for", at)
    return True


def _noted(connection: Transaction, noted: Note, text: str, position: int, at: float) -> bool:
    place, event_id = (noted.run_id, noted.turn, noted.ordinal), noted.event_id
    if turns.free(connection, *place) and (
        event_id is None
        or conversations.hear(connection, noted.run_id, event_id, position, "handed in", at)
    ):
        turns.note(connection, *place, text, event_id)
    # Not its text: an event whose source has gone reads otherwise at a repeat, and is the same note.
    return turns.stands(connection, *place, event_id)


async def _coming(means: Means, wait: Wait) -> bool:
    """Whether an event that came in time is still on its way: kept but undecided, or decided for this wait."""
    for pattern in wait.patterns:
        found = await means.inbox.look_back(pattern, wait.key, wait.since, LOOKED_AT)
        in_time = [entry for entry in found if entry.received_at.timestamp() <= wait.deadline_at]
        # Until the dispatcher has looked back for this wait, what is there may still be for it.
        if (in_time and not wait.looked) or await _undelivered(means, wait, in_time):
            return True
    return False


async def _undelivered(means: Means, wait: Wait, entries: list[Entry]) -> bool:
    if any(entry.state is EntryState.RECEIVED for entry in entries):
        return True
    decided = await means.inbox.decisions([entry.id for entry in entries])
    return any(
        decision.wait_id == wait.wait_id and decision.state in ON_ITS_WAY
        for listed in decided.values()
        for decision in listed
    )
