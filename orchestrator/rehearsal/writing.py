"""Which tools write, as far as that is known without asking a server: declared, known, or locked; pure."""

from collections.abc import Iterator

from orchestrator.agent.hands.definitions import ToolDefinition
from orchestrator.agent.hands.effects import Origin, effect_of
from orchestrator.configuration.configuration import Configuration
from orchestrator.errors import Flaw
from orchestrator.rules.rule import Rule
from workflows.playbook import Effect, Playbook


def effect_in(configuration: Configuration, server: str, tool: str) -> Effect | None:
    """What a call of the tool does; None where nobody has said so, and its definition isn't locked."""
    locked = None if configuration.lock is None else configuration.lock.tool(server, tool)
    claims = {} if locked is None else locked.definition.get("annotations") or {}
    definition = ToolDefinition(
        server=server, name=tool, input_schema={}, read_only=claims.get("readOnlyHint")
    )
    effect, origin = effect_of(definition, configuration.servers)
    return None if locked is None and origin is Origin.ASSUMED else effect


def written_with(configuration: Configuration, rule: Rule) -> set[str]:
    """The tools (`server.tool`) with which a rule may write, as far as that is known."""
    if rule.call:
        # Nobody sees what they answer: what isn't known to read is called in order to write.
        return {
            step.tool
            for step in rule.call
            if effect_in(configuration, step.server, step.name) is not Effect.READ
        }
    playbook = configuration.playbooks.get(rule.playbook or "")
    if playbook is None:
        return set()
    return {*playbook.writes, *(tool for _, tool in _writing(configuration, playbook))}


def unlimited(configuration: Configuration, playbook: Playbook) -> Iterator[Flaw]:
    """The tools that write and have no line under `writes:`."""
    for place, tool in _writing(configuration, playbook):
        if tool not in playbook.writes:
            said = f"{tool} writes and has no line under `writes:`: a run may call it once; say `{tool}: {{max: 1}}`"
            yield Flaw(place, said)


def _writing(
    configuration: Configuration, playbook: Playbook
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for server, tools in playbook.tools.items():
        for index, tool in enumerate(tools):
            if effect_in(configuration, server, tool) not in {None, Effect.READ}:
                yield ("tools", server, index), f"{server}.{tool}"
