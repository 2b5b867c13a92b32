"""The MCP library for a command line: look at servers, or make one call of a person's; it prints nothing.

Its import costs a second, so whoever needs it asks for it late.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from orchestrator.agent.hands.definitions import (
    Answered,
    Asks,
    Begun,
    Discovered,
    HandsUnreachable,
    Lost,
    NotSent,
    Outcome,
    ToolDefinition,
)
from orchestrator.agent.hands.locking import drifted, estranged
from orchestrator.agent.hands.looking import Probed
from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.hands.probing import each, probed
from orchestrator.agent.hands.schemas import repair
from orchestrator.agent.text.redacting import Redact
from orchestrator.agent.tools.quarantine import way_of
from orchestrator.agent.tools.toolset import complaints
from orchestrator.configuration.configuration import Configuration
from orchestrator.errors import OperatorError
from orchestrator.ledger import audit
from orchestrator.ledger.audit import Line
from orchestrator.rules.load import closest
from orchestrator.stores import Stores
from workflows.messages import CallState


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A call that a person makes: `who` they are, and the seconds they give it."""

    server: str
    tool: str
    arguments: Mapping[str, Any]
    text: str
    who: str
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a person's call ended: as a call of a run would, with what was answered, and in how many seconds."""

    state: CallState
    content: tuple[dict[str, Any], ...]
    seconds: float


def hands_of(configuration: Configuration, environment: Mapping[str, str], redact: Redact) -> Hands:
    """Hands for one command."""
    return Hands(configuration.servers, environment=environment, redact=redact)


async def looked_at(hands: Hands, names: Iterable[str]) -> list[Probed]:
    """Look at every one of these servers, a few at a time."""
    try:
        return await each(names, lambda name: probed(hands, name))
    finally:
        await hands.close()


async def definition_of(
    hands: Hands, configuration: Configuration, wanted: Wanted
) -> ToolDefinition:
    """The tool, if it is as it was locked, and the arguments fit it. Raises OperatorError."""
    try:
        found = await hands.discover(wanted.server)
    except HandsUnreachable as unreachable:
        raise OperatorError(str(unreachable)) from unreachable
    offered = {tool.name: tool for tool in found.tools}
    if wanted.tool not in offered:
        near = closest(wanted.tool, offered)
        raise OperatorError(f"server {wanted.server!r} has no tool {wanted.tool!r}{near}")
    definition = offered[wanted.tool]
    wrong = _unlocked(configuration, found, definition) or _unfit(definition, wanted.arguments)
    if wrong is not None:
        raise OperatorError(wrong)
    return definition


def _unlocked(
    configuration: Configuration, found: Discovered, definition: ToolDefinition
) -> str | None:
    lock = configuration.lock
    if lock is None:
        return None
    way = way_of(configuration.servers.get(found.server))
    locked = lock.tool(definition.server, definition.name)
    # A person may try what nobody has locked yet; what was locked must be what it was.
    return estranged(lock, found, way) or (None if locked is None else drifted(lock, definition))


def _unfit(definition: ToolDefinition, arguments: Mapping[str, Any]) -> str | None:
    name = f"{definition.server}.{definition.name}"
    try:
        return complaints(name, repair(definition.input_schema), arguments)
    except ValueError as error:
        return f"the schema of {name} can't be used: {error}"


@dataclass(slots=True, kw_only=True)
class Recorded:
    """A person's call on its way into the audit: that it leaves, and then how it ended."""

    stores: Stores | None
    wanted: Wanted
    effect: str
    call_id: str
    sent_at: float | None = None

    async def leaves(self) -> bool:
        """Write down that its bytes leave now; they may."""
        self.sent_at = time.time()
        await self.tell(CallState.SENT, self.sent_at, is_error=False)
        return True

    async def tell(self, state: str, at: float, *, is_error: bool) -> None:
        """Write down how it stands."""
        if self.stores is not None:
            await self.stores.ledger.write(audit.append, self._line(state, at, is_error=is_error))

    def _line(self, state: str, at: float, *, is_error: bool) -> Line:
        return Line(
            at=at,
            call_id=self.call_id,
            run_id=None,
            rule=None,
            playbook=None,
            event_id=None,
            who=self.wanted.who,
            server=self.wanted.server,
            tool=self.wanted.tool,
            effect=self.effect,
            arguments=audit.digest_of(self.wanted.text),
            outcome=state,
            is_error=is_error,
            sent=self.sent_at is not None,
            seconds=None if self.sent_at is None else round(at - self.sent_at, 3),
        )


async def made(hands: Hands, stores: Stores | None, wanted: Wanted, effect: str) -> Made:
    """Make the call, and write down that it leaves, and then how it ended."""
    call_id = f"hand_{uuid4().hex[:12]}"
    recorded = Recorded(stores=stores, wanted=wanted, effect=effect, call_id=call_id)
    began = time.perf_counter()
    outcome = await hands.call(
        wanted.server,
        wanted.tool,
        wanted.arguments,
        deadline=wanted.deadline,
        key=call_id,
        before_send=recorded.leaves,
    )
    state, content = _ended(outcome)
    await recorded.tell(state, time.time(), is_error=state is not CallState.DONE)
    return Made(state=state, content=content, seconds=time.perf_counter() - began)


def _ended(outcome: Outcome) -> tuple[CallState, tuple[dict[str, Any], ...]]:
    match outcome:
        case Answered(content=content, is_error=is_error):
            return CallState.FAILED if is_error else CallState.DONE, content
        case Begun(status=status):
            return CallState.SENT, (
                _words(f"Its server answers later ({status}); nobody follows it."),
            )
        case Asks(answered=Answered(content=content)):
            return CallState.FAILED, content
        case Asks():
            return CallState.REFUSED, (
                _words("Nothing was done: its server asks people something first, as runs let it."),
            )
        case NotSent(reason=reason):
            return CallState.REFUSED, (_words(f"Nothing was sent: {reason}"),)
        case Lost(reason=reason):
            return CallState.UNKNOWN, (
                _words(f"It was sent, and nobody knows the outcome: {reason}"),
            )


def _words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
