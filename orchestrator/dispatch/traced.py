"""Deliveries into runs, each inside a span of its event's trace; it delivers nothing itself."""

from dataclasses import dataclass

from typing_extensions import override

from orchestrator.dispatch.runs import Runs
from orchestrator.inbox.inbox import Decision
from orchestrator.telemetry.spans import Tracing


@dataclass(frozen=True, slots=True)
class TracedRuns(Runs):
    """Runs, as they are without it; what Temporal starts belongs to the trace of the event that started it."""

    runs: Runs
    tracing: Tracing

    @override
    async def prepare(self) -> None:
        await self.runs.prepare()

    @override
    async def deliver(self, decision: Decision, source: str) -> None:
        about = {
            "doorbell.action": str(decision.action),
            "doorbell.rule": decision.rule,
            "doorbell.source": source,
            "doorbell.decision_id": decision.id,
        }
        with self.tracing.delivering(decision.event_id, about):
            await self.runs.deliver(decision, source)

    @override
    async def running(self, workflow_id: str) -> bool:
        return await self.runs.running(workflow_id)
