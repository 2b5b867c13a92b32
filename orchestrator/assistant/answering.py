"""How an assistant's questions and words reach the console, and come back marked; it knows no tool by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from orchestrator.assistant.marked import marked
from orchestrator.console.questions import Console, Question, Word
from orchestrator.errors import AskerError, OperatorError


@dataclass(frozen=True, slots=True)
class Answering:
    """`console` is whom the sender of a request talks to; `nonce` names the block of an answer."""

    console: Callable[[Context], Console]
    nonce: Callable[[], str]

    async def ask(self, ctx: Context, question: Question) -> str:
        """The answer. Raises ToolError, whose text the assistant is shown."""
        return await self._told(ctx, lambda console: console.ask(question))

    async def say(self, ctx: Context, word: Word) -> str:
        """What came of it. Raises ToolError, whose text the assistant is shown."""
        return await self._told(ctx, lambda console: console.say(word))

    async def _told(self, ctx: Context, act: Callable[[Console], Any]) -> str:
        try:
            answer = await act(self.console(ctx))
        except (AskerError, OperatorError) as error:
            # The SDK shows the model no other exception's words.
            raise ToolError(str(error)) from error
        if isinstance(answer, dict) and answer.get("accepted") is False:
            raise ToolError(f"it was recorded as {answer['event']} and refused: {answer['reason']}")
        return marked(answer, self.nonce())
