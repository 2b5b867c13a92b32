"""The tools one conversation may use, chosen from what servers offer; it asks no server and calls no tool.

Nothing is silently cut: what doesn't fit the promise (40 tools, 16,000 tokens) is refused with its price.
Bound arguments are not in the schema the model sees, so no text it reads can aim them elsewhere.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final

from jsonschema import ValidationError

from orchestrator.agent.hands.convert import alias, described
from orchestrator.agent.hands.definitions import (
    Discovered,
    ToolDefinition,
    canonical,
    definition_hash,
)
from orchestrator.agent.hands.effects import Origin, effect_of
from orchestrator.agent.hands.fitting import faults
from orchestrator.agent.hands.schemas import repair
from orchestrator.agent.text.untrusted import hidden_characters, shown, texts
from orchestrator.agent.tools.arguments import Policy, breaches, crowded, misfits, narrowed
from orchestrator.agent.tools.builtins import BUILT_INS, reading_resources
from orchestrator.agent.tools.own_arguments import (
    MARKED,
    key_argument,
    marker_of,
    strangers,
    wants_uuid,
)
from orchestrator.agent.tools.room import excess, tokens, told
from orchestrator.agent.tools.unknown import strange
from orchestrator.errors import PersonError
from orchestrator.servers import Server
from workflows.own_tools import RESOURCE
from workflows.playbook import (
    Approve,
    Effect,
    Playbook,
    TextPolicy,
    WriteLimit,
)

MAX_COMPLAINTS = 5
MAX_COMPLAINT = 300
MAX_NAME = 64
NO_LIMIT = WriteLimit()

_SAID = frozenset({"title", "description", "$comment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool as the model sees it (`definition`), and what we add or forbid behind its back.

    `max` is how often a conversation may call it, None for any number; `tokens` what its definition costs. `approve`
    says who must consent to a call first, and to which; `args` what the arguments may be. `hash` is of the definition
    as its server gave it, `origin` where we have the effect from. `marker` is the argument whose text gets our marker,
    `key` the one that gets the call's idempotency key; `verify` is the alias of the tool that shows what became of it.
    """

    alias: str
    server: str
    name: str
    effect: Effect
    definition: Mapping[str, Any]
    bound: Mapping[str, Any] = field(default_factory=dict)
    max: int | None = None
    tokens: int = 0
    approve: Approve | None = None
    args: Policy = field(default_factory=dict)
    hash: str = ""
    origin: str = ""
    marker: str | None = MARKED[0]
    key: str | None = None
    key_is_uuid: bool = False
    verify: str | None = None

    @property
    def fixed(self) -> frozenset[str]:
        """The arguments that the model doesn't choose, and doesn't see."""
        return frozenset(self.bound) | ({self.key} if self.key else frozenset())


LATER: Final = object()
"""Stands for a bound value that isn't known yet, where tools are only looked at."""

Toolset = tuple[Tool, ...]
"""Sorted by alias: the same tools are the same bytes, so the prompt cache holds."""


class ToolsetRefused(PersonError):
    """A playbook's tools can't be offered as they stand: every problem at once."""

    def __init__(self, playbook: str, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join((f"the tools of playbook {playbook!r} don't work:", *problems)))
        self.problems = problems


def curate(
    playbook: Playbook,
    discovered: Mapping[str, Discovered],
    servers: Mapping[str, Server],
    bound: Mapping[str, Mapping[str, Any]],
    dropped: Collection[str] = (),
) -> Toolset:
    """Exactly the tools a playbook lists, without those `dropped` (`server.tool`); `bound` is its `bind`, rendered.

    Raises:
        ToolsetRefused: with everything that's wrong, in words.
    """
    tools, problems = looked_at(playbook, discovered, servers, bound, dropped)
    if problems:
        raise ToolsetRefused(playbook.name, problems)
    return tools


def looked_at(
    playbook: Playbook,
    discovered: Mapping[str, Discovered],
    servers: Mapping[str, Server],
    bound: Mapping[str, Mapping[str, Any]],
    dropped: Collection[str] = (),
) -> tuple[Toolset, tuple[str, ...]]:
    """The tools a playbook lists, as far as they work, and everything that's wrong, in words."""
    problems: list[str] = []
    wanted = list(_wanted(playbook, discovered, problems))
    kept = [tool for tool in wanted if f"{tool.server}.{tool.name}" not in dropped]
    tools = sorted(_tools(kept, playbook, servers, bound, problems), key=lambda tool: tool.alias)
    problems += _unused(bound, wanted)
    problems += _collisions(tools)
    problems += _overspent(tools, playbook.read)
    return tuple(tools), tuple(problems)


