"""The Temporal worker of a service: it hears ticks, and nothing else; loaded with the first schedule."""

from typing import Final

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from orchestrator.schedules.ringing import Ringing
from workflows.tick import Tick

AT_ONCE: Final = 20


def worker_of(client: Client, queue: str, ringing: Ringing) -> Worker:
    """The Temporal worker of a service: ticks, and nothing else."""
    return Worker(
        client,
        task_queue=queue,
        workflows=[Tick],
        activities=[ringing.ring],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_activities=AT_ONCE,
        max_concurrent_workflow_tasks=AT_ONCE,
        # A tick is two tasks long: kept for the next one, it would wait 10 s for a service that was killed.
        max_cached_workflows=0,
    )
