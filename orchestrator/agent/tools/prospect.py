"""What the tools of a playbook would be if a run of it opened now, and at what price; it opens none and asks nobody."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.agent.hands.definitions import Discovered, ToolDefinition
from orchestrator.agent.tools.toolset import LATER, Toolset, looked_at
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.locks import Lock, LockedTool
from orchestrator.templates import templates_of
from workflows.playbook import Playbook


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """The tools as far as they work, and what is wrong with them; `unknown` ones (`server.tool`) nobody describes."""

    tools: Toolset
    problems: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """What the definitions cost, without those of the built-in tools."""
        return sum(tool.tokens for tool in self.tools)


def prospect(
    playbook: Playbook, configuration: Configuration, discovered: Mapping[str, Discovered]
) -> Prospect:
    """The tools of a playbook, by what these servers offer."""
    unknown = tuple(_unknown(playbook, discovered))
    bound = {target: _bound(arguments) for target, arguments in playbook.bind.items()}
    tools, problems = looked_at(playbook, discovered, configuration.servers, bound)
    if unknown:
        # What is bound may be an argument of those, and each of them is told by its name anyway.
        problems = ()
    return Prospect(tools=tools, problems=problems, unknown=unknown)


def from_lock(lock: Lock) -> dict[str, Discovered]:
    """What servers offered when they were locked."""
    return {
        name: Discovered(
            server=name,
            protocol="",
            identity=server.identity,
            tools=tuple(_definition(name, tool) for tool in server.tools.values()),
        )
        for name, server in lock.servers.items()
    }


def _unknown(playbook: Playbook, discovered: Mapping[str, Discovered]) -> Iterator[str]:
    for server, names in playbook.tools.items():
        found = discovered.get(server)
        offered = set() if found is None else {tool.name for tool in found.tools}
        yield from (f"{server}.{name}" for name in names if name not in offered)


def _bound(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: LATER if _is_later(value) else value for name, value in arguments.items()}


def _is_later(value: Any) -> bool:
    return any(template.paths for template in templates_of(value))


def _definition(server: str, tool: LockedTool) -> ToolDefinition:
    said = tool.definition
    claims: Mapping[str, Any] = said.get("annotations") or {}
    return ToolDefinition(
        server=server,
        name=str(said.get("name", "")),
        title=said.get("title"),
        description=said.get("description"),
        input_schema=said.get("input_schema") or {},
        output_schema=said.get("output_schema"),
        annotations=claims or None,
        read_only=claims.get("readOnlyHint"),
        destructive=claims.get("destructiveHint"),
        idempotent=claims.get("idempotentHint"),
    )
