"""What `check` knows of tools: their prices and what is wrong with them, from their servers or from tools.lock.

Loading it costs a library that looks at schemas.
"""

from collections.abc import Iterator, Mapping

from orchestrator.agent.conversation import stepping
from orchestrator.agent.hands.definitions import Discovered
from orchestrator.agent.tools.prospect import from_lock, prospect
from orchestrator.agent.tools.relocking import Asked, relocked, wanted_tools
from orchestrator.agent.tools.toolset import Tool, ToolsetRefused, complaints
from orchestrator.agent.tools.unknown import strange
from orchestrator.cli.proving import Offer, Priced
from orchestrator.configuration.configuration import Configuration
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest
from orchestrator.rules.steps import Step
from orchestrator.templates import templates_of


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
    known = _known(configuration, discovered)
    looked_at = {
        name: prospect(playbook, configuration, known)
        for name, playbook in configuration.playbooks.items()
    }
    return {
        name: Priced(tokens=found.tokens, problems=found.problems)
        for name, found in looked_at.items()
        if not found.unknown
    }


def misfits(
    configuration: Configuration, discovered: Mapping[str, Discovered] | None
) -> dict[str, tuple[Flaw, ...]]:
    """By rule, the arguments of its calls that their tools wouldn't take, as far as the tools are known."""
    known = _known(configuration, discovered)
    found: dict[str, tuple[Flaw, ...]] = {}
    for rule in configuration.rules:
        for index, step in enumerate(rule.call):
            at = (rule.name, "call", index, "args")
            tool = _tool(step, configuration, known)
            flaws = () if tool is None else tuple(_misfits(step, tool, at))
            found[rule.name] = (*found.get(rule.name, ()), *flaws)
    return found


def _known(
    configuration: Configuration, discovered: Mapping[str, Discovered] | None
) -> Mapping[str, Discovered]:
    if discovered is not None:
        return discovered
    return from_lock(configuration.lock) if configuration.lock else {}


def _tool(step: Step, configuration: Configuration, known: Mapping[str, Discovered]) -> Tool | None:
    """The tool as a run of the rule would have it; None where it would have none."""
    try:
        (tool,) = stepping.toolset([step], known, configuration.servers)
    except ToolsetRefused:
        return None
    return tool


def _misfits(step: Step, tool: Tool, at: tuple[str | int, ...]) -> Iterator[Flaw]:
    schema = tool.definition["input_schema"]
    names = schema["properties"]
    for name in strange(schema, tool.fixed, step.args):
        said = f"{step.tool} has no argument {name!r}{closest(name, names)}"
        yield Flaw((*at, name), said, key=True)
    for name in schema.get("required", ()):
        if name not in step.args:
            yield Flaw(at, f"{step.tool} needs the argument {name!r}", key=True)
    definitions = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    for name, value in step.args.items():
        # What a template fills in is known when it is called.
        if name in names and all(template.literal for template in templates_of(value)):
            one = {**definitions, "properties": {name: names[name]}}
            told = (complaints(step.tool, one, {name: value}) or "").splitlines()[1:]
            yield from (Flaw((*at, name), line.removeprefix("- ")) for line in told)


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
