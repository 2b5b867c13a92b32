"""A change of the workflow that would break the runs that are under way is noticed: their histories still replay.

`run_v1.json` is the history of a whole run: tools, a wait, an interruption, a refusal, a wake-up. A change that
breaks it needs `workflow.patched`. Before the first release it may instead be recorded anew, with:

    python -m tests.temporal.test_replay
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

from orchestrator.demo.wire import ToolUse
from tests.support.house import House, commented, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.town import Town, town
from workflows.run import Run

RECORDED = Path(__file__).parent / "histories" / "run_v1.json"

REPLY = uses(wait("github/issue_comment.created"))
TALK = [
    uses(use("read_thing"), use("write_thing", body="one"), ToolUse("lab__unknown")),
    REPLY,
    REPLY,
    says(),
]


@pytest.mark.temporal
async def test_the_history_of_an_older_run_still_replays() -> None:
    history = WorkflowHistory.from_json("run", RECORDED.read_text())
    assert len(history.events) > 60
    passed = SandboxRestrictions.default.with_passthrough_modules("workflows")
    replayer = Replayer(
        workflows=[Run],
        data_converter=pydantic_data_converter,
        workflow_runner=SandboxedWorkflowRunner(restrictions=passed),
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    assert result.replay_failure is None, (
        f"{RECORDED.name} no longer replays: {result.replay_failure}; see the words at the top of this file"
    )


async def record(shared: Town, directory: Path) -> str:
    """Live through all of it once; the history as JSON."""
    async with house(directory, shared, Turns(TALK)) as home:
        await home.ring(opened())
        await home.one("waiting")
        await home.ring(opened(action="labeled"))
        await home.until(lambda: waits_again(home), "the second wait")
        await home.ring(commented("the answer"), "issue_comment")
        run = await home.ended()
        handle = home.client.get_workflow_handle(run["workflow_id"])
        await handle.result()
        return (await handle.fetch_history()).to_json()


async def waits_again(home: House) -> bool:
    (run,) = await home.runs()
    return run["state"] == "waiting" and run["turns"] == 3


def nameless(history: str) -> str:
    """The history without the name of the machine it was recorded on."""
    told = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', history)
    told = told.replace(socket.gethostname(), "host")
    return json.dumps(json.loads(told), separators=(",", ":")) + "\n"


if __name__ == "__main__":
    with town() as built, tempfile.TemporaryDirectory() as where:
        recorded = asyncio.run(record(built, Path(where)))
    RECORDED.parent.mkdir(exist_ok=True)
    RECORDED.write_text(nameless(recorded))
