"""Whether a pinned tool may still be called: frozen and live, for a run may have slept for weeks; it sends nothing.

`effective` is the decision over values. `revoked` gathers them just before a call leaves, asks the server what it
offers when that is no longer fresh, and writes down a tool that is no longer what it was. Where the playbook says
`on_drift: park`, such a call is neither made nor answered: it waits until a person has looked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.agent.calling.readable import unreadable
from orchestrator.agent.calling.refusal import Refusal, refusal
from orchestrator.agent.conversation.opening import frozen_of, is_open
from orchestrator.agent.hands.definitions import HandsUnreachable, ToolDefinition, definition_hash
from orchestrator.agent.hands.locking import changed, drifted, estranged
from orchestrator.agent.hands.schemas import repair
from orchestrator.agent.means import Means
from orchestrator.agent.tools.arguments import Policy, breaches, left_out
from orchestrator.agent.tools.quarantine import note_drift, quarantined, way_of
from orchestrator.agent.tools.toolset import NO_LIMIT, Tool, complaints, not_allowed
from orchestrator.configuration.locks import LockedTool
from orchestrator.errors import PersonError
from orchestrator.ledger import artifacts, calls
from orchestrator.ledger.calls import Call
from orchestrator.ledger.conversations import Conversation
from orchestrator.servers import Server
from orchestrator.telemetry.words import Unmade
from workflows.own_tools import BUILTIN
from workflows.playbook import Effect, OnDrift, Playbook

ORDER: Final = (Effect.READ, Effect.WRITE, Effect.WRITE_ONCE)

NOT_MADE: Final = "This call was not made: {why}"
UNREADABLE: Final = (
    "tools.lock can't be used, so nobody knows what was approved. A person must mend it."
)
STRANGE: Final = (
    "the server {server!r} isn't the one that a person approved. Go on without it, and say so."
)
QUARANTINED: Final = (
    "{name} is in quarantine: its server describes it otherwise than a person approved."
    " Go on without it, and say so."
)
UNHEARD: Final = (
    "{why}. So nobody knows whether {name} is still what was approved, and nothing was sent."
    " Try again later, or go on without it, and say so."
)
MEND_LOCK: Final = (
    "tools.lock can't be used, so no tool of any server may be called; run `doorbell check`"
)
LOCK_AGAIN: Final = (
    "{name} is no longer in tools.lock: run `doorbell lock`, and look at what it adds"
)
PIN: Final = "{words}\nif that is meant, run `doorbell lock`, and commit tools.lock"


class Held(PersonError):
    """A call waits until a person has looked at its tool; nothing of it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Why a tool isn't what somebody approved: as the model is `told`, and as people are `shown` it.

    The model must not read what a server says now; people must. `stands` is false where there is nothing to look at.
    """

    told: str
    shown: str
    stands: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What is in force at the moment of a call.

    `playbook` is None where it is no longer in the files, or in none: then what was pinned holds. `before` counts the
    calls of the tool in this conversation that were sent, or will be. `drift` says why the tool isn't what was locked
    or pinned; `locked` is what a person accepted.
    """

    arguments: Mapping[str, Any]
    playbook: Playbook | None = None
    server: Server | None = None
    before: int = 0
    drift: str | None = None
    locked: LockedTool | None = None


def effective(tool: Tool, live: Live) -> Refusal | None:
    """Why a pinned tool may not be called so now, in words for the model and for people; None when it may."""
    return (
        refusal(Unmade.TAKEN_OFF, _unlisted(tool, live.playbook))
        or refusal(Unmade.DRIFT, live.drift)
        or refusal(Unmade.MAX, _exhausted(tool, live))
        or refusal(Unmade.EFFECT, _stronger(tool, live.server))
        or refusal(Unmade.ARGS, _breach(tool, tool.args, live))
        or refusal(Unmade.ARGS, _breach(tool, _args(tool, live.playbook), live))
        or refusal(Unmade.BAD_INPUT, _outgrown(tool, live))
    )


def _breach(tool: Tool, policy: Policy, live: Live) -> str | None:
    wrong = breaches(policy, live.arguments, _marked(tool))
    # Opened before it had to be given, or before there was a bound.
    wrong += left_out(policy, tool.definition["input_schema"], live.arguments)
    return not_allowed(tool.alias, wrong)


def _marked(tool: Tool) -> str | None:
    return None if tool.effect is Effect.READ else tool.marker


