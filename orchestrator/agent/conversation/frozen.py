"""What a conversation is made of, pinned when it opens: prompt, tools, model; it survives as JSON in the ledger.

Frozen are prompt, schemas and binds. Live at every act are caps and configuration (mechanics: live and frozen).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from orchestrator.agent.tools.builtins import BUILT_INS, reading_resources
from orchestrator.agent.tools.consent import wanted
from orchestrator.agent.tools.misfits import misfit
from orchestrator.agent.tools.own_arguments import key_for
from orchestrator.agent.tools.room import told
from orchestrator.agent.tools.toolset import (
    Tool,
    check_arguments,
    complaints,
    full_arguments,
    no_room,
    unfit,
)
from orchestrator.ledger.calls import Call, Intent
from orchestrator.playbooks import READ, may_read, resource_of
from orchestrator.rules.steps import Step
from orchestrator.telemetry.words import Unmade
from workflows.messages import Outcome, ToolCall, ToolCard
from workflows.own_tools import BUILTIN, EVENT, FINISH, RESOURCE, WAIT
from workflows.playbook import Budget, Callback, Effect, Playbook, Screening, TextPolicy

VERSION = 1
QUOTED = 300
"""Characters that the model is shown of arguments of its that are no JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The pinned part. `version` is of this shape, so that an old pin stays readable.

    `sources` are those that may ring, for waits; none were written down at first, and then any may.
    `trusted` is whether the author of the event that opened it was known to the rule, None where nobody asked;
    `subject` is what that event was about. With `steps` no model is asked: they are called, one after the other.
    `built_ins` are the aliases of those that were offered; `text` is how others' words are shown. `waits` are the
    events that answer a tool's call later, by `server.tool`; `inputs` is the `with` of their keys. `notices` say what
    was left out. `screening` is what a write may carry, `reads` the resources that may be read. `prompt` are the
    words of a server with which it begins, by their SHA-256.
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
    steps: tuple[Step, ...] = ()
    built_ins: tuple[str, ...] = (WAIT,)
    text: TextPolicy = field(default_factory=TextPolicy)
    screening: Screening = field(default_factory=Screening)
    waits: Mapping[str, Callback] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    prompt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One tool call of a reply: what the ledger keeps, what the loop sees, what is wrong with it for the model.

    `why` is how a complaint is counted.
    """

    intent: Intent
    call: ToolCall
    complaint: str | None = None
    why: Unmade = Unmade.BAD_INPUT


_JSON: TypeAdapter[Frozen] = TypeAdapter(Frozen)


def dump(frozen: Frozen) -> bytes:
    """As JSON; the same value gives the same bytes."""
    return _JSON.dump_json(frozen)


def load(data: bytes) -> Frozen:
    """From JSON. Raises pydantic's ValidationError on a pin that is none of ours."""
    return _JSON.validate_json(data)


