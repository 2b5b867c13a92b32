"""A change of the tick's workflow that would break the ticks that wait for a service is noticed: they still replay.

Before the first release it may be recorded anew, with `python -m tests.temporal.test_schedules_replay`.
"""

import asyncio
import json
import re
import socket
import tempfile
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from orchestrator import temporal
from tests.support.builders import inbox_at
from tests.support.clocks import clock, scheduled
from tests.support.town import temporal_server
from workflows.tick import Tick

RECORDED = Path(__file__).parent / "histories" / "tick_v1.json"


@pytest.mark.temporal
async def test_the_history_of_an_older_tick_still_replays() -> None:
    history = WorkflowHistory.from_json("tick", RECORDED.read_text())
    assert len(history.events) > 8
    passed = SandboxRestrictions.default.with_passthrough_modules("workflows")
    replayer = Replayer(
        workflows=[Tick],
        data_converter=pydantic_data_converter,
        workflow_runner=SandboxedWorkflowRunner(restrictions=passed),
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    assert result.replay_failure is None, (
        f"{RECORDED.name} no longer replays: {result.replay_failure}; see the words at the top of this file"
    )


async def record(directory: Path) -> str:
    """Let one tick ring; its history as JSON."""
    with temporal_server() as server, inbox_at(directory) as inbox:
        await server.start()
        client = await temporal.connect(server.address, "default")
        async with clock(client, inbox, "doorbell") as one:
            one.rules = [scheduled("nightly")]
            await one.clock.look()
            await one.tick("nightly")
            await one.ticked(1)
            (found,) = [workflow async for workflow in client.list_workflows()]
            handle = client.get_workflow_handle(found.id, run_id=found.run_id)
            return (await handle.fetch_history()).to_json()


def main() -> None:
    """Write the recorded history, without the name of this machine."""
    with tempfile.TemporaryDirectory() as directory:
        told = asyncio.run(record(Path(directory)))
    told = re.sub(rf"\d+@{re.escape(socket.gethostname())}", "1@recorded", told)
    told = told.replace(socket.gethostname(), "recorded")
    RECORDED.write_text(json.dumps(json.loads(told), indent=1) + "\n")


if __name__ == "__main__":
    main()
