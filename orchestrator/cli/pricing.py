"""What `check` knows of tools: their prices and what is wrong with them, from their servers or from tools.lock.

Loading it costs a library that looks at schemas.
"""

from collections.abc import Mapping

from orchestrator.agent.hands.definitions import Discovered
from orchestrator.agent.tools.prospect import from_lock, prospect
from orchestrator.agent.tools.relocking import Asked, relocked, wanted_tools
from orchestrator.cli.proving import Offer, Priced
from orchestrator.configuration.configuration import Configuration


def offer_of(configuration: Configuration, asked: Asked) -> Offer:
    """What servers said, as `check` looks at it."""
    return Offer(
        tools={
            name: frozenset(tool.name for tool in found.tools)
            for name, found in asked.discovered.items()
        },
        silent=asked.silent,
        drifted=_drifted(configuration, asked),
    )


def priced(
    configuration: Configuration, discovered: Mapping[str, Discovered] | None
) -> dict[str, Priced]:
    """The playbooks all of whose tools are known: from their servers, or without those from the lock."""
    lock = configuration.lock
    known = discovered if discovered is not None else from_lock(lock) if lock else {}
    looked_at = {
        name: prospect(playbook, configuration, known)
        for name, playbook in configuration.playbooks.items()
    }
    return {
        name: Priced(tokens=found.tokens, problems=found.problems)
        for name, found in looked_at.items()
        if not found.unknown
    }


def _drifted(configuration: Configuration, asked: Asked) -> dict[str, tuple[str, ...]]:
    if configuration.lock is None:
        return {}
    wanted = {
        server: names
        for server, names in wanted_tools(configuration).items()
        if server in asked.discovered
    }
    made = relocked(configuration.lock, wanted, asked, (), 0.0)
    said: dict[str, tuple[str, ...]] = {}
    for name, words in made.drifted.items():
        server = name.partition(".")[0]
        said[server] = (*said.get(server, ()), words)
    for name in made.added:
        server = name.partition(".")[0]
        said[server] = (*said.get(server, ()), f"{name} isn't locked: run `doorbell lock`")
    return said
