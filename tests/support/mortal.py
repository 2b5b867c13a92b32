"""A process that dies: what it works on answers until its life is over, and never after that.

A death falls behind what was last done: it has happened, and the process never learns of it.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.database import Database
from orchestrator.inbox.inbox import Decision
from orchestrator.ledger import claims, conversations
from orchestrator.ledger.conversations import Opening
from workflows.messages import Claim, Outcome, RunState


class KilledError(Exception):
    """Where the process died."""


@dataclass
class Life:
    """How many more things it does."""

    left: int

    async def lived(self, doing: Callable[[], Awaitable[Any]]) -> Any:
        if self.left <= 0:
            raise KilledError
        done = await doing()
        self.left -= 1
        if self.left <= 0:
            raise KilledError
        return done


@dataclass
class Mortal:
    """Anything with asynchronous methods, as a process with this life sees it."""

    life: Life
    real: Any

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self.real, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self.life.lived(lambda: method(*args, **kwargs))

        return call


@dataclass
class Town:
    """Runs as a Temporal server keeps them: mailboxes and how far each got outlive dispatchers and workers."""

    ledger: Database
    at: float
    mail: dict[str, list[Decision]] = field(default_factory=lambda: defaultdict(list))
    open: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    async def prepare(self) -> None:
        """Nothing to make ready."""

    async def deliver(self, decision: Decision, source: str) -> None:  # noqa: ARG002 - the protocol's
        self.mail[decision.workflow_id or ""].append(decision)

    async def running(self, workflow_id: str) -> bool:
        return bool(self.mail[workflow_id]) or workflow_id in self.open

    def busy(self) -> list[str]:
        """The workflows that have something to do."""
        return sorted({*self.open, *(name for name, mail in self.mail.items() if mail)})

    async def work(self, ledger: Any, workflow_id: str) -> None:
        """One round of a worker: take what came first, or end the conversation; repeated after a death."""
        if self.mail[workflow_id]:
            await self._take(ledger, self.mail[workflow_id][0])
            self.mail[workflow_id].pop(0)
        else:
            state = (RunState.ENDED, "done", Outcome.COMPLETED)
            run_id = self.open[workflow_id]
            await ledger.write(conversations.record, run_id, *state, self.at)
            del self.open[workflow_id]

    async def _take(self, ledger: Any, decision: Decision) -> None:
        known = (decision.id, f"token {decision.id}", Claim.CONSUMED)
        workflow_id = decision.workflow_id or ""
        # A delivery that comes twice brings a token of its own: here, being taken already says the same.
        if decision.id in self.taken and workflow_id in self.open:
            return
        await ledger.write(claims.claim, *known, workflow_id, self.at)
        if workflow_id in self.open:
            heard = (self.open[workflow_id], decision.event_id, 1, "handed in")
            await ledger.write(conversations.hear, *heard, self.at)
        elif decision.id not in self.taken:
            begun = await ledger.write(conversations.begin, _opening(decision), self.at)
            self.open[workflow_id] = begun.run_id
        self.taken.add(decision.id)


def _opening(decision: Decision) -> Opening:
    return Opening(
        workflow_id=decision.workflow_id or "",
        decision_id=decision.id,
        event_id=decision.event_id,
        position=1,
        rule=decision.rule,
        playbook="triage",
        key=decision.key or "",
        source="github",
        stage="live",
        scripted=True,
        configuration="sha",
    )
