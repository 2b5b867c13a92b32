"""The hands of a rehearsal: reads go out, or are answered as they were in an earlier run; a write never leaves."""

import json
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from orchestrator.agent.hands.definitions import (
    Answered,
    Asks,
    BeforeSend,
    Begun,
    Discovered,
    HandsUnreachable,
    NotSent,
    Outcome,
    Progress,
    Responses,
)
from orchestrator.agent.hands.pool import WITHDRAWN
from orchestrator.agent.means import Hands
from orchestrator.ledger.calls import Call
from orchestrator.playbooks import PROMPT, READ
from orchestrator.servers import Server
from workflows.messages import CallState
from workflows.playbook import Effect

ANSWERED: Final = frozenset({CallState.DONE, CallState.FAILED})
"""How a call stands whose server was heard."""

NO_WRITE: Final = "this is a rehearsal: {name} may change something, and is not sent"
UNHEARD: Final = (
    "This is a rehearsal with the answers of an earlier run, and that run never called {name} with these arguments:"
    " nobody knows what it would answer. Go on without it."
)


LATER: Final = (
    "This is a rehearsal, and {name} answers later: nobody waits for that here. Go on without it."
)


ASKS: Final = "This is a rehearsal, and {name} asks people something first: nobody is asked here. Go on without it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """A read that the earlier run had not made; `tool` is `server.tool`."""

    tool: str
    arguments: Mapping[str, Any]


class OnlyReads(Hands):
    """Other hands, of which only these tools (server, tool) may be called, whatever was decided before."""

    def __init__(self, hands: Hands, reads: Collection[tuple[str, str]]) -> None:
        self._hands = hands
        self._reads = frozenset(reads)

    @override
    def learn(self, servers: Mapping[str, Server]) -> None:
        self._hands.learn(servers)

    @override
    async def discover(self, server: str) -> Discovered:
        return await self._hands.discover(server)

    @override
    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float,
        key: str,
        before_send: BeforeSend | None = None,
        progress: Progress | None = None,
        responses: Responses | None = None,
    ) -> Outcome:
        if (server, tool) not in self._reads and tool != READ:
            return NotSent(reason=NO_WRITE.format(name=f"{server}.{tool}"))
        outcome = await self._hands.call(
            server,
            tool,
            arguments,
            deadline=deadline,
            key=key,
            before_send=before_send,
            progress=progress,
            responses=responses,
        )
        match outcome:
            case Begun():
                return _said(LATER.format(name=f"{server}.{tool}"))
            case Asks():
                return _said(ASKS.format(name=f"{server}.{tool}"))
            case _:
                return outcome

    @override
    async def close(self) -> None:
        await self._hands.close()


class Replayed(Hands):
    """The answers that an earlier run was given, by tool and arguments; equal calls get them in their order.

    What servers offer is asked of them; of one that doesn't answer, what was `locked`. `unheard` are the reads for
    which there was no answer.
    """

    def __init__(
        self, hands: Hands, made: Iterable[Call], locked: Mapping[str, Discovered]
    ) -> None:
        self._hands = hands
        self._locked = locked
        self._answers: dict[str, deque[Answered]] = {}
        self.unheard: list[Unheard] = []
        for call in made:
            if call.effect is Effect.READ and call.state in ANSWERED and call.content is not None:
                name = _name(call.server, call.tool, call.arguments)
                self._answers.setdefault(name, deque()).append(_answer(call))

    @override
    def learn(self, servers: Mapping[str, Server]) -> None:
        self._hands.learn(servers)

    @override
    async def discover(self, server: str) -> Discovered:
        try:
            return await self._hands.discover(server)
        except HandsUnreachable:
            if server not in self._locked:
                raise
            return self._locked[server]

    @override
    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float,
        key: str,
        before_send: BeforeSend | None = None,
        progress: Progress | None = None,
        responses: Responses | None = None,
    ) -> Outcome:
        if tool == PROMPT:
            # No call of the earlier run's: what it began with stands in its conversation, not among its calls.
            return await self._hands.call(server, tool, arguments, deadline=deadline, key=key)
        if before_send is not None and not await before_send():
            return NotSent(reason=WITHDRAWN)
        answers = self._answers.get(_name(server, tool, arguments))
        if answers is None:
            self.unheard.append(Unheard(tool=f"{server}.{tool}", arguments=dict(arguments)))
            return _said(UNHEARD.format(name=f"{server}.{tool}"))
        # The last answer stays: who asks once more than the earlier run is told what that run knew at last.
        return answers.popleft() if len(answers) > 1 else answers[0]

    @override
    async def close(self) -> None:
        await self._hands.close()


def _name(server: str, tool: str, arguments: Mapping[str, Any]) -> str:
    return f"{server}.{tool} {json.dumps(arguments, sort_keys=True, ensure_ascii=False)}"


def _answer(call: Call) -> Answered:
    content = tuple(dict(block) for block in call.content or ())
    return Answered(content=content, is_error=call.is_error, full=b"", full_media_type="text/plain")


def _said(words: str) -> Answered:
    text = ({"type": "text", "text": words},)
    return Answered(content=text, is_error=True, full=b"", full_media_type="text/plain")
