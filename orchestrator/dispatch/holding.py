"""Which starts may go on now, and which are held until another run of their rule ends; it delivers nothing.

What is held stays in the inbox, in its order, and is looked at again when a slot is free, the oldest first. What this
process remembers only spares looking: whatever is held is due again by itself before long.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Final

from orchestrator.configuration.bounds import bounds_of
from orchestrator.dispatch.means import Means
from orchestrator.dispatch.runs import Undeliverable, Unreachable
from orchestrator.inbox.inbox import Action, Decision, DecisionState, Lease
from orchestrator.inbox.sought import HELD, OPEN
from orchestrator.ledger import slots
from orchestrator.ledger.slots import Holder, Wish
from orchestrator.telemetry.words import Held

LOOK: Final = timedelta(seconds=30)
"""When something held is looked at again, whether or not a slot seems free."""

YOUNG: Final = timedelta(seconds=30)
"""A slot that was taken so lately is not asked about: its run may not have begun."""

LIFTED: Final = 64
"""How many a rule lets go at a time that has no limit any more."""

COMING: Final = frozenset({DecisionState.READY, DecisionState.DELIVERED})


async def let_in(means: Means, leases: Sequence[Lease]) -> list[Lease]:
    """Those that may be delivered now; the others are put back, and say what they are held for."""
    most = await _limits(means, {one.decision.cause for one in leases if _starts(one.decision)})
    limited = [lease for lease in leases if _is_limited(lease.decision, most)]
    if not limited:
        return list(leases)
    wishes = [_wish(means, lease.decision, most) for lease in limited]
    inside = await means.ledger.write(slots.admit, wishes, means.now().timestamp())
    held = [lease for lease in limited if lease.decision.id not in inside]
    for lease in held:
        await _hold(means, lease, most[lease.decision.cause])
    return [lease for lease in leases if lease not in held]


def remember(means: Means) -> None:
    """Something of every limited rule may be held: by another process, or by this one before it died."""
    means.holding |= limits(means).keys()


async def hasten(means: Means) -> None:
    """Where a slot is free, make the oldest due that are held for it."""
    if not means.holding:
        return
    most = await _limits(means, means.holding)
    waiting = {rule: number for rule, number in most.items() if rule in means.holding}
    # A rule whose limit was lifted holds nobody any more.
    lifted = dict.fromkeys(means.holding - most.keys(), LIFTED)
    if not waiting and not lifted:
        return
    free = await means.ledger.read(slots.free, waiting)
    for rule, number in {**free, **lifted}.items():
        if not await means.inbox.hasten(rule, number, means.now()):
            means.holding.discard(rule)


async def reconcile(means: Means) -> int:
    """Give back the slots of runs that are gone, and of what will not be delivered; returns how many were freed."""
    freed = 0
    now = means.now()
    for holder in await means.ledger.read(slots.holders):
        if holder.at < (now - YOUNG).timestamp():
            freed += await _is_freed(means, holder)
    remember(means)
    return freed


async def withdraw(means: Means, decision: Decision) -> None:
    """A start is buried: what was let in for it goes."""
    if decision.action is Action.START:
        await means.ledger.write(slots.withdraw, decision.id, means.now().timestamp())


def limits(means: Means) -> dict[str, int]:
    """How many runs of each limited rule may be open, by the rule's id."""
    rules = means.configuration().rules
    return {rule.id: rule.limits.concurrent for rule in rules if rule.limits.concurrent is not None}


async def _limits(means: Means, causes: AbstractSet[str]) -> dict[str, int]:
    """The limits in force, and of these rules those that they had where they have left the files."""
    gone = causes - _in_force(means)
    kept = {rule: await _kept(means, rule) for rule in gone}
    return limits(means) | {rule: most for rule, most in kept.items() if most is not None}


async def _kept(means: Means, rule: str) -> int | None:
    configuration = means.configuration()
    asked = (configuration.digest, rule)
    if asked not in means.gone:
        bounds = await bounds_of(means.ledger, configuration, rule)
        means.gone[asked] = bounds.concurrent
    return means.gone[asked]


def _in_force(means: Means) -> frozenset[str]:
    return frozenset(rule.id for rule in means.configuration().rules)


def _starts(decision: Decision) -> bool:
    return decision.action is Action.START


def _is_limited(decision: Decision, most: dict[str, int]) -> bool:
    return _starts(decision) and decision.cause in most


def _wish(means: Means, decision: Decision, most: dict[str, int]) -> Wish:
    # One that was held before has been called in its turn; a newer one waits behind those that are still held.
    last = decision.cause in means.holding and not (decision.note or "").endswith(OPEN)
    return Wish(
        rule=decision.cause,
        most=most[decision.cause],
        workflow_id=decision.workflow_id or decision.id,
        decision_id=decision.id,
        event_id=decision.event_id,
        since=means.now().timestamp()
        if decision.decided_at is None
        else decision.decided_at.timestamp(),
        last=last,
    )


async def _hold(means: Means, lease: Lease, most: int) -> None:
    decision = lease.decision
    means.holding.add(decision.cause)
    means.counts.held(decision.action, Held.NO_SLOT)
    note = f"{HELD}{_full(means, decision, most)}{OPEN}"
    await means.inbox.release(decision.id, lease.fence, means.now() + LOOK, note, count=False)


def _full(means: Means, decision: Decision, most: int) -> str:
    runs = "1 run of {} is" if most == 1 else f"{most} runs of {{}} are"
    if decision.cause in _in_force(means):
        return runs.format(decision.rule)
    gone = (
        f"rule {decision.rule} is gone from the files or broken there, and keeps the limit it had"
    )
    return f"{gone}: {runs.format('it')}"


async def _is_freed(means: Means, holder: Holder) -> bool:
    now = means.now().timestamp()
    for decision_id in await means.ledger.read(slots.on_its_way, holder.workflow_id):
        decision = await means.inbox.decision(decision_id)
        if decision is None or not await _may_come(means, decision, holder.workflow_id):
            await means.ledger.write(slots.withdraw, decision_id, now)
    if not await means.ledger.write(slots.settle, holder.workflow_id, now):
        return True
    if await _is_running(means, holder.workflow_id):
        return False
    return await means.ledger.write(slots.vacate, holder.workflow_id)


async def _may_come(means: Means, decision: Decision, workflow_id: str) -> bool:
    # Its run has claimed it, which settles it, and may die before the conversation is begun: it will begin it yet.
    claimed = decision.state is DecisionState.SETTLED
    return decision.state in COMING or (claimed and await _is_running(means, workflow_id))


async def _is_running(means: Means, workflow_id: str) -> bool:
    try:
        return await means.runs.running(workflow_id)
    except (Unreachable, Undeliverable):
        return True
