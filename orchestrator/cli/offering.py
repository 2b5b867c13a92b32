"""Ask configured servers which tools they have, for `check --online`; loading it costs the MCP library."""

import asyncio
from collections.abc import Mapping

from orchestrator.agent.definitions import HandsUnreachable
from orchestrator.agent.hands import Hands
from orchestrator.cli.proving import Offer, used
from orchestrator.configuration.configuration import Configuration


def offered(configuration: Configuration, environment: Mapping[str, str]) -> Offer:
    """Ask every server that a playbook uses which tools it has."""
    return asyncio.run(_offered(configuration, environment))


async def _offered(configuration: Configuration, environment: Mapping[str, str]) -> Offer:
    hands = Hands(configuration.servers, environment=environment)
    names = [name for name in used(configuration) if name in configuration.servers]
    try:
        answers = await asyncio.gather(*(_asked(hands, name) for name in names))
    finally:
        await hands.close()
    said = dict(zip(names, answers, strict=True))
    return Offer(
        tools={name: one for name, one in said.items() if not isinstance(one, str)},
        silent={name: one for name, one in said.items() if isinstance(one, str)},
    )


async def _asked(hands: Hands, server: str) -> frozenset[str] | str:
    try:
        found = await hands.discover(server)
    except HandsUnreachable as error:
        return str(error)
    return frozenset(tool.name for tool in found.tools)