async def revoked(means: Means, call: Call) -> Refusal | None:
    """Why this call may not leave now; None when it may, and where no conversation asked for it.

    Raises:
        Held: a person must look at its tool first, and no attempt of the call has begun.
    """
    if call.server == BUILTIN or not await is_open(means, call.run_id):
        return None
    conversation, frozen = await frozen_of(means, call.run_id)
    tool = next((one for one in frozen.tools if one.alias == call.alias), None)
    if tool is None:
        return _not_made(unreadable(means, call, conversation.playbook, frozen.inputs))
    configuration = means.configuration()
    lock = configuration.lock
    drift = await _drift(means, conversation, tool)
    live = Live(
        arguments=call.arguments,
        playbook=configuration.playbooks.get(conversation.playbook),
        server=configuration.servers.get(tool.server),
        before=await means.ledger.read(calls.before, call),
        drift=None if drift is None else drift.told,
        locked=None if lock is None else lock.tool(tool.server, tool.name),
    )
    why = effective(tool, live)
    # Of what was begun before a part may have been sent: that has to be settled, and can't stand still.
    parks = drift is not None and drift.stands and _parks(live.playbook)
    drifted = why is not None and why.why is Unmade.DRIFT
    if drift is not None and parks and drifted and _is_unbegun(call):
        raise Held(drift.shown)
    if why is not None and drifted and drift is not None and not drift.stands:
        why = Refusal(Unmade.UNHEARD, why.words)
    return _not_made(why)


def _is_unbegun(call: Call) -> bool:
    # The attempts of one that a person applies count on over a lost run, whose worker can send it no more.
    applied = call.call_id.endswith(calls.APPLIED)
    return call.attempt == 0 or (applied and call.sent_at is None)


def _not_made(why: Refusal | None) -> Refusal | None:
    return None if why is None else Refusal(why.why, NOT_MADE.format(why=why.words))


def _parks(live: Playbook | None) -> bool:
    """Whether people are waited for, and not done without."""
    return live is None or live.on_drift is OnDrift.PARK


async def _drift(means: Means, conversation: Conversation, tool: Tool) -> Drift | None:
    """Why the tool is in quarantine; None where it is what it was."""
    configuration = means.configuration()
    lock = configuration.lock
    if lock is None and not tool.hash:
        # Opened by a version that pinned no hash, and nobody locked anything: there is nothing to compare.
        return None
    if lock is not None and not lock.sound:
        return Drift(told=UNREADABLE, shown=MEND_LOCK)
    name = f"{tool.server}.{tool.name}"
    if lock is not None and lock.tool(tool.server, tool.name) is None:
        told = f"{name} is no longer in tools.lock. Go on without it."
        return Drift(told=told, shown=LOCK_AGAIN.format(name=name))
    try:
        offered = await means.listings.tool(means.hands, tool.server, tool.name, means.now())
    except HandsUnreachable as error:
        # A server that only keeps silent about a tool must not get it called unseen.
        told = UNHEARD.format(why=error, name=name)
        return Drift(told=told, shown=told, stands=False)
    if lock is not None:
        way = way_of(configuration.servers.get(tool.server))
        strange = estranged(lock, offered[0], way)
        if strange is not None:
            return Drift(told=STRANGE.format(server=tool.server), shown=strange)
    held = await _otherwise(means, conversation, tool, offered[1])
    if held is None:
        since = conversation.opened_at
        held = await quarantined(means, lock, tool.server, tool.name, tool.hash, since)
    return None if held is None else Drift(told=QUARANTINED.format(name=name), shown=held)


async def _otherwise(
    means: Means, conversation: Conversation, tool: Tool, definition: ToolDefinition
) -> str | None:
    """How it isn't what was locked or, where nobody locked anything, pinned; what is different is written down."""
    lock = means.configuration().lock
    if lock is not None:
        words = drifted(lock, definition)
    elif definition_hash(definition) == tool.hash:
        words = None
    else:
        kept = await means.ledger.read(artifacts.get, tool.hash)
        words = changed({} if kept is None else json.loads(kept.body), definition)
    if words is None:
        return None
    await note_drift(means, conversation.run_id, definition, words)
    return words if lock is not None else PIN.format(words=words)


def _unlisted(tool: Tool, live: Playbook | None) -> str | None:
    if live is None or tool.name in live.tools.get(tool.server, ()):
        return None
    return f"{tool.server}.{tool.name} was taken off the playbook. Go on without it."


def _exhausted(tool: Tool, live: Live) -> str | None:
    if live.playbook is None or tool.effect is Effect.READ:
        return None
    most = live.playbook.writes.get(f"{tool.server}.{tool.name}", NO_LIMIT).max
    if live.before < most:
        return None
    return (
        f"{tool.server}.{tool.name} may be called {most} times in a run now, and that is used up."
    )


def _stronger(tool: Tool, server: Server | None) -> str | None:
    declared = None if server is None else server.effects.get(tool.name)
    if declared is None or ORDER.index(declared) <= ORDER.index(tool.effect):
        return None
    name = f"{tool.server}.{tool.name}"
    return f"{name} counts as {declared} now, and this run was opened when it counted as {tool.effect}."


def _args(tool: Tool, live: Playbook | None) -> Policy:
    return {} if live is None else live.writes.get(f"{tool.server}.{tool.name}", NO_LIMIT).args


def _outgrown(tool: Tool, live: Live) -> str | None:
    """A definition that a person accepted since may want other arguments."""
    if live.locked is None or live.locked.hash == tool.hash:
        return None
    try:
        schema = repair(live.locked.definition.get("input_schema"))
    except ValueError as error:
        return f"the schema of {tool.server}.{tool.name} can't be used any more: {error}"
    return complaints(tool.alias, schema, live.arguments)
