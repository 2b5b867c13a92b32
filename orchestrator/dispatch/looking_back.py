"""Find events that came before the waits that want them (mechanics: rendezvous); it ends no wait."""

from typing import Final

from orchestrator.dispatch.awaited import Wanted, Weighed, lacking, wants
from orchestrator.dispatch.causes import caused
from orchestrator.dispatch.decide import about_a_wait
from orchestrator.dispatch.means import Means, event_in
from orchestrator.dispatch.ours import ours_because
from orchestrator.dispatch.wanting import as_wanted
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, DecisionState, Entry, EntryState
from orchestrator.ledger import conversations, own_actors, waits
from orchestrator.ledger.waits import Wait
from orchestrator.rules.reading import Reading

LOOKED_AT: Final = 50


async def look_back_some(means: Means) -> int:
    """Look for what waits opened lately may have missed; returns how many waits were looked at."""
    open_waits = await means.ledger.read(waits.unlooked)
    looked = [wait.wait_id for wait in open_waits if await _looked_back(means, wait)]
    if looked:
        await means.ledger.write(waits.looked, looked)
    return len(looked)


async def _looked_back(means: Means, wait: Wait) -> bool:
    heard = set(await means.ledger.read(conversations.heard, wait.run_id))
    wanted = await means.ledger.read(as_wanted, wait)
    for pattern in wait.patterns:
        since, full = wait.since, True
        while full:
            entries = await means.inbox.look_back(pattern, wait.key, since, LOOKED_AT)
            for entry in entries:
                if entry.state is EntryState.RECEIVED:
                    # Its own decision may still see the wait: found twice, it would reach the run twice.
                    return False
                if entry.id not in heard and await _woke(means, entry, wait, wanted):
                    return True
            full = len(entries) == LOOKED_AT
            since = entries[-1].position if entries else since
    return True


async def _woke(means: Means, entry: Entry, wait: Wait, wanted: Wanted) -> bool:
    """Whether this event ends the wait; that it is for it is written down either way."""
    event = event_in(means, entry)
    if isinstance(event, str) or not wants(wanted, event, entry.position):
        return False
    if await _is_ours(means, event) or await _reaches_it_anyway(means, entry, wait):
        return False
    found = Weighed(wanted, lacking(wanted, Reading(event)))
    await means.inbox.add([about_a_wait(event, found)], means.now())
    return not found.but


async def _reaches_it_anyway(means: Means, entry: Entry, wait: Wait) -> bool:
    """Whether the event goes into the waiting run already, by a rule or by another wait (one entry each)."""
    decided = (await means.inbox.decisions([entry.id])).get(entry.id, [])
    return any(
        decision.action in {Action.START, Action.RESUME}
        and decision.workflow_id == wait.workflow_id
        and decision.wait_id != wait.wait_id
        and decision.state is not DecisionState.FOLDED
        for decision in decided
    )


async def _is_ours(means: Means, event: Event) -> bool:
    learned = await means.ledger.read(own_actors.of_source, event.source)
    own = means.sources()[event.source].own_actors | learned
    led = await caused(means, event, own)
    return ours_because(event, own, led.foreign) is not None
