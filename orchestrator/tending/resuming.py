"""Let runs go on that a model's outage held up, once it answers again: one Resume row each; it asks no model.

Whether it answers is known from the runs that are answered. Where all of them are parked, one is let go on now and
then, and finds out. The others follow a few at a time (mechanics: no stampede).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.database import Database, Transaction
from orchestrator.inbox.inbox import Arrival, Inbox
from orchestrator.ledger import outages, pauses
from orchestrator.ledger.outages import Outage
from orchestrator.ledger.pauses import Pause
from orchestrator.sources.operator import OperatorDialect
from orchestrator.sources.source import OPERATOR

AT_ONCE: Final = 3
"""Runs of one credential that were let go on and have no answer yet."""

UNDER_WAY: Final = 15 * 60.0
"""Seconds after which one that was let go on counts as parked for another reason."""

PROBE: Final = 10 * 60.0
"""Seconds after the last try, when nobody tries any more, until one run tries again."""

LOOKED_AT: Final = 1000

AGAIN: Final = "the model, which answers again"
PERHAPS: Final = "Doorbell, to see whether the model answers again"


async def resume_some(
    inbox: Inbox, ledger: Database, now: datetime, poke: Callable[[], None], log: Any
) -> int:
    """Let go on whoever may; returns how many."""
    found, fares = await ledger.read(_found)
    let_go = chosen(found, fares, now.timestamp())
    for outage, by in let_go:
        # The row first: written twice it is a duplicate, and forgotten it would park for ever.
        await inbox.keep([row(identity(outage), outage.run_id, by, now)])
        poke()
        await ledger.write(outages.release, outage.run_id, outage.number, now.timestamp())
        log.info("model.resumed", run=outage.run_id, by=by)
    return len(let_go)


def chosen(
    found: Sequence[Outage], fares: Mapping[str, Pause], now: float
) -> list[tuple[Outage, str]]:
    """Who may go on now, of those that are parked without an answer, and what lets them."""
    let_go: list[tuple[Outage, str]] = []
    for credential in sorted({outage.credential for outage in found}):
        of_it = [outage for outage in found if outage.credential == credential]
        fare = fares.get(credential, Pause(until=0, answered_at=0))
        if fare.until <= now:
            let_go += _of_one(of_it, fare.answered_at, now)
    return let_go


def identity(outage: Outage) -> str:
    """Names this parking, also where its run was let go on and parked again before that was written down."""
    return f"outage-{outage.run_id}-{outage.number}-{outage.at:.3f}"


def row(
    identity: str, run_id: str, by: str, now: datetime, word: str = "run.resume", **about: str
) -> Arrival:
    """The row that lets a run go on; its delivery id names this parking, so it comes once."""
    headers = {"content-type": "application/json", "webhook-id": identity}
    body = json.dumps({"type": word, "run": run_id, "by": by, **about}).encode()
    reading = OperatorDialect().read(headers, body)
    return Arrival(
        id=event_of(identity),
        source=OPERATOR,
        delivery_id=reading.delivery_id,
        type=reading.type,
        subject=reading.subject,
        actor=reading.actor,
        keys=reading.keys,
        headers=headers,
        body=body,
        received_at=now,
        dedupe_body=False,
    )


def event_of(identity: str) -> str:
    """The id under which the inbox keeps that row."""
    return f"evt_{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def _of_one(found: Sequence[Outage], answered_at: float, now: float) -> list[tuple[Outage, str]]:
    parked = [outage for outage in found if outage.parked and outage.released < outage.number]
    trying = [outage for outage in found if _tries(outage, now)]
    known = [(outage, AGAIN) for outage in parked if outage.at < answered_at]
    if known:
        return known[: max(0, AT_ONCE - len(trying))]
    quiet = all(outage.at <= now - PROBE for outage in found)
    return [(parked[0], PERHAPS)] if parked and quiet and not trying else []


def _tries(outage: Outage, now: float) -> bool:
    """Whether the run is on its way to an answer; one that waits for a person is not."""
    if outage.released >= outage.number and outage.released_at is not None:
        return outage.released_at > now - UNDER_WAY
    return not outage.parked and outage.at > now - UNDER_WAY


def _found(connection: Transaction) -> tuple[list[Outage], dict[str, Pause]]:
    return outages.unanswered(connection, LOOKED_AT), pauses.every(connection)
