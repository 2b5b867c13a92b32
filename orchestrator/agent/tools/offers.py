"""What servers offer when a conversation opens, without what it must not have or can do without; it pins nothing.

A tool that isn't what was locked parks the run, or is left out where the playbook says so. A server that a playbook
can do without is left out while it can't be reached.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.agent.hands.definitions import Discovered, HandsUnreachable
from orchestrator.agent.hands.locking import drifted, estranged
from orchestrator.agent.means import Means
from orchestrator.agent.tools.quarantine import note_drift, quarantined, way_of
from orchestrator.configuration.configuration import Configuration
from orchestrator.errors import PersonError
from workflows.playbook import OnDrift, Playbook

MOST_TOLD: Final = 5
"""Tools whose differences are told when several aren't what was locked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What each server offers, which tools (`server.tool`) to leave out, and what to say of it to the model.

    `silent` are the servers that didn't answer, and may.
    """

    discovered: Mapping[str, Discovered]
    silent: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()


async def offers(
    means: Means,
    run_id: str,
    tools: Mapping[str, Sequence[str]],
    optional: Collection[str] = (),
    on_drift: OnDrift = OnDrift.PARK,
) -> Offers:
    """Ask every server of these tools. Raises PersonError: a server is away, or a tool isn't what was locked."""
    asked = await asyncio.gather(*(_asked(means, name, optional) for name in tools))
    discovered = {found.server: found for found in asked if found is not None}
    silent = frozenset(tools) - discovered.keys()
    wrong = await _drifted(means, run_id, tools, discovered)
    if wrong and on_drift is OnDrift.PARK:
        raise PersonError(_told(wrong))
    notices = [_away(server, tools[server]) for server in sorted(silent)]
    notices += [
        f"The tool {name} isn't what it was when it was approved, so you don't have it."
        for name in wrong
    ]
    return Offers(
        discovered=discovered,
        silent=silent,
        dropped=frozenset(wrong),
        notices=tuple(notices),
    )


def without(playbook: Playbook, servers: Collection[str]) -> Playbook:
    """The playbook with no tool of these servers."""
    if not servers:
        return playbook
    tools = {server: names for server, names in playbook.tools.items() if server not in servers}
    bind = {
        target: arguments
        for target, arguments in playbook.bind.items()
        if target.partition(".")[0] not in servers
    }
    return replace(playbook, tools=tools, bind=bind)


async def _asked(means: Means, server: str, optional: Collection[str]) -> Discovered | None:
    try:
        found = await means.hands.discover(server)
    except HandsUnreachable:
        if server in optional:
            return None
        raise
    means.listings.hear(found, means.now())
    return found


async def _drifted(
    means: Means,
    run_id: str,
    tools: Mapping[str, Sequence[str]],
    discovered: Mapping[str, Discovered],
) -> dict[str, str]:
    configuration = means.configuration()
    if configuration.lock is None:
        return {}
    wrong = {}
    for server, found in discovered.items():
        for name in dict.fromkeys(tools[server]):
            words = await _wrong(means, run_id, configuration, found, name)
            if words is not None:
                wrong[f"{server}.{name}"] = words
    return wrong


async def _wrong(
    means: Means, run_id: str, configuration: Configuration, found: Discovered, name: str
) -> str | None:
    lock = configuration.lock
    definition = next((tool for tool in found.tools if tool.name == name), None)
    if lock is None or definition is None:
        return None
    strange = estranged(lock, found, way_of(configuration.servers.get(found.server)))
    if strange is not None:
        return strange
    words = drifted(lock, definition)
    if words is None:
        return await quarantined(means, lock, found.server, name, "", means.now())
    if lock.tool(found.server, name) is not None:
        await note_drift(means, run_id, definition, words)
    return words


def _told(wrong: Mapping[str, str]) -> str:
    told = list(dict.fromkeys(wrong.values()))
    left = len(told) - MOST_TOLD
    return "\n".join(
        [
            *told[:MOST_TOLD],
            *([f"and {left} more; run `doorbell lock --check`"] if left > 0 else []),
        ]
    )


def _away(server: str, tools: Sequence[str]) -> str:
    return (
        f"The server {server!r} can't be reached now, so you have none of its tools ({', '.join(tools)}):"
        " do without them."
    )
