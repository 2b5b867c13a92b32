"""Ask configured servers what they offer, for `check --online`, `tools` and `lock`; it costs the MCP library."""

import asyncio
from collections.abc import Iterable, Mapping

from orchestrator.agent.hands.definitions import Discovered, HandsUnreachable
from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.hands.probing import each
from orchestrator.agent.tools.quarantine import way_of
from orchestrator.agent.tools.relocking import Asked
from orchestrator.configuration.configuration import Configuration


def asked(
    configuration: Configuration, environment: Mapping[str, str], names: Iterable[str]
) -> Asked:
    """Ask every one of these servers what it offers."""
    return asyncio.run(_asked(configuration, environment, names))


async def _asked(
    configuration: Configuration, environment: Mapping[str, str], names: Iterable[str]
) -> Asked:
    hands = Hands(configuration.servers, environment=environment)
    known = [name for name in names if name in configuration.servers]
    try:
        answers = await each(known, lambda name: _one(hands, name))
    finally:
        await hands.close()
    said = dict(zip(known, answers, strict=True))
    return Asked(
        discovered={name: one for name, one in said.items() if not isinstance(one, str)},
        silent={name: one for name, one in said.items() if isinstance(one, str)},
        ways={name: way_of(configuration.servers[name]) for name in known},
    )


async def _one(hands: Hands, server: str) -> Discovered | str:
    try:
        return await hands.discover(server)
    except HandsUnreachable as error:
        return str(error)
