"""The tools one conversation may use, chosen from what servers offer; it asks no server and calls no tool.

Nothing is silently cut: what doesn't fit the promise (40 tools, 16,000 tokens) is refused with its price.
Bound arguments are not in the schema the model sees, so no text it reads can aim them elsewhere.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from orchestrator.agent.builtins import BUILT_INS
from orchestrator.agent.convert import alias, described
from orchestrator.agent.definitions import Discovered, ToolDefinition
from orchestrator.agent.schemas import repair
from orchestrator.agent.untrusted import hidden_characters, shown, texts
from orchestrator.errors import PersonError
from orchestrator.servers import Server
from workflows.playbook import (
    MAX_TOOL_TOKENS,
    MAX_TOOLS,
    Approve,
    Effect,
    Playbook,
    TextPolicy,
    WriteLimit,
)

CHARACTERS_PER_TOKEN = 3.6
MAX_COMPLAINTS = 5
MAX_COMPLAINT = 300

_SAID = frozenset({"title", "description", "$comment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool as the model sees it (`definition`), and what we add or forbid behind its back.

    `max` is how often a conversation may call it, None for any number; `tokens` what its definition costs. `approve`
    says who must consent to a call first, and to which.
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
) -> Toolset:
    """Exactly the tools a playbook lists; `bound` is its `bind`, rendered.

    Raises:
        ToolsetRefused: with everything that's wrong, in words.
    """
    problems: list[str] = []
    wanted = list(_wanted(playbook, discovered, problems))
    tools = sorted(_tools(wanted, playbook, servers, bound, problems), key=lambda tool: tool.alias)
    problems += _unused(bound, wanted)
    problems += _collisions(tools)
    problems += _overspent(tools, len(wanted))
    if problems:
        raise ToolsetRefused(playbook.name, tuple(problems))
    return tuple(tools)


def check_arguments(tool: Tool, arguments: Any) -> str | None:
    """What is wrong with arguments a model chose, in words for the model; None when nothing is."""
    return complaints(tool.alias, tool.definition["input_schema"], arguments)


def complaints(name: str, schema: Mapping[str, Any], arguments: Any) -> str | None:
    """What is wrong with arguments under a schema that `repair` has made sound; None when nothing is."""
    errors = sorted(Draft202012Validator(schema).iter_errors(arguments), key=lambda e: e.json_path)
    if not errors:
        return None
    lines = [f"- {_complaint(error)}" for error in errors[:MAX_COMPLAINTS]]
    if len(errors) > MAX_COMPLAINTS:
        lines.append(f"- and {len(errors) - MAX_COMPLAINTS} more")
    return "\n".join((f"The call of {name} was not made; its arguments don't fit:", *lines))


def full_arguments(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent: the model's arguments with the bound ones over them."""
    return {**arguments, **tool.bound}


def tokens(definition: Mapping[str, Any]) -> int:
    """What a definition costs in a prompt, estimated from its JSON."""
    return math.ceil(len(json.dumps(definition, ensure_ascii=False)) / CHARACTERS_PER_TOKEN)


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
        problems += _unseen(full_name, definition)
        try:
            schema = repair(definition.input_schema)
        except ValueError as wrong:
            problems.append(f"the schema of {full_name} can't be used: {wrong}")
            continue
        pinned = _pinned(definition, schema, bound)
        problems += _misfits(full_name, schema, pinned)
        effect = effect_of(definition, servers)
        yield _tool(definition, effect, _without(schema, pinned), pinned, playbook)


def _unseen(full_name: str, definition: ToolDefinition) -> Iterator[str]:
    said = (definition.name, definition.title, definition.description, definition.input_schema)
    if found := hidden_characters("\n".join(texts(said))):
        yield (
            f"the definition of {full_name} has characters that nobody sees and a model reads:"
            f" {', '.join(found[:MAX_COMPLAINTS])}; ask whoever runs the server to take them out"
        )


def _tool(
    definition: ToolDefinition,
    effect: Effect,
    schema: dict[str, Any],
    pinned: Mapping[str, Any],
    playbook: Playbook,
) -> Tool:
    name, full_name = (
        alias(definition.server, definition.name),
        f"{definition.server}.{definition.name}",
    )
    limit = playbook.writes.get(full_name, WriteLimit())
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
        tokens=tokens(offered),
        approve=playbook.consent_for(full_name, effect),
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


def effect_of(definition: ToolDefinition, servers: Mapping[str, Server]) -> Effect:
    """What a call does: as declared, else by its claim to only read; any other claim counts as a write, once."""
    server = servers.get(definition.server)
    declared = None if server is None else server.effects.get(definition.name)
    if declared is not None:
        return declared
    return Effect.READ if definition.read_only is True else Effect.WRITE_ONCE


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
        validator = Draft202012Validator(
            {**definitions, "properties": {name: schema["properties"][name]}}
        )
        for error in validator.iter_errors({name: value}):
            yield f"bind: {full_name} doesn't take this value for {_complaint(error)}"


def _without(schema: Mapping[str, Any], pinned: Mapping[str, Any]) -> dict[str, Any]:
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
    for name, count in Counter([*(tool.alias for tool in tools), *BUILT_INS]).items():
        if count > 1:
            same = ", ".join(f"{tool.server}.{tool.name}" for tool in tools if tool.alias == name)
            yield f"more than one tool would be called {name!r}: {same}; rename a server"


def _overspent(tools: list[Tool], wanted: int) -> Iterator[str]:
    if wanted + len(BUILT_INS) > MAX_TOOLS:
        yield (
            f"expected at most {MAX_TOOLS} tools with the built-in {', '.join(BUILT_INS)},"
            f" got {wanted + len(BUILT_INS)}; list fewer, or split the playbook"
        )
    spent = sum(tool.tokens for tool in tools) + sum(map(tokens, BUILT_INS.values()))
    if spent > MAX_TOOL_TOKENS:
        dearest = sorted(tools, key=lambda tool: -tool.tokens)[:5]
        prices = ", ".join(f"{tool.server}.{tool.name} {tool.tokens}" for tool in dearest)
        yield (
            f"expected at most {MAX_TOOL_TOKENS} tokens of definitions, got about {spent};"
            f" the most expensive: {prices}"
        )
