"""What a conversation is made of, pinned when it opens: prompt, tools, model; it survives as JSON in the ledger.

Frozen are prompt, schemas and binds. Live at every act are caps and configuration (mechanics: live and frozen).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from orchestrator.agent.toolset import WAIT as WAIT_DEFINITION
from orchestrator.agent.toolset import Tool, check_arguments, complaints, full_arguments
from orchestrator.ledger.calls import Intent
from workflows.messages import BUILTIN, WAIT, ToolCall, ToolCard
from workflows.playbook import Budget, Effect

VERSION = 1

MARKED = "body"
"""The argument of a writing tool whose text gets our hidden marker, as GitHub's tools name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The pinned part. `version` is of this shape, so that an old pin stays readable.

    `sources` are those that may ring, for waits; none were written down at first, and then any may.
    `trusted` is whether the author of the event that opened it was known to the rule, None where nobody asked;
    `subject` is what that event was about.
    """

    version: int
    playbook: str
    playbook_digest: str
    model: str
    max_tokens: int
    budget: Budget
    system: str
    tools: tuple[Tool, ...]
    sources: tuple[str, ...] = ()
    trusted: bool | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One tool call of a reply: what the ledger keeps, what the loop sees, what is wrong with it for the model."""

    intent: Intent
    call: ToolCall
    complaint: str | None = None


_JSON: TypeAdapter[Frozen] = TypeAdapter(Frozen)


def dump(frozen: Frozen) -> bytes:
    """As JSON; the same value gives the same bytes."""
    return _JSON.dump_json(frozen)


def load(data: bytes) -> Frozen:
    """From JSON. Raises pydantic's ValidationError on a pin that is none of ours."""
    return _JSON.validate_json(data)


def definitions(frozen: Frozen) -> list[dict[str, Any]]:
    """The tools as the Messages API wants them; the last one carries the cache breakpoint of all."""
    listed = [dict(tool.definition) for tool in frozen.tools] + [dict(WAIT_DEFINITION)]
    ordered = sorted(listed, key=lambda definition: str(definition["name"]))
    ordered[-1] = {**ordered[-1], "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    return ordered


def system(frozen: Frozen) -> list[dict[str, Any]]:
    """The instructions as one cached block."""
    return [
        {"type": "text", "text": frozen.system, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]


def cards(frozen: Frozen) -> tuple[ToolCard, ...]:
    """What the loop must know of the tools."""
    return tuple(
        ToolCard(
            alias=tool.alias, server=tool.server, name=tool.name, effect=tool.effect, max=tool.max
        )
        for tool in frozen.tools
    )


def planned(
    frozen: Frozen, run_id: str, turn: int, content: Sequence[Mapping[str, Any]], hops: int = 0
) -> tuple[Planned, ...]:
    """The tool calls of a reply, in its order, with the full arguments that would be sent.

    `hops` is how many runs of ours led to this one; what is written carries it on.
    """
    tools = {tool.alias: tool for tool in frozen.tools}
    plans = []
    for position, block in enumerate(asked(content)):
        tool = tools.get(str(block["name"]))
        name = f"{turn}.{position}"
        marker = f"<!-- doorbell:{run_id}.{turn}.{hops} -->"
        plans.append(_planned(name, position, block, tool, marker, frozen.sources))
    return tuple(plans)


def asked(content: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The `tool_use` blocks of a reply; a call is known by its turn and its place among them.

    The provider's own ids are only sent back: some endpoints use the same ones in every turn.
    """
    return [block for block in content if block.get("type") == "tool_use"]


def _planned(
    call_id: str,
    position: int,
    block: Mapping[str, Any],
    tool: Tool | None,
    marker: str,
    sources: Sequence[str],
) -> Planned:
    alias, given = str(block["name"]), block.get("input")
    arguments = given if isinstance(given, dict) else {}
    server, name, effect, complaint = _unlisted(alias, given, sources)
    if tool is not None:
        complaint = check_arguments(tool, given)
        server, name, effect = tool.server, tool.name, tool.effect
        arguments = _complete(tool, arguments, marker)
    intent = Intent(
        call_id=call_id,
        position=position,
        alias=alias,
        server=server,
        tool=name,
        effect=effect,
        arguments=arguments,
    )
    call = ToolCall(call_id=call_id, alias=_short(alias), usable=complaint is None)
    return Planned(intent=intent, call=call, complaint=complaint)


def _unlisted(
    alias: str, given: Any, sources: Sequence[str]
) -> tuple[str, str, Effect, str | None]:
    if alias == WAIT:
        complaint = complaints(WAIT, WAIT_DEFINITION["input_schema"], given)
        return BUILTIN, "wait", Effect.READ, complaint or _deaf(given, sources)
    unknown = f"There is no tool {alias!r}; use one of the tools you were given."
    return "", alias, Effect.READ, unknown


def _deaf(given: Mapping[str, Any], sources: Sequence[str]) -> str | None:
    """A wait for events that nobody can send would sleep to its end."""
    strange = sorted({str(event).partition("/")[0] for event in given["events"]} - set(sources))
    if not sources or not strange:
        return None
    return f"Nobody rings as {strange[0]!r}; events come from {', '.join(sources)} (source/type)."


def _short(alias: str) -> str:
    # A name the model made up may be anything; what goes into Temporal's history is a name.
    return "".join(char if char.isalnum() or char in "_-" else "_" for char in alias)[:64]


def _complete(tool: Tool, given: Mapping[str, Any], marker: str) -> dict[str, Any]:
    arguments = full_arguments(tool, given)
    text = arguments.get(MARKED)
    if tool.effect is not Effect.READ and isinstance(text, str):
        # So that our own words are known when they ring back (promise R4).
        arguments[MARKED] = f"{text.rstrip()}\n\n{marker}"
    return arguments
