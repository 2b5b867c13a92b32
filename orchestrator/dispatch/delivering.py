"""Phase 2: put what was decided where it goes, the oldest of each lane first, at most 16 at a time.

Whoever is away burns no attempt: it waits. What is refused is tried again, later and later, until it is buried.
"""

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Final

from orchestrator.dispatch import holding
from orchestrator.dispatch.backoff import retry_at
from orchestrator.dispatch.forwards import Finished
from orchestrator.dispatch.means import Means
from orchestrator.dispatch.runs import Undeliverable, Unreachable
from orchestrator.errors import DoorbellError
from orchestrator.inbox.inbox import Action, Decision, Entry, Lease
from orchestrator.inbox.sought import HELD
from orchestrator.telemetry.words import Held, Retried

AT_ONCE: Final = 16
"""More starts at a time only add latency (measured on the embedded server)."""

LEASE: Final = timedelta(seconds=30)
SLOW_LEASE: Final = timedelta(seconds=90)
"""For a forward: longer than any destination may take, or it would be sent twice."""

AWAY: Final = timedelta(seconds=2)
"""Until the next look at somebody who was away and didn't say for how long."""

FULL: Final = timedelta(seconds=30)
MAILBOX: Final = 500
MOST_ATTEMPTS: Final = 10
"""A quarter of an hour: what Temporal refuses, it mostly refuses for good."""

MOST_FORWARDS: Final = 15
"""Some hours: a destination may be repaired."""

INTO_RUNS: Final = frozenset({Action.START, Action.RESUME, Action.CONTROL})
ONWARD: Final = frozenset({Action.FORWARD})


async def deliver_some(means: Means) -> int:
    """Deliver the heads of the lanes into runs; returns how many were delivered."""
    await holding.hasten(means)
    leases = await means.inbox.claim(means.now(), LEASE, AT_ONCE, INTO_RUNS)
    free = await holding.let_in(means, leases)
    return sum(await asyncio.gather(*(_into_run(means, lease) for lease in free)))


async def lease_forwards(means: Means, limit: int) -> list[Lease]:
    """Claim what must go on to destinations."""
    return await means.inbox.claim(means.now(), SLOW_LEASE, limit, ONWARD) if limit else []


async def forward_one(means: Means, lease: Lease) -> int:
    """Send an event on; returns how many destinations have it now, one or none."""
    entry = await means.inbox.entry(lease.decision.event_id)
    if means.forwards is None or entry is None:
        return 0
    sending = means.forwards.forward(lease.decision, entry)
    return await _sent(means, lease, entry, sending, MOST_FORWARDS)


async def _into_run(means: Means, lease: Lease) -> bool:
    decision = lease.decision
    counted = decision.action is not Action.CONTROL
    if counted and await means.inbox.unread(decision.lane or "") >= MAILBOX:
        # The lane holds in the inbox: a run that reads nothing must not pile up history.
        full = f"{HELD}{MAILBOX} deliveries stand unread in the run's mailbox"
        means.counts.held(decision.action, Held.MAILBOX_FULL)
        await _put_back(means, lease, means.now() + FULL, full)
        return False
    entry = await means.inbox.entry(decision.event_id)
    source = entry.source if entry else "-"
    return await _sent(means, lease, entry, means.runs.deliver(decision, source), MOST_ATTEMPTS)


async def _sent(
    means: Means, lease: Lease, entry: Entry | None, sending: Awaitable[None], most: int
) -> bool:
    try:
        await sending
    except Unreachable as error:
        reason = Held.UNREACHABLE if error.until is None else Held.BREAKER_OPEN
        means.counts.held(lease.decision.action, reason)
        until = error.until or means.now() + AWAY
        await _put_back(means, lease, max(until, means.now()), str(error))
    except Undeliverable as error:
        await _failed(means, lease, error, most)
    except Finished as error:
        await _buried(means, lease.decision, lease.fence, error)
    else:
        settled = await means.inbox.settle(lease.decision.id, lease.fence, means.now())
        if settled and entry is not None:
            waited = (means.now() - entry.received_at).total_seconds()
            means.counts.delivered(lease.decision.action, entry.source, waited)
        return settled
    return False


async def _put_back(means: Means, lease: Lease, until: datetime, note: str) -> None:
    await means.inbox.release(lease.decision.id, lease.fence, until, note, count=False)


async def _failed(means: Means, lease: Lease, error: Undeliverable, most: int) -> None:
    decision = lease.decision
    if decision.attempts + 1 >= most:
        await _buried(means, decision, lease.fence, error)
        return
    means.counts.retried(decision.action, Retried.REFUSED)
    until = retry_at(decision.attempts, means.now(), means.jitter)
    if error.retry_after is not None:
        until = max(until, means.now() + error.retry_after)
    await means.inbox.release(decision.id, lease.fence, until, str(error), count=True)


async def _buried(means: Means, decision: Decision, fence: int, error: DoorbellError) -> None:
    means.counts.buried(decision.action)
    means.log.error("dispatch.buried", decision=decision.id, reason=str(error))
    await means.inbox.bury(decision.id, fence, str(error))
    await holding.withdraw(means, decision)
