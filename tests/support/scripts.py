"""Scripted models: what is answered to the n-th turn, and what was asked; they know no run and no server."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.demo.wire import Fault, Reply, Text, ToolUse

Request = Mapping[str, Any]
Answer = Reply | Fault
Part = Answer | Callable[[Request], Answer]

WAIT = "doorbell__wait"


def says(text: str = "Done.", delay: float = 0.0) -> Reply:
    """The last word."""
    return Reply(blocks=(Text(text),), stop_reason="end_turn", delay=delay)


def uses(*calls: ToolUse, delay: float = 0.0, text: str = "") -> Reply:
    """Tool calls, all in one turn."""
    words = (Text(text),) if text else ()
    return Reply(blocks=(*words, *calls), stop_reason="tool_use", delay=delay)


def use(tool: str, **arguments: Any) -> ToolUse:
    """A call of one of the lab's tools."""
    return ToolUse(f"lab__{tool}", arguments)


def wait(*events: str, timeout: str = "1h") -> ToolUse:
    """A wait."""
    asked = {"events": list(events), "reason": "somebody has to answer", "timeout": timeout}
    return ToolUse(WAIT, asked)


def turn_of(request: Request) -> int:
    """Which turn is asked for, from 0: as many as the assistant has answered."""
    return sum(message["role"] == "assistant" for message in request["messages"])


@dataclass
class Turns:
    """Replies by the number of turns already answered; the last one is repeated. `asked` keeps every request."""

    replies: Sequence[Part]
    asked: list[Request] = field(default_factory=list)

    def reply(self, request: Request) -> Answer:
        self.asked.append(request)
        part = self.replies[min(turn_of(request), len(self.replies) - 1)]
        return part(request) if callable(part) else part

    def asked_for(self, turn: int) -> int:
        """How often this turn was asked for."""
        return sum(turn_of(request) == turn for request in self.asked)


@dataclass
class Once:
    """The first answer the first time, the other one from then on: a part of `Turns`."""

    first: Answer
    then: Answer
    seen: int = 0

    def __call__(self, request: Request) -> Answer:  # noqa: ARG002 - whatever is asked
        self.seen += 1
        return self.first if self.seen == 1 else self.then


@dataclass
class Pauses:
    """Sleeps that end with the house, so that a reply nobody reads any more holds nothing up."""

    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
        except TimeoutError:
            return


def results(request: Request) -> dict[str, str]:
    """The text of every tool result in a request, by the id of its call."""
    found = {}
    for message in request["messages"]:
        content = message["content"] if isinstance(message["content"], list) else []
        for block in content:
            if block["type"] == "tool_result":
                texts = [part.get("text", "") for part in block["content"]]
                found[block["tool_use_id"]] = "\n".join(texts)
    return found


def words(request: Request) -> str:
    """Everything the user's side says in a request, as one text, without the results."""
    said = []
    for message in request["messages"]:
        if message["role"] == "user":
            blocks = message["content"]
            said += [block["text"] for block in blocks if block["type"] == "text"]
    return "\n".join(said)
