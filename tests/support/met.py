"""How events of one key met its runs: how each was claimed, and which runs came of them; it rings nothing."""

from typing import Any

from orchestrator.inbox.inbox import Action, Arrival, Decision
from orchestrator.ledger import claims
from tests.support.house import House, opened

NUMBER = 10


def arrivals(home: House, count: int = NUMBER) -> list[Arrival]:
    """So many events of one key, each with a note of its own."""
    return [home.arrival(opened(note=f"number {n};")) for n in range(count)]


async def starts(home: House, ids: list[str]) -> list[Decision]:
    """The start that each event's rule decided."""
    found = await home.stores.inbox.decisions(ids)
    return [one for event_id in ids for one in found[event_id] if one.action is Action.START]


async def ends_of(home: House, ids: list[str]) -> list[str]:
    """How each event's start was claimed, once all are."""

    async def claimed() -> list[str] | None:
        made = [one.id for one in await starts(home, ids)]
        taken = await home.stores.ledger.read(claims.claimed, made)
        return [taken[one] for one in made] if len(taken) == len(ids) == len(made) else None

    found: list[str] = await home.until(claimed, "every claim")
    return found


async def last_ends_of(home: House, ids: list[str]) -> list[str]:
    """The same once all is over: a task that came to nothing may have claimed otherwise than its repeat."""
    await ends_of(home, ids)
    await gone(home)
    return await ends_of(home, ids)


async def delivered(home: House, ids: list[str]) -> bool:
    """Whether Temporal has the start of each of these events."""
    found = await starts(home, ids)
    return len(found) == len(ids) and all(one.delivered_at is not None for one in found)


async def all_ended(home: House) -> list[dict[str, Any]]:
    """Every run, the oldest first, once all have ended."""

    async def closed() -> list[dict[str, Any]] | None:
        found = await home.runs()
        return found if found and all(run["state"] == "ended" for run in found) else None

    ended: list[dict[str, Any]] = await home.until(closed, "every run ended")
    return ended


async def gone(home: House) -> None:
    """Every workflow of the house has closed."""

    async def none_open() -> bool:
        query = f"TaskQueue = '{home.queue}' AND ExecutionStatus = 'Running'"
        return not [one async for one in home.client.list_workflows(query)]

    await home.until(none_open, "all closed")
