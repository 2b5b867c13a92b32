"""The console of an installation whose stores are open in this process; it knows no network."""

from dataclasses import dataclass
from typing import Any

from orchestrator.console.acting import Acting
from orchestrator.console.questions import Act, Question, Shown, Word
from orchestrator.console.reading import Reading
from orchestrator.console.saying import Saying


@dataclass(frozen=True, slots=True)
class Indoors:
    """See `questions.Console`."""

    reading: Reading
    saying: Saying
    acting: Acting

    async def ask(self, question: Question) -> Any:
        """The answer. Raises AskerError."""
        return await self.reading.answer(question)

    async def say(self, word: Word) -> Shown:
        """What came of it. Raises AskerError, or OperatorError."""
        return await self.saying.say(word)

    async def act(self, act: Act) -> Shown:
        """What was done. Raises AskerError, or OperatorError."""
        return await self.acting.act(act)
