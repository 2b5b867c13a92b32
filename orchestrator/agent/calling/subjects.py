"""How often all runs together may write on one subject: the last thing that stops bots who answer each other.

Actor ids, markers and hops can all be missing from what another program says; what we write ourselves can't.
"""

from datetime import timedelta
from typing import Final

from orchestrator.agent.conversation.opening import frozen_of, is_open, trust_of
from orchestrator.agent.means import Means
from orchestrator.database import Transaction
from orchestrator.ledger import causes
from orchestrator.ledger.calls import Call
from orchestrator.ledger.causes import Writing

WINDOW: Final = timedelta(hours=24)

FULL: Final = (
    "This call was not made: Doorbell has written {count} times on {subject} within 24 hours, and the rule allows"
    " {most} (trust.max_writes_per_subject). That looks like a loop with another program: {chain}."
    " Do not try again; end, and say so: if so many are meant, a person raises that number in the rule."
)

WRITERS_TOLD: Final = 5
"""Runs that are named, the newest first, where nothing says which of them led to which."""


async def subject_full(means: Means, call: Call) -> str | None:
    """Count this write on its run's subject; why it may not be made where there is no room for it.

    What belongs to no conversation is counted nowhere.
    """
    if not await is_open(means, call.run_id):
        return None
    conversation, frozen = await frozen_of(means, call.run_id)
    trust = trust_of(means.configuration(), conversation.rule)
    about = frozen.subject or conversation.key
    writing = Writing(
        run_id=call.run_id,
        call_id=call.call_id,
        subject=causes.subject_of(conversation.source, about),
    )
    most, now = trust.max_writes_per_subject, means.now()
    since = now - WINDOW.total_seconds()
    count = await means.ledger.write(causes.may_write, writing, most, since, now)
    if count is None:
        return None
    chain = await means.ledger.read(_chain, writing, since)
    return FULL.format(count=count, subject=about, most=most, chain=chain)


def _chain(connection: Transaction, writing: Writing, since: float) -> str:
    known = causes.of_run(connection, writing.run_id).chain
    if known:
        return f"{known} -> run {writing.run_id}"
    wrote = causes.writers(connection, writing.subject, since, WRITERS_TOLD)
    return f"the last to write were {', '.join(f'run {run}' for run in wrote)}"
