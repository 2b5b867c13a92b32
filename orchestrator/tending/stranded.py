"""Settle what calls were to hear that people applied, and whose run is gone; it starts no run, and makes no call.

Nobody waits while such a call is made but the run that makes it: when that is gone, an event would be matched to a call
that was never made. One that was made, and whose key is known, is heard like any that was applied.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from orchestrator.agent.waiting.callbacks import MAY_BE_ANSWERED
from orchestrator.database import Database, Transaction
from orchestrator.dispatch.runs import Found
from orchestrator.ledger import calls, waits
from orchestrator.ledger.waits import CLOSED, LEFT, OPEN, Wait


async def settle_some(
    ledger: Database,
    found: Callable[[str], Awaitable[Found]],
    before: float,
    at: float,
    log: Any,
) -> int:
    """Settle those that were begun before then; returns how many. Raises what `found` raises."""
    settled, after = 0, ""
    while page := await ledger.read(waits.of_applied, before, after):
        for wait in page:
            if await found(wait.workflow_id) is Found.RUNNING:
                continue
            if state := await ledger.write(_settled, wait, at):
                log.info("wait.stranded", run=wait.run_id, wait=wait.wait_id, state=state)
                settled += 1
        after = page[-1].wait_id
    return settled


def _settled(connection: Transaction, wait: Wait, at: float) -> str:
    call = calls.one(connection, wait.run_id, wait.call_id)
    is_heard = call.state in MAY_BE_ANSWERED and wait.state == OPEN
    state = LEFT if is_heard else CLOSED
    return state if waits.strand(connection, wait, state, at) else ""