def check_arguments(tool: Tool, arguments: Any) -> str | None:
    """What is wrong with arguments a model chose, in words for the model; None when nothing is."""
    wrong = unfit(tool, arguments)
    return wrong or not_allowed(tool.alias, breaches(tool.args, full_arguments(tool, arguments)))


def unfit(tool: Tool, arguments: Any) -> str | None:
    """Why the tool can't take these at all, in words for the model; None when it can."""
    schema = tool.definition["input_schema"]
    return complaints(tool.alias, schema, arguments) or _unknown(tool, schema, arguments)


def no_room(tool: Tool, arguments: Mapping[str, Any]) -> str | None:
    """That a text with our marker is longer than the tool takes, in words for the model; None when it isn't."""
    said = crowded(tool.definition["input_schema"], arguments, tool.marker)
    return (
        f"The call of {tool.alias} was not made; its arguments don't fit:\n- {said}"
        if said
        else None
    )


def _unknown(tool: Tool, schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | None:
    """Which arguments the tool doesn't have, in words for the model; None where it has all."""
    found = strange(schema, tool.fixed, arguments, tool.args)
    if not found:
        return None
    there = ", ".join(schema["properties"]) or "none that you choose"
    told = ", ".join(repr(name[:MAX_NAME]) for name in found[:MAX_COMPLAINTS])
    return f"The call of {tool.alias} was not made; it has no argument {told}: it has {there}."


def not_allowed(name: str, wrong: Sequence[str]) -> str | None:
    """What a playbook doesn't allow of a call, one line each, in words for the model; None where it allows all."""
    if not wrong:
        return None
    lines = [f"- {line}" for line in wrong[:MAX_COMPLAINTS]]
    return "\n".join((f"The call of {name} was not made; the playbook doesn't allow this:", *lines))


def complaints(name: str, schema: Mapping[str, Any], arguments: Any) -> str | None:
    """What is wrong with arguments under a schema that `repair` has made sound; None when nothing is."""
    errors = faults(schema, arguments)
    if not errors:
        return None
    lines = [f"- {_complaint(error)}" for error in errors[:MAX_COMPLAINTS]]
    if len(errors) > MAX_COMPLAINTS:
        lines.append(f"- and {len(errors) - MAX_COMPLAINTS} more")
    return "\n".join((f"The call of {name} was not made; its arguments don't fit:", *lines))


def full_arguments(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent: the model's arguments with the bound ones over them."""
    return {**arguments, **tool.bound}


def _complaint(error: ValidationError) -> str:
    # The message of a deep error repeats the whole value; the model has it already.
    where = error.json_path.removeprefix("$").removeprefix(".") or "arguments"
    said = error.message
    return f"{where}: {said if len(said) <= MAX_COMPLAINT else said[: MAX_COMPLAINT - 1] + '…'}"


def _wanted(
    playbook: Playbook, discovered: Mapping[str, Discovered], problems: list[str]
) -> Iterator[ToolDefinition]:
    for server, names in playbook.tools.items():
        offered = (
            {tool.name: tool for tool in discovered[server].tools} if server in discovered else {}
        )
        if server not in discovered:
            problems.append(
                f"server {server!r} wasn't asked what it offers{_meant(server, discovered)}"
            )
            continue
        for name in dict.fromkeys(names):
            if name in offered:
                yield offered[name]
            else:
                problems.append(f"server {server!r} has no tool {name!r}{_meant(name, offered)}")


def _meant(word: str, known: Mapping[str, Any]) -> str:
    if close := get_close_matches(word, known, n=1):
        return f"; did you mean {close[0]!r}?"
    return f"; it has {', '.join(sorted(known)[:10])}" if known else ""


def _tools(
    wanted: list[ToolDefinition],
    playbook: Playbook,
    servers: Mapping[str, Server],
    bound: Mapping[str, Mapping[str, Any]],
    problems: list[str],
) -> Iterator[Tool]:
    for definition in wanted:
        full_name = f"{definition.server}.{definition.name}"
        problems += unseen(full_name, definition)
        try:
            schema = repair(definition.input_schema)
        except ValueError as wrong:
            problems.append(f"the schema of {full_name} can't be used: {wrong}")
            continue
        pinned = _pinned(definition, schema, bound)
        problems += _misfits(full_name, schema, pinned)
        args = playbook.writes.get(full_name, NO_LIMIT).args
        known = {name: value for name, value in pinned.items() if value is not LATER}
        problems += [
            f"writes: args of {full_name}: {name!r}: {why}"
            for name, why in misfits(args, schema, known)
        ]
        effect, origin = effect_of(definition, servers)
        server = servers.get(definition.server)
        problems += strangers(full_name, definition.name, schema, server, pinned)
        key = key_argument(definition.name, server)
        offered = narrowed(_without(schema, {*pinned, *([key] if key else [])}), args)
        made = _tool(definition, effect, origin, offered, pinned, playbook)
        yield replace(
            made,
            marker=marker_of(definition.name, schema, server),
            key=key,
            key_is_uuid=key is not None and wants_uuid(key, schema),
        )


def unseen(full_name: str, definition: ToolDefinition) -> Iterator[str]:
    """What is wrong with a definition that says what a person doesn't see."""
    if found := hidden_characters("\n".join(texts(canonical(definition)))):
        yield (
            f"the definition of {full_name} has characters that nobody sees and a model reads:"
            f" {', '.join(found[:MAX_COMPLAINTS])}; ask whoever runs the server to take them out"
        )


def _tool(
    definition: ToolDefinition,
    effect: Effect,
    origin: Origin,
    schema: dict[str, Any],
    pinned: Mapping[str, Any],
    playbook: Playbook,
) -> Tool:
    name, full_name = (
        alias(definition.server, definition.name),
        f"{definition.server}.{definition.name}",
    )
    limit = playbook.writes.get(full_name, NO_LIMIT)
    offered = {
        "name": name,
        "description": shown(described(definition.title, definition.description), playbook.text),
        "input_schema": _told(schema, playbook.text),
    }
    return Tool(
        alias=name,
        server=definition.server,
        name=definition.name,
        effect=effect,
        definition=offered,
        bound=pinned,
        max=None if effect is Effect.READ else limit.max,
        tokens=tokens(told(offered, playbook.waits.get(full_name))),
        approve=playbook.consent_for(full_name, effect),
        args=limit.args,
        hash=definition_hash(definition),
        origin=str(origin),
        verify=None if limit.verify is None else alias(*limit.verify.split(".", 1)),
    )


def _told(schema: Any, policy: TextPolicy) -> Any:
    """The same schema with what it says to its reader shown; what it means stays."""
    match schema:
        case Mapping():
            return {
                key: shown(value, policy)
                if key in _SAID and isinstance(value, str)
                else _told(value, policy)
                for key, value in schema.items()
            }
        case list():
            return [_told(one, policy) for one in schema]
        case _:
            return schema


def _pinned(
    definition: ToolDefinition, schema: Mapping[str, Any], bound: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    of_server = bound.get(definition.server, {})
    of_tool = bound.get(f"{definition.server}.{definition.name}", {})
    return {
        name: value
        for name, value in {**of_server, **of_tool}.items()
        if name in schema["properties"]
    }


def _misfits(full_name: str, schema: Mapping[str, Any], pinned: Mapping[str, Any]) -> Iterator[str]:
    definitions = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    for name, value in pinned.items():
        if value is LATER:
            continue
        taken = {**definitions, "properties": {name: schema["properties"][name]}}
        for error in faults(taken, {name: value}):
            yield f"bind: {full_name} doesn't take this value for {_complaint(error)}"


def _without(schema: Mapping[str, Any], pinned: Collection[str]) -> dict[str, Any]:
    properties = {name: value for name, value in schema["properties"].items() if name not in pinned}
    required = [name for name in schema.get("required") or () if name not in pinned]
    shown = {key: value for key, value in schema.items() if key != "required"}
    return {**shown, "properties": properties, **({"required": required} if required else {})}


def _unused(bound: Mapping[str, Mapping[str, Any]], wanted: list[ToolDefinition]) -> Iterator[str]:
    for target, arguments in bound.items():
        tools = [tool for tool in wanted if target in {tool.server, f"{tool.server}.{tool.name}"}]
        if not tools:
            yield f"bind: no tool of this playbook is named {target!r}"
            continue
        taken = {name for tool in tools for name in _argument_names(tool)}
        for name in sorted(set(arguments) - taken):
            yield f"bind: no tool takes {name!r} of {target!r}{_meant(name, dict.fromkeys(taken))}"


def _argument_names(tool: ToolDefinition) -> Iterator[str]:
    try:
        yield from repair(tool.input_schema)["properties"]
    except ValueError:
        return


def _collisions(tools: list[Tool]) -> Iterator[str]:
    for name, count in Counter([*(tool.alias for tool in tools), *BUILT_INS, RESOURCE]).items():
        if count > 1:
            same = ", ".join(f"{tool.server}.{tool.name}" for tool in tools if tool.alias == name)
            yield f"more than one tool would be called {name!r}: {same}; rename a server"


def _overspent(tools: list[Tool], reads: Sequence[str]) -> Iterator[str]:
    prices = {f"{tool.server}.{tool.name}": tool.tokens for tool in tools}
    prices |= {RESOURCE: tokens(reading_resources(reads))} if reads else {}
    found = excess(prices)
    if found is not None:
        named = ", ".join(f"{name} ({prices[name]})" for name in found.drop)
        yield (
            f"{'; '.join(found.words)}. Nothing is cut by itself:"
            f" the rest fits without {named or 'all of them'}"
        )
