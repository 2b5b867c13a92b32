"""A change of the workflow that would break the runs that are under way is noticed: their histories still replay.

`run_v1.json` and `lives/` are the histories of whole runs, part by part where they continued as new. `parked_v1.json`
is a run of the last version that knew no prologue, as it stood waiting for days; `slept` went into the prologue twice.
A change that breaks one needs `workflow.patched`. What has no history yet, or is to be recorded anew before the first
release, with:

    python -m tests.temporal.test_replay [NAME...]
"""

import asyncio
import json
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from tests.support.lives import APART, LIVES, lived
from tests.support.town import Town, town
from workflows import parking
from workflows.run import Run

HISTORIES = Path(__file__).parent / "histories"
RECORDED = HISTORIES / "run_v1.json"
PARKED = HISTORIES / "parked_v1.json"
"""Its last event is a timer that never fired: whoever wakes such a run replays this first."""
ALL = [RECORDED, PARKED, *sorted((HISTORIES / "lives").glob("*.json"))]
NAMES = (*LIVES, *APART)
SCHEDULED = "activityTaskScheduledEventAttributes"


@cache
def replayer() -> Replayer:
    passed = SandboxRestrictions.default.with_passthrough_modules("workflows")
    return Replayer(
        workflows=[Run],
        data_converter=pydantic_data_converter,
        workflow_runner=SandboxedWorkflowRunner(restrictions=passed),
    )


def history_in(recorded: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("run", recorded.read_text())


@pytest.mark.temporal
@pytest.mark.parametrize("recorded", ALL, ids=lambda path: path.stem)
async def test_the_history_of_an_older_run_still_replays(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = LIVES.get(recorded.stem.partition(".")[0])
    if life is not None and life.limit is not None:
        # Where it continued as new stands in the history.
        monkeypatch.setattr(parking, "HISTORY_LIMIT", life.limit)
    result = await replayer().replay_workflow(history_in(recorded), raise_on_replay_failure=False)
    assert result.replay_failure is None, (
        f"{recorded.name} no longer replays: {result.replay_failure}; see the words at the top of this file"
    )


@pytest.mark.temporal
@pytest.mark.parametrize("name", ["talked.1", "approved.1", "cancelled.1", "followed.1"])
async def test_a_history_with_one_other_command_does_not_replay(name: str) -> None:
    """The control: what the replay of a history is good for."""
    told = json.loads((HISTORIES / "lives" / f"{name}.json").read_text())
    first = next(one[SCHEDULED] for one in told["events"] if SCHEDULED in one)
    first["activityType"]["name"] = "another"
    history = WorkflowHistory.from_json("run", json.dumps(told))
    result = await replayer().replay_workflow(history, raise_on_replay_failure=False)
    assert "another" in str(result.replay_failure)


def test_every_life_has_a_history() -> None:
    assert {path.name.partition(".")[0] for path in ALL} == {*NAMES, "run_v1", "parked_v1"}
    assert sum(path.name.startswith("continued.") for path in ALL) > 2
    assert sum('"asleep":{' in _begun_with(path) for path in ALL) > 1


def _begun_with(recorded: Path) -> str:
    first = history_in(recorded).events[0].workflow_execution_started_event_attributes
    return first.input.payloads[0].data.decode()


def recorded_anew(name: str, built: Town) -> list[str]:
    """Live it, with histories as long as this life wants them."""
    usual, life = parking.HISTORY_LIMIT, LIVES.get(name)
    parking.HISTORY_LIMIT = usual if life is None or life.limit is None else life.limit
    try:
        with tempfile.TemporaryDirectory() as where:
            return asyncio.run(lived(name, Path(where), built))
    finally:
        parking.HISTORY_LIMIT = usual


def main(names: list[str]) -> None:
    """Record these, or all that have no history yet."""
    there = {path.name.partition(".")[0] for path in ALL}
    with town() as built:
        for name in names or [name for name in NAMES if name not in there]:
            parts = recorded_anew(name, built)
            for old in (HISTORIES / "lives").glob(f"{name}.*.json"):
                old.unlink()
            (HISTORIES / "lives").mkdir(parents=True, exist_ok=True)
            for number, part in enumerate(parts, start=1):
                (HISTORIES / "lives" / f"{name}.{number}.json").write_text(part)


if __name__ == "__main__":
    main(sys.argv[1:])
