"""Which runs of ours led to an event: by the marker it repeats, or by a bot's answering at once. It decides nothing.

It is found out once and written down before the event is decided about, so deciding again says the same. Of what we
did ourselves it is found out as well: a rule may ask for that, and its chain ends like any other.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from orchestrator.database import Transaction
from orchestrator.dispatch.means import Means
from orchestrator.dispatch.ours import Echo, echoes
from orchestrator.events import Event
from orchestrator.ledger import causes, conversations
from orchestrator.ledger.causes import Cause
from orchestrator.rules.trust import ours

AT_ONCE: Final = timedelta(minutes=10)
"""So soon after our write on a subject, what a bot or we do there counts as an answer to it."""

MOST_HOPS: Final = 999


NOTHING: Final = Cause()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caused:
    """What led to an event, and which runs named in it are of another installation."""

    cause: Cause = NOTHING
    foreign: frozenset[str] = frozenset()


async def caused(means: Means, event: Event, own_actors: frozenset[str]) -> Caused:
    """What led to the event; for most events that is nothing, and nothing is looked up."""
    echoed = echoes(event.data)
    actor = event.actor
    machine = actor is not None and (actor.bot or ours(own_actors, actor))
    if not echoed and not machine:
        return Caused()
    foreign = await means.ledger.read(_foreign, echoed)
    before = await means.ledger.read(causes.of_event, event.id)
    if before is not None:
        return Caused(cause=before, foreign=foreign)
    cause: Cause = await means.ledger.read(_cause, event, echoed, machine, foreign)
    if cause.hops:
        cause = await means.ledger.write(causes.found, event.id, cause, means.now().timestamp())
    return Caused(cause=cause, foreign=foreign)


def _foreign(connection: Transaction, echoed: tuple[Echo, ...]) -> frozenset[str]:
    named = {echo.run_id for echo in echoed}
    return frozenset(run for run in named if conversations.find(connection, run) is None)


def _cause(
    connection: Transaction,
    event: Event,
    echoed: tuple[Echo, ...],
    machine: bool,  # noqa: FBT001 - Database.read takes no keywords
    foreign: frozenset[str],
) -> Cause:
    found = [_after(connection, event, echo, foreign) for echo in echoed]
    writer = None
    if machine and event.subject is not None:
        came = event.received_at.timestamp()
        subject = causes.subject_of(event.source, event.subject)
        writer = causes.last_writer(connection, subject, came - AT_ONCE.total_seconds(), came)
    if writer is not None:
        found.append(_after(connection, event, Echo(run_id=writer, hops=0), foreign))
    return max(found, key=lambda cause: cause.hops, default=Cause())


def _after(connection: Transaction, event: Event, echo: Echo, foreign: frozenset[str]) -> Cause:
    """The chain goes on from that run; the ledger knows better than a marker that somebody may have edited."""
    if echo.run_id in foreign:
        chain, hops = f"run {echo.run_id} (another installation's)", echo.hops
    else:
        known = causes.of_run(connection, echo.run_id)
        chain = f"{known.chain} -> run {echo.run_id}" if known.chain else f"run {echo.run_id}"
        hops = max(known.hops, echo.hops)
    return Cause(hops=min(hops + 1, MOST_HOPS), chain=f"{chain} -> event {event.id}")
