"""Tools that are no longer what somebody accepted: written down, and held back until a person accepts them by name."""

import sys

from orchestrator.agent.hands.definitions import ToolDefinition, definition_hash
from orchestrator.agent.means import Means
from orchestrator.configuration.locks import Lock, reached
from orchestrator.ledger import quarantines
from orchestrator.ledger.quarantines import Quarantine
from orchestrator.servers import Server


async def note_drift(means: Means, run_id: str, definition: ToolDefinition, words: str) -> None:
    """Write down that a tool is no longer what somebody accepted."""
    seen = Quarantine(
        server=definition.server,
        tool=definition.name,
        seen=definition_hash(definition),
        words=words,
        run_id=run_id,
        at=means.now(),
    )
    await means.ledger.write(quarantines.put, seen)


async def quarantined(
    means: Means, lock: Lock | None, server: str, name: str, hash_: str, since: float
) -> str | None:
    """Why a tool is in quarantine though it looks as it should: it was seen otherwise, and nobody accepted that.

    `hash_` is what a conversation pinned, `since` when it was opened: without a lock it trusts what it was opened with.
    """
    locked = None if lock is None else lock.tool(server, name)
    for one in await means.ledger.read(quarantines.of_tool, server, name):
        if locked is None:
            void = one.seen == hash_ or one.at < since
        else:
            void = one.seen == locked.hash or one.at < (locked.accepted_at or 0.0)
        if not void:
            return (
                f"{server}.{name} is in quarantine, for it was seen otherwise than it is now: {one.words}\n"
                f"if it is fine as it is, run `doorbell lock --accept {server}.{name}`"
            )
    return None


def way_of(server: Server | None) -> str:
    """How a server is reached, as a digest."""
    return "" if server is None else reached(server, sys.executable)
