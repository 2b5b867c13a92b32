"""Whether an event that came in time for a wait may still be on its way from the inbox; it ends no wait."""

from typing import Final

from orchestrator.inbox.inbox import DecisionState, Entry, EntryState, Inbox
from orchestrator.ledger.waits import Wait

LOOKED_AT: Final = 50

ON_ITS_WAY: Final = frozenset({DecisionState.READY, DecisionState.DELIVERED})

COMMITTED: Final = 2.0
"""Seconds past its time before a wait for events expires.

An event came when it was received, and others see it when it is committed; on a busy disk that may take a moment.
"""


def due_in(wait: Wait, now: float) -> float:
    """Seconds until the wait may expire; a mere sleep ends at its moment."""
    patience = COMMITTED if wait.patterns else 0.0
    return max(wait.deadline_at + patience - now, 0.0)


async def coming(inbox: Inbox, wait: Wait, now: float) -> bool:
    """Whether there may be one: not committed yet, undecided, or decided for this wait."""
    if wait.deadline_at <= now and due_in(wait, now):
        return True
    for pattern in wait.patterns:
        since, full = wait.since, True
        while full:
            found = await inbox.look_back(pattern, wait.key, since, LOOKED_AT)
            in_time = [one for one in found if one.received_at.timestamp() <= wait.deadline_at]
            # Until the dispatcher has looked back for this wait, what is there may still be for it.
            if (in_time and not wait.looked) or await _undelivered(inbox, wait, in_time):
                return True
            # Of what passed the wait by there may be a lot.
            full = len(found) == LOOKED_AT
            since = found[-1].position if found else since
    return False


async def _undelivered(inbox: Inbox, wait: Wait, entries: list[Entry]) -> bool:
    if any(entry.state is EntryState.RECEIVED for entry in entries):
        return True
    decided = await inbox.decisions([entry.id for entry in entries])
    return any(
        decision.wait_id == wait.wait_id and decision.state in ON_ITS_WAY
        for listed in decided.values()
        for decision in listed
    )
