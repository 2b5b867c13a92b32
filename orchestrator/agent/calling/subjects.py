"""How often all runs together may write on one subject: the last thing that stops bots who answer each other.

Actor ids, markers and hops can all be missing from what another program says; what we write ourselves can't.
"""

from datetime import timedelta
from typing import Final

from orchestrator.agent.conversation.opening import frozen_of, is_open, trust_of
from orchestrator.agent.means import Means
from orchestrator.ledger import causes
from orchestrator.ledger.calls import Call
from orchestrator.ledger.causes import Writing

WINDOW: Final = timedelta(hours=24)

FULL: Final = (
    "This call was not made: Doorbell has written {count} times on {subject} within 24 hours, and the rule allows"
    " {most} (trust.max_writes_per_subject). That looks like a loop with another program."
    " Do not try again; end, and say so."
)


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
    return None if count is None else FULL.format(count=count, subject=about, most=most)
