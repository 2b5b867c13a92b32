"""Find events that came before the waits that want them (mechanics: rendezvous); it ends no wait."""

from enum import Enum, auto
from typing import Final

from orchestrator.dispatch.awaited import Wanted, wants, weigh
from orchestrator.dispatch.causes import caused
from orchestrator.dispatch.decide import about_a_wait
from orchestrator.dispatch.means import Means, event_in
from orchestrator.dispatch.ours import ours_because
from orchestrator.dispatch.reaching import Reach, reach
from orchestrator.dispatch.wanting import as_wanted
from orchestrator.events import Event
from orchestrator.inbox.inbox import Entry, EntryState
from orchestrator.ledger import claims, conversations, own_actors, waits
from orchestrator.ledger.waits import Wait
from orchestrator.rules.reading import Reading

LOOKED_AT: Final = 50


class Seen(Enum):
    """What an event is to a wait that looks back; while that is unknown, it looks again."""

    PASSES = auto()
    WAKES = auto()
    UNKNOWN = auto()


async def look_back_some(means: Means) -> int:
    """Look for what waits opened lately may have missed; returns how many waits were looked at."""
    found, after = 0, ""
    while page := await means.ledger.read(waits.unlooked, after):
        looked = [wait.wait_id for wait in page if await _looked_back(means, wait)]
        if looked:
            await means.ledger.write(waits.looked, looked)
        found, after = found + len(looked), page[-1].wait_id
    return found


async def _looked_back(means: Means, wait: Wait) -> bool:
    heard = set(await means.ledger.read(conversations.heard, wait.run_id))
    wanted = await means.ledger.read(as_wanted, wait, means.configuration().rules)
    for pattern in wait.patterns:
        since, full = wait.since, True
        while full:
            entries = await means.inbox.look_back(pattern, wait.key, since, LOOKED_AT)
            for entry in entries:
                if entry.state is EntryState.RECEIVED:
                    # Its own decision may still see the wait: found twice, it would reach the run twice.
                    return False
                if entry.id not in heard:
                    seen = await _seen(means, entry, wait, wanted)
                    if seen is not Seen.PASSES:
                        return seen is Seen.WAKES
            full = len(entries) == LOOKED_AT
            since = entries[-1].position if entries else since
    return True


async def _seen(means: Means, entry: Entry, wait: Wait, wanted: Wanted) -> Seen:
    """What this event is to the wait; that it is for it is written down either way."""
    event = event_in(means, entry)
    if isinstance(event, str) or not wants(wanted, event, entry.position):
        return Seen.PASSES
    own = await _own_actors(means, event)
    led = await caused(means, event, own)
    if ours_because(event, own, led.foreign):
        return Seen.PASSES
    match await _reach(means, entry, wait):
        case Reach.YES:
            return Seen.PASSES
        case Reach.UNKNOWN:
            return Seen.UNKNOWN
        case Reach.NO:
            found = weigh(wanted, Reading(event), led.cause.hops, led.cause.chain)
            await means.inbox.add([about_a_wait(event, found)], means.now())
            return Seen.PASSES if found.but else Seen.WAKES


async def _reach(means: Means, entry: Entry, wait: Wait) -> Reach:
    """Whether the event goes into the waiting run already, by a rule or by another wait (one entry each)."""
    decided = (await means.inbox.decisions([entry.id])).get(entry.id, [])
    taken = await means.ledger.read(claims.claimed, [one.id for one in decided])
    return reach(decided, taken, wait.workflow_id, wait.wait_id)


async def _own_actors(means: Means, event: Event) -> frozenset[str]:
    learned = await means.ledger.read(own_actors.of_source, event.source)
    return means.sources()[event.source].own_actors | learned
