"""A console that shows and touches only what belongs to some rules, as another would; it reads no store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.console.questions import (
    AcceptNamespace,
    Act,
    Approval,
    Approvals,
    Call,
    Console,
    DeadLetters,
    Delivery,
    Event,
    Events,
    Log,
    LostRuns,
    OfRuns,
    OfTheHouse,
    Playbooks,
    Prune,
    Question,
    Refusals,
    Rule,
    Rules,
    Run,
    Runs,
    Shown,
    Spend,
    Status,
    Why,
    Word,
)
from orchestrator.errors import AskerError, Fault
from orchestrator.rules.operators import like

TO_RUNS: Final = frozenset({"run.resume", "run.cancel", "run.apply", "run.retry"})
ANSWERS: Final = frozenset({"run.approve", "run.deny", "run.answer"})
ABOUT_RULES: Final = frozenset({"rule.pause", "rule.unpause"})


@dataclass(frozen=True, slots=True)
class Fenced:
    """See `questions.Console`; `rules` are globs over the names of rules."""

    console: Console
    rules: Sequence[str]

    async def ask(self, question: Question) -> Any:
        """The answer, without what belongs to other rules. Raises AskerError."""
        match question:
            case Runs() | Run() | Log() | Call() | LostRuns() | Approvals() | Approval():
                return await self._of_runs(question)
            case Rules() | Rule() | Playbooks() | Spend() | Status():
                return await self._of_the_house(question)
            case Events() | Event() | Delivery() | Why() | Refusals() | DeadLetters():
                raise self._refusal()

    async def say(self, word: Word) -> Shown:
        """What came of it. Raises AskerError."""
        if word.kind in TO_RUNS:
            await self._check_run(word.named)
        elif word.kind in ANSWERS:
            await self.ask(Approval(code=word.named))
        elif word.kind in ABOUT_RULES:
            await self._rule(Rule(rule=word.named))
        else:
            raise self._refusal()
        return await self.console.say(word)

    async def act(self, act: Act) -> Shown:
        """What was done, which is nothing: it would be to what belongs to every rule. Raises AskerError."""
        match act:
            case Prune() | AcceptNamespace():
                raise self._refusal()

    async def _of_the_house(self, question: OfTheHouse) -> Any:
        match question:
            case Rules():
                told = await self.console.ask(question)
                mine = [one for one in told["rules"] if self._mine(one["name"])]
                paused = [one for one in told["paused"] if self._mine_paused(one)]
                return {"rules": mine, "paused": paused, "broken": []}
            case Rule():
                return await self._rule(question)
            case Playbooks() | Spend() | Status():
                raise self._refusal()

    async def _of_runs(self, question: OfRuns) -> Any:
        match question:
            case Run() | Log() | Call():
                await self._check_run(question.run)
                return await self.console.ask(question)
            case Runs():
                page = await self.console.ask(question)
                # A page may be shorter than was asked for: what counts is its `next`.
                mine = [one for one in page["runs"] if self._mine(one["rule"])]
                return {**page, "runs": mine}
            case LostRuns():
                lost = (await self.console.ask(question))["lost"]
                return {"lost": [one for one in lost if await self._owns(one["run"])]}
            case Approvals():
                told = await self.console.ask(question)
                return {
                    "approvals": [one for one in told["approvals"] if await self._owns(one["run"])]
                }
            case Approval():
                return await self._request(question)

    async def _owns(self, run: str) -> bool:
        return self._mine((await self.console.ask(Run(run=run)))["rule"])

    # Whether a thing is another rule's or isn't there at all, the words are the same, and name nothing else.
    async def _request(self, question: Approval) -> Any:
        said = AskerError(Fault.NO_SUCH, f"nobody was asked anything under {question.code!r}")
        request = await self._found(question, said)
        if not await self._owns(request["run"]):
            raise said
        return request

    async def _rule(self, question: Rule) -> Any:
        said = AskerError(Fault.NO_SUCH, f"there is no sound rule {question.rule!r}")
        if not self._mine(question.rule):
            raise said
        return await self._found(question, said)

    async def _check_run(self, run: str) -> None:
        said = AskerError(Fault.NO_SUCH, f"no run of these rules is, or begins with, {run!r}")
        found = await self._found(Run(run=run), said)
        if not self._mine(found["rule"]):
            raise said

    async def _found(self, question: Question, otherwise: AskerError) -> Any:
        try:
            return await self.console.ask(question)
        except AskerError as error:
            raise otherwise from error

    def _mine(self, rule: str) -> bool:
        return any(like(rule, glob) for glob in self.rules)

    def _mine_paused(self, pause: Shown) -> bool:
        return pause["what"] == "rule" and self._mine(pause["name"])

    def _refusal(self) -> AskerError:
        known = " ".join(self.rules)
        said = f"expected a token for every rule; this one is for {known}: runs, approvals, rules"
        return AskerError(Fault.NOT_ALLOWED, said)