def definitions(frozen: Frozen) -> list[dict[str, Any]]:
    """The tools as the Messages API wants them; the last one carries the cache breakpoint of all."""
    listed = [told(tool.definition, frozen.waits.get(_full(tool))) for tool in frozen.tools]
    listed += [BUILT_INS[name] for name in frozen.built_ins]
    listed += [reading_resources(frozen.reads)] if frozen.reads else []
    ordered = sorted(map(dict, listed), key=lambda definition: str(definition["name"]))
    ordered[-1] = {**ordered[-1], "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    return ordered


def system(frozen: Frozen) -> list[dict[str, Any]]:
    """The instructions as one cached block."""
    return [
        {"type": "text", "text": frozen.system, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]


def _full(tool: Tool) -> str:
    return f"{tool.server}.{tool.name}"


def cards(frozen: Frozen) -> tuple[ToolCard, ...]:
    """What the loop must know of the tools, and of the built-in ones that are calls like theirs."""
    listed = [
        ToolCard(
            alias=tool.alias,
            server=tool.server,
            name=tool.name,
            effect=tool.effect,
            max=tool.max,
            callback=_full(tool) in frozen.waits,
        )
        for tool in frozen.tools
    ]
    if EVENT in frozen.built_ins:
        reading = ToolCard(alias=EVENT, server=BUILTIN, name=_plain(EVENT), effect=Effect.READ)
        listed.append(reading)
    if frozen.reads:
        name = _plain(RESOURCE)
        listed.append(ToolCard(alias=RESOURCE, server=BUILTIN, name=name, effect=Effect.READ))
    return tuple(listed)


def planned(
    frozen: Frozen,
    run_id: str,
    turn: int,
    content: Sequence[Mapping[str, Any]],
    hops: int = 0,
    live: Playbook | None = None,
) -> tuple[Planned, ...]:
    """The tool calls of a reply, in its order, with the full arguments that would be sent.

    `hops` is how many runs of ours led to this one; what is written carries it on. `live` is the playbook as it
    stands in the files now: it may want people's consent where the pinned one didn't.
    """
    tools = {tool.alias: tool for tool in frozen.tools}
    plans = []
    for position, block in enumerate(asked(content)):
        tool = tools.get(str(block["name"]))
        name = f"{turn}.{position}"
        plan = _planned(name, position, block, tool, _marker(run_id, turn, hops), frozen)
        plans.append(plan if tool is None else _consented(_keyed(plan, tool, run_id), tool, live))
    return tuple(plans)


def completed(tool: Tool, given: Mapping[str, Any], call: Call, hops: int) -> dict[str, Any]:
    """The full arguments of a call that somebody changed, of these: with our marker, and the bound ones."""
    turn = int(call.call_id.partition(".")[0])
    return _complete(tool, given, _marker(call.run_id, turn, hops))


def _consented(plan: Planned, tool: Tool, live: Playbook | None) -> Planned:
    if not plan.call.usable or wanted(tool, live, plan.intent.arguments) is None:
        return plan
    return replace(plan, call=replace(plan.call, approve=True))


def _keyed(plan: Planned, tool: Tool, run_id: str) -> Planned:
    if tool.key is None:
        return plan
    key = key_for(run_id, plan.intent.call_id, as_uuid=tool.key_is_uuid)
    arguments = {**plan.intent.arguments, tool.key: key}
    return replace(plan, intent=replace(plan.intent, arguments=arguments))


def _marker(run_id: str, turn: int, hops: int) -> str:
    return f"<!-- doorbell:{run_id}.{turn}.{hops} -->"


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
    frozen: Frozen,
) -> Planned:
    alias, given = str(block["name"]), block.get("input")
    arguments = given if isinstance(given, dict) else {}
    server, name, effect, complaint = _unlisted(alias, given, frozen)
    why = _why(tool, server, given)
    if tool is not None:
        complaint = check_arguments(tool, given)
        server, name, effect = tool.server, tool.name, tool.effect
        arguments = _complete(tool, arguments, marker)
        if complaint is None and (complaint := no_room(tool, arguments)):
            why = Unmade.BAD_INPUT
    complaint = _unread(alias, given) or complaint
    intent = Intent(
        call_id=call_id,
        position=position,
        alias=alias,
        server=server,
        tool=name,
        effect=effect,
        arguments=arguments,
    )
    call = ToolCall(
        call_id=call_id,
        alias=_short(alias),
        usable=complaint is None,
        ends=Outcome(arguments["outcome"]) if alias == FINISH and complaint is None else None,
    )
    return Planned(intent=intent, call=call, complaint=complaint, why=why)


def _why(tool: Tool | None, server: str, given: Any) -> Unmade:
    """What a complaint about such a call counts as."""
    if tool is None:
        return Unmade.BAD_INPUT if server else Unmade.UNKNOWN_TOOL
    return Unmade.BAD_INPUT if unfit(tool, given) else Unmade.ARGS


def _unread(alias: str, given: Any) -> str | None:
    """That the arguments stayed text, in words for the model: it has forgotten what it said."""
    if not isinstance(given, str):
        return None
    said = given if len(given) <= QUOTED else f"{given[:QUOTED]}…"
    return (
        f"The call of {alias} was not made; expected its arguments as one JSON object, got: {said}"
    )


def _unlisted(alias: str, given: Any, frozen: Frozen) -> tuple[str, str, Effect, str | None]:
    if alias == RESOURCE and frozen.reads:
        return _reading(given, frozen.reads)
    if alias in frozen.built_ins:
        complaint = complaints(alias, BUILT_INS[alias]["input_schema"], given)
        complaint = complaint or misfit(alias, given, frozen.sources)
        return BUILTIN, _plain(alias), Effect.READ, complaint
    unknown = f"There is no tool {alias!r}; use one of the tools you were given."
    return "", alias, Effect.READ, unknown


def _reading(given: Any, reads: Sequence[str]) -> tuple[str, str, Effect, str | None]:
    """A reading is a call to the server that has the resource: it ends as every call does."""
    complaint = complaints(RESOURCE, reading_resources(reads)["input_schema"], given)
    if complaint is not None:
        return BUILTIN, _plain(RESOURCE), Effect.READ, complaint
    wanted = str(given["resource"])
    if not may_read(reads, wanted):
        refused = (
            f"This can't be read: only what these allow, letter by letter: {', '.join(reads)}."
        )
        return BUILTIN, _plain(RESOURCE), Effect.READ, refused
    return resource_of(wanted)[0], READ, Effect.READ, None


def _plain(alias: str) -> str:
    """The name of a built-in tool without the server's that stands for us."""
    return alias.removeprefix(f"{BUILTIN}__")


def _short(alias: str) -> str:
    # A name the model made up may be anything; what goes into Temporal's history is a name.
    return "".join(char if char.isalnum() or char in "_-" else "_" for char in alias)[:64]


def _complete(tool: Tool, given: Mapping[str, Any], marker: str) -> dict[str, Any]:
    arguments = full_arguments(tool, given)
    text = None if tool.marker is None else arguments.get(tool.marker)
    if tool.marker is not None and tool.effect is not Effect.READ and isinstance(text, str):
        # So that our own words are known when they ring back (promise R4).
        arguments[tool.marker] = f"{text.rstrip()}\n\n{marker}"
    return arguments
