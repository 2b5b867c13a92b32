"""End what an event was to answer later and did not, beyond the turn that waited for it; it wakes nobody by itself.

A call whose wait was interrupted, and one that a person applied, are listened for although no timer runs for them. When
their time is up, an open conversation is told by a row of the inbox; of one that has ended the call says so.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from orchestrator.agent.waiting import callbacks
from orchestrator.agent.waiting.coming import COMMITTED, coming
from orchestrator.database import Database
from orchestrator.inbox.inbox import Inbox
from orchestrator.ledger import conversations, waits
from orchestrator.ledger.waits import Wait
from orchestrator.sources.source import OPERATOR
from orchestrator.tending import resuming
from workflows.messages import RunState

BY: Final = "Doorbell, because the time of a wait was up"


async def lapse_some(
    inbox: Inbox, ledger: Database, now: datetime, poke: Callable[[], None], log: Any
) -> int:
    """End, or have told, what listens beyond its time; returns how much that was."""
    at, lapsed, after = now.timestamp(), 0, ""
    while page := await ledger.read(waits.left_over, at - COMMITTED, after):
        for wait in page:
            if not await coming(inbox, wait, at) and await _lapsed(inbox, ledger, wait, now):
                poke()
                log.info("wait.lapsed", run=wait.run_id, wait=wait.wait_id)
                lapsed += 1
        after = page[-1].wait_id
    return lapsed


async def _lapsed(inbox: Inbox, ledger: Database, wait: Wait, now: datetime) -> bool:
    conversation = await ledger.read(conversations.one, wait.run_id)
    if conversation.state is RunState.ENDED:
        return bool(await ledger.write(callbacks.lapse, wait.wait_id, now.timestamp()))
    # The run ends it itself, in the order of its mailbox: what came in time may stand there, taken and not yet noted.
    identity = f"lapsed-{wait.wait_id}"
    if await inbox.seen(OPERATOR, [identity]):
        return False
    await inbox.keep([resuming.row(identity, wait.run_id, BY, now, wait=wait.wait_id)])
    return True
